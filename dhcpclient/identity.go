package dhcpclient

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/wire"
	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/iana"
)

// ROM is the PXE ROM that a client speaks as. The zero value is a BIOS's.
type ROM struct {
	Arch        uint16 // option 93, the architecture of RFC 4578 §2.1; 0 is an x86 BIOS
	ClientID    []byte // option 61; nil is 1 and the MAC
	VendorClass string // option 60; "" is PXEClient with Arch
	// UserClass is option 77; "" sends none. It goes out as it is, as iPXE and
	// dhclient send it and as servers' configurations compare it, and not in
	// the parts of RFC 3004. "iPXE" gets an iPXE script at many sites.
	UserClass string
	// Unicast leaves the broadcast flag out, as iPXE and newer ROMs do: servers
	// then answer to the guest's MAC and the address that they offer.
	Unicast bool

	// Options are sent too, each in the place of the client's own option with
	// that code if there is one. An empty value leaves the option out.
	Options map[uint8][]byte
}

// IPXE is what an iPXE says that the ROM has loaded: the user class, which is
// "iPXE" where it has not been set otherwise, and option 175 with what it can do
// (net/udp/dhcp.c, dhcp_request_options_data). The caller's own Options stay.
func (r ROM) IPXE(userClass string) ROM {
	options := map[uint8][]byte{
		// A Xen network card (177), version 1.21.1 (235), and HTTP, HTTPS, TFTP, DNS,
		// bzImage, PXE and menus.
		175: []byte("\xb1\x05\x08\x00\x00\x00\x00\xeb\x03\x01\x15\x01" +
			"\x13\x01\x01\x14\x01\x01\x15\x01\x01\x17\x01\x01\x18\x01\x01\x21\x01\x01\x27\x01\x01"),
		55: []byte("\x01\x03\x06\x07\x0c\x0f\x11\x1a\x2b\x3c\x42\x43\x80\x81\x82\x83\x84\x85\x86\x87\xaf\xcb"),
	}
	undi := "002001"
	if r.Arch != uint16(iana.INTEL_X86PC) {
		undi, options[94] = "003010", []byte{1, 3, 10}
	}
	maps.Copy(options, r.Options)
	r.UserClass, r.VendorClass, r.Options = userClass, fmt.Sprintf("PXEClient:Arch:%05d:UNDI:%s", r.Arch, undi), options
	r.Unicast = false
	return r
}

// identity is what every message of a client says about itself. RFC 4578 §2:
// DISCOVER and REQUEST say the same.
type identity struct {
	mac     net.HardwareAddr
	unicast bool        // may be answered so
	options []rawOption // in the order of sending
}

type rawOption struct {
	code  uint8
	value []byte
}

// own are the options that are not the caller's to choose: they are what the
// exchange itself is made of.
var own = []uint8{
	dhcpv4.OptionPad.Code(), dhcpv4.OptionRequestedIPAddress.Code(), dhcpv4.OptionOptionOverload.Code(),
	dhcpv4.OptionDHCPMessageType.Code(), dhcpv4.OptionServerIdentifier.Code(), dhcpv4.OptionEnd.Code(),
}

// newIdentity checks what the caller wants.
func newIdentity(mac net.HardwareAddr, uuid string, rom ROM) (identity, error) {
	id := identity{mac: mac, unicast: rom.Unicast}
	if !wire.IsStation(mac) {
		return id, fmt.Errorf("%q is not the MAC of an Ethernet card", mac)
	}
	machine, err := machineIdentifier(uuid)
	if err != nil {
		return id, err
	}
	// Option 94: which network interface the architecture's boot files find.
	undi, nii := "002001", []byte{1, 2, 1}
	if rom.Arch != uint16(iana.INTEL_X86PC) {
		undi, nii = "003016", []byte{1, 3, 16}
	}
	rom.VendorClass = cmp.Or(rom.VendorClass, fmt.Sprintf("PXEClient:Arch:%05d:UNDI:%s", rom.Arch, undi))
	if rom.ClientID == nil {
		// The key of the lease is the one that most guests' own DHCP clients use.
		rom.ClientID = append([]byte{byte(iana.HWTypeEthernet)}, mac...)
	}
	set := func(code dhcpv4.OptionCode, value ...byte) {
		if given, ok := rom.Options[code.Code()]; ok {
			value = given
		}
		if len(value) > 0 {
			id.options = append(id.options, rawOption{code.Code(), value})
		}
	}
	set(dhcpv4.OptionMaximumDHCPMessageSize, maxMessage>>8, maxMessage&0xff)
	set(dhcpv4.OptionClientSystemArchitectureType, byte(rom.Arch>>8), byte(rom.Arch))
	set(dhcpv4.OptionClientNetworkInterfaceIdentifier, nii...)
	set(dhcpv4.OptionClassIdentifier, []byte(rom.VendorClass)...)
	set(dhcpv4.OptionUserClassInformation, []byte(rom.UserClass)...)
	set(dhcpv4.OptionParameterRequestList, parameters...)
	set(dhcpv4.GenericOptionCode(175)) // iPXE's, in iPXE's place
	set(dhcpv4.OptionClientIdentifier, rom.ClientID...)
	set(dhcpv4.OptionClientMachineIdentifier, machine...)

	var more []uint8
	for code := range rom.Options {
		if slices.Contains(own, code) {
			return id, fmt.Errorf("option %d is not free to choose", code)
		}
		if _, ok := id.option(dhcpv4.GenericOptionCode(code)); !ok {
			more = append(more, code)
		}
	}
	slices.Sort(more)
	for _, code := range more {
		set(dhcpv4.GenericOptionCode(code))
	}
	if n := len(id.bytes(message{})); n > maxMessage {
		return id, fmt.Errorf("the options make a message of %d bytes, where %d have room", n, maxMessage)
	}
	return id, nil
}

func (id identity) option(code dhcpv4.OptionCode) (rawOption, bool) {
	i := slices.IndexFunc(id.options, func(o rawOption) bool { return o.code == code.Code() })
	if i < 0 {
		return rawOption{}, false
	}
	return id.options[i], true
}

// machineIdentifier is option 97; nil when there is no UUID.
func machineIdentifier(uuid string) ([]byte, error) {
	if uuid == "" {
		return nil, nil
	}
	b, err := hex.DecodeString(strings.ReplaceAll(uuid, "-", ""))
	if err != nil || len(b) != 16 {
		return nil, fmt.Errorf("%q is not a UUID", uuid)
	}
	wire.SwapUUID(b)
	return append([]byte{0}, b...), nil
}

// ParseOption reads an option as people write it, for ROM.Options: the
// code, "=", and the value as text or, after "0x", as hexadecimal bytes.
//
//	12=guest1
//	93=0x0007
//	97=
func ParseOption(s string) (code uint8, value []byte, err error) {
	number, text, found := strings.Cut(s, "=")
	n, err := strconv.ParseUint(number, 10, 8)
	if err != nil || !found || slices.Contains(own, uint8(n)) {
		return 0, nil, fmt.Errorf("option %q: want N=VALUE, with a number N of an option that is free to choose", s)
	}
	if value, err = ParseValue(text); err != nil {
		return 0, nil, fmt.Errorf("option %q: %w", s, err)
	}
	return uint8(n), value, nil
}

// ParseValue reads the value of an option, or a client identifier, as
// ParseOption does.
func ParseValue(s string) ([]byte, error) {
	digits, isHex := strings.CutPrefix(s, "0x")
	if !isHex {
		return []byte(s), nil
	}
	b, err := hex.DecodeString(digits)
	if err != nil {
		return nil, errors.New("want two hexadecimal digits for each byte after 0x")
	}
	return b, nil
}
