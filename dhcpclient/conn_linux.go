package dhcpclient

import (
	"fmt"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/wire"
)

// Conn is a Linux network interface that is read and written by whole Ethernet
// frames. Of what arrives there it gives only what a DHCP client waits for.
type Conn struct {
	socket *wire.Socket
	name   string
	config Config
}

var _ FrameConn = (*Conn)(nil)

// Listen opens an Ethernet interface of the caller's network namespace by its
// name. It needs CAP_NET_RAW.
func Listen(name string, c Config) (*Conn, error) {
	if err := c.check(name); err != nil {
		return nil, err
	}
	filter := wire.InVLAN(c.VLAN)
	if c.OtherVLANs {
		filter = wire.NotInVLAN(c.VLAN)
	}
	if c.Client != nil {
		filter = append(filter, wire.OfClient(c.Client)...)
	}
	socket, err := wire.Open(name, wire.SocketConfig{
		Filter:      append(filter, wire.ToDHCPClient(maxFrame)...),
		Promiscuous: c.Promiscuous, Tagged: c.OtherVLANs,
	})
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", name, err)
	}
	return &Conn{socket, name, c}, nil
}

// Read reads one frame, without the tag of Config.VLAN; what has no room in b is
// lost.
func (c *Conn) Read(b []byte) (int, error) { return c.socket.Read(b) }

// Write sends one frame, and adds the tag of Config.VLAN.
func (c *Conn) Write(frame []byte) (int, error) {
	tagged := frame
	if c.config.VLAN != 0 && !c.config.OtherVLANs && len(frame) >= wire.EthernetHeader {
		tagged = wire.Tagged(frame, wire.TypeVLAN, c.config.VLAN)
	}
	if _, err := c.socket.Write(tagged); err != nil {
		return 0, err
	}
	return len(frame), nil
}

// SetReadDeadline is as in net.Conn.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.socket.SetReadDeadline(t) }

// Close ends a Read that is under way.
func (c *Conn) Close() error { return c.socket.Close() }

// String is the interface's name, and which VLAN of it.
func (c *Conn) String() string {
	switch {
	case c.config.OtherVLANs:
		return "other VLANs of " + c.name
	case c.config.VLAN != 0:
		return fmt.Sprintf("%s, VLAN %d", c.name, c.config.VLAN)
	}
	return c.name
}
