package ipxe

import (
	"cmp"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Packet is what a DHCP server's answer says.
type Packet struct {
	Address, NextServer netip.Addr // yiaddr and siaddr
	File                string     // the header's file field
	Options             map[uint8][]byte
}

// Machine is what scripts run on. Zero values are "not known".
type Machine struct {
	MAC          net.HardwareAddr
	UUID         [16]byte
	EFI          bool   // the platform; pcbios otherwise
	Arch         string // buildarch: i386, x86_64, arm64
	Version      string // of the program that says it is iPXE
	Manufacturer string // and the others are SMBIOS's
	Product      string
	Serial       string
	Lease        Packet
	Proxy        Packet            // of a proxyDHCP server
	Set          map[string]string // set before the script runs, by NAME or NAME:TYPE
}

// setting is what iPXE knows of a name: the DHCP option that it is, and its type.
type setting struct {
	option string
	kind   kind
}

// named are the settings that iPXE knows (include/ipxe/settings.h and where each
// is defined).
var named = map[string]setting{
	"netmask": {"1", kindIPv4}, "gateway": {"3", kindIPv4}, "dns": {"6", kindIPv4}, "syslog": {"7", kindIPv4},
	"hostname": {"12", kindString}, "domain": {"15", kindString}, "root-path": {"17", kindString}, "mtu": {"26", kindUint16},
	"ntp-server": {"42", kindIPv4}, "dhcp-server": {"54", kindIPv4}, "vendor-class": {"60", kindString}, "filename": {"67", kindString},
	"user-class": {"77", kindString}, "uuid": {"97", kindUUID}, "priority": {"175.1", kindInt8}, "keep-san": {"175.8", kindInt8},
	"skip-san-boot": {"175.9", kindInt8}, "scriptlet": {"175.81", kindString}, "username": {"175.190", kindString}, "password": {"175.191", kindString},
	"san-filename": {"175.188", kindString}, "san-drive": {"175.189", kindUint8},
	"ip": {"", kindIPv4}, "next-server": {"", kindIPv4}, "mac": {"", kindHex}, "hwaddr": {"", kindHex}, "busid": {"", kindHex},
	"busloc": {"", kindUint32}, "unixtime": {"", kindUint32}, "errno": {"", kindUint32}, "memsize": {"", kindInt32},
}

// value is a setting's bytes and the type that they are written in.
type value struct {
	bytes []byte
	kind  kind
}

// block is a scope: settings, and scopes inside it.
type block struct {
	name   string
	values map[string]value
	blocks []*block
	fixed  bool // it is what others say
}

func (b *block) fill(kind kind, bytes []byte, name string) {
	if len(bytes) > 0 {
		b.values[keyOf(name)] = value{bytes, kind}
	}
}

// find is the value of a key in this scope or, else, in those inside it.
func (b *block) find(key string) (value, bool) {
	if v, ok := b.values[key]; ok {
		return v, true
	}
	if outer, inner, ok := strings.Cut(key, "."); ok {
		if v, ok := encapsulated(b.values[outer].bytes, inner); ok {
			return value{bytes: v}, true
		}
	}
	for _, child := range b.blocks {
		if v, ok := child.find(key); ok {
			return v, true
		}
	}
	return value{}, false
}

func encapsulated(b []byte, code string) ([]byte, bool) {
	n, err := strconv.ParseUint(code, 10, 8)
	for err == nil && len(b) >= 2 && len(b) >= 2+int(b[1]) {
		if b[0] == byte(n) {
			return b[2 : 2+b[1]], true
		}
		b = b[2+b[1]:]
	}
	return nil, false
}

// keyOf is what a setting's name is kept under: the option where it is one, whose
// number may be octal or hexadecimal.
func keyOf(name string) string {
	if known, ok := named[name]; ok && known.option != "" {
		return known.option
	}
	words := strings.Split(name, ".")
	for i, w := range words {
		n, err := strconv.ParseUint(w, 0, 8)
		if err != nil || strings.Contains(w, "_") {
			return name
		}
		words[i] = strconv.Itoa(int(n))
	}
	return strings.Join(words, ".")
}

// kindOf is the type that iPXE knows a key to have; "" where it knows none.
func kindOf(key string) kind {
	if known, ok := named[key]; ok {
		return known.kind
	}
	for _, known := range named {
		if known.option == key && key != "" {
			return known.kind
		}
	}
	return ""
}

// settings is the tree of scopes, in the order that they are looked through.
type settings struct {
	root  *block
	bytes int  // of all that scripts set
	moved bool // nextServer was set or cleared
}

const nextServer = "next-server"

func newBlock(parent *block, name string) *block {
	b := &block{name: name, values: map[string]value{}}
	if parent != nil {
		parent.blocks = append(parent.blocks, b)
	}
	return b
}

func newSettings(m *Machine) *settings {
	root := newBlock(nil, "")
	builtin, smbios, net0 := newBlock(root, "builtin"), newBlock(root, "smbios"), newBlock(root, "net0")
	platform := "pcbios"
	if m.EFI {
		platform = "efi"
	}
	for name, s := range map[string]string{"platform": platform, "buildarch": m.Arch, "version": m.Version} {
		builtin.fill(kindString, []byte(s), name)
	}
	for name, s := range map[string]string{"manufacturer": m.Manufacturer, "product": m.Product, "serial": m.Serial} {
		smbios.fill(kindString, []byte(s), name)
	}
	if m.UUID != [16]byte{} {
		// ${uuid:hexraw} shows the order of SMBIOS.
		smbios.fill("guid", swapUUID(m.UUID[:]), "uuid")
	}
	net0.fill(kindHex, m.MAC, "mac")
	net0.fill(kindHex, m.MAC, "hwaddr")
	for name, s := range map[string]string{"chip": "netfront", "bustype": "XEN", "linktype": "Ethernet", "ifname": "net0"} {
		net0.fill(kindString, []byte(s), name)
	}
	net0.fill(kindHex, []byte{8, 0, 0, 0, 0}, "busid")
	net0.fill(kindUint32, []byte{0, 0, 0, 0}, "busloc")
	dhcp, proxy, pxebs := newBlock(net0, "dhcp"), newBlock(root, "proxydhcp"), newBlock(root, "pxebs")
	m.Lease.fill(dhcp)
	m.Proxy.fill(proxy)
	for _, b := range []*block{builtin, smbios, dhcp, proxy, pxebs} {
		b.fixed = true
	}
	return &settings{root: root}
}

func (p *Packet) fill(b *block) {
	for code, v := range p.Options {
		key := strconv.Itoa(int(code))
		b.fill(kindOf(key), v, key)
	}
	b.fill(kindIPv4, p.Address.AsSlice(), "ip")
	b.fill(kindIPv4, p.NextServer.AsSlice(), "next-server")
	b.fill(kindString, []byte(p.File), "filename") // before option 67 (dhcppkt_fetch)
}

// name is a setting's name taken apart: [SCOPE/]NAME[:TYPE] (parse_setting_name).
type name struct {
	scope, key string
	kind       kind // as it is written, or as iPXE knows it; "" for neither
	written    bool
}

func parseName(s string) (name, bool) {
	scope, rest, scoped := strings.Cut(s, "/")
	if !scoped {
		scope, rest = "", s
	}
	rest, written, ok := strings.Cut(rest, ":")
	n := name{scope: scope, key: keyOf(rest), kind: kind(written), written: ok}
	if !ok {
		n.kind = kindOf(n.key)
	}
	return n, !ok || n.kind != "" && n.kind.known()
}

// scope is the block of a name; nil where there is none and none is to be made.
func (s *settings) scope(path string, create bool) *block {
	b := s.root
	if path == "" {
		return b
	}
	for word := range strings.SplitSeq(path, ".") {
		if word == "netX" {
			word = "net0"
		}
		i := slices.IndexFunc(b.blocks, func(c *block) bool { return c.name == word })
		switch {
		case i >= 0:
			b = b.blocks[i]
		case create:
			b = newBlock(b, word)
			s.bytes += len(word) + 64
		default:
			return nil
		}
	}
	return b
}

// get is a setting in the type that the name says, else in its own.
func (s *settings) get(text string) (formatted string, found bool) {
	n, ok := parseName(text)
	b := s.scope(n.scope, false)
	if !ok || b == nil {
		return "", false
	}
	v, ok := b.find(n.key)
	if !ok {
		return "", false
	}
	if n.written {
		v.kind = n.kind
	} else if v.kind == "" {
		v.kind = n.kind
	}
	if formatted, found = v.kind.format(v.bytes); !found {
		return "", false
	}
	return formatted, true
}

// set stores text, or clears the setting where that is "".
func (s *settings) set(name, text string) error {
	n, ok := parseName(name)
	if !ok {
		return failed("no type %q", n.kind)
	}
	if text == "" {
		return s.clear(name)
	}
	n.kind = cmp.Or(n.kind, kindString)
	b, ok := n.kind.parse(text)
	if !ok {
		return failed("%q is no %s", text, n.kind)
	}
	return s.store(n, b)
}

func (s *settings) store(n name, bytes []byte) error {
	b := s.scope(n.scope, true)
	switch {
	case b.fixed:
		return failed("%s can't be set", b.name)
	case n.key == "":
		return nil // and stays empty
	}
	s.bytes += len(n.key) + len(bytes) + 64 - len(b.values[n.key].bytes)
	if s.bytes > maxSettings {
		return tooMuch("more than %d bytes of settings", maxSettings)
	}
	b.values[n.key] = value{bytes, n.kind}
	s.moved = s.moved || n.key == nextServer
	return nil
}

func (s *settings) clear(name string) error {
	n, _ := parseName(name)
	if b := s.scope(n.scope, false); b != nil && !b.fixed {
		delete(b.values, n.key)
		s.moved = s.moved || n.key == nextServer
	}
	return nil
}

// increment adds to a number; what is not set is 0, an int32 where it has no type.
func (s *settings) increment(text string, by int32) error {
	n, ok := parseName(text)
	if !ok {
		return failed("no type %q", n.kind)
	}
	var sum int64
	if b := s.scope(n.scope, false); b != nil {
		v, found := b.find(n.key)
		if found {
			if !n.written {
				n.kind = cmp.Or(v.kind, kindString)
			}
			sum, _ = number(v.bytes, n.kind.signed())
		}
	}
	n.kind = cmp.Or(n.kind, kindInt32)
	if n.kind.width() == 0 {
		return failed("%s is a %s and no number", text, n.kind)
	}
	return s.store(n, n.kind.denumerate(int32(sum)+by))
}
