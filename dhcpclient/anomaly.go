package dhcpclient

import (
	"bytes"
	"net/netip"
	"slices"

	"github.com/insomniacslk/dhcp/dhcpv4"
)

// AnomalyKind is a kind of Anomaly.
type AnomalyKind string

// The kinds of Anomaly.
const (
	// NoCookie: the options do not begin with the cookie, so there are none.
	// No PXE client takes such a message.
	NoCookie AnomalyKind = "no-cookie"
	// NoEnd: there is no End option. Most clients, and this one, do without.
	NoEnd AnomalyKind = "no-end"
	// CutOption: Option says that it is longer than the field it is in. This
	// client drops the message.
	CutOption AnomalyKind = "cut-option"
	// BadLength: the value of Option has a length that it can't have.
	BadLength AnomalyKind = "bad-length"
	// TrailingBytes: the text of Option, or of the file field (Option 0), ends
	// with Value, which is no part of a name: NULs, 0xff, white space. NUL and
	// 0xff are trimmed here; old ROMs and PXELINUX trim NUL only.
	TrailingBytes AnomalyKind = "trailing-bytes"
	// FileDiffers: the file field says Value and Option, which is 67, says
	// Other. Clients do not agree on which wins; PXELINUX and this one take the
	// field.
	FileDiffers AnomalyKind = "file-differs"
	// ServersDiffer: of the two Servers, the first says Value and the second
	// Other for Field. Which one a machine gets is a matter of luck.
	ServersDiffer AnomalyKind = "servers-differ"
)

// Anomaly is something odd in what servers say. Which of the fields are set is
// said with the kinds.
type Anomaly struct {
	Kind    AnomalyKind
	Option  uint8        // its code; 0 is none, or a field of the header
	Value   []byte       // may hold any byte
	Other   []byte       // what it is compared with
	Field   string       // of a Lease: "BootFile", "NextServer", "Router", "Network"
	Servers []netip.Addr // who says so, as in Offer.Server; from a Survey only
}

func (a Anomaly) equal(b Anomaly) bool {
	return a.Kind == b.Kind && a.Option == b.Option && a.Field == b.Field &&
		bytes.Equal(a.Value, b.Value) && bytes.Equal(a.Other, b.Other) && slices.Equal(a.Servers, b.Servers)
}

// wrong takes down what is wrong with an option; 0 is none.
func (m *Message) wrong(kind AnomalyKind, option uint8, value []byte) {
	m.Anomalies = append(m.Anomalies, Anomaly{Kind: kind, Option: option, Value: bytes.Clone(value)})
}

// judge looks for what is wrong in options that could be read.
func (m *Message) judge() {
	seen := make(map[uint8]bool)
	for _, o := range m.Options {
		if seen[o.Code] {
			continue
		}
		seen[o.Code] = true
		if value := m.Option(o.Code); !kindOf(o.Code).fits(value) {
			m.wrong(BadLength, o.Code, value)
		}
	}
	if m.Op != uint8(dhcpv4.OpcodeBootReply) {
		return
	}
	for _, code := range []dhcpv4.OptionCode{dhcpv4.OptionTFTPServerName, dhcpv4.OptionBootfileName, dhcpv4.OptionPXELinuxConfigFile, dhcpv4.OptionPXELinuxPathPrefix} {
		if junk := trailing(m.Option(code.Code())); len(junk) > 0 {
			m.wrong(TrailingBytes, code.Code(), junk)
		}
	}
	if m.overloads(1) {
		return
	}
	// NULs fill the field up.
	if junk := trailing(m.File); len(junk) > 0 {
		m.wrong(TrailingBytes, 0, junk)
	}
	field, option := text(m.File), text(m.Option(dhcpv4.OptionBootfileName.Code()))
	if field != "" && option != "" && field != option {
		m.Anomalies = append(m.Anomalies, Anomaly{
			Kind: FileDiffers, Option: dhcpv4.OptionBootfileName.Code(), Value: []byte(field), Other: []byte(option),
		})
	}
}

// trailing is what stands behind a name and is no part of it.
func trailing(b []byte) []byte { return b[len(bytes.TrimRight(b, "\x00\xff \t\r\n")):] }

// differences compares what servers that give addresses say, each with the
// first, and what proxyDHCP servers say.
func differences(o *offers) []Anomaly {
	var found []Anomaly
	compareAll := func(list []*reply, fields map[string]func(*reply) string, order ...string) {
		for i := 1; i < len(list); i++ {
			for _, field := range order {
				value, other := fields[field](list[0]), fields[field](list[i])
				if value != other {
					found = append(found, Anomaly{
						Kind: ServersDiffer, Field: field, Value: []byte(value), Other: []byte(other),
						Servers: []netip.Addr{list[0].server(), list[i].server()},
					})
				}
			}
		}
	}
	says := map[string]func(*reply) string{
		"BootFile": func(r *reply) string { return r.bootFile() },
		"NextServer": func(r *reply) string {
			l, _ := merge(r, r)
			if l.ServerName != "" {
				return l.ServerName
			}
			return l.NextServer.String()
		},
		"Router": func(r *reply) string {
			if l, _ := merge(r, r); l.Router.IsValid() {
				return l.Router.String()
			}
			return ""
		},
		"Network": func(r *reply) string { l, _ := merge(r, r); return l.Address.Masked().String() },
	}
	compareAll(o.addresses, says, "BootFile", "NextServer", "Router", "Network")
	var proxies []*reply
	for _, p := range o.proxies {
		if bootable(p) { // another says it on port 4011, or nowhere
			proxies = append(proxies, p)
		}
	}
	compareAll(proxies, says, "BootFile", "NextServer")
	return found
}
