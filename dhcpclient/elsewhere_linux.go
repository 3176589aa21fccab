package dhcpclient

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// Elsewhere is an Ethernet interface of which only those frames are read that
// Listen and ListenVLAN leave out: what DHCP servers say in other VLANs, with
// the tags. It is for Client.Elsewhere.
type Elsewhere struct {
	file *os.File
	name string
}

var _ FrameConn = (*Elsewhere)(nil)

// ListenElsewhere opens an interface as Listen does for vlan 0, or ListenVLAN
// for another, and hears all VLANs but that one. Where vlan is not 0, frames
// without a tag are elsewhere, too. An interface that is itself a VLAN's device
// has only that VLAN's frames.
func ListenElsewhere(name string, vlan uint16, promiscuous bool) (*Elsewhere, error) {
	ifi, err := net.InterfaceByName(name)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", name, err)
	}
	filter, err := bpf.Assemble(slices.Concat(elsewhereFilter(vlan), dhcpFilter()))
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", name, err)
	}
	// Protocol 0: nothing arrives before the filter is there.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", name, err)
	}
	program := make([]unix.SockFilter, len(filter))
	for i, f := range filter {
		program[i] = unix.SockFilter{Code: f.Op, Jt: f.Jt, Jf: f.Jf, K: f.K}
	}
	steps := []error{
		unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}),
		// The kernel takes the outer tag off, and tells it beside the frame.
		unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_AUXDATA, 1),
	}
	runtime.KeepAlive(program)
	if promiscuous {
		steps = append(steps, unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP,
			&unix.PacketMreq{Ifindex: int32(ifi.Index), Type: unix.PACKET_MR_PROMISC}))
	}
	steps = append(steps, unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_ALL), Ifindex: ifi.Index}))
	if err := errors.Join(steps...); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("listen on %s: %w", name, err)
	}
	return &Elsewhere{os.NewFile(uintptr(fd), name), name}, nil
}

// networkOrder is how the kernel wants a protocol's number.
func networkOrder(n uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], n)
	return binary.NativeEndian.Uint16(b[:])
}

// Read reads one frame, with its VLAN tag; what has no room in b is lost.
func (e *Elsewhere) Read(b []byte) (int, error) {
	raw, err := e.file.SyscallConn()
	if err != nil {
		return 0, err
	}
	const tag = 4
	if len(b) < ethernetHeader+tag {
		return 0, fmt.Errorf("read from %s: no room for a frame in %d bytes", e.name, len(b))
	}
	beside := make([]byte, unix.CmsgSpace(int(unsafe.Sizeof(unix.TpacketAuxdata{}))))
	var n, besides int
	var failure error
	err = raw.Read(func(fd uintptr) (done bool) {
		// Room is left for the tag.
		n, besides, _, _, failure = unix.Recvmsg(int(fd), b[tag:], beside, 0)
		return failure != unix.EAGAIN && failure != unix.EINTR
	})
	if err = errors.Join(err, failure); err != nil {
		return 0, err
	}
	kind, tci, tagged := besideTag(beside[:besides])
	if !tagged || n < ethernetHeader {
		return copy(b, b[tag:tag+n]), nil
	}
	copy(b[:12], b[tag:tag+12])
	binary.BigEndian.PutUint16(b[12:], kind)
	binary.BigEndian.PutUint16(b[14:], tci)
	return tag + n, nil
}

// besideTag finds the tag in what came beside a frame (packet(7),
// PACKET_AUXDATA).
func besideTag(b []byte) (kind, tci uint16, ok bool) {
	messages, err := syscall.ParseSocketControlMessage(b)
	if err != nil {
		return 0, 0, false
	}
	for _, m := range messages {
		var aux unix.TpacketAuxdata
		if m.Header.Level != unix.SOL_PACKET || m.Header.Type != unix.PACKET_AUXDATA || len(m.Data) < int(unsafe.Sizeof(aux)) {
			continue
		}
		aux = *(*unix.TpacketAuxdata)(unsafe.Pointer(&m.Data[0]))
		if aux.Status&unix.TP_STATUS_VLAN_VALID == 0 {
			continue
		}
		kind = etherTypeVLAN
		if aux.Status&unix.TP_STATUS_VLAN_TPID_VALID != 0 {
			kind = aux.Vlan_tpid
		}
		return kind, aux.Vlan_tci, true
	}
	return 0, 0, false
}

// Write refuses: nothing is to be said there.
func (e *Elsewhere) Write([]byte) (int, error) {
	return 0, fmt.Errorf("write to %s: only for listening", e)
}

// SetReadDeadline is as in net.Conn.
func (e *Elsewhere) SetReadDeadline(t time.Time) error { return e.file.SetReadDeadline(t) }

// Close ends a Read that is under way.
func (e *Elsewhere) Close() error { return e.file.Close() }

// String says what is listened to.
func (e *Elsewhere) String() string { return "other VLANs of " + e.name }

// elsewhereFilter drops what wireFilter takes, and what the interface sends
// itself.
func elsewhereFilter(vlan uint16) []bpf.Instruction {
	const inTag = 0x0fff
	drop := bpf.RetConstant{}
	return []bpf.Instruction{
		bpf.LoadExtension{Num: bpf.ExtType},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.PACKET_OUTGOING, SkipTrue: 1},
		drop,
		bpf.LoadExtension{Num: bpf.ExtVLANTagPresent},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: 0, SkipTrue: 4}, // and 0 is the VLAN of no tag
		bpf.LoadExtension{Num: bpf.ExtVLANProto},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: etherTypeVLAN, SkipTrue: 4}, // a provider's tag
		bpf.LoadExtension{Num: bpf.ExtVLANTag},
		bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: inTag},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: uint32(vlan), SkipTrue: 1},
		drop,
	}
}
