package labs

import (
	"bytes"
	"context"
	"net"
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
)

// vlanServer has the servers' machine, and its DHCP server, in a VLAN, and a machine
// there that keeps asking. The guest's server is on a machine of its own.
func (s *site) vlanServer(vlan byte) {
	s.Helper()
	mac := net.HardwareAddr{2, 0, 0, 0, 0, vlan}
	labtest.Cable(s, s.lab(), func(frame []byte, toServer bool) [][]byte {
		switch {
		case !toServer:
			return [][]byte{tagged(frame, vlan)}
		case bytes.Equal(frame[6:12], mac): // its tag is not in what a packet socket reads
			return [][]byte{frame}
		}
		return nil
	})
	labtest.Dnsmasq(s, s.lab().Servers, "--dhcp-range=192.168.1.150,192.168.1.160,1h")
	h := s.host("files", files+"/24")
	s.dhcp.NextServer, s.dhcp.Router = h.Address.Addr(), h.Address.Addr()
	s.dnsmasqOn(h, s.tree)
	m, err := s.lab().AddHost(s.Context(), lab.HostConfig{Name: "VLAN machine", MAC: mac})
	labtest.Check(s, err)
	var conn *dhcpclient.Conn
	labtest.Check(s, m.Do(func() (err error) {
		conn, err = dhcpclient.Listen("eth0", dhcpclient.Config{VLAN: uint16(vlan)})
		return err
	}))
	ctx, cancel := context.WithCancel(s.Context())
	ended := make(chan struct{})
	s.Cleanup(func() { cancel(); <-ended; conn.Close() })
	go func() {
		defer close(ended)
		c := &dhcpclient.Client{Conn: conn, MAC: mac, ProbeWait: -1, Retransmit: []time.Duration{100 * time.Millisecond}}
		_, _ = c.Try(ctx, time.Minute) // until the test has ended
	}()
}

// tagged is a frame with a tag.
func tagged(frame []byte, vlan byte) []byte {
	return append(append(append([]byte(nil), frame[:12]...), 0x81, 0, 0, vlan), frame[12:]...)
}

// isDHCPServer says whether a frame is a DHCP server's.
func isDHCPServer(frame []byte, toServer bool) bool {
	return isUDP(frame) && !toServer && port(frame, 34) == 67
}

var heardReports = []report{
	{fault{"a DHCP server of another VLAN", check.WrongVLANServer, warning, func(s *site) { s.vlanServer(20) }},
		[]string{"A DHCP server of VLAN 20 is heard on xenbr", ": 192.168.1.166", "OFFER to another machine has the tag of VLAN 20 (MAC "}, []string{files}},
	{fault{"a DHCP server that answers in another VLAN, too", check.WrongVLANServer, warning, func(s *site) {
		labtest.Cable(s, s.lab(), func(frame []byte, toServer bool) [][]byte {
			if isDHCPServer(frame, toServer) {
				return [][]byte{frame, tagged(frame, 30)}
			}
			return [][]byte{frame}
		})
		s.dnsmasq()
	}}, []string{"OFFER to this guest has the tag of VLAN 30 (MAC ", "native VLAN"}, nil},
	{fault{"an OFFER that ends in the midst of an option", check.OfferUnreadable, isBroken, func(s *site) {
		s.elsewhere() // so that INFORM is answered
		labtest.Cable(s, s.lab(), func(frame []byte, toServer bool) [][]byte {
			const options = 14 + 20 + 8 + 240
			if isDHCPServer(frame, toServer) && frame[options] == 53 && frame[options+2] == 2 {
				frame[options+4] = 255 // the length of the second option
			}
			return [][]byte{frame}
		})
		s.dnsmasq()
	}}, []string{"can't be read", "its OFFER (MAC ", "an option ends behind its field"}, []string{"pool"}},
}

func TestHeard(t *testing.T) { testReports(t, heardReports) }

// A boot's limits count for the check of it.
var limitReports = []report{
	{fault{"a kernel above --max-kernel", check.FileTooLarge, isBroken, func(s *site) { s.request.MaxKernel = 100 << 10; s.dnsmasq() }},
		[]string{"The kernel is larger than a boot takes", "--max-kernel is 100", "tftp://192.168.1.166/vmlinuz"}, nil},
	{fault{"initrds above --max-initrd", check.FileTooLarge, isBroken, func(s *site) { s.request.MaxInitrd = 1000; s.dnsmasq() }},
		[]string{"The initrd is larger than a boot takes", "--max-initrd is 1000 bytes"}, nil},
}

func TestLimits(t *testing.T) { testReports(t, limitReports) }
