package labtest

import (
	"encoding/binary"
	"fmt"
	"os"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// DropBridged has dom0 drop all that the lab's bridge forwards, by iptables' FORWARD
// chain: what Docker leaves, where br_netfilter is loaded. Dom0's own frames do
// not pass there.
func DropBridged(t testing.TB, l *lab.Lab) {
	t.Helper()
	CallIPTables(t, l)
	filter(t, nil, unix.NFPROTO_IPV4, hookForward, unix.NFT_META_OIFNAME, l.Bridge(), 0, drops)
}

// DropInput has dom0 drop all that comes to it by the lab's bridge.
func DropInput(t testing.TB, l *lab.Lab) {
	t.Helper()
	filter(t, nil, unix.NFPROTO_IPV4, hookInput, unix.NFT_META_IIFNAME, l.Bridge(), 0, drops)
}

// DropOnBridge has dom0's bridge drop UDP to a port of the servers' machine.
func DropOnBridge(t testing.TB, l *lab.Lab, port uint16) {
	t.Helper()
	filter(t, nil, unix.NFPROTO_BRIDGE, hookForward, unix.NFT_META_OIFNAME, Ports(t, l)[0].Attrs().Name, port, drops)
}

// CallIPTables has iptables see what the lab's bridge forwards, as where Docker runs.
func CallIPTables(t testing.TB, l *lab.Lab) {
	t.Helper()
	if err := os.WriteFile("/sys/class/net/"+l.Bridge()+"/bridge/nf_call_iptables", []byte("1"), 0); err != nil {
		Missing(t, "br_netfilter: "+err.Error())
	}
}

// Reject has a host answer what comes to that port of its own by ICMP
// "administratively prohibited", or as a router what it would forward there.
func Reject(t testing.TB, h *lab.Host, port uint16, forwarded bool) {
	t.Helper()
	hook := uint32(hookInput)
	if forwarded {
		hook = hookForward
	}
	filter(t, h, unix.NFPROTO_IPV4, hook, unix.NFT_META_IIFNAME, "eth0", port, rejects)
}

// Hooks, NF_INET_LOCAL_IN and NF_INET_FORWARD; NF_BR_FORWARD is the same number.
const (
	hookInput   = 1
	hookForward = 2
)

// verdict is what becomes of a packet.
type verdict int

const (
	drops verdict = iota
	rejects
)

// filter makes a table of nftables' for what comes by a hook of the host's, or of
// dom0's where that is nil, from or to an interface, and to that port only unless it
// is 0. There need be no nft for it.
func filter(t testing.TB, h *lab.Host, family uint8, hook, key uint32, name string, port uint16, what verdict) {
	t.Helper()
	in := func(f func() error) error {
		if h == nil {
			return f()
		}
		return h.Do(f)
	}
	table := fmt.Sprint("lab ", name, " ", port)
	be32 := func(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }
	text := func(s string) []byte { return append([]byte(s), 0) }
	const nested = unix.NLA_F_NESTED
	nest := func(kind int, inside ...*nl.RtAttr) *nl.RtAttr {
		a := nl.NewRtAttr(kind|nested, nil)
		for _, i := range inside {
			a.AddChild(i)
		}
		return a
	}
	attr := nl.NewRtAttr
	expression := func(name string, data ...*nl.RtAttr) *nl.RtAttr {
		return nest(unix.NFTA_LIST_ELEM, attr(unix.NFTA_EXPR_NAME, text(name)), nest(unix.NFTA_EXPR_DATA, data...))
	}
	priority := int32(0) // nft's "filter" (NF_IP_PRI_FILTER)
	if family == unix.NFPROTO_BRIDGE {
		// NF_BR_PRI_FILTER_BRIDGED. br_netfilter takes frames over at -1, and gives them
		// back behind 0.
		priority = -200
	}
	equals := func(value []byte) *nl.RtAttr {
		return expression("cmp", attr(unix.NFTA_CMP_SREG, be32(unix.NFT_REG_1)), attr(unix.NFTA_CMP_OP, be32(unix.NFT_CMP_EQ)),
			nest(unix.NFTA_CMP_DATA, attr(unix.NFTA_DATA_VALUE, value)))
	}
	rule := []*nl.RtAttr{
		expression("meta", attr(unix.NFTA_META_DREG, be32(unix.NFT_REG_1)), attr(unix.NFTA_META_KEY, be32(key))), equals(text(name)),
	}
	if port != 0 {
		rule = append(rule, expression("payload", attr(unix.NFTA_PAYLOAD_DREG, be32(unix.NFT_REG_1)), attr(unix.NFTA_PAYLOAD_BASE, be32(unix.NFT_PAYLOAD_TRANSPORT_HEADER)),
			attr(unix.NFTA_PAYLOAD_OFFSET, be32(2)), attr(unix.NFTA_PAYLOAD_LEN, be32(2))), equals(binary.BigEndian.AppendUint16(nil, port)))
	}
	switch what {
	case drops:
		rule = append(rule, expression("immediate", attr(unix.NFTA_IMMEDIATE_DREG, be32(unix.NFT_REG_VERDICT)),
			nest(unix.NFTA_IMMEDIATE_DATA, nest(unix.NFTA_DATA_VERDICT, attr(unix.NFTA_VERDICT_CODE, be32(0)))))) // NF_DROP
	case rejects:
		const prohibited = 13 // RFC 1812, section 5.2.7.1
		rule = append(rule, expression("reject", attr(unix.NFTA_REJECT_TYPE, be32(unix.NFT_REJECT_ICMP_UNREACH)), attr(unix.NFTA_REJECT_ICMP_CODE, []byte{prohibited})))
	}
	changes := []nftMessage{
		{unix.NFT_MSG_NEWTABLE, []*nl.RtAttr{attr(unix.NFTA_TABLE_NAME, text(table))}},
		{unix.NFT_MSG_NEWCHAIN, []*nl.RtAttr{
			attr(unix.NFTA_CHAIN_TABLE, text(table)), attr(unix.NFTA_CHAIN_NAME, text("drops")), attr(unix.NFTA_CHAIN_TYPE, text("filter")),
			nest(unix.NFTA_CHAIN_HOOK, attr(unix.NFTA_HOOK_HOOKNUM, be32(hook)), attr(unix.NFTA_HOOK_PRIORITY, be32(uint32(priority)))),
		}},
		{unix.NFT_MSG_NEWRULE, []*nl.RtAttr{
			attr(unix.NFTA_RULE_TABLE, text(table)), attr(unix.NFTA_RULE_CHAIN, text("drops")), nest(unix.NFTA_RULE_EXPRESSIONS, rule...),
		}},
	}
	if err := in(func() error { return nftables(family, changes...) }); err != nil {
		Missing(t, "nftables: "+err.Error())
	}
	t.Cleanup(func() {
		gone := nftMessage{unix.NFT_MSG_DELTABLE, []*nl.RtAttr{attr(unix.NFTA_TABLE_NAME, text(table))}}
		if err := in(func() error { return nftables(family, gone) }); err != nil {
			t.Error(err)
		}
	})
}

// nftMessage is one change of a table.
type nftMessage struct {
	kind       int
	attributes []*nl.RtAttr
}

// nftables makes changes, all or none (nfnetlink's batch).
func nftables(family uint8, messages ...nftMessage) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 10}); err != nil {
		return err
	}
	var batch []byte
	add := func(kind, flags int, family uint8, resource uint16, attributes ...*nl.RtAttr) {
		request := nl.NewNetlinkRequest(kind, flags)
		request.AddData(nl.DeserializeNfgenmsg([]byte{family, 0, byte(resource >> 8), byte(resource)}))
		for _, a := range attributes {
			request.AddData(a)
		}
		batch = append(batch, request.Serialize()...)
	}
	add(unix.NFNL_MSG_BATCH_BEGIN, 0, 0, unix.NFNL_SUBSYS_NFTABLES)
	for _, m := range messages {
		add(unix.NFNL_SUBSYS_NFTABLES<<8|m.kind, unix.NLM_F_CREATE|unix.NLM_F_ACK, family, 0, m.attributes...)
	}
	add(unix.NFNL_MSG_BATCH_END, 0, 0, unix.NFNL_SUBSYS_NFTABLES)
	if err := unix.Sendto(fd, batch, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	buffer := make([]byte, 64<<10)
	for answered := 0; answered < len(messages); answered++ {
		n, _, err := unix.Recvfrom(fd, buffer, 0)
		if err != nil {
			return err
		}
		if n < 20 || binary.NativeEndian.Uint16(buffer[4:]) != unix.NLMSG_ERROR {
			return fmt.Errorf("an answer of %d bytes", n)
		}
		if code := int32(binary.NativeEndian.Uint32(buffer[16:])); code != 0 {
			return unix.Errno(-code)
		}
	}
	return nil
}
