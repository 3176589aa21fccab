package dhcpclient

import (
	"net"
	"net/netip"
	"testing"

	"github.com/gopxeboot/gopxeboot/dhcpclient/internal/lan"
	"github.com/gopxeboot/gopxeboot/internal/wire"
)

type server = lan.Server

var guestMAC, serverMAC = lan.GuestMAC, lan.ServerMAC

const guestUUID = lan.GuestUUID

func testClient(t *testing.T, conn FrameConn) *Client {
	t.Helper()
	return &Client{Conn: conn, MAC: guestMAC, UUID: guestUUID, Rand: &lan.Steady{}, ProbeWait: -1}
}

// replyOf is the reply in a frame; nil for none.
func replyOf(frame []byte, mac net.HardwareAddr) *reply {
	f, _ := wire.ParseFrame(frame)
	return parseReply(f, mac)
}

// arpOf is the ARP packet in a frame.
func arpOf(frame []byte) (wire.ARP, bool) {
	f, _ := wire.ParseFrame(frame)
	return wire.ParseARP(f)
}

// Where a message has what (RFC 2131 §2).
const (
	snameOffset, snameEnd = 44, 108
	fileOffset, fileEnd   = 108, 236
	cookieOffset          = 236
)

func ipAddr(s string) netip.Addr { return netip.MustParseAddr(s) }
