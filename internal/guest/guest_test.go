package guest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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
	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

var mac = net.HardwareAddr{0x00, 0x16, 0x3e, 0x72, 0x79, 0xe3}

// killedParent is the environment variable that makes this program a parent
// on that bridge that waits to be killed.
const killedParent = "GUEST_TEST_KILLED_PARENT"

func TestMain(m *testing.M) {
	switch {
	case guest.IsChild():
		child()
	case os.Getenv(killedParent) != "":
		parentToKill()
	case os.Getenv(oldKernel) != "":
		onOldKernel()
	case os.Getenv(onlyConfine) != "":
		startAndConfine()
	case os.Getenv(sealed) != "":
		sealAndTry(os.Getenv(sealed))
	default:
		labtest.Main(m)
	}
}

// order is what a test tells the child to do, report what came of it.
type order struct {
	Confine bool
	Try     string   // all attacks, on this file of dom0's among others
	List    bool     // the open descriptors
	Write   bool     // to the first result file
	Open    []string // of the parent
	Dial    string   // send a datagram there
	Panic   bool
	Listen  bool     // open the guest's interface, and those of a survey, before the rest
	Send    [][]byte // frames on the guest's interface
	Filter  bool     // attach another filter to each packet socket
}

type report struct {
	Interface, MAC string
	Interfaces     []string
	OwnNet         bool
	Status         map[string]string // of /proc/self/status
	Errors         map[string]string
	Opened         map[string]string // contents
	Descriptors    []string
}

// child obeys orders until the parent goes away.
func child() {
	c, err := guest.Inside()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var conns []guest.Conn // open until the end
	for {
		var o order
		if c.Receive(&o) != nil {
			os.Exit(0)
		}
		if o.Panic {
			panic("told to\x1b[2J")
		}
		r := report{Interface: c.Interface, OwnNet: c.OwnNet, Status: map[string]string{}, Errors: map[string]string{}, Opened: map[string]string{}}
		note := func(what string, err error) {
			var errno syscall.Errno
			switch {
			case errors.As(err, &errno):
				r.Errors[what] = unix.ErrnoName(errno)
			case err != nil:
				r.Errors[what] = err.Error()
			default:
				r.Errors[what] = "allowed"
			}
		}
		if ifi, err := net.InterfaceByName(c.Interface); err == nil {
			r.MAC = ifi.HardwareAddr.String()
		}
		if o.List {
			entries, _ := os.ReadDir("/proc/self/fd")
			for _, e := range entries {
				link, _ := os.Readlink("/proc/self/fd/" + e.Name())
				r.Descriptors = append(r.Descriptors, link)
			}
		}
		all, _ := net.Interfaces()
		for _, ifi := range all {
			r.Interfaces = append(r.Interfaces, ifi.Name)
		}
		if o.Listen {
			var errs [3]error
			conns = make([]guest.Conn, 3)
			conns[0], errs[0] = c.Listen(nil)
			conns[1], errs[1] = c.ListenOthers()
			conns[2], errs[2] = c.ListenVLAN(30)
			note("listen", errors.Join(errs[:]...))
		}
		if o.Confine {
			status, err := os.Open("/proc/self/status") // before nothing can be opened
			if err != nil {
				note("status", err)
			}
			if err := c.Confine(); err != nil {
				note("confine", err)
			}
			text := make([]byte, 8192)
			n, _ := status.Read(text)
			for l := range strings.Lines(string(text[:n])) {
				key, value, _ := strings.Cut(l, ":")
				r.Status[key] = strings.Join(strings.Fields(value), " ")
			}
		}
		if o.Try != "" {
			for name, attack := range attacks(o.Try) {
				note(name, attack())
			}
		}
		for fd, i := 0, 0; o.Filter && fd < 64; fd++ {
			name, _ := unix.Getsockname(fd) // SO_DOMAIN is none of its options
			if _, ok := name.(*unix.SockaddrLinklayer); !ok {
				continue
			}
			all := unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: 0xffff}
			note(fmt.Sprintf("filter %d", i), unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: 1, Filter: &all}))
			i++
		}
		for _, frame := range o.Send {
			_, err := conns[0].Write(frame)
			note("send", err)
		}
		if o.Write {
			_, err := c.File(0).WriteString("kernel")
			note("result", err)
		}
		for _, name := range o.Open {
			text, err := readOpened(c, name)
			note(name, err)
			if err == nil {
				r.Opened[name] = text
			}
		}
		if o.Dial != "" {
			conn, err := net.Dial("udp4", o.Dial)
			if err == nil {
				_, err = conn.Write([]byte("hello"))
			}
			note("dial", err)
		}
		c.Send(r)
	}
}

func start(t *testing.T, spec guest.Spec) *guest.Guest {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	g, err := guest.Start(ctx, spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	return g
}

func do(t *testing.T, g *guest.Guest, o order) report {
	t.Helper()
	if err := g.Send(o); err != nil {
		t.Fatal(err)
	}
	var r report
	if err := g.Receive(&r); err != nil {
		t.Fatal(err)
	}
	return r
}

// interfaces are the names of what is in dom0, less the bridge's other ports.
func interfaces(t *testing.T) []string {
	t.Helper()
	var names []string
	for _, l := range labtest.Links(t) {
		names = append(names, l.Attrs().Name)
	}
	return names
}

// The child is on the bridge with the guest's MAC and, once configured, with
// the guest's address; the bridge keeps its own MAC; nothing is left.
func TestOwnNetwork(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	var conn *net.UDPConn
	if err := l.Servers.Do(func() (err error) {
		conn, err = net.ListenUDP("udp4", &net.UDPAddr{Port: 7000})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	before := interfaces(t)
	bridge, _ := netlink.LinkByName(l.Bridge())
	bridgeMAC := bridge.Attrs().HardwareAddr.String()

	g := start(t, guest.Spec{MAC: mac, Bridge: l.Bridge(), Net: guest.Auto})
	if g.Net != guest.Own {
		t.Fatalf("auto chose %s: %s", g.Net, g.Why)
	}
	if r := do(t, g, order{Confine: true}); r.MAC != mac.String() || r.Interface != "eth0" || !r.OwnNet {
		t.Errorf("the child is on %s with %s", r.Interface, r.MAC)
	}
	if err := g.Configure(netip.MustParsePrefix("192.168.1.199/24"), netip.MustParseAddr("192.168.1.1"), 0); err != nil {
		t.Fatal(err)
	}
	if r := do(t, g, order{Dial: "192.168.1.166:7000"}); r.Errors["dial"] != "allowed" {
		t.Error("send as the guest:", r.Errors["dial"])
	}
	conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	_, from, err := conn.ReadFromUDPAddrPort(make([]byte, 10))
	if err != nil || from.Addr() != netip.MustParseAddr("192.168.1.199") {
		t.Errorf("the server was asked by %s (%v)", from, err)
	}
	bridge, _ = netlink.LinkByName(l.Bridge())
	if got := bridge.Attrs().HardwareAddr.String(); got != bridgeMAC {
		t.Errorf("the bridge's MAC went from %s to %s", bridgeMAC, got)
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(before, interfaces(t)); diff != "" {
		t.Errorf("interfaces left (-before +after):\n%s", diff)
	}
}

// The leased MTU is set where it can be one of that bridge.
func TestMTU(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	for mtu, want := range map[int]int{0: 1500, 575: 1500, 576: 576, 1400: 1400, 1500: 1500, 9000: 1500, -1: 1500} {
		g := start(t, guest.Spec{MAC: mac, Bridge: l.Bridge(), Net: guest.Own})
		if err := g.Configure(netip.MustParsePrefix("192.168.1.199/24"), netip.Addr{}, mtu); err != nil {
			t.Errorf("%d: %v", mtu, err)
		}
		if got := g.MTU(); got != want {
			t.Errorf("%d: the interface's MTU is %d, want %d", mtu, got, want)
		}
		labtest.Check(t, g.Close())
	}
}

// A router that the kernel takes for none leaves the leased network.
func TestRouters(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	const own = "192.168.1.199"
	for router, want := range map[string]string{
		own:             "the router 192.168.1.199 can't be used: it is the leased address itself",
		"192.168.1.255": "the router 192.168.1.255 can't be used: invalid argument",
		"10.1.1.1":      "<nil>",
		"192.168.1.1":   "<nil>",
	} {
		g := start(t, guest.Spec{MAC: mac, Bridge: l.Bridge(), Net: guest.Own})
		err := g.Configure(netip.MustParsePrefix(own+"/24"), netip.MustParseAddr(router), 0)
		var unusable *guest.RouterError
		if fmt.Sprint(err) != want || (err != nil) != errors.As(err, &unusable) {
			t.Errorf("%s: %v, want %s", router, err, want)
		}
		if r := do(t, g, order{Dial: "192.168.1.166:7000"}); r.Errors["dial"] != "allowed" {
			t.Errorf("%s: %s", router, r.Errors["dial"])
		}
		g.Close()
	}
}

func TestAuto(t *testing.T) {
	t.Run("spanning tree", func(t *testing.T) {
		l := labtest.New(t, lab.Config{})
		labtest.SpanningTree(t, l, 2*time.Second)
		if g := start(t, guest.Spec{MAC: mac, Bridge: l.Bridge(), Net: guest.Auto}); g.Net != guest.Dom0 || !strings.Contains(g.Why, "STP") {
			t.Errorf("chose %s: %s", g.Net, g.Why)
		}
	})
	t.Run("a frame with the MAC", func(t *testing.T) {
		l := labtest.New(t, lab.Config{})
		other, err := l.AddHost(t.Context(), lab.HostConfig{Name: "running guest", MAC: mac, Address: netip.MustParsePrefix("192.168.1.199/24")})
		if err != nil {
			t.Fatal(err)
		}
		// What it sends tells the bridge where it is. The refusal says that
		// the frames were seen.
		if err := other.Do(func() error {
			_, err := net.Dial("tcp4", "192.168.1.166:7000")
			return err
		}); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Fatal(err)
		}
		// Anybody on the bridge could have sent that frame.
		g := start(t, guest.Spec{MAC: mac, Bridge: l.Bridge(), Net: guest.Auto})
		if g.Net != guest.Own || !strings.HasPrefix(g.Seen, "lab") {
			t.Errorf("chose %s: %s; seen on %q", g.Net, g.Why, g.Seen)
		}
	})
	t.Run("no Linux bridge", func(t *testing.T) {
		labtest.New(t, lab.Config{})
		other := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "ovsbr0"}, PeerName: "far"}
		if err := netlink.LinkAdd(other); err != nil {
			t.Fatal(err)
		}
		defer netlink.LinkDel(other)
		if err := netlink.LinkSetUp(other); err != nil {
			t.Fatal(err)
		}
		g := start(t, guest.Spec{MAC: mac, Bridge: "ovsbr0", Net: guest.Auto})
		if g.Net != guest.Dom0 || !strings.Contains(g.Why, "ovs-vsctl") {
			t.Errorf("chose %s: %s", g.Net, g.Why)
		}
		g.Close()
		if _, err := guest.Start(t.Context(), guest.Spec{MAC: mac, Bridge: "ovsbr0", Net: guest.Own}); err == nil || !strings.Contains(err.Error(), "--net dom0") {
			t.Errorf("--net guest: %v", err)
		}
		// Where ovs-vsctl answers, a port of our own can work.
		const dir = "/usr/local/sbin"
		labtest.Check(t, unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=755"))
		defer unix.Unmount(dir, unix.MNT_DETACH)
		labtest.Check(t, os.WriteFile(filepath.Join(dir, "ovs-vsctl"), []byte("#!/bin/sh\nexit 0\n"), 0o755))
		t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
		if g := start(t, guest.Spec{MAC: mac, Bridge: "ovsbr0", Net: guest.Auto}); g.Net != guest.Own || !strings.Contains(g.Why, "Open vSwitch") {
			t.Errorf("with ovs-vsctl it chose %s: %s", g.Net, g.Why)
		}
	})
}

// With spanning tree a port forwards after twice the forward delay, and not
// before Start returns.
func TestWaitsForForwarding(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	labtest.SpanningTree(t, l, 2*time.Second)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	before := interfaces(t)
	_, err := guest.Start(ctx, guest.Spec{MAC: mac, Bridge: l.Bridge(), Net: guest.Own})
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "spanning tree") {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff(before, interfaces(t)); diff != "" {
		t.Errorf("interfaces left (-before +after):\n%s", diff)
	}
}

func TestBridgeNames(t *testing.T) {
	l := labtest.New(t, lab.Config{Bridge: "br7"})
	if g := start(t, guest.Spec{MAC: mac, Net: guest.Auto}); g.Bridge != l.Bridge() {
		t.Errorf("the only bridge was not chosen but %s", g.Bridge)
	}
	_, err := guest.Start(t.Context(), guest.Spec{MAC: mac, Bridge: "xenbr9"})
	if !errors.Is(err, guest.ErrNoBridge) || !strings.Contains(err.Error(), "there are: br7") {
		t.Errorf("missing bridge: %v", err)
	}
}

// What is a port of a bridge is none itself, whatever is between.
func TestBridgeThatIsAPort(t *testing.T) {
	l := labtest.New(t, lab.Config{Bridge: "br7"})
	bridge, err := netlink.LinkByName(l.Bridge())
	labtest.Check(t, err)
	port := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: "port0", MasterIndex: bridge.Attrs().Index}, PeerName: "far"}
	labtest.Check(t, netlink.LinkAdd(port))
	_, err = guest.Start(t.Context(), guest.Spec{MAC: mac, Bridge: "port0"})
	if !errors.Is(err, guest.ErrNoBridge) || !strings.Contains(err.Error(), "port0 is a port of br7: say bridge=br7") {
		t.Errorf("got %v", err)
	}
}

// A bridge that is down is told at once, and not after the whole deadline.
func TestBridgeDown(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	bridge, err := netlink.LinkByName(l.Bridge())
	if err != nil {
		t.Fatal(err)
	}
	if err := netlink.LinkSetDown(bridge); err != nil {
		t.Fatal(err)
	}
	_, err = guest.Start(t.Context(), guest.Spec{MAC: mac, Bridge: l.Bridge()})
	if down, ok := errors.AsType[*guest.DownError](err); !ok || down.Name != "xenbr0" {
		t.Errorf("got %v", err)
	}
}

// sealed is a file that a process which has sealed itself tries to read.
const sealed = "GUEST_TEST_SEALED"

func sealAndTry(file string) {
	open, err := os.Open(file)
	if err == nil {
		err = guest.Seal()
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	content, err := io.ReadAll(open)
	fmt.Printf("before: %q %v\n", content, err)
	_, err = os.ReadFile(file)
	fmt.Println("after:", errors.Is(err, os.ErrPermission))
	fmt.Println("run:", errors.Is(exec.Command(file).Run(), os.ErrPermission))
	fmt.Println("root:", syscall.Setuid(0) == nil && syscall.Chown(file, 1, 1) == nil)
}

// A process that seals itself has the files that it opened, and nothing else.
func TestSeal(t *testing.T) {
	file := filepath.Join(t.TempDir(), "capture")
	if err := os.WriteFile(file, []byte("frames"), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{sealed + "=" + file}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	want := "before: \"frames\" <nil>\nafter: true\nrun: true\nroot: false\n"
	if diff := cmp.Diff(want, string(out)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// A child that dies says why, in one harmless line.
func TestLastWords(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	g := start(t, guest.Spec{MAC: mac, Bridge: l.Bridge(), Net: guest.Dom0})
	if err := g.Send(order{Panic: true}); err != nil {
		t.Fatal(err)
	}
	err := g.Receive(&report{})
	if err == nil || !strings.Contains(err.Error(), "panic: told to") || strings.ContainsAny(err.Error(), "\x1b\n") {
		t.Errorf("got %q", err)
	}
}

func TestCancel(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	g, err := guest.Start(ctx, guest.Spec{MAC: mac, Bridge: l.Bridge(), Net: guest.Own})
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	cancel()
	if err := g.Receive(&report{}); err == nil {
		t.Error("a killed child answered")
	}
}

// parentToKill starts a child, tells its pid, and waits.
func parentToKill() {
	g, err := guest.Start(context.Background(), guest.Spec{MAC: mac, Bridge: os.Getenv(killedParent), Net: guest.Own})
	if err == nil {
		err = g.Configure(netip.MustParsePrefix("192.168.1.199/24"), netip.Addr{}, 0)
	}
	if err == nil {
		err = g.Send(order{Confine: true, Dial: "192.168.1.166:7000"}) // so that the bridge knows the MAC
	}
	var r report
	if err == nil {
		err = g.Receive(&r)
	}
	json.NewEncoder(os.Stdout).Encode(struct {
		Report report
		Err    error
	}{r, err})
	select {}
}

// SIGKILL leaves the parent no time to clean up. The confined child, whose
// change of uid forgot the parent-death signal once, must go all the same,
// and its port with it.
func TestKilledParent(t *testing.T) {
	for _, bridge := range []string{"xenbr0", "xenbr0.20"} {
		if bridge == "xenbr0" || guest.VLANDevices() {
			t.Run(bridge, func(t *testing.T) { killParent(t, bridge) })
		}
	}
}

func killParent(t *testing.T, bridge string) {
	labtest.New(t, lab.Config{})
	before := interfaces(t)
	parent := exec.Command("/proc/self/exe")
	parent.Env = append(os.Environ(), killedParent+"="+bridge)
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	var said struct{ Report report }
	if err := json.NewDecoder(out).Decode(&said); err != nil || said.Report.MAC != mac.String() {
		t.Fatalf("the child was not up: %v %v", said, err)
	}
	parent.Process.Kill()
	parent.Wait()
	// Who comes next finds the MAC on a port that is about to go.
	if g := start(t, guest.Spec{MAC: mac, Bridge: bridge, Net: guest.Auto}); g.Net != guest.Own {
		t.Errorf("auto chose %s: %s", g.Net, g.Why)
	} else if err := g.Close(); err != nil {
		t.Error(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		diff := cmp.Diff(before, interfaces(t))
		for _, child := range labtest.Processes(t, "gopxeboot-guest") {
			diff += "a child lives: " + child
		}
		if diff == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(diff)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
