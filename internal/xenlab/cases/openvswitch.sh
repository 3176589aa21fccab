# A guest on a bridge of Open vSwitch, in a VLAN and in none: from a port of
# its own, which is gone afterwards also when gopxeboot was killed, and from
# dom0's. The servers are behind a trunk port.
openvswitch

boots_from 192.168.78 --net guest --bridge ovsbr0
boots_from 192.168.20 --net guest --bridge ovsbr0.20
leases_from 192.168.78 --net auto --bridge ovsbr0
leases_from 192.168.20 --net dom0 --bridge ovsbr0 --vlan 20
no_lease --net guest --bridge ovsbr0 --vlan 22
is "ports" "$(ovs-vsctl list-ports ovsbr0)" ovsservers

# What a killed one left is swept up by the next.
gopxeboot plan --mac "$mac" --net guest --bridge ovsbr0.22 --timeout 60 >/dev/null 2>&1 &
within 60 compgen -G '/sys/class/net/gpx*/master'
kill -KILL $!
within 5 no_process
ovs-vsctl list-ports ovsbr0 | grep -q '^gpx[0-9]' || fail "no port is left, and nothing to sweep up"
boots_from 192.168.20 --net guest --bridge ovsbr0.20
is "ports" "$(ovs-vsctl list-ports ovsbr0)" ovsservers
