package guest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// ErrClaimed is what Start's error wraps when another program of this kind acts
// as the same guest: the two would take each other's answers.
var ErrClaimed = errors.New("another gopxeboot acts as this guest")

// lockPatience is how long the other one is waited for. One that was killed is
// gone in a moment.
const lockPatience = time.Second

// lock is the right to act as one guest on one bridge. It ends with the
// process that has it, however that ends.
type lock struct{ name *os.File }

// lockGuest takes the right, by a name that only one process of a network
// namespace can have: an abstract one of a Unix socket (unix(7)), which leaves
// nothing behind.
func lockGuest(ctx context.Context, mac net.HardwareAddr, bridge string, vlan uint16) (*lock, error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("lock the guest: %w", err)
	}
	name := &unix.SockaddrUnix{Name: fmt.Sprintf("@gopxeboot %s %s %d", mac, bridge, vlan)}
	ctx, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	for err = unix.Bind(fd, name); err == unix.EADDRINUSE && ctx.Err() == nil; err = unix.Bind(fd, name) {
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Millisecond):
		}
	}
	if err == unix.EADDRINUSE {
		defer unix.Close(fd)
		who, err := holder(fd, name)
		// Anybody can take a name, and must not stop us by that. One of ours
		// would have said by now who it is.
		if err != nil || who.Uid != 0 && int(who.Uid) != os.Geteuid() {
			return nil, nil
		}
		return nil, fmt.Errorf("%w: process %d, %s on %s", ErrClaimed, who.Pid, mac, bridge)
	}
	if err == nil {
		err = unix.Listen(fd, 64) // to be asked who has the name
	}
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("lock the guest: %w", err)
	}
	return &lock{os.NewFile(uintptr(fd), name.Name)}, nil
}

// holder is the process that has the name.
func holder(fd int, name unix.Sockaddr) (*unix.Ucred, error) {
	if err := unix.Connect(fd, name); err != nil {
		return nil, err
	}
	return unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
}

// release lets another one act as the guest. A nil lock is none.
func (c *lock) release() {
	if c != nil {
		c.name.Close()
	}
}
