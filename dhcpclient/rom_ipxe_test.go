package dhcpclient

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What an iPXE says of itself, as one was seen to, with the options in its order;
// option 55 and 97 are as long as the real one's.
func TestROMAsIPXE(t *testing.T) {
	id, err := newIdentity(guestMAC, "564d1c4f-0a1b-4c3d-8e5f-a0b1c2d3e4f5", ROM{Options: map[uint8][]byte{12: []byte("mine")}}.IPXE("iPXE"))
	if err != nil {
		t.Fatal(err)
	}
	var codes []uint8
	for _, o := range id.options {
		codes = append(codes, o.code)
	}
	if diff := cmp.Diff([]uint8{57, 93, 94, 60, 77, 55, 175, 61, 97, 12}, codes); diff != "" {
		t.Errorf("options (-want +got):\n%s", diff)
	}
	for code, want := range map[uint8]string{
		60: "PXEClient:Arch:00000:UNDI:002001", 77: "iPXE", 94: "\x01\x02\x01", 12: "mine",
		97: "\x00\x4f\x1c\x4d\x56\x1b\x0a\x3d\x4c\x8e\x5f\xa0\xb1\xc2\xd3\xe4\xf5",
	} {
		for _, o := range id.options {
			if o.code == code && string(o.value) != want {
				t.Errorf("option %d is %q, want %q", code, o.value, want)
			}
		}
	}
	if uefi := (ROM{Arch: 7}).IPXE("Tinkerbell"); uefi.VendorClass != "PXEClient:Arch:00007:UNDI:003010" || uefi.UserClass != "Tinkerbell" || string(uefi.Options[94]) != "\x01\x03\x0a" {
		t.Errorf("UEFI's is %+v", uefi)
	}
}
