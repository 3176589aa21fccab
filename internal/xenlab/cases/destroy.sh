# xl destroy in the middle of a download ends it at once.
initrd 100M
creating
within 60 downloading
xl destroy "$name"
status=0
wait $create || status=$?
is "xl create's exit status" $status 3
has "$output" "exited with error status 8"
is "processes" "$(ours)" ""
