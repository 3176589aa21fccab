# The lab's menu on the guest's console. Under xl create -c a key opens it while
# the default's files are downloaded, and arrow down and Enter boot the second
# entry; without a key the default boots 3 s later.
menu() {
	cat >"$pxelinux" <<-END
		UI menu.c32
		MENU TITLE The lab
		TIMEOUT 100
		LABEL first
		  KERNEL kernel
		  APPEND initrd=ramdisk first then=poweroff
		LABEL second
		  KERNEL kernel
		  APPEND initrd=ramdisk second then=poweroff
	END
}

menu
sed -i 's/initrd=ramdisk first/initrd=100M.img first/' "$pxelinux"
truncate -s 100M /srv/tftp/100M.img
attended
within 60 grep -qa 'gopxeboot: menu: first boots; press a key' "$output"
printf ' ' >&5
within 20 grep -qa 'The lab' "$output"
printf '\e[B\r' >&5
wait_created
started_with "$booted second then=poweroff"
served | grep -q 'failed sending /srv/tftp/100M.img' || fail "the download of the default's initrd went on"

guest untouched
menu
attended
within 60 grep -qa 'gopxeboot: menu: first boots; press a key' "$output"
begin=$(now)
within 60 no_process
waited=$(($(now) - begin))
wait_created
started_with "$booted first then=poweroff"
echo "no key: $waited ms"
# It was seen some time after it was said.
[ $waited -gt 1500 ] || fail "no key was waited for: $waited ms"
