package grub

import (
	"context"
	"io"
	"net"
	"net/netip"
)

// Host is the machine that GRUB finds itself on, and what DHCP told it. Zero
// values are "not known".
type Host struct {
	MAC      net.HardwareAddr
	UUID     string // as text
	Address  netip.Addr
	Server   netip.Addr // next-server
	BootFile string     // a path on Server, or an HTTP URL
	Domain   string     // option 15
}

// Opener opens the file behind an absolute URL. An error that wraps
// fs.ErrNotExist means that the server does not have it, one that wraps
// ErrTooLarge that it is no configuration; any other error ends the run.
type Opener func(ctx context.Context, url string) (io.ReadCloser, error)
