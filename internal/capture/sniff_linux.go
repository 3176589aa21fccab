package capture

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// socketBuffer is how many bytes of frames may wait, where the kernel lets us.
const socketBuffer = 8 << 20

// Sniffer records what an interface sends and receives.
type Sniffer struct {
	file   *os.File
	name   string
	writer *Writer
	done   chan struct{}
	err    error
}

// Sniff begins to record all frames of an interface of the caller's network
// namespace to w, as Writer does, with their VLAN tags. It needs CAP_NET_RAW for
// the moment; a process may confine itself afterwards. That the capture can't be
// written does not disturb the traffic.
func Sniff(name string, w io.Writer) (*Sniffer, error) {
	file, err := listen(name)
	if err != nil {
		return nil, fmt.Errorf("record %s: %w", name, err)
	}
	writer, err := NewWriter(w)
	if err != nil {
		file.Close()
		return nil, err
	}
	s := &Sniffer{file: file, name: name, writer: writer, done: make(chan struct{})}
	go s.record()
	return s, nil
}

// Stop writes what has arrived until now, and ends. The error is the first one
// of writing, or says how many frames had no room.
func (s *Sniffer) Stop() error {
	s.file.SetReadDeadline(time.Unix(1, 0))
	<-s.done
	s.file.Close()
	if s.err == nil && s.writer.Lost() > 0 {
		return fmt.Errorf("record %s: the capture is full: %d frames are left out", s.name, s.writer.Lost())
	}
	return s.err
}

// listen opens a packet socket.
func listen(name string) (*os.File, error) {
	ifi, err := net.InterfaceByName(name)
	if err != nil {
		return nil, err
	}
	// Protocol 0: nothing of other interfaces arrives before it is bound.
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, socketBuffer) != nil {
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, socketBuffer)
	}
	err = errors.Join(
		// The kernel takes the outer tag off, and tells it beside the frame.
		unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_AUXDATA, 1),
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, 1),
		unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP,
			&unix.PacketMreq{Ifindex: int32(ifi.Index), Type: unix.PACKET_MR_PROMISC}),
		unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: networkOrder(unix.ETH_P_ALL), Ifindex: ifi.Index}),
	)
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// networkOrder is how the kernel wants a protocol's number.
func networkOrder(n uint16) uint16 {
	var b [2]byte
	binary.BigEndian.PutUint16(b[:], n)
	return binary.NativeEndian.Uint16(b[:])
}

// record writes until Stop, and then what is left.
func (s *Sniffer) record() {
	defer close(s.done)
	const tag = 4
	buffer := make([]byte, tag+maxPacket)
	beside := make([]byte, 256)
	raw, err := s.file.SyscallConn()
	if err != nil {
		s.err = err
		return
	}
	// one reads a frame from the socket.
	var n, besides int
	var failure error
	one := func(fd uintptr) bool {
		// Room is left for the tag.
		n, besides, _, _, failure = unix.Recvmsg(int(fd), buffer[tag:], beside, 0)
		return failure != unix.EAGAIN && failure != unix.EINTR
	}
	for stopped := false; ; {
		if stopped {
			raw.Control(func(fd uintptr) { one(fd) })
		} else if err := raw.Read(one); err != nil {
			stopped = true
			continue
		}
		switch {
		case errors.Is(failure, unix.ENETDOWN): // it may come up again
			continue
		case failure == unix.EINTR:
			continue
		case failure != nil:
			if !stopped {
				s.keep(fmt.Errorf("record %s: %w", s.name, failure))
			}
			return
		}
		at, kind, tci := besideFrame(beside[:besides])
		frame := buffer[tag : tag+n]
		if kind != 0 && n >= 12 {
			copy(buffer, buffer[tag:tag+12])
			binary.BigEndian.PutUint16(buffer[12:], kind)
			binary.BigEndian.PutUint16(buffer[14:], tci)
			frame = buffer[:tag+n]
		}
		s.keep(s.writer.Write(at, frame))
	}
}

func (s *Sniffer) keep(err error) {
	if s.err == nil {
		s.err = err
	}
}

// besideFrame reads when a frame came, and its VLAN tag (packet(7),
// PACKET_AUXDATA); kind is 0 for none.
func besideFrame(b []byte) (at time.Time, kind, tci uint16) {
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
			kind, tci = etherVLAN, aux.Vlan_tci
			if aux.Status&unix.TP_STATUS_VLAN_TPID_VALID != 0 {
				kind = aux.Vlan_tpid
			}
		}
	}
	if at.IsZero() {
		at = time.Now()
	}
	return at, kind, tci
}
