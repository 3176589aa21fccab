package dhcpclient

import (
	"fmt"
	"io"
	"net"
	"time"
)

// FrameConn is an Ethernet interface: each Read and each Write is one whole
// frame, without the checksum at its end. What listens to the traffic, or
// changes it, is a FrameConn around another one.
type FrameConn interface {
	io.ReadWriter
	SetReadDeadline(time.Time) error // as in net.Conn
	String() string                  // the interface's name, for errors
}

// maxFrame is the largest frame that is read, in bytes. What a server sends is
// at most maxMessage and the headers.
const maxFrame = 2048

// Config says what Listen takes. The zero value is for an interface that has the
// guest's MAC, as a veth's end has it.
type Config struct {
	// VLAN is one of a trunk, 1 to 4094: frames go out with that tag, and only
	// such frames are taken. 0 is the frames without a tag.
	VLAN uint16
	// Promiscuous is for an interface whose MAC is not the guest's, as the
	// bridge itself: a server that ignores the broadcast flag answers to the
	// guest's MAC. It is so until Close.
	Promiscuous bool
	// OtherVLANs takes what servers say in all VLANs but that one instead, with
	// the tags, where VLAN is not 0 also without one. It is for Client.OtherVLANs;
	// nothing can be written there. An interface that is itself a VLAN's device
	// has only that VLAN's frames.
	OtherVLANs bool
	// Client is whose messages are taken, 6 bytes; nil takes all clients'. Servers
	// broadcast answers: of many guests that start together each would be woken by
	// all the others'.
	Client net.HardwareAddr
}

func (c Config) check(name string) error {
	if c.VLAN > 4094 {
		return fmt.Errorf("listen on %s: VLAN %d is not between 1 and 4094", name, c.VLAN)
	}
	if len(c.Client) != 0 && len(c.Client) != 6 {
		return fmt.Errorf("listen on %s: %s is no Ethernet address", name, c.Client)
	}
	return nil
}
