package dhcpclient_test

import (
	"context"
	"fmt"
	"net"
	"runtime"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/vishvananda/netns"
)

// A lease in a network namespace: the socket is opened there, and stays there
// when the thread goes back.
func ExampleListen() {
	conn, err := listenIn("guest1", "eth0")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	client := &dhcpclient.Client{
		Conn: conn,
		MAC:  net.HardwareAddr{0x00, 0x16, 0x3e, 0x72, 0x79, 0xe3}, // eth0's own
		ROM:  dhcpclient.ROM{Arch: 7},                              // UEFI x86-64
		Warn: func(text string) { fmt.Println("warning:", text) },
	}
	lease, err := client.Lease(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(lease.Address, "boots", lease.BootFile, "from", lease.NextServer)
}

// listenIn is dhcpclient.Listen in a namespace that ip netns add has made.
func listenIn(namespace, name string) (*dhcpclient.Conn, error) {
	runtime.LockOSThread()
	here, err := netns.Get()
	if err != nil {
		return nil, err
	}
	defer here.Close()
	there, err := netns.GetFromName(namespace)
	if err != nil {
		return nil, fmt.Errorf("namespace %s: %w", namespace, err)
	}
	defer there.Close()
	if err := netns.Set(there); err != nil {
		return nil, err
	}
	conn, err := dhcpclient.Listen(name, dhcpclient.Config{})
	if netns.Set(here) == nil {
		runtime.UnlockOSThread() // else the thread ends with its goroutine
	}
	return conn, err
}
