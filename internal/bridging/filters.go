package bridging

import (
	"encoding/binary"
	"os"
	"slices"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Table is one of this namespace's that may drop what a bridge forwards.
type Table struct {
	Name string // "table bridge filter", "iptables-legacy"
	OfIP bool   // it sees a bridge's frames by br_netfilter only
}

// Tables lists those that may drop what a bridge forwards; ok says whether nftables could be
// asked.
func Tables() (list []Table, ok bool) {
	type table struct {
		family byte
		name   string
	}
	drops := map[table]bool{}
	rules, err := nftables(unix.NFT_MSG_GETRULE)
	if err != nil {
		return legacy(), false
	}
	for _, r := range rules {
		if t := (table{r.family, r.text(unix.NFTA_RULE_TABLE)}); !drops[t] {
			drops[t] = slices.ContainsFunc(parse(r.of(unix.NFTA_RULE_EXPRESSIONS)), func(e attribute) bool { return mayDrop(parse(e.value)) })
		}
	}
	chains, err := nftables(unix.NFT_MSG_GETCHAIN)
	for _, c := range chains {
		hook := parse(c.of(unix.NFTA_CHAIN_HOOK)).of(unix.NFTA_HOOK_HOOKNUM)
		if len(hook) != 4 {
			continue // no base chain
		}
		word := map[byte]string{unix.NFPROTO_BRIDGE: "bridge", unix.NFPROTO_NETDEV: "netdev", unix.NFPROTO_IPV4: "ip", unix.NFPROTO_INET: "inet"}[c.family]
		// Prerouting, forward and postrouting have the same numbers in all families,
		// and a device's ingress is 0.
		if word == "" || !slices.Contains([]uint32{0, 2, 4}, binary.BigEndian.Uint32(hook)) {
			continue
		}
		name := c.text(unix.NFTA_CHAIN_TABLE)
		policy := c.of(unix.NFTA_CHAIN_POLICY)
		f := Table{"table " + word + " " + name, word == "ip" || word == "inet"}
		if (drops[table{c.family, name}] || len(policy) == 4 && binary.BigEndian.Uint32(policy) == 0) && !slices.Contains(list, f) {
			list = append(list, f)
		}
	}
	return append(list, legacy()...), err == nil
}

// legacy are the tables of the old iptables and ebtables, of which the kernel tells
// no more than that they are there.
func legacy() (list []Table) {
	if text, _ := os.ReadFile("/proc/net/ip_tables_names"); len(strings.Fields(string(text))) > 0 {
		list = append(list, Table{"iptables-legacy", true})
	}
	if _, err := os.Stat("/sys/module/ebtable_filter"); err == nil {
		list = append(list, Table{"ebtables-legacy", false})
	}
	return list
}

// mayDrop says whether an expression of a rule may be the end of a frame: a verdict,
// one that a map has, or a target of iptables'.
func mayDrop(e attributes) bool {
	data := parse(e.of(unix.NFTA_EXPR_DATA))
	switch e.text(unix.NFTA_EXPR_NAME) {
	case "reject", "queue":
		return true
	case "immediate":
		code := parse(parse(data.of(unix.NFTA_IMMEDIATE_DATA)).of(unix.NFTA_DATA_VERDICT)).of(unix.NFTA_VERDICT_CODE)
		return len(code) == 4 && binary.BigEndian.Uint32(code) == 0 // NF_DROP
	case "lookup":
		register := data.of(unix.NFTA_LOOKUP_DREG)
		return len(register) == 4 && binary.BigEndian.Uint32(register) == unix.NFT_REG_VERDICT
	case "target":
		return slices.Contains([]string{"DROP", "REJECT", "NFQUEUE"}, data.text(unix.NFTA_TARGET_NAME))
	}
	return false
}

// object is what nftables tells of a rule or a chain.
type object struct {
	family byte
	attributes
}

// nftables lists objects of all families.
func nftables(kind int) (list []object, err error) {
	request := nl.NewNetlinkRequest(unix.NFNL_SUBSYS_NFTABLES<<8|kind, unix.NLM_F_DUMP)
	request.AddData(&nl.Nfgenmsg{NfgenFamily: unix.NFPROTO_UNSPEC})
	replies, err := request.Execute(unix.NETLINK_NETFILTER, 0)
	for _, r := range replies {
		if len(r) >= nl.SizeofNfgenmsg {
			list = append(list, object{r[0], parse(r[nl.SizeofNfgenmsg:])})
		}
	}
	return list, err
}

// attribute is one of netlink's.
type attribute struct {
	kind  uint16
	value []byte
}

type attributes []attribute

// parse reads as many as are whole.
func parse(b []byte) (list attributes) {
	for len(b) >= unix.SizeofNlAttr {
		n := int(binary.NativeEndian.Uint16(b))
		if n < unix.SizeofNlAttr || n > len(b) {
			break
		}
		list = append(list, attribute{binary.NativeEndian.Uint16(b[2:]) &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER), b[unix.SizeofNlAttr:n]})
		b = b[min((n+3)&^3, len(b)):]
	}
	return list
}

// of is the value of one; nil for none.
func (a attributes) of(kind uint16) []byte {
	if i := slices.IndexFunc(a, func(o attribute) bool { return o.kind == kind }); i >= 0 {
		return a[i].value
	}
	return nil
}

func (a attributes) text(kind uint16) string { return unix.ByteSliceToString(a.of(kind)) }
