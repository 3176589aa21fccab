package oracle

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/lab/real"
	"github.com/gopxeboot/gopxeboot/internal/wire"
	"github.com/mdlayher/packet"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// tap is the machine's cable. The servers sit at its other end, no bridge is needed.
const tap = "tap0"

// addTap makes the tap in the present network namespace. Besides the two
// servers' addresses it gets an IPv6 prefix to advertise: without an answer
// to its router solicitation iPXE waits for 15 seconds.
func addTap(c *Case) (*net.Interface, error) {
	lo, err := netlink.LinkByName("lo")
	if err != nil {
		return nil, err
	}
	if err := netlink.LinkSetUp(lo); err != nil {
		return nil, err
	}
	link := &netlink.Tuntap{LinkAttrs: netlink.LinkAttrs{Name: tap}, Mode: netlink.TUNTAP_MODE_TAP}
	if err := netlink.LinkAdd(link); err != nil {
		return nil, fmt.Errorf("add a tap device: %w", err)
	}
	for _, a := range []*netlink.Addr{
		{IPNet: &net.IPNet{IP: c.Server().AsSlice(), Mask: net.CIDRMask(24, 32)}},
		{IPNet: &net.IPNet{IP: c.Other().AsSlice(), Mask: net.CIDRMask(24, 32)}},
		{IPNet: &net.IPNet{IP: net.ParseIP("fd00::2"), Mask: net.CIDRMask(64, 128)}, Flags: unix.IFA_F_NODAD},
	} {
		if err := netlink.AddrAdd(link, a); err != nil {
			return nil, fmt.Errorf("give the tap device an address: %w", err)
		}
	}
	if err := netlink.LinkSetUp(link); err != nil {
		return nil, err
	}
	return net.InterfaceByName(tap)
}

// dnsmasq is the command that serves DHCP, TFTP and, if the case has names, DNS.
func dnsmasq(c *Case, root, dir string) (*exec.Cmd, error) {
	net := c.Server().String()
	net = net[:strings.LastIndex(net, ".")]
	args := []string{
		"--keep-in-foreground", "--conf-file=/dev/null", "--pid-file=", "--user=root", "--log-facility=-",
		"--interface=" + tap, "--bind-interfaces", "--no-resolv", "--no-hosts",
		"--no-ping", "--dhcp-authoritative", "--dhcp-leasefile=" + filepath.Join(dir, "leases"),
		"--dhcp-range=" + net + ".100," + net + ".250",
		"--dhcp-host=" + c.MAC.String() + "," + c.IP.String(),
		"--dhcp-option-force=encap:175,176,1b", // iPXE need not wait for a proxyDHCP server
		"--enable-ra", "--dhcp-range=fd00::,ra-only,64",
		"--enable-tftp", "--tftp-root=" + root,
	}
	boots := ",," + c.Server().String()
	if c.Script == "" {
		args = append(args, "--dhcp-boot="+c.BootFile+boots)
	} else { // as labs have it
		args = append(args, "--dhcp-userclass=set:ipxe,iPXE", "--dhcp-boot=tag:!ipxe,"+c.BootFile+boots, "--dhcp-boot=tag:ipxe,"+Stage+boots)
	}
	for _, o := range c.Options {
		args = append(args, "--dhcp-option-force="+o)
	}
	if len(c.Names) == 0 {
		args = append(args, "--port=0")
	}
	for name, address := range c.Names {
		args = append(args, "--address=/"+name+"/"+address)
	}
	return real.Program("dnsmasq", args...)
}

// A recorder notes what is asked for. It reads TFTP from the wire, because
// only there a file name is what PXELINUX sent.
type recorder struct {
	machine, server netip.Addr
	ignore          func(name string) bool // files that are not worth a note

	mu       sync.Mutex
	packets  int // from the machine
	requests []Request
	open     map[netip.AddrPort]int // the TFTP client's port to its place in requests
}

func newRecorder(c *Case) *recorder {
	r := &recorder{machine: c.IP, server: c.Server(), open: map[netip.AddrPort]int{}, ignore: func(string) bool { return false }}
	if c.isGRUB() {
		r.ignore = isGRUBsOwn
	}
	return r
}

// listen makes the recorder's view of the interface. Its buffer is large, as a
// busy host lets the recorder fall behind the machine.
func listen(ifi *net.Interface) (*packet.Conn, error) {
	conn, err := packet.Listen(ifi, packet.Datagram, unix.ETH_P_ALL, nil)
	if err != nil {
		return nil, fmt.Errorf("watch the network: %w", err)
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	err2 := raw.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20)
	})
	return conn, errors.Join(err, err2)
}

// watch records what passes until stop is called.
func (r *recorder) watch(conn *packet.Conn) (stop func() error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 2048)
		for {
			n, _, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			r.packet(buf[:n])
		}
	}()
	return func() error {
		// What has been sent by now is still read.
		if err := conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
			return err
		}
		<-done
		stats, err := conn.Stats()
		if err == nil && stats.Drops > 0 {
			err = fmt.Errorf("the recorder missed %d packets", stats.Drops)
		}
		return err
	}
}

func (r *recorder) packet(b []byte) {
	p, ok := wire.ParseIPv4(wire.Frame{Type: wire.TypeIPv4, Payload: b})
	if !ok || p.Protocol != wire.ProtocolTCP && p.Protocol != wire.ProtocolUDP {
		return
	}
	if p.Source == r.machine {
		r.mu.Lock()
		r.packets++
		r.mu.Unlock()
	}
	if p.Protocol == wire.ProtocolUDP && len(p.Payload) >= wire.UDPHeader+2 {
		source, dest := p.Ports()
		r.datagram(netip.AddrPortFrom(p.Source, source), netip.AddrPortFrom(p.Destination, dest), p.Payload[wire.UDPHeader:])
	}
}

// datagram follows TFTP (RFC 1350, RFC 2347): a read request to port 69, and
// the first packet that comes back to where it came from.
func (r *recorder) datagram(from, to netip.AddrPort, b []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	code := binary.BigEndian.Uint16(b)
	if to.Port() == wire.PortTFTP && code == wire.TFTPRead {
		name, _, ok := strings.Cut(string(b[2:]), "\x00")
		if r.ignore(name) {
			return
		}
		if to.Addr() != r.server {
			name = to.Addr().String() + "::" + name
		}
		last := len(r.requests) - 1
		if i, again := r.open[from]; !ok || again && i == last && r.requests[i].File == name {
			return // a request that was sent again
		}
		r.open[from] = len(r.requests)
		r.requests = append(r.requests, Request{File: name})
		return
	}
	i, ok := r.open[to]
	if !ok {
		return
	}
	if r.requests[i].Result != "" {
		return
	}
	switch code {
	case wire.TFTPError:
		r.requests[i].Result = Absent
	case wire.TFTPData:
		r.requests[i].Result = Found
		if len(b) == 4 {
			r.requests[i].Result = Empty
		}
	case wire.TFTPOACK:
		r.requests[i].Result = Found
		if strings.Contains(string(b[2:])+"\x00", "tsize\x000\x00") {
			r.requests[i].Result = Empty
		}
	}
}

// note adds a request to those that were made.
func (r *recorder) note(request Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, request)
}

// foundOf is the result of a file that is there.
func foundOf(content []byte) string {
	if len(content) == 0 {
		return Empty
	}
	return Found
}

// seen returns the number of the machine's packets so far and the requests.
func (r *recorder) seen() (int, []Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.packets, append([]Request(nil), r.requests...)
}

// serveHTTP serves root and records the request. PXELINUX's paths are not
// cleaned up: "//" goes through to the file system, as a real server's would.
func (r *recorder) serveHTTP(root string, moved map[string]string) http.HandlerFunc {
	return func(w http.ResponseWriter, q *http.Request) {
		request := Request{File: "http://" + q.Host + q.RequestURI, Result: Absent}
		defer func() { r.note(request) }()
		if to, ok := moved[q.RequestURI]; ok {
			request.Result = Moved
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusFound)
			return
		}
		data, err := os.ReadFile(root + "/" + q.URL.Path)
		if err != nil {
			http.Error(w, "not here", http.StatusNotFound)
			return
		}
		request.Result = foundOf(data)
		w.Write(data) // the machine may hang up; that is its business
	}
}
