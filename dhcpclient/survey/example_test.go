package survey_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/dhcpclient/survey"
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

func ExampleRun() {
	client := &dhcpclient.Client{
		Conn: &silence{},
		MAC:  net.HardwareAddr{0x00, 0x16, 0x3e, 0x72, 0x79, 0xe3},
	}
	s, err := survey.Run(context.Background(), client, survey.Config{Wait: 100 * time.Millisecond})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, offer := range s.Offers() {
		fmt.Println(offer.SourceMAC, offer.Offer.Server, offer.Delay)
	}
	if s.Lease == nil {
		fmt.Println(len(s.Offers()), "offers, no lease")
	} else {
		fmt.Println(s.Lease.BootFile, "from", s.Origins.BootFile)
	}
	// Output: 0 offers, no lease
}

func ExampleDecode() {
	frame, _ := hex.DecodeString("ffffffffffff00163e7279e30800" + // Ethernet
		"45000114000000004011000000000000ffffffff" + "0044004301000000" + // IP, UDP
		"010106003903f326" + "00000000" + strings.Repeat("00", 16) + "00163e7279e3" + strings.Repeat("00", 202) + // BOOTP
		"63825363" + "350101" + "5d020000" + "ff")
	message, err := survey.Decode(frame)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(&message)
	for _, option := range message.Options {
		fmt.Println(option)
	}
	// Output:
	// DISCOVER 0.0.0.0:68 > 255.255.255.255:67 xid 3903f326
	// 53 dhcp-message-type DISCOVER
	// 93 pxe-system-type 0
}
