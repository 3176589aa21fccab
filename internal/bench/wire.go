package main

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"time"
	"unsafe"

	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// weather is what a wire does to the frames on it, in each direction.
type weather struct {
	delay time.Duration // half the round trip
	loss  float64       // probability
	rate  float64       // bytes a second; 0 is as fast as it goes
	queue int           // frames that wait for a slow wire; the rest is lost
}

// wire is a cable between the lab's bridge and another host, made of two TAP
// devices and this process: kernels without netem have nothing like it.
type wire struct {
	near, far *os.File

	mu      sync.Mutex
	weather weather
}

// newWire plugs a cable into the bridge, the other end of which is the host's
// interface with that address.
func newWire(l *lab.Lab, far *lab.Host, address netip.Prefix) (*wire, error) {
	w := new(wire)
	bridge, err := netlink.LinkByName(l.Bridge())
	if err != nil {
		return nil, err
	}
	err = l.Dom0.Do(func() (err error) {
		w.near, err = tap("wire0", func(link netlink.Link) error { return netlink.LinkSetMaster(link, bridge) })
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("near end: %w", err)
	}
	err = far.Do(func() (err error) {
		w.far, err = tap("wire1", func(link netlink.Link) error {
			addr, err := netlink.ParseAddr(address.String())
			if err != nil {
				return err
			}
			return netlink.AddrAdd(link, addr)
		})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("far end: %w", err)
	}
	go w.carry(w.near, w.far)
	go w.carry(w.far, w.near)
	return w, nil
}

// tap makes a TAP device in the calling thread's namespace.
func tap(name string, setUp func(netlink.Link) error) (*os.File, error) {
	fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	request, err := unix.NewIfreq(name)
	if err != nil {
		return nil, err
	}
	request.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.TUNSETIFF, uintptr(unsafe.Pointer(request))); errno != 0 {
		return nil, fmt.Errorf("TUNSETIFF: %w", errno)
	}
	link, err := netlink.LinkByName(name)
	if err != nil {
		return nil, err
	}
	if err := netlink.LinkSetTxQLen(link, 10000); err != nil {
		return nil, err
	}
	if err := setUp(link); err != nil {
		return nil, err
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

func (w *wire) set(weather weather) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.weather = weather
}

type frame struct {
	due    time.Time
	length int
	buffer *[2048]byte
}

// carry takes frames from one end to the other.
func (w *wire) carry(from, to *os.File) {
	frames := make(chan frame, 20000)
	buffers := sync.Pool{New: func() any { return new([2048]byte) }}
	go func() {
		// The runtime's timers are a millisecond late when nothing else
		// happens; a thread of its own that the kernel wakes is not.
		runtime.LockOSThread()
		_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
		for f := range frames {
			if wait := time.Until(f.due); wait > 0 {
				pause := unix.NsecToTimespec(wait.Nanoseconds())
				_ = unix.Nanosleep(&pause, nil) // if a signal ends it, a frame is early
			}
			to.Write(f.buffer[:f.length]) // a full queue is a frame lost
			buffers.Put(f.buffer)
		}
	}()
	defer close(frames)
	random := rand.New(rand.NewPCG(1, 2))
	var free time.Time // when a slow wire has sent what waits
	for {
		data := buffers.Get().(*[2048]byte)
		n, err := from.Read(data[:])
		if err != nil {
			return
		}
		w.mu.Lock()
		now := w.weather
		w.mu.Unlock()
		const arp = 0x0806 // its retries take a second, and are not what is measured
		if random.Float64() < now.loss && (n < 14 || uint16(data[12])<<8|uint16(data[13]) != arp) {
			buffers.Put(data)
			continue
		}
		due := time.Now()
		if now.rate > 0 {
			length := time.Duration(float64(n+24) / now.rate * float64(time.Second)) // with preamble, FCS and gap
			if free.Before(due) {
				free = due
			}
			if free.Sub(due) > time.Duration(now.queue)*length {
				buffers.Put(data)
				continue
			}
			free = free.Add(length)
			due = free
		}
		frames <- frame{due.Add(now.delay), n, data}
	}
}
