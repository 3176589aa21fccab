package dhcpclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/gopxeboot/gopxeboot/dhcpclient/internal/lan"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/wire"
	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/server4"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// inside is set in the process that has a network of its own.
const inside = "DHCPCLIENT_TEST_INSIDE"

// ownNetwork runs the test once more as root of a private network namespace, and
// returns true there.
func ownNetwork(t *testing.T) bool {
	t.Helper()
	if os.Getenv(inside) != "" {
		return true
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v", fmt.Sprintf("-update=%v", *update))
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}}
	}
	out, err := cmd.CombinedOutput()
	switch {
	case errors.Is(err, unix.EPERM):
		labtest.Missing(t, "a private network namespace, which this kernel refuses")
	case err != nil:
		t.Errorf("in its own network: %v\n%s", err, out)
	case strings.Contains(string(out), "--- SKIP"):
		t.Skipf("in its own network:\n%s", out)
	}
	return false
}

// link makes a pair of interfaces, both up: the one where the server is, with
// an address, and the other.
func link(t *testing.T, server, other string) {
	t.Helper()
	attributes := netlink.NewLinkAttrs()
	attributes.Name, attributes.HardwareAddr = server, serverMAC
	veth := &netlink.Veth{LinkAttrs: attributes, PeerName: other, PeerHardwareAddr: guestMAC}
	if err := netlink.LinkAdd(veth); err != nil {
		t.Fatal(err)
	}
	if err := netlink.AddrAdd(veth, &netlink.Addr{IPNet: &net.IPNet{IP: lan.IP("10.77.0.1"), Mask: net.CIDRMask(24, 32)}}); err != nil {
		t.Fatal(err)
	}
	up(t, server)
	up(t, other)
	// Until the kernel has noticed the carrier, what is sent is lost.
	for _, name := range []string{server, other} {
		for begin := time.Now(); ; time.Sleep(time.Millisecond) {
			l, err := netlink.LinkByName(name)
			if err == nil && l.Attrs().OperState == netlink.OperUp {
				break
			}
			if time.Since(begin) > 10*time.Second {
				t.Fatalf("%s has no carrier: %v", name, err)
			}
		}
	}
}

func up(t *testing.T, name string) netlink.Link {
	t.Helper()
	l, err := netlink.LinkByName(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkSetUp(l); err != nil {
		t.Fatal(err)
	}
	return l
}

// bridge puts an interface on a new bridge, which has no address.
func bridge(t *testing.T, name, port string) {
	t.Helper()
	attributes := netlink.NewLinkAttrs()
	attributes.Name = name
	br := &netlink.Bridge{LinkAttrs: attributes}
	if err := netlink.LinkAdd(br); err != nil {
		t.Fatal(err)
	}
	p, err := netlink.LinkByName(port)
	if err != nil {
		t.Fatal(err)
	}
	// A port with the guest's MAC would give it to the bridge too.
	mac := net.HardwareAddr{0xfe, 0xff, 0xff, 0xff, 0xff, 0xff}
	if err := errors.Join(netlink.LinkSetHardwareAddr(p, mac), netlink.LinkSetMaster(p, br)); err != nil {
		t.Fatal(err)
	}
	up(t, name)
}

func listenOn(t *testing.T, name string, config Config) *Conn {
	t.Helper()
	c, err := Listen(name, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestListenErrors(t *testing.T) {
	if !ownNetwork(t) {
		return
	}
	up(t, "lo")
	for name, want := range map[string]string{
		"lo":   "listen on lo: not an Ethernet interface",
		"nope": "listen on nope: route ip+net: no such network interface",
	} {
		if c, err := Listen(name, Config{}); c != nil || err == nil || err.Error() != want {
			t.Errorf("%v, %v; want %s", c, err, want)
		}
	}
	link(t, "srv0", "guest0")
	c := listenOn(t, "guest0", Config{Promiscuous: true})
	if _, err := c.Write([]byte("short")); err == nil {
		t.Error("wrote 5 bytes")
	}
	c.Close()
	client := &Client{Conn: c, MAC: guestMAC}
	if lease, err := client.Lease(t.Context()); lease != nil || err == nil || errors.Is(err, ErrNoOffer) {
		t.Errorf("on a closed Conn: %v, %v", lease, err)
	}
}

// The socket gives what a DHCP client waits for and nothing else, by the
// kernel's own reading of the filter.
func TestListenFilter(t *testing.T) {
	if !ownNetwork(t) {
		return
	}
	link(t, "srv0", "guest0")
	guest, peer := listenOn(t, "guest0", Config{}), listenOn(t, "srv0", Config{})

	frame := func(port uint16, payload string) []byte {
		return wire.Datagram{
			Source:      netip.MustParseAddrPort("10.77.0.1:67"),
			Destination: netip.AddrPortFrom(netip.MustParseAddr("255.255.255.255"), port),
			Payload:     []byte(payload),
		}.Frame(serverMAC, wire.Broadcast)
	}
	const ip = wire.EthernetHeader
	changed := func(f func(b []byte)) []byte {
		b := frame(wire.PortDHCPClient, "changed")
		f(b)
		return b
	}
	options := frame(wire.PortDHCPClient, "with IP options")
	options = bytes.Join([][]byte{options[:ip+wire.IPv4Header], {1, 1, 1, 0}, options[ip+wire.IPv4Header:]}, nil)
	options[ip]++
	options[ip+3] += 4
	tagged := frame(wire.PortDHCPClient, "tagged")
	tagged = bytes.Join([][]byte{tagged[:12], {0x81, 0, 0, 10}, tagged[12:]}, nil)

	for _, b := range [][]byte{
		frame(67, "a client's"),
		frame(6868, "another port"),
		tagged,
		changed(func(b []byte) { b[12], b[13] = 0x86, 0xdd }),
		changed(func(b []byte) { b[ip+9] = 6 }),
		changed(func(b []byte) { b[ip+6] = 0x20 }),
		changed(func(b []byte) { b[ip+7] = 1 }),
		options,
		frame(wire.PortDHCPClient, "last"),
	} {
		if _, err := peer.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	// What the guest sends itself is not received.
	if _, err := guest.Write(frame(wire.PortDHCPClient, "the guest's own")); err != nil {
		t.Fatal(err)
	}
	// Its own frame was there before the last one, if it is there at all.
	got := received(t, guest)
	if diff := cmp.Diff([]string{"with IP options", "last"}, got); diff != "" {
		t.Errorf("received (-want +got):\n%s", diff)
	}
}

// A frame of another VLAN is never taken, tagged or not, and one of one's own
// goes out with its tag.
func TestListenVLAN(t *testing.T) {
	if !ownNetwork(t) {
		return
	}
	link(t, "srv0", "guest0")
	const want = "listen on guest0: VLAN 4095 is not between 1 and 4094"
	if c, err := Listen("guest0", Config{VLAN: 4095}); c != nil || err == nil || err.Error() != want {
		t.Errorf("%v, %v; want %s", c, err, want)
	}
	vlan20 := listenOn(t, "guest0", Config{VLAN: 20})
	if got := vlan20.String(); got != "guest0, VLAN 20" {
		t.Errorf("is called %s", got)
	}
	untagged, peer := listenOn(t, "guest0", Config{}), listenOn(t, "srv0", Config{})
	frame := func(payload string, tags ...byte) []byte {
		b := lan.BroadcastOf([]byte(payload))
		return bytes.Join([][]byte{b[:12], tags, b[12:]}, nil)
	}
	question := wire.ARP{Operation: wire.ARPRequest, SenderMAC: serverMAC, Sender: ipAddr("10.77.0.1"), TargetMAC: make(net.HardwareAddr, 6), Target: ipAddr("10.77.0.42")}.Frame()
	for _, b := range [][]byte{
		frame("untagged"),
		frame("VLAN 20", 0x81, 0, 0, 20),
		frame("VLAN 20 with priority 7", 0x81, 0, 0xe0, 20),
		frame("VLAN 21", 0x81, 0, 0, 21),
		frame("VLAN 0x114", 0x81, 0, 1, 20),
		frame("priority 5 and no VLAN", 0x81, 0, 0xa0, 0),
		frame("a provider's 20", 0x88, 0xa8, 0, 20),
		frame("20 in 20", 0x81, 0, 0, 20, 0x81, 0, 0, 20),
		frame("20 in a provider's 20", 0x88, 0xa8, 0, 20, 0x81, 0, 0, 20),
		bytes.Join([][]byte{question[:12], {0x81, 0, 0, 20}, question[12:]}, nil),
		question,
		frame("last"),
		frame("last", 0x81, 0, 0, 20),
	} {
		if _, err := peer.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	for conn, want := range map[*Conn][]string{
		vlan20:   {"VLAN 20", "VLAN 20 with priority 7", "ARP", "last"},
		untagged: {"untagged", "priority 5 and no VLAN", "ARP", "last"},
	} {
		if diff := cmp.Diff(want, received(t, conn)); diff != "" {
			t.Errorf("received on %s (-want +got):\n%s", conn, diff)
		}
	}

	// The way out.
	on20 := listenOn(t, "srv0", Config{VLAN: 20})
	again := frame("again")
	if n, err := vlan20.Write(again); err != nil || n != len(again) {
		t.Errorf("wrote %d bytes of %d, %v", n, len(again), err)
	}
	if _, err := vlan20.Write(frame("last")); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"again", "last"}, received(t, on20)); diff != "" {
		t.Errorf("received on %s (-want +got):\n%s", on20, diff)
	}
}

// What one socket does not take the other does, with the tags.
func TestListenOtherVLANs(t *testing.T) {
	if !ownNetwork(t) {
		return
	}
	link(t, "srv0", "guest0")
	peer := listenOn(t, "srv0", Config{})
	if _, err := Listen("guest9", Config{OtherVLANs: true}); err == nil {
		t.Error("listens on what is not there")
	}
	but0, but20 := listenOn(t, "guest0", Config{OtherVLANs: true}), listenOn(t, "guest0", Config{VLAN: 20, Promiscuous: true, OtherVLANs: true})
	if _, err := but0.Write(lan.Broadcast(&dhcpv4.DHCPv4{})); err == nil || but0.String() != "other VLANs of guest0" {
		t.Errorf("%s takes frames", but0)
	}
	number := byte(0)
	for _, tags := range [][]byte{
		{}, {0x81, 0, 0, 20}, {0x81, 0, 0xe0, 20}, {0x81, 0, 0, 21}, {0x81, 0, 0xa0, 0}, {0x88, 0xa8, 0, 20}, {0x88, 0xa8, 0, 5}, {0x81, 0, 0, 99},
	} {
		number++
		b := lan.BroadcastOf([]byte{number})
		if _, err := peer.Write(bytes.Join([][]byte{b[:12], tags, b[12:]}, nil)); err != nil {
			t.Fatal(err)
		}
	}
	for conn, want := range map[*Conn][]string{
		but0:  {"2 [20]", "3 [20]", "4 [21]", "6 [20]", "7 [5]", "8 [99]"},
		but20: {"1 []", "4 [21]", "5 []", "6 [20]", "7 [5]", "8 [99]"},
	} {
		var got []string
		conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		for b := make([]byte, maxFrame); len(got) == 0 || got[len(got)-1] != "8 [99]"; {
			n, err := conn.Read(b)
			if err != nil {
				t.Fatalf("%s: after %q: %v", conn, got, err)
			}
			f, _ := wire.ParseFrame(b[:n])
			d, ok := wire.ParseDatagram(f)
			if !ok {
				t.Fatalf("%s: frame %x", conn, b[:n])
			}
			got = append(got, fmt.Sprint(d.Payload[0], f.VLANs()))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", conn, diff)
		}
		conn.SetReadDeadline(time.Now())
		if _, err := conn.Read(make([]byte, maxFrame)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%s: %v", conn, err)
		}
	}
}

// received are the payloads that arrive, up to the one that is "last".
func received(t *testing.T, conn *Conn) (got []string) {
	t.Helper()
	if err := conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for b := make([]byte, maxFrame); ; {
		n, err := conn.Read(b)
		if err != nil {
			t.Fatalf("after %q: %v", got, err)
		}
		f, _ := wire.ParseFrame(b[:n])
		if _, ok := wire.ParseARP(f); ok {
			got = append(got, "ARP")
			continue
		}
		d, ok := wire.ParseDatagram(f)
		if !ok || len(f.Tags) > 0 {
			t.Fatalf("frame %x", b[:n])
		}
		if got = append(got, string(d.Payload)); string(d.Payload) == "last" {
			return got
		}
	}
}

// responder answers clients on an interface, at an address.
func responder(t *testing.T, ifname string, answer func(*dhcpv4.DHCPv4) *dhcpv4.DHCPv4, to net.IP) {
	t.Helper()
	conn, err := server4.NewIPv4UDPConn(ifname, &net.UDPAddr{Port: wire.PortDHCPServer})
	if err != nil {
		t.Fatal(err)
	}
	s, err := server4.NewServer(ifname, nil, func(conn net.PacketConn, _ net.Addr, m *dhcpv4.DHCPv4) {
		if reply := answer(m); reply != nil {
			if _, err := conn.WriteTo(reply.ToBytes(), &net.UDPAddr{IP: to, Port: wire.PortDHCPClient}); err != nil {
				t.Error(err)
			}
		}
	}, server4.WithConn(conn))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Serve() // until it is closed
	}()
	t.Cleanup(func() {
		s.Close()
		<-done
	})
}

// A server that ignores the broadcast flag sends to the guest's MAC. The frames
// come with the kernel's offloaded, that is wrong, UDP checksums.
func TestUnicastReplies(t *testing.T) {
	if !ownNetwork(t) {
		return
	}
	for _, c := range []struct {
		name        string
		bridge      bool
		promiscuous bool
		leases      bool
	}{
		{name: "guest's own interface", leases: true},
		{name: "bridge", bridge: true},
		{name: "bridge, promiscuous", bridge: true, promiscuous: true, leases: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			link(t, "srv0", "guest0")
			t.Cleanup(func() { remove(t, "srv0") })
			on := "guest0"
			if c.bridge {
				on = "br0"
				bridge(t, on, "guest0")
				t.Cleanup(func() { remove(t, "br0") })
			}
			srv0, err := netlink.LinkByName("srv0")
			if err != nil {
				t.Fatal(err)
			}
			if err := netlink.NeighAdd(&netlink.Neigh{LinkIndex: srv0.Attrs().Index, State: netlink.NUD_PERMANENT,
				IP: lan.IP("10.77.0.42"), HardwareAddr: guestMAC}); err != nil {
				t.Fatal(err)
			}
			script := &server{ID: "10.77.0.1", Address: "10.77.0.42", BootFile: "pxelinux.0"}
			responder(t, "srv0", func(m *dhcpv4.DHCPv4) *dhcpv4.DHCPv4 {
				if !bytes.Equal(m.ClientHWAddr, guestMAC) {
					t.Errorf("chaddr %s", m.ClientHWAddr)
				}
				switch m.MessageType() {
				case dhcpv4.MessageTypeDiscover:
					return script.Reply(m.TransactionID, dhcpv4.MessageTypeOffer)
				case dhcpv4.MessageTypeRequest:
					return script.Reply(m.TransactionID, dhcpv4.MessageTypeAck)
				}
				return nil
			}, lan.IP("10.77.0.42"))

			client := testClient(t, listenOn(t, on, Config{Promiscuous: c.promiscuous}))
			client.Retransmit = []time.Duration{100 * time.Millisecond}
			if !c.leases {
				client.Patience = 300 * time.Millisecond
			}
			lease, err := client.Lease(t.Context())
			if !c.leases {
				// Why Listen has its second argument.
				if !errors.Is(err, ErrNoOffer) {
					t.Errorf("lease %v, %v", lease, err)
				}
				return
			}
			if err != nil || lease.Address != netip.MustParsePrefix("10.77.0.42/24") {
				t.Fatalf("lease %+v, %v", lease, err)
			}
		})
	}
}

func remove(t *testing.T, name string) {
	t.Helper()
	l, err := netlink.LinkByName(name)
	if err == nil {
		err = netlink.LinkDel(l)
	}
	if err != nil {
		t.Error(err)
	}
}

// recorder keeps what a client received.
type recorder struct {
	FrameConn
	frames [][]byte
}

func (r *recorder) Read(b []byte) (int, error) {
	n, err := r.FrameConn.Read(b)
	if err == nil {
		r.frames = append(r.frames, bytes.Clone(b[:n]))
	}
	return n, err
}

// dnsmasq runs Debian's dnsmasq on srv0 until the test ends. The context ends
// with it, or after a while.
func dnsmasq(t *testing.T, options ...string) context.Context {
	t.Helper()
	cmd := labtest.Program(t, "dnsmasq", append([]string{
		"--conf-file=/dev/null", "--no-daemon", "--port=0", "--interface=srv0", "--bind-interfaces", "--no-ping",
		"--log-facility=-", "--pid-file", "--dhcp-authoritative",
		"--dhcp-leasefile=" + filepath.Join(t.TempDir(), "leases"), "--user=root", "--group=root",
	}, options...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		defer cancel()
		cmd.Wait()
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-ended
		if t.Failed() {
			t.Logf("dnsmasq:\n%s", &log)
		}
	})
	return ctx
}

func TestDnsmasq(t *testing.T) {
	labtest.Program(t, "dnsmasq")
	if !ownNetwork(t) {
		return
	}
	const dhcp = "--dhcp-range=10.77.0.40,10.77.0.50,255.255.255.0,1h"
	host := "--dhcp-host=" + guestMAC.String() + ",10.77.0.42"
	long := func(code int) string { return fmt.Sprintf("--dhcp-option-force=%d,%s", code, strings.Repeat("x", 250)) }
	want := func(edit func(*Lease)) *Lease {
		l := &Lease{
			Address: netip.MustParsePrefix("10.77.0.42/24"), Router: netip.MustParseAddr("10.77.0.1"), Routers: addrs("10.77.0.1"),
			Duration: time.Hour, ServerID: netip.MustParseAddr("10.77.0.1"), NextServer: netip.MustParseAddr("10.77.0.1"),
			BootFile: "pxelinux.0", Offers: 1,
		}
		edit(l)
		return l
	}
	for _, c := range []struct {
		name    string
		bridge  bool
		options []string
		want    *Lease
	}{
		{name: "plain", options: []string{dhcp, host, "--dhcp-boot=pxelinux.0"}, want: want(func(*Lease) {})},
		{name: "bridge", bridge: true, options: []string{dhcp, host, "--dhcp-boot=pxelinux.0"}, want: want(func(*Lease) {})},
		{name: "options", options: []string{dhcp, host, "--dhcp-boot=boot/pxelinux.0,bootserver,10.77.0.9", "--dhcp-option=6,10.77.0.53",
			"--domain=lab.example", "--dhcp-option=209,conf", "--dhcp-option=210,tftp://10.77.0.9/x/", "--dhcp-option=211,30i"},
			want: want(func(l *Lease) {
				l.BootFile, l.NextServer, l.DNS, l.Domain = "boot/pxelinux.0", netip.MustParseAddr("10.77.0.9"), addrs("10.77.0.53"), "lab.example"
				l.Option66 = "bootserver"
				l.ConfigFile, l.PathPrefix, l.RebootTime = "conf", "tftp://10.77.0.9/x/", 30*time.Second
			})},
		{name: "no-override", options: []string{dhcp, host, "--dhcp-boot=pxelinux.0", "--dhcp-no-override"}, want: want(func(*Lease) {})},
		{name: "overload", options: []string{dhcp, host, "--dhcp-boot=pxelinux.0",
			long(224), long(225), long(226), long(227), "--dhcp-option-force=228," + strings.Repeat("y", 100), "--dhcp-option-force=229," + strings.Repeat("z", 50)},
			want: want(func(*Lease) {})},
		{name: "matched", options: []string{dhcp, host, "--dhcp-match=set:bios,option:client-arch,0", "--dhcp-vendorclass=set:pxe,PXEClient",
			"--tag-if=set:rom,tag:bios,tag:pxe", "--dhcp-match=set:ipxe,175", "--dhcp-boot=tag:rom,tag:!ipxe,pxelinux.0"}, want: want(func(*Lease) {})},
		// A boot menu: the file comes from a boot server, on port 4011.
		{name: "pxe-service", options: []string{dhcp, host, "--pxe-service=x86PC,Boot,pxelinux"}, want: want(func(l *Lease) { l.MenuItem = "Boot" })},
	} {
		t.Run(c.name, func(t *testing.T) {
			link(t, "srv0", "guest0")
			t.Cleanup(func() { remove(t, "srv0") })
			on := "guest0"
			if c.bridge {
				on = "br0"
				bridge(t, on, "guest0")
				t.Cleanup(func() { remove(t, "br0") })
			}
			ctx := dnsmasq(t, c.options...)
			conn := &recorder{FrameConn: listenOn(t, on, Config{Promiscuous: c.bridge})}
			client := &Client{Conn: conn, MAC: guestMAC, UUID: guestUUID, Retransmit: []time.Duration{50 * time.Millisecond}}
			if *update {
				client.Rand = &lan.Steady{} // the same capture every time, but for the times in it
			}
			lease, err := client.Lease(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, lease, cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
				cmp.Comparer(func(a, b netip.Prefix) bool { return a == b }), cmpopts.IgnoreFields(Lease{}, "Reply", "Boot")); diff != "" {
				t.Errorf("lease (-want +got):\n%s", diff)
			}
			if *update && !c.bridge {
				golden(t, "dnsmasq-"+c.name+"-offer.hex", conn.frames[0])
				golden(t, "dnsmasq-"+c.name+"-ack.hex", conn.frames[len(conn.frames)-1])
			}
		})
	}
}

// A dnsmasq that leaves the addresses to somebody else, who is not there.
func TestDnsmasqProxy(t *testing.T) {
	labtest.Program(t, "dnsmasq")
	if !ownNetwork(t) {
		return
	}
	self := netip.MustParseAddr("10.77.0.1")
	for _, c := range []struct {
		name    string
		options []string
		want    Offer
	}{
		{name: "proxy-boot", options: []string{"--dhcp-boot=pxelinux.0,,10.77.0.9", "--pxe-service=x86PC,Boot,pxelinux,10.77.0.9"},
			want: Offer{Server: self, NextServer: netip.MustParseAddr("10.77.0.9"), BootFile: "pxelinux.0", Menu: []string{"Boot"}, Proxy: true}},
		{name: "proxy-menu", options: []string{"--pxe-prompt=Choose,3", "--pxe-service=x86PC,Linux,pxelinux", "--pxe-service=x86PC,Disk"},
			want: Offer{Server: self, Menu: []string{"Linux", "Disk"}, Proxy: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			link(t, "srv0", "guest0")
			t.Cleanup(func() { remove(t, "srv0") })
			ctx, cancel := context.WithCancel(dnsmasq(t, append(c.options, "--dhcp-range=10.77.0.0,proxy")...))
			defer cancel()
			conn := &recorder{FrameConn: listenOn(t, "guest0", Config{})}
			client := &Client{Conn: conn, MAC: guestMAC, UUID: guestUUID, Retransmit: []time.Duration{50 * time.Millisecond}}
			if *update {
				client.Rand = &lan.Steady{}
			}
			var got Offer
			client.Offered = func(o Offer) {
				got, got.After = o, 0
				cancel()
			}
			if lease, err := client.Lease(ctx); lease != nil || !errors.Is(err, ErrNoOffer) || !strings.Contains(err.Error(), "but the proxyDHCP server 10.77.0.1") {
				t.Fatalf("lease %v, %v", lease, err)
			}
			if diff := cmp.Diff(c.want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); diff != "" {
				t.Errorf("offer (-want +got):\n%s", diff)
			}
			if *update {
				golden(t, "dnsmasq-"+c.name+"-offer.hex", conn.frames[0])
			}
		})
	}
}
