package dhcpclient

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/dhcpclient/internal/lan"
	"github.com/insomniacslk/dhcp/dhcpv4"
)

// lastFrame keeps the last frame that is sent.
type lastFrame struct {
	FrameConn
	frame []byte
}

func (l *lastFrame) Write(frame []byte) (int, error) {
	l.frame = bytes.Clone(frame)
	return l.FrameConn.Write(frame)
}

func TestRelease(t *testing.T) {
	for _, c := range []struct {
		name, server string
		want         string // the frame's destination, or the error
	}{
		{"on the wire", "10.0.0.1", "52:54:00:00:00:01 RELEASE to 10.0.0.1:67 from 10.0.0.42 [53 54 61]"},
		{"behind the router", "10.9.9.9", "52:54:00:00:00:01 RELEASE to 10.9.9.9:67 from 10.0.0.42 [53 54 61]"},
		{"gone", "10.0.0.2", "release 10.0.0.42: no answer to ARP for 10.0.0.2 on wire0, which leads to the server 10.0.0.2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				last := &lastFrame{FrameConn: lan.New(&server{ID: "10.0.0.1"})}
				err := testClient(t, last).Release(t.Context(), &Lease{
					Address: netip.MustParsePrefix("10.0.0.42/24"), Router: ipAddr("10.0.0.1"), ServerID: ipAddr(c.server),
				})
				got := fmt.Sprint(err)
				if err == nil {
					to, m := lan.ParseRequest(last.frame)
					var codes []uint8
					for code := range m.Options {
						codes = append(codes, code)
					}
					slices.Sort(codes)
					got = fmt.Sprintf("%s %s to %s from %s %d", net.HardwareAddr(last.frame[:6]), m.MessageType(), to, m.ClientIPAddr, codes)
				}
				if got != c.want {
					t.Errorf("%s, want %s", got, c.want)
				}
			})
		})
	}
}

// The flag is the only difference.
func TestUnicast(t *testing.T) {
	messages := make(map[bool]*dhcpv4.DHCPv4)
	for _, unicast := range []bool{false, true} {
		id, err := newIdentity(guestMAC, "", ROM{Unicast: unicast})
		if err != nil {
			t.Fatal(err)
		}
		_, messages[unicast] = lan.ParseRequest(id.broadcast(message{kind: dhcpv4.MessageTypeDiscover}))
	}
	if messages[false].Flags != 0x8000 || messages[true].Flags != 0 {
		t.Errorf("flags %#x and, for unicast, %#x", messages[false].Flags, messages[true].Flags)
	}
	messages[true].Flags = 0x8000
	if diff := cmp.Diff(messages[false].ToBytes(), messages[true].ToBytes()); diff != "" {
		t.Errorf("(-broadcast +unicast):\n%s", diff)
	}
}
