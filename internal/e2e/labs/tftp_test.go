package labs

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
)

// firewall lets through what goes to the DHCP and TFTP servers' own ports only.
func (s *site) firewall() {
	s.Helper()
	labtest.Cable(s, s.lab(), func(frame []byte, toServer bool) [][]byte {
		if isUDP(frame) && toServer && port(frame, 36) != 67 && port(frame, 36) != 69 {
			return nil
		}
		return [][]byte{frame}
	})
}

// narrow loses frames that are larger.
func (s *site) narrow(most int) {
	s.Helper()
	labtest.Cable(s, s.lab(), func(frame []byte, toServer bool) [][]byte {
		if len(frame) > 14+most {
			return nil
		}
		return [][]byte{frame}
	})
}

var dataBlocked = []string{"192.168.1.166: ", "again and again", "allow UDP from 192.168.1.0/24 to its high ports", "nf_conntrack_tftp"}

var tftpReports = []report{
	{fault{"a firewall before dnsmasq's data ports", check.TFTPDataBlocked, isBroken, func(s *site) { s.firewall(); s.dnsmasq() }}, dataBlocked[1:], []string{"does not answer"}},
	{fault{"a firewall before tftpd-hpa's data ports", check.TFTPDataBlocked, isBroken, func(s *site) {
		s.firewall()
		s.dhcpd()
		s.tftpd()
	}}, append(dataBlocked[1:], "OACK"), []string{"does not answer"}},
	{fault{"a firewall before atftpd's data ports", check.TFTPDataBlocked, isBroken, func(s *site) {
		s.firewall()
		s.dhcpd()
		s.atftpd()
	}}, dataBlocked[1:], []string{"does not answer"}},
	{fault{"frames above 1440 get lost", check.Fine, fine, func(s *site) { s.narrow(1440); s.dnsmasq() }}, []string{"blocks of 1468 bytes do not arrive, those of 1408 do"}, []string{"duplex"}},
	{fault{"frames above 1300 get lost", check.TFTPLargeBlocks, either, func(s *site) { s.narrow(1300); s.dhcpd(); s.tftpd() }}, []string{"--blocksize 1024", "tftp-mtu="}, []string{"duplex"}},
	{fault{"frames above 540 get lost", check.TFTPLargeBlocks, isBroken, func(s *site) { s.narrow(540); s.dhcpd(); s.tftpd() }}, []string{"blocks of 512 bytes do not arrive", "those of 128 do"}, []string{"is up and can be reached"}},
	{fault{"a TFTP server that agrees to nothing and sends large blocks", check.TFTPNoOACK, either, func(s *site) {
		s.dhcpd()
		s.presumes()
	}}, []string{"without agreeing by an OACK", "--refuse blksize"}, []string{"duplex", "error counters"}},
	{fault{"what listens on port 69 speaks no TFTP", check.TFTPSilent, isBroken, func(s *site) {
		s.dhcpd()
		s.babbles()
	}}, []string{"answers, and not by TFTP", `it sends "\x00\thello"`, "ss -ulpn"}, []string{"firewall", "does not answer"}},
	{fault{"another machine has the next-server's address", check.DuplicateAddress, either, func(s *site) {
		s.host("second", "192.168.1.166/24")
		s.dnsmasq()
	}}, []string{"Two machines have the next-server's address, 192.168.1.166"}, []string{"start the TFTP server"}},
}

// What goes wrong with a transfer that has begun is named.
func TestTFTP(t *testing.T) { testReports(t, tftpReports) }

// presumes is a TFTP server that sends blocks of the size that is asked for, and
// does not say so.
func (s *site) presumes() {
	s.Helper()
	s.answers(func(words []string) (reply string, blksize int) {
		blksize = 512
		if i := slices.Index(words, "blksize"); i >= 0 {
			blksize, _ = strconv.Atoi(words[i+1])
		}
		return "", blksize
	})
}

// answers is a TFTP server on the servers' machine that takes the words of a request,
// the name first, and answers by that packet, or by blocks of that size.
func (s *site) answers(request func(words []string) (reply string, blksize int)) {
	s.Helper()
	h := s.lab().Servers
	var conn *net.UDPConn
	labtest.Check(s, h.Do(func() (err error) {
		conn, err = net.ListenUDP("udp4", &net.UDPAddr{Port: 69})
		return err
	}))
	s.Cleanup(func() { conn.Close() })
	type transfer struct {
		content []byte
		size    int
	}
	transfers := map[netip.AddrPort]transfer{}
	go func() {
		b := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(b)
			if err != nil {
				return // closed
			}
			block := 0
			switch {
			case n >= 4 && b[1] == 4:
				block = int(b[2])<<8 | int(b[3])
			case n >= 4 && b[1] == 1:
				words := strings.Split(string(b[2:n]), "\x00")
				reply, size := request(words)
				content, err := os.ReadFile(filepath.Join(s.tree, words[0]))
				if err != nil && reply == "" {
					reply = "\x00\x05\x00\x01not found\x00"
				}
				if reply != "" {
					conn.WriteToUDPAddrPort([]byte(reply), from)
					continue
				}
				transfers[from] = transfer{content, size}
			default:
				continue
			}
			if t := transfers[from]; t.size > 0 && block*t.size <= len(t.content) {
				data := t.content[block*t.size : min((block+1)*t.size, len(t.content))]
				conn.WriteToUDPAddrPort(append([]byte{0, 3, byte((block + 1) >> 8), byte(block + 1)}, data...), from)
			}
		}
	}()
}

// babbles is a server on TFTP's port that speaks something else.
func (s *site) babbles() {
	s.Helper()
	s.answers(func([]string) (reply string, blksize int) { return "\x00\thello", 0 })
}
