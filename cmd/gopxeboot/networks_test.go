package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/wire"
)

// guestsFrames are the VLANs of the frames that the guest sent, as a server on
// its bridge received them, each once: 0 for no tag.
func guestsFrames(t *testing.T, recorded []byte) map[int]bool {
	t.Helper()
	guest, err := net.ParseMAC(lab.SampleMAC)
	labtest.Check(t, err)
	vlans := make(map[int]bool)
	for packet, err := range wire.ReadCapture(bytes.NewReader(recorded)) {
		labtest.Check(t, err)
		f := packet.Data
		switch {
		case len(f) < 18 || !bytes.Equal(f[6:12], guest):
		case binary.BigEndian.Uint16(f[12:]) == 0x8100:
			vlans[int(binary.BigEndian.Uint16(f[14:])&0xfff)] = true
		default:
			vlans[0] = true
		}
	}
	return vlans
}

// A vif whose network is another one than its bridge's boots from that network
// or from none: not one frame goes out where the guest isn't.
func TestRightNetwork(t *testing.T) {
	for _, test := range []struct {
		args  string // after the MAC
		code  int
		says  string
		vlans []int // that frames of the guest's were in
	}{
		{args: "bridge=xenbr0", vlans: []int{0}},
		{args: "bridge=xenbr0,vlan=20", code: 3, says: "xenbr0, VLAN 20", vlans: []int{20}},
		{args: "bridge=xenbr0,vlan=20/30p", code: 3, says: "xenbr0, VLAN 30", vlans: []int{30}},
		{args: "bridge=xenbr0,vlan=20 --vlan=30", code: 3, says: "xenbr0, VLAN 30", vlans: []int{30}},
		{args: "bridge=xenbr0.20:30", code: 3, says: "xenbr0, VLAN 20", vlans: []int{20}},
		{args: "bridge=xenbr0.20,vlan=30", code: 2, says: "VLAN 30 is not in its name"},
		{args: "bridge=xenbr0:30:40", code: 2, says: "xenbr0.N:30:40"},
		{args: "bridge=xenbr0,vlan=5000", code: 2, says: "VLANs are from 1 to 4094"},
		{args: "bridge=xenbr0,vlan=20/30", code: 2, says: "without a tag"},
		{args: "bridge=xenbr0,backend=sys-net", code: 2, says: "the vif says backend=sys-net: its bridge is in that domain"},
		{args: "script=vif-route,ip=192.168.1.199", code: 2, says: "the vif says script=vif-route"},
		{args: "script=vif-nat,bridge=xenbr0", code: 2, says: "the vif says script=vif-nat"},
		{args: "gatewaydev=eth1", code: 2, says: "the vif says gatewaydev=eth1"},
		{args: "backend=sys-net --bridge=xenbr0", vlans: []int{0}},
		{args: "brigde=xenbr0", says: `warning: "brigde" is no key of a vif: it is ignored; did you mean bridge=?`, vlans: []int{0}},
	} {
		t.Run(test.args, func(t *testing.T) {
			l := labtest.New(t, lab.Config{})
			labtest.Check(t, servers["embedded"](t.Context(), l.Servers, sampleTree(t)))
			words := strings.Fields("--dhcp-timeout=1 --output-directory=" + t.TempDir() + " mac=" + lab.SampleMAC + "," + test.args)
			var o outcome
			recorded := recordServers(t, l, func() { o = gopxeboot(t, words...) })
			if o.Code != test.code || !strings.Contains(o.Stderr, test.says) {
				t.Errorf("%+v", o)
			}
			want := make(map[int]bool)
			for _, vlan := range test.vlans {
				want[vlan] = true
			}
			if got := guestsFrames(t, recorded); fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("frames of the guest's in VLANs %v, want %v", got, want)
			}
		})
	}
}
