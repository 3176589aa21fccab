package dhcpclient_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
)

// silence is an interface with nobody on the other end. A program has
// dhcpclient.Listen("xenbr0", dhcpclient.Config{Promiscuous: true}) instead.
type silence struct{ deadline time.Time }

func (s *silence) Write(frame []byte) (int, error)   { return len(frame), nil }
func (s *silence) SetReadDeadline(t time.Time) error { s.deadline = t; return nil }
func (s *silence) String() string                    { return "xenbr0" }
func (s *silence) Read([]byte) (int, error) {
	time.Sleep(time.Until(s.deadline))
	return 0, os.ErrDeadlineExceeded
}

func ExampleClient_Lease() {
	client := &dhcpclient.Client{
		Conn:     &silence{},
		MAC:      net.HardwareAddr{0x00, 0x16, 0x3e, 0x72, 0x79, 0xe3},
		Patience: 100 * time.Millisecond,
	}
	lease, err := client.Lease(context.Background())
	switch {
	case errors.Is(err, dhcpclient.ErrNoOffer):
		fmt.Println("nobody serves", client.MAC, "on", client.Conn)
	case err != nil:
		fmt.Println(err)
	default:
		fmt.Println(lease.Address, lease.NextServer, lease.BootFile)
	}
	// Output: nobody serves 00:16:3e:72:79:e3 on xenbr0
}

func ExampleParseOption() {
	rom := dhcpclient.ROM{Arch: 7, Options: make(map[uint8][]byte)}
	for _, text := range []string{"12=guest1", "175=0x010203"} {
		code, value, err := dhcpclient.ParseOption(text)
		if err != nil {
			fmt.Println(err)
			continue
		}
		rom.Options[code] = value
	}
	fmt.Println(rom.Options)
	// Output: map[12:[103 117 101 115 116 49] 175:[1 2 3]]
}
