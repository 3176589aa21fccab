# What has to be true after every case, whatever it did: no guest, no process,
# no file, no network of ours is left. Each thing that is, is a line; then it
# is removed, for the next case to be judged by itself.

# domains but dom0
domains() { xl list | awk 'NR > 1 && $2 != 0 { print $2 }'; }

processes() { ls -l /proc/[0-9]*/exe 2>/dev/null | sed -n 's|.* /proc/\([0-9]*\)/exe -> .*gopxeboot.*|\1|p'; }

left() {
	for id in $(domains); do echo "left over: domain $id ($(xl domname "$id" 2>&1))"; done
	for pid in $(processes); do echo "left over: process $pid ($(tr '\0' ' ' <"/proc/$pid/cmdline"))"; done
	ls -d /var/lib/xen/bootloader.* /run/xen/bootloader.* /tmp/* /run/gopxeboot* 2>/dev/null | sed 's/^/left over: /'
	ip -o link show | awk -F': ' '{ sub(/@.*/, "", $2); print $2 }' | grep -vxE 'lo|xenbr0|servers' | sed 's/^/left over: interface /'
	ip netns list | awk '$1 != "servers" { print "left over: namespace " $1 }'
	ip -o address show dev xenbr0 | awk '$3 == "inet" { print "left over: address " $4 }'
}

# A guest that powers off takes a moment; the rest is quick.
until what=$(left) && [ -z "$what" ]; do
	if [ $SECONDS -ge 60 ]; then
		echo "$what"
		break
	fi
	sleep 0.2
done
[ -n "$what" ] || exit 0
for id in $(domains); do xl destroy "$id"; done
for pid in $(processes); do kill -KILL "$pid"; done
rm -rf /var/lib/xen/bootloader.* /run/xen/bootloader.* /tmp/* /run/gopxeboot*
ip address flush dev xenbr0
