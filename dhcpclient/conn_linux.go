package dhcpclient

import (
	"fmt"
	"net"
	"slices"
	"time"

	//lint:ignore SA1019 this program is to use this package; on Linux it is a thin layer over mdlayher/packet, which goes on
	"github.com/mdlayher/raw"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Conn is a Linux network interface that is read and written by whole Ethernet
// frames. Of what arrives there it gives only what a DHCP client waits for.
type Conn struct {
	raw  *raw.Conn
	name string
	vlan uint16 // 0 for none
}

var _ FrameConn = (*Conn)(nil)

// Listen opens an Ethernet interface of the caller's network namespace by its
// name. It needs CAP_NET_RAW.
//
// The interface must be promiscuous when its MAC is not the guest's, as on the
// bridge itself: a server that ignores the broadcast flag answers to the
// guest's MAC. It is so until Close.
func Listen(name string, promiscuous bool) (*Conn, error) {
	return openWire(name, 0, promiscuous)
}

// ListenVLAN is Listen on one VLAN of a trunk, 1 to 4094: frames go out with
// that tag, and only such frames are taken. Read and Write have them without
// the tag.
func ListenVLAN(name string, vlan uint16, promiscuous bool) (*Conn, error) {
	if vlan < 1 || vlan > 4094 {
		return nil, fmt.Errorf("listen on %s: VLAN %d is not between 1 and 4094", name, vlan)
	}
	return openWire(name, vlan, promiscuous)
}

func openWire(name string, vlan uint16, promiscuous bool) (*Conn, error) {
	ifi, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", name, err)
	}
	if len(ifi.HardwareAddr) != 6 || ifi.Flags&net.FlagLoopback != 0 {
		return nil, fmt.Errorf("listen on %s: not an Ethernet interface", name)
	}
	filter, err := bpf.Assemble(slices.Concat(wireFilter(vlan), dhcpFilter()))
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", name, err)
	}
	// With ETH_P_IP the kernel would have taken the VLAN tag off a frame before
	// the filter sees it, and a server in another VLAN could answer.
	conn, err := raw.ListenPacket(ifi, unix.ETH_P_ALL, &raw.Config{Filter: filter})
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", name, err)
	}
	if promiscuous {
		if err := conn.SetPromiscuous(true); err != nil {
			conn.Close()
			return nil, fmt.Errorf("listen on %s: promiscuous: %w", name, err)
		}
	}
	return &Conn{conn, name, vlan}, nil
}

// Read reads one frame; what has no room in b is lost.
func (c *Conn) Read(b []byte) (int, error) {
	n, _, err := c.raw.ReadFrom(b)
	return n, err
}

// Write sends one frame.
func (c *Conn) Write(frame []byte) (int, error) {
	if len(frame) < ethernetHeader {
		return 0, fmt.Errorf("write to %s: a frame of %d bytes has no Ethernet header", c.name, len(frame))
	}
	tagged := frame
	if c.vlan != 0 {
		tagged = slices.Concat(frame[:12], []byte{etherTypeVLAN >> 8, etherTypeVLAN & 0xff, byte(c.vlan >> 8), byte(c.vlan)}, frame[12:])
	}
	if _, err := c.raw.WriteTo(tagged, &raw.Addr{HardwareAddr: frame[:6]}); err != nil {
		return 0, err
	}
	return len(frame), nil
}

// SetReadDeadline is as in net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.raw.SetReadDeadline(t) }

// Close ends a Read that is under way.
func (c *Conn) Close() error { return c.raw.Close() }

// String is the interface's name, and the VLAN.
func (c *Conn) String() string {
	if c.vlan != 0 {
		return fmt.Sprintf("%s, VLAN %d", c.name, c.vlan)
	}
	return c.name
}

// wireFilter drops what the interface sends itself, and what is in another VLAN.
// The kernel has taken the tag off the frame before a filter sees it, and
// remembers it elsewhere.
func wireFilter(vlan uint16) []bpf.Instruction {
	const inTag = 0x0fff // what is left is a priority
	drop := bpf.RetConstant{}
	filter := []bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtType},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.PACKET_OUTGOING, SkipTrue: 1},
		drop,
	}
	if vlan == 0 {
		// VLAN 0 is a priority and no VLAN (IEEE 802.1Q §9.6).
		return append(filter,
			bpf.LoadExtension{Num: bpf.ExtVLANTagPresent},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0, SkipTrue: 4},
			bpf.LoadExtension{Num: bpf.ExtVLANTag},
			bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: inTag},
			bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0, SkipTrue: 1},
			drop,
		)
	}
	return append(filter,
		bpf.LoadExtension{Num: bpf.ExtVLANTagPresent},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: 0, SkipTrue: 1},
		drop,
		bpf.LoadExtension{Num: bpf.ExtVLANProto}, // or a provider's tag, IEEE 802.1ad
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: etherTypeVLAN, SkipTrue: 1},
		drop,
		bpf.LoadExtension{Num: bpf.ExtVLANTag},
		bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: inTag},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: uint32(vlan), SkipTrue: 1},
		drop,
	)
}

// dhcpFilter takes ARP, and IPv4 UDP datagrams to a DHCP client that arrive
// whole. The replies to port 4011's REQUEST come here too.
func dhcpFilter() []bpf.Instruction {
	const fragment = 0x3fff // more fragments, or an offset
	accept := bpf.RetConstant{Val: maxFrame}
	drop := bpf.RetConstant{}
	return []bpf.Instruction{
		bpf.LoadAbsolute{Off: 12, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: etherTypeARP, SkipTrue: 1},
		accept,
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: etherTypeIPv4, SkipTrue: 1},
		drop,
		bpf.LoadAbsolute{Off: ethernetHeader + 9, Size: 1},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: protocolUDP, SkipTrue: 1},
		drop,
		bpf.LoadAbsolute{Off: ethernetHeader + 6, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpBitsNotSet, Val: fragment, SkipTrue: 1},
		drop,
		bpf.LoadMemShift{Off: ethernetHeader}, // X is the length of the IP header
		bpf.LoadIndirect{Off: ethernetHeader + 2, Size: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: clientPort, SkipTrue: 1},
		drop,
		accept,
	}
}
