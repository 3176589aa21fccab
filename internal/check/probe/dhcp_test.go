package probe

import (
	"errors"
	"net"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/program/programtest"
	"github.com/gopxeboot/gopxeboot/internal/wire"
	"golang.org/x/sys/unix"
)

// A value that the command line gives stands in the place of the one that was
// found, which is kept as the one that it passes over.
func TestReplaced(t *testing.T) {
	found := []check.Value{{Name: "next-server", Value: "10.0.0.2"}, {Name: "boot file", Value: "pxelinux.0"}}
	given := check.Value{Name: "next-server", Value: "10.0.0.9", Origin: check.Origin{Field: check.OurServer}}
	want := []check.Value{
		{Name: "next-server", Value: "10.0.0.9", Origin: check.Origin{Field: check.OurServer}, Passed: []check.Value{{Name: "next-server", Value: "10.0.0.2"}}},
		{Name: "boot file", Value: "pxelinux.0"},
	}
	if diff := cmp.Diff(want, check.Replaced(found, given), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]check.Value{given}, check.Replaced(nil, given), cmpopts.EquateComparable(netip.Addr{})); diff != "" {
		t.Errorf("nothing was found (-want +got):\n%s", diff)
	}
}

func TestVendorClass(t *testing.T) {
	for _, c := range []struct {
		rom  dhcpclient.ROM
		want string
	}{
		{dhcpclient.ROM{}, "PXEClient"},
		{dhcpclient.ROM{VendorClass: "anaconda"}, "anaconda"},
		{dhcpclient.ROM{VendorClass: "anaconda", Options: map[uint8][]byte{60: []byte("d-i")}}, "d-i"},
	} {
		if got := vendorClass(c.rom); got != c.want {
			t.Errorf("%+v: %q, want %q", c.rom, got, c.want)
		}
	}
}

// Which file a TFTP server is asked for, to see whether it is one.
func TestAsked(t *testing.T) {
	for file, want := range map[string]string{
		"pxelinux.0":                 "pxelinux.0",
		"boot/pxelinux.0":            "boot/pxelinux.0",
		"http://10.0.0.2/pxelinux.0": "pxelinux.cfg/default",
		"":                           "pxelinux.cfg/default",
	} {
		o := observed(programtest.Configs(t, "../../program/testdata")[0])
		o.lease.BootFile = file
		o.machine.Lease.BootFile = file
		if got := o.asked(); got != want {
			t.Errorf("with boot file %q: %q, want %q", file, got, want)
		}
	}
}

func TestIsUnreachable(t *testing.T) {
	for err, want := range map[error]bool{
		unix.EHOSTUNREACH: true, unix.ENETUNREACH: true, unix.EPERM: true,
		unix.ECONNREFUSED: false, errors.New("a text"): false,
	} {
		if isUnreachable(&net.OpError{Op: "dial", Err: err}) != want {
			t.Errorf("%v: want %t", err, want)
		}
	}
}

// Who has an address is asked in the guest's name.
func TestARP(t *testing.T) {
	holder := net.HardwareAddr{2, 0, 0, 0, 0, 9}
	asked := netip.MustParseAddr("10.0.0.2")
	o := observed(programtest.Configs(t, "../../program/testdata")[0])
	c := newCable()
	o.conn = shareConn(c)
	go func() {
		for frame := range c.written {
			f, _ := wire.ParseFrame(frame)
			if q, ok := wire.ParseARP(f); ok && q.Target == asked {
				c.frames <- wire.ARP{Operation: wire.ARPReply, SenderMAC: holder, Sender: asked, TargetMAC: q.SenderMAC, Target: q.Sender}.Frame()
			}
		}
	}()
	if got := o.arp(t.Context(), netip.IPv4Unspecified(), asked); got.String() != holder.String() {
		t.Errorf("%s has it, want %s", got, holder)
	}
}
