# A guest in a VLAN of the bridge, which is a trunk or filters VLANs itself: it
# boots from that VLAN's servers, and nobody outside of it, nor in another VLAN,
# answers it. xenbr0.20 is VLAN 20 on xenbr0, or the device of that name.
vlan_servers servers eth0 20 192.168.20
at_end 'ip link del xenbr0.20; ip link set xenbr0 type bridge vlan_filtering 0'

boots_from 192.168.20 --net guest --bridge xenbr0.20
leases_from 192.168.20 --net dom0 --bridge xenbr0 --vlan 20
leases_from 192.168.77 --net dom0 --bridge xenbr0
no_lease --net dom0 --bridge xenbr0 --vlan 22

ip link set xenbr0 type bridge vlan_filtering 1
bridge vlan add dev servers vid 20
bridge vlan add dev xenbr0 vid 20 self
boots_from 192.168.20 --net guest --bridge xenbr0.20
leases_from 192.168.20 --net dom0 --bridge xenbr0.20
boots_from 192.168.77 --net guest --bridge xenbr0
no_lease --net guest --bridge xenbr0 --vlan 22

# The device: of a VLAN nobody knows then but the kernel.
ip link add link xenbr0 name xenbr0.20 type vlan id 20
ip link set xenbr0.20 up
ip address add 192.168.20.1/24 dev xenbr0.20
boots_from 192.168.20 --bridge xenbr0.20

is "DISCOVERs that the servers of VLAN 20 have seen" "$(grep -c DHCPDISCOVER "$work/vlan20.log")" 5

# What check says, which asks in other VLANs, too.
ip link del xenbr0.20
verdict vlan-mismatch --net guest --bridge xenbr0 --vlan 22
ip link set xenbr0 type bridge vlan_filtering 0
verdict vlan-mismatch --net dom0 --bridge xenbr0 --vlan 22
verdict next-server-unreachable --net dom0 --bridge xenbr0 --vlan 20 # dom0 has no address there
