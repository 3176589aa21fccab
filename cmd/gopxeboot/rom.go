package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/internal/arch"
	"github.com/urfave/cli/v2"
)

// romOf is the PXE ROM that the flags describe.
func romOf(c *cli.Context) (dhcpclient.ROM, error) {
	rom := dhcpclient.ROM{
		Arch:        c.Generic("arch").(*archFlag).rom,
		UserClass:   c.String("user-class"),
		VendorClass: c.String("vendor-class"),
	}
	if id := c.String("client-id"); id != "" {
		var err error
		if rom.ClientID, err = dhcpclient.ParseValue(id); err != nil {
			return rom, fmt.Errorf("--client-id %s: %w", id, err)
		}
	}
	for _, o := range *c.Generic("option").(*texts) {
		code, value, err := dhcpclient.ParseOption(o)
		if err != nil {
			return rom, fmt.Errorf("--%w", err)
		}
		if rom.Options == nil {
			rom.Options = make(map[uint8][]byte)
		}
		rom.Options[code] = slices.Concat(rom.Options[code], value)
	}
	return rom, nil
}

// archFlag is what --arch says: what the guest's firmware claims to be, an
// architecture of RFC 4578 and of IANA's list that goes on from there, and the
// machine that a location's installer is for. Each name says one of the two;
// --arch may be said once for each.
type archFlag struct {
	rom     uint16
	machine arch.Machine // "" when not said
}

// newArch is what a guest of this host claims to be where nothing is said, by
// Go's name of its processor.
func newArch(host string) *archFlag {
	rom, _ := arch.Firmware(host) // else it is a BIOS
	return &archFlag{rom: rom}
}

func (a *archFlag) String() string {
	if a.machine != "" {
		return string(a.machine)
	}
	return strconv.Itoa(int(a.rom))
}

func (a *archFlag) Set(text string) error {
	machine, isMachine := arch.ParseMachine(text)
	rom, isROM := arch.Firmware(text)
	if isMachine {
		a.machine = machine
	}
	if isROM { // arm64 is the name of both
		a.rom = rom
	}
	if isMachine || isROM {
		return nil
	}
	n, err := strconv.ParseUint(strings.TrimSpace(text), 0, 16)
	if err != nil {
		return fmt.Errorf("%q is neither bios, efi32, efi64, arm32, arm64 nor a number, for DHCP, nor amd64 or i386, for --location", text)
	}
	a.rom = uint16(n)
	return nil
}

// texts collects what is said several times. Package cli's own flag for that
// would split a value at its commas.
type texts []string

func (o *texts) String() string { return strings.Join(*o, " ") }

func (o *texts) Set(text string) error {
	*o = append(*o, text)
	return nil
}
