//go:build !linux

package dhcpclient

import (
	"errors"
	"fmt"
	"runtime"
)

// Conn is a Linux network interface. On this system there is none; a Client
// takes any other FrameConn.
type Conn struct{ FrameConn }

// Listen fails with errors.ErrUnsupported.
func Listen(name string, _ Config) (*Conn, error) {
	return nil, fmt.Errorf("listen on %s: raw Ethernet frames on %s: %w", name, runtime.GOOS, errors.ErrUnsupported)
}
