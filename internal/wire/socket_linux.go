package wire

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"
	"unsafe"

	"github.com/mdlayher/packet"
	//lint:ignore SA1019 this program is to use this package; on Linux it is a thin layer over mdlayher/packet, which goes on
	"github.com/mdlayher/raw"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// SocketConfig says what a Socket takes.
type SocketConfig struct {
	Filter      []bpf.Instruction // none is all frames
	Promiscuous bool              // also what goes to other MACs, until Close
	// Tagged leaves VLAN tags in the frames, and tells when they came. The socket
	// is for reading only then.
	Tagged bool
}

// Socket is a packet socket on one interface: whole Ethernet frames (packet(7)).
type Socket struct {
	conn socketConn
	name string
	raw  syscall.RawConn // nil for an untagged one
}

// socketConn is what packages raw and packet have in common.
type socketConn interface {
	net.PacketConn
	SetPromiscuous(bool) error
}

// Open opens an Ethernet interface of the caller's network namespace by its
// name. It needs CAP_NET_RAW. The filter is there before the first frame.
func Open(name string, c SocketConfig) (_ *Socket, err error) {
	ifi, err := net.InterfaceByName(name)
	if err != nil {
		return nil, err
	}
	if len(ifi.HardwareAddr) != 6 || ifi.Flags&net.FlagLoopback != 0 {
		return nil, errors.New("not an Ethernet interface")
	}
	filter, err := bpf.Assemble(c.Filter)
	if err != nil {
		return nil, err
	}
	s := &Socket{name: name}
	// With ETH_P_IP the kernel would have taken the VLAN tag off a frame before
	// the filter sees it, and a server in another VLAN could answer.
	if !c.Tagged {
		s.conn, err = raw.ListenPacket(ifi, unix.ETH_P_ALL, &raw.Config{Filter: filter})
	} else { // package raw does not let one at the descriptor
		s.conn, err = packet.Listen(ifi, packet.Raw, unix.ETH_P_ALL, &packet.Config{Filter: filter})
	}
	if err != nil {
		return nil, err
	}
	if c.Tagged {
		err = s.tellTags()
	}
	if err == nil && c.Promiscuous {
		if err = s.conn.SetPromiscuous(true); err != nil {
			err = fmt.Errorf("promiscuous: %w", err)
		}
	}
	if err != nil {
		s.conn.Close()
		return nil, err
	}
	return s, nil
}

// socketBuffer is how many bytes of frames may wait in a tagged socket, where the
// kernel lets us: a download's.
const socketBuffer = 8 << 20

func (s *Socket) tellTags() error {
	var err error
	if s.raw, err = s.conn.(syscall.Conn).SyscallConn(); err != nil {
		return err
	}
	controlled := s.raw.Control(func(fd uintptr) {
		if unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, socketBuffer) != nil {
			_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUF, socketBuffer)
		}
		// The kernel takes the outer tag off, and tells it in an ancillary message.
		if err = unix.SetsockoptInt(int(fd), unix.SOL_PACKET, unix.PACKET_AUXDATA, 1); err == nil {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1)
		}
	})
	err = cmp.Or(err, controlled)
	return err
}

// Read reads one frame; what has no room in b is lost.
func (s *Socket) Read(b []byte) (int, error) {
	if s.raw != nil {
		n, _, err := s.readTagged(b, s.raw.Read)
		return n, err
	}
	n, _, err := s.conn.ReadFrom(b)
	return n, err
}

// readTagged is Read of a tagged socket, and when the frame came. do is how the
// descriptor is read: waiting for a frame, or not.
func (s *Socket) readTagged(b []byte, do func(func(uintptr) bool) error) (n int, at time.Time, err error) {
	if len(b) < EthernetHeader+TagLength {
		return 0, at, fmt.Errorf("read from %s: no room for a frame in %d bytes", s.name, len(b))
	}
	var control [128]byte
	var controlled int
	var failure error
	err = do(func(fd uintptr) (done bool) {
		for failure = unix.EINTR; failure == unix.EINTR; {
			// Room is left for the tag.
			n, controlled, _, _, failure = unix.Recvmsg(int(fd), b[TagLength:], control[:], 0)
		}
		return failure != unix.EAGAIN
	})
	err = cmp.Or(err, failure)
	if err != nil {
		return 0, at, err
	}
	at, kind, tag := ancillary(control[:controlled])
	if kind == 0 || n < EthernetHeader {
		return copy(b, b[TagLength:TagLength+n]), at, nil
	}
	copy(b[:12], b[TagLength:TagLength+12])
	binary.BigEndian.PutUint16(b[12:], kind)
	binary.BigEndian.PutUint16(b[14:], tag)
	return TagLength + n, at, nil
}

// ancillary reads when a frame came, and its VLAN tag (packet(7),
// PACKET_AUXDATA); kind is 0 for none.
func ancillary(b []byte) (at time.Time, kind, tag uint16) {
	messages, _ := syscall.ParseSocketControlMessage(b)
	for _, m := range messages {
		var aux unix.TpacketAuxdata
		var stamp unix.Timespec
		switch {
		case m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SCM_TIMESTAMPNS && len(m.Data) >= int(unsafe.Sizeof(stamp)):
			stamp = *(*unix.Timespec)(unsafe.Pointer(&m.Data[0]))
			at = time.Unix(stamp.Unix())
		case m.Header.Level == unix.SOL_PACKET && m.Header.Type == unix.PACKET_AUXDATA && len(m.Data) >= int(unsafe.Sizeof(aux)):
			aux = *(*unix.TpacketAuxdata)(unsafe.Pointer(&m.Data[0]))
			if aux.Status&unix.TP_STATUS_VLAN_VALID == 0 {
				continue
			}
			kind, tag = TypeVLAN, aux.Vlan_tci
			if aux.Status&unix.TP_STATUS_VLAN_TPID_VALID != 0 {
				kind = aux.Vlan_tpid
			}
		}
	}
	if at.IsZero() {
		at = time.Now()
	}
	return at, kind, tag
}

// Write sends one frame.
func (s *Socket) Write(frame []byte) (int, error) {
	if s.raw != nil {
		return 0, fmt.Errorf("write to %s: only for listening", s.name)
	}
	if len(frame) < EthernetHeader {
		return 0, fmt.Errorf("write to %s: a frame of %d bytes has no Ethernet header", s.name, len(frame))
	}
	return s.conn.WriteTo(frame, &raw.Addr{HardwareAddr: frame[:6]})
}

// SetReadDeadline is as in net.Conn.
func (s *Socket) SetReadDeadline(t time.Time) error { return s.conn.SetReadDeadline(t) }

// Close ends a Read that is under way.
func (s *Socket) Close() error { return s.conn.Close() }
