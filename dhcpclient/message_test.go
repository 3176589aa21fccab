package dhcpclient

import (
	"bytes"
	"encoding/hex"
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/internal/wire"
	"github.com/insomniacslk/dhcp/dhcpv4"
)

var update = flag.Bool("update", false, "write testdata anew")

// golden compares a frame with testdata/name, a hex dump.
func golden(t *testing.T, name string, frame []byte) {
	t.Helper()
	name = filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(name, []byte(hex.Dump(frame)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(hex.Dump(frame), "\n")); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

func TestMessages(t *testing.T) {
	id, err := newIdentity(guestMAC, guestUUID, ROM{})
	if err != nil {
		t.Fatal(err)
	}
	xid := dhcpv4.TransactionID{0xde, 0xad, 0xbe, 0xef}
	discover := message{kind: dhcpv4.MessageTypeDiscover, xid: xid, secs: 7}
	request := message{kind: dhcpv4.MessageTypeRequest, xid: xid, secs: 7,
		address: netip.MustParseAddr("10.0.0.42"), server: netip.MustParseAddr("10.0.0.1")}
	golden(t, "discover.hex", id.broadcast(discover))
	golden(t, "request.hex", id.broadcast(request))

	// What a reader of the dumps would have to take on trust.
	for _, c := range []struct {
		name  string
		uuid  string
		m     message
		codes []byte
	}{
		{"DISCOVER", guestUUID, discover, []byte{53, 57, 93, 94, 60, 55, 61, 97}},
		{"DISCOVER without UUID", "", discover, []byte{53, 57, 93, 94, 60, 55, 61}},
		{"REQUEST", guestUUID, request, []byte{53, 57, 93, 94, 60, 55, 61, 97, 54, 50}},
	} {
		t.Run(c.name, func(t *testing.T) {
			id, err := newIdentity(guestMAC, c.uuid, ROM{})
			if err != nil {
				t.Fatal(err)
			}
			b := id.bytes(c.m)
			if len(b) < minMessage || len(b) > 576 {
				t.Errorf("%d bytes", len(b))
			}
			var codes []byte
			for o := b[wire.DHCPHeader:]; o[0] != 255; o = o[2+o[1]:] {
				codes = append(codes, o[0])
			}
			if diff := cmp.Diff(c.codes, codes); diff != "" {
				t.Errorf("options (-want +got):\n%s", diff)
			}
			m, err := dhcpv4.FromBytes(b)
			if err != nil {
				t.Fatal(err)
			}
			if m.Flags != 0x8000 || m.NumSeconds != 7 || m.TransactionID != xid || m.OpCode != dhcpv4.OpcodeBootRequest ||
				m.HWType != 1 || !bytes.Equal(m.ClientHWAddr, guestMAC) || !m.ClientIPAddr.IsUnspecified() {
				t.Errorf("header %s", m.Summary())
			}
			if got := m.ClassIdentifier(); got != "PXEClient:Arch:00000:UNDI:002001" {
				t.Errorf("option 60 is %q", got)
			}
			// Servers that know iPXE by these send an iPXE script.
			if m.Options.Has(dhcpv4.OptionUserClassInformation) || m.Options.Has(dhcpv4.GenericOptionCode(175)) {
				t.Error("says it is iPXE")
			}
		})
	}
}
