# A bootloader that is killed takes its child and its port with it.
initrd 100M
creating
within 60 downloading
kill -KILL $(parent)
status=0
wait $create || status=$?
is "xl create's exit status" $status 3
has "$output" "fatal signal Killed"
within 5 no_process
