package dhcpclient

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/internal/wire"
	"github.com/insomniacslk/dhcp/dhcpv4"
)

// options of a message, as text, in their order.
func optionsOf(t *testing.T, b []byte) []string {
	t.Helper()
	var list []string
	for o := b[wire.DHCPHeader:]; o[0] != 255; o = o[2+int(o[1]):] {
		list = append(list, fmt.Sprintf("%d=%x", o[0], o[2:2+int(o[1])]))
	}
	return list
}

func TestROM(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, c := range []struct {
		name string
		rom  ROM
		want []string // of 57 93 94 60 77 61 97 and what follows
	}{
		{name: "BIOS", want: []string{"57=05c0", "93=0000", "94=010201", "60=" + hexOf("PXEClient:Arch:00000:UNDI:002001"), "61=0100163e123456"}},
		{name: "UEFI", rom: ROM{Arch: 7},
			want: []string{"57=05c0", "93=0007", "94=010310", "60=" + hexOf("PXEClient:Arch:00007:UNDI:003016"), "61=0100163e123456"}},
		{name: "everything", rom: ROM{Arch: 0x1234, ClientID: []byte{0, 1}, VendorClass: "anaconda", UserClass: "iPXE"},
			want: []string{"57=05c0", "93=1234", "94=010310", "60=" + hexOf("anaconda"), "77=" + hexOf("iPXE"), "61=0001"}},
		{name: "options", rom: ROM{Options: map[uint8][]byte{175: {1}, 12: []byte("g1"), 93: {0, 9}, 61: {}, 60: nil}},
			want: []string{"57=05c0", "93=0009", "94=010201", "175=01", "12=" + hexOf("g1")}},
		{name: "a long option", rom: ROM{Options: map[uint8][]byte{250: []byte(long)}},
			want: []string{"57=05c0", "93=0000", "94=010201", "60=" + hexOf("PXEClient:Arch:00000:UNDI:002001"), "61=0100163e123456",
				"250=" + hexOf(long[:255]), "250=" + hexOf(long[255:])}},
	} {
		t.Run(c.name, func(t *testing.T) {
			id, err := newIdentity(guestMAC, "", c.rom)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range []message{{kind: dhcpv4.MessageTypeDiscover}, {kind: dhcpv4.MessageTypeRequest}} {
				var got []string
				for _, o := range optionsOf(t, id.bytes(m))[1:] {
					if !strings.HasPrefix(o, "55=") {
						got = append(got, o)
					}
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", m.kind, diff)
				}
			}
			decline := optionsOf(t, id.bytes(message{kind: dhcpv4.MessageTypeDecline, server: ipAddr("10.0.0.1"), address: ipAddr("10.0.0.42")}))
			for _, o := range decline {
				if code, _, _ := strings.Cut(o, "="); code != "53" && code != "61" && code != "54" && code != "50" {
					t.Errorf("DECLINE has %s: RFC 2131, table 5", o)
				}
			}
		})
	}
}

func hexOf(s string) string { return hex.EncodeToString([]byte(s)) }

func TestROMErrors(t *testing.T) {
	for want, rom := range map[string]ROM{
		"option 53 is not free to choose":                                {Options: map[uint8][]byte{53: {1}}},
		"option 255 is not free to choose":                               {Options: map[uint8][]byte{255: {}}},
		"the options make a message of 2278 bytes, where 1472 have room": {UserClass: strings.Repeat("x", 1920)},
	} {
		if _, err := newIdentity(guestMAC, "", rom); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// The first three fields go little-endian, as SMBIOS has them.
func TestUUID(t *testing.T) {
	for _, s := range []string{guestUUID, strings.ToUpper(guestUUID), strings.ReplaceAll(guestUUID, "-", "")} {
		b, err := machineIdentifier(s)
		if got := hex.EncodeToString(b); err != nil || got != "0033221100554477668899aabbccddeeff" {
			t.Errorf("%s: %s, %v", s, got, err)
		}
	}
}

func TestParseOption(t *testing.T) {
	for s, want := range map[string]string{
		"12=guest1":   "12 guest1",
		"93=0x0007":   "93 \x00\x07",
		"93=0X0007":   "93 0X0007",
		"60=a=b":      "60 a=b",
		"97=":         "97 ",
		"77=0x":       "77 ",
		"254=0xfF":    "254 \xff",
		"12":          `option "12": want N=VALUE, with a number N of an option that is free to choose`,
		"=x":          `option "=x": want N=VALUE, with a number N of an option that is free to choose`,
		"host-name=x": `option "host-name=x": want N=VALUE, with a number N of an option that is free to choose`,
		"256=x":       `option "256=x": want N=VALUE, with a number N of an option that is free to choose`,
		"0=x":         `option "0=x": want N=VALUE, with a number N of an option that is free to choose`,
		"53=0x01":     `option "53=0x01": want N=VALUE, with a number N of an option that is free to choose`,
		"93=0x007":    `option "93=0x007": want two hexadecimal digits for each byte after 0x`,
		"93=0x00 07":  `option "93=0x00 07": want two hexadecimal digits for each byte after 0x`,
	} {
		code, value, err := ParseOption(s)
		got := fmt.Sprint(code, " ", string(value))
		if err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%q is %q, want %q", s, got, want)
		}
	}
}
