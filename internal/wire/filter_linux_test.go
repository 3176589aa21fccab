package wire

import (
	"net/netip"
	"testing"

	"golang.org/x/net/bpf"
)

// That the filter ends, and where, needs no kernel.
func TestFilterOnShortFrames(t *testing.T) {
	vm, err := bpf.NewVM(ToDHCPClient(2048))
	if err != nil {
		t.Fatal(err)
	}
	frame := Datagram{Source: netip.MustParseAddrPort("10.0.0.1:67"), Destination: netip.MustParseAddrPort("255.255.255.255:68"), Payload: make([]byte, 300)}.Frame(serverMAC, Broadcast)
	for n := range len(frame) + 1 {
		accepted, err := vm.Run(frame[:n])
		whole := n >= EthernetHeader+IPv4Header+4 // the ports are in it
		if err != nil || (accepted == 2048) != whole || !whole && accepted != 0 {
			t.Fatalf("%d bytes: accepted %d, %v", n, accepted, err)
		}
	}
}
