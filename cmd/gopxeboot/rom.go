package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/urfave/cli/v2"
)

// romOf is the PXE ROM that the flags describe.
func romOf(c *cli.Context) (dhcpclient.ROM, error) {
	rom := dhcpclient.ROM{
		Arch:        uint16(*c.Generic("arch").(*arch)),
		UserClass:   c.String("user-class"),
		VendorClass: c.String("vendor-class"),
	}
	if id := c.String("client-id"); id != "" {
		var err error
		if rom.ClientID, err = dhcpclient.ParseValue(id); err != nil {
			return rom, fmt.Errorf("--client-id %s: %w", id, err)
		}
	}
	for _, o := range *c.Generic("option").(*options) {
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

// arch is an architecture of RFC 4578 and IANA's list that goes on from there.
type arch uint16

var archNames = map[string]arch{"bios": 0, "efi32": 6, "efi64": 7, "arm32": 10, "arm64": 11}

func (a *arch) String() string { return strconv.Itoa(int(*a)) }

func (a *arch) Set(text string) error {
	if named, ok := archNames[text]; ok {
		*a = named
		return nil
	}
	n, err := strconv.ParseUint(strings.TrimSpace(text), 0, 16)
	if err != nil {
		return fmt.Errorf("%q is neither bios, efi32, efi64, arm32, arm64 nor a number", text)
	}
	*a = arch(n)
	return nil
}

// options collects what is said several times. Package cli's own flag for that
// would split a value at its commas.
type options []string

func (o *options) String() string { return strings.Join(*o, " ") }

func (o *options) Set(text string) error {
	*o = append(*o, text)
	return nil
}
