package guest_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"golang.org/x/sys/unix"
)

// Of two that act as one guest, the second says so soon; when the first ends
// meanwhile, it goes on.
func TestLock(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	for _, network := range []guest.Net{guest.Auto, guest.Own, guest.Dom0} {
		t.Run(string(network), func(t *testing.T) {
			spec := guest.Spec{MAC: mac, Bridge: l.Bridge(), Net: network}
			first := start(t, spec)
			begin := time.Now()
			second, err := guest.Start(t.Context(), spec)
			want := fmt.Sprintf("another gopxeboot acts as this guest: process %d, %s on %s", os.Getpid(), mac, l.Bridge())
			if second != nil || !errors.Is(err, guest.ErrClaimed) || err.Error() != want {
				t.Errorf("the second: %v, want %s", err, want)
			}
			if took := time.Since(begin); took > 10*time.Second {
				t.Errorf("it took %s to say so", took)
			}
			start(t, guest.Spec{MAC: net.HardwareAddr{0, 0x16, 0x3e, 1, 2, 3}, Bridge: l.Bridge(), Net: network}).Close()

			time.AfterFunc(100*time.Millisecond, func() { first.Close() })
			start(t, spec).Close()
		})
	}
}

// Anybody can take the name, but stops nobody by that: neither without
// listening nor with a queue that is full.
func TestLockTaken(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	socket := func() int {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		labtest.Check(t, err)
		t.Cleanup(func() { unix.Close(fd) })
		return fd
	}
	name := &unix.SockaddrUnix{Name: fmt.Sprintf("@gopxeboot %s %s 0", mac, l.Bridge())}
	taken := socket()
	labtest.Check(t, unix.Bind(taken, name))
	spec := guest.Spec{MAC: mac, Bridge: l.Bridge(), Net: guest.Own}
	start(t, spec).Close()
	labtest.Check(t, unix.Listen(taken, 0))
	for err := error(nil); err == nil; {
		err = unix.Connect(socket(), name)
	}
	start(t, spec).Close()
}
