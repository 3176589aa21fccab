package wire

import (
	"net"
	"net/netip"
	"testing"

	"golang.org/x/net/bpf"
)

// Others' messages are dropped before they wake the process.
func TestOfClient(t *testing.T) {
	ours, others := net.HardwareAddr{0, 0x16, 0x3e, 1, 2, 3}, net.HardwareAddr{0, 0x16, 0x3e, 1, 2, 4}
	other := net.HardwareAddr{2, 0x16, 0x3e, 1, 2, 3}
	message := func(chaddr net.HardwareAddr) []byte {
		payload := make([]byte, 300)
		copy(payload[28:], chaddr)
		return Datagram{Source: netip.MustParseAddrPort("10.0.0.1:67"), Destination: netip.MustParseAddrPort("255.255.255.255:68"), Payload: payload}.Frame(serverMAC, Broadcast)
	}
	vm, err := bpf.NewVM(append(OfClient(ours), ToDHCPClient(2048)...))
	if err != nil {
		t.Fatal(err)
	}
	for what, test := range map[string]struct {
		frame []byte
		taken bool
	}{
		"ours":          {message(ours), true},
		"another's":     {message(others), false},
		"one more's":    {message(other), false},
		"one cut short": {message(ours)[:60], false},
		"ARP":           {WhoHas(netip.MustParseAddr("10.0.0.7"), others, netip.IPv4Unspecified()).Frame(), true},
	} {
		if accepted, err := vm.Run(test.frame); err != nil || (accepted == 2048) != test.taken {
			t.Errorf("%s: %d, %v", what, accepted, err)
		}
	}
}

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
