# A guest on a bridge of Open vSwitch, in a VLAN and in none: from a port of
# its own, which is gone afterwards also when gopxeboot was killed, and from
# dom0's. The servers are behind a trunk port.
mkdir -p /run/openvswitch /etc/openvswitch /var/log/openvswitch
ovsdb-tool create /etc/openvswitch/conf.db /usr/share/openvswitch/vswitch.ovsschema
ovsdb-server --remote=punix:/run/openvswitch/db.sock --pidfile --detach --no-chdir
ovs-vsctl --no-wait init
/usr/lib/openvswitch-switch/ovs-vswitchd --pidfile --detach --no-chdir
trap 'ip netns exec servers kill $(cat "$work"/vlan*.pid); ip link del ovsservers
	ovs-vsctl del-br ovsbr0; ovs-appctl -t ovs-vswitchd exit --cleanup; ovs-appctl -t ovsdb-server exit; rm -rf /etc/openvswitch' EXIT
ovs-vsctl add-br ovsbr0
ip link set ovsbr0 up
ip link add ovsservers type veth peer name eth1 netns servers
ip link set ovsservers up
ip -n servers link set eth1 up
ovs-vsctl add-port ovsbr0 ovsservers
vlan_servers servers eth1 0 192.168.78
vlan_servers servers eth1 20 192.168.20

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
