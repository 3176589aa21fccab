package dhcpclient

import (
	"encoding/binary"
	"net/netip"

	"github.com/gopxeboot/gopxeboot/internal/wire"
	"github.com/insomniacslk/dhcp/dhcpv4"
)

// Options inside option 43 of a server that knows PXE (PXE 2.1, table 2-1).
const (
	pxeDiscoveryControl = 6
	pxeMulticast        = 7
	pxeBootServers      = 8
	pxeBootMenu         = 9
	pxeMenuPrompt       = 10
	pxeBootItem         = 71
)

// Bits of the discovery control.
const (
	noBroadcast = 1 << iota
	noMulticast
	listedOnly
	useBootFile // of this very reply: no menu, no boot server
)

// localBoot is the type of boot server that means the machine's own disk.
const localBoot = 0

// noTimeOut is the time-out of a prompt that only a key ends.
const noTimeOut = 255

// menu is what a PXE server lets the machine choose from. The choice has to be
// taken to a boot server of the item's type, which knows the boot file.
type menu struct {
	items     []menuItem // at least one
	waits     bool       // without a time-out: a ROM would stand there until somebody chooses
	control   byte
	multicast netip.Addr // where boot servers listen; invalid when nowhere
	servers   map[uint16][]netip.Addr
}

type menuItem struct {
	kind uint16
	text string
}

// menu is nil when the server has none, or when the machine is not to look at
// it.
func (r *reply) menu() *menu {
	if !r.pxe() {
		return nil // option 43 is another vendor's
	}
	inside := r.encapsulated()
	m := &menu{servers: make(map[uint16][]netip.Addr)}
	if b := inside.Get(dhcpv4.GenericOptionCode(pxeDiscoveryControl)); len(b) == 1 {
		m.control = b[0]
	}
	for b := inside.Get(dhcpv4.GenericOptionCode(pxeBootMenu)); len(b) >= 3 && len(b) >= 3+int(b[2]); b = b[3+int(b[2]):] {
		m.items = append(m.items, menuItem{binary.BigEndian.Uint16(b), wire.Text(b[3 : 3+int(b[2])])})
	}
	if len(m.items) == 0 || m.control&useBootFile != 0 && r.bootFile() != "" {
		return nil
	}
	// Without a prompt the menu is shown at once, and waits.
	prompt := inside.Get(dhcpv4.GenericOptionCode(pxeMenuPrompt))
	m.waits = len(prompt) == 0 || prompt[0] == noTimeOut
	if b := inside.Get(dhcpv4.GenericOptionCode(pxeMulticast)); len(b) == 4 {
		if a := netip.AddrFrom4([4]byte(b)); a.IsMulticast() {
			m.multicast = a
		}
	}
	for b := inside.Get(dhcpv4.GenericOptionCode(pxeBootServers)); len(b) >= 3 && len(b) >= 3+4*int(b[2]); b = b[3+4*int(b[2]):] {
		kind := binary.BigEndian.Uint16(b)
		for list := b[3 : 3+4*int(b[2])]; len(list) > 0; list = list[4:] {
			if a := address(list[:4]); a.IsValid() {
				m.servers[kind] = append(m.servers[kind], a)
			}
		}
	}
	return m
}

// option is option 43 of a message that asks for, or gives, what belongs to an
// item of a menu. The layer is always the first one, the boot file itself.
func (i menuItem) option() []byte {
	return []byte{pxeBootItem, 4, byte(i.kind >> 8), byte(i.kind), 0, 0, dhcpv4.OptionEnd.Code()}
}

// isFor says whether r is a boot server's answer for the item. One that does
// not repeat the item is taken.
func (r *reply) isFor(i menuItem) bool {
	item := r.encapsulated().Get(dhcpv4.GenericOptionCode(pxeBootItem))
	return len(item) < 2 || binary.BigEndian.Uint16(item) == i.kind
}

// encapsulated are the options inside option 43; nil when it holds none.
func (r *reply) encapsulated() dhcpv4.Options {
	inside := make(dhcpv4.Options)
	if !wire.WalkOptions(r.Options.Get(dhcpv4.OptionVendorSpecificInformation), func(code uint8, value []byte) {
		inside[code] = append(inside[code], value...)
	}) {
		return nil
	}
	return inside
}
