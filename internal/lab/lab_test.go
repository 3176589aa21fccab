package lab_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/insomniacslk/dhcp/dhcpv4"
	"github.com/insomniacslk/dhcp/dhcpv4/nclient4"
	"github.com/pin/tftp/v3"
	"github.com/vishvananda/netlink"

	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/lab/real"
)

func TestMain(m *testing.M) { labtest.Main(m) }

var (
	server   = lab.ServersAddress.Addr()
	guestMAC = net.HardwareAddr{0x00, 0x16, 0x3e, 0x72, 0x79, 0xe3}
)

// addGuest plugs in a host with the guest's MAC and its later address.
func addGuest(t *testing.T, l *lab.Lab) *lab.Host {
	t.Helper()
	guest, err := l.AddHost(t.Context(), lab.HostConfig{Name: "guest", MAC: guestMAC, Address: netip.PrefixFrom(lab.SampleAddress, 24)})
	labtest.Check(t, err)
	return guest
}

func sampleTree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	labtest.Check(t, lab.SampleTree(dir))
	return dir
}

// lease does a whole DHCP exchange as the guest.
func lease(t *testing.T, guest *lab.Host, modifiers ...dhcpv4.Modifier) *dhcpv4.DHCPv4 {
	t.Helper()
	var ack *dhcpv4.DHCPv4
	err := guest.Do(func() error {
		client, err := nclient4.New("eth0", nclient4.WithTimeout(5*time.Second))
		if err != nil {
			return err
		}
		defer client.Close()
		lease, err := client.Request(t.Context(), modifiers...)
		if err == nil {
			ack = lease.ACK
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return ack
}

// fetch downloads one file by TFTP as the guest.
func fetch(t *testing.T, guest *lab.Host, name string) ([]byte, error) {
	t.Helper()
	var content bytes.Buffer
	err := guest.Do(func() error {
		client, err := tftp.NewClient(netip.AddrPortFrom(server, 69).String())
		if err != nil {
			return err
		}
		client.SetBlockSize(1468)
		transfer, err := client.Receive(name, "octet")
		if err != nil {
			return err
		}
		_, err = transfer.WriteTo(&content)
		return err
	})
	return content.Bytes(), err
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// checkOffer compares what an answer says with the howto's dhcpd.conf.
func checkOffer(t *testing.T, answer *dhcpv4.DHCPv4) {
	t.Helper()
	got := map[string]string{
		"address":     answer.YourIPAddr.String(),
		"netmask":     net.IP(answer.SubnetMask()).String(),
		"router":      fmt.Sprint(answer.Router()),
		"next-server": answer.ServerIPAddr.String(),
		"boot file":   answer.BootFileName,
		"server":      answer.ServerIdentifier().String(),
	}
	want := map[string]string{
		"address":     "192.168.1.199",
		"netmask":     "255.255.255.0",
		"router":      "[192.168.1.166]",
		"next-server": "192.168.1.166",
		"boot file":   "pxelinux.0",
		"server":      "192.168.1.166",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("DHCP answer (-want +got):\n%s", diff)
	}
}

func TestNewBuildsTheBridge(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	if l.Bridge() != "xenbr0" {
		t.Errorf("bridge is called %q", l.Bridge())
	}
	bridge, err := netlink.LinkByName("xenbr0")
	if err != nil {
		t.Fatal(err)
	}
	addresses, err := netlink.AddrList(bridge, netlink.FAMILY_ALL)
	if err != nil {
		t.Fatal(err)
	}
	if len(addresses) != 0 {
		t.Errorf("dom0 has addresses on its bridge: %v", addresses)
	}
	addGuest(t, l)
	after, err := netlink.LinkByName("xenbr0")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := after.Attrs().HardwareAddr.String(), bridge.Attrs().HardwareAddr.String(); got != want {
		t.Errorf("a guest's port changed the bridge's MAC from %s to %s", want, got)
	}
}

func TestNewGivesDom0AnAddress(t *testing.T) {
	l := labtest.New(t, lab.Config{Bridge: "br-lab", Dom0: netip.MustParsePrefix("10.1.2.1/16"), Servers: netip.MustParsePrefix("10.1.2.3/16")})
	labtest.Check(t, l.Servers.ServeHTTP(sampleTree(t)))
	// dom0 is the process itself, so that nothing special is needed to be it.
	reply, err := http.Get("http://10.1.2.3/pxelinux.cfg/01-00-16-3e-72-79-e3")
	if err != nil {
		t.Fatal(err)
	}
	defer reply.Body.Close()
	if reply.StatusCode != http.StatusOK {
		t.Errorf("status %s", reply.Status)
	}
}

func TestEndsByContext(t *testing.T) {
	// The port of the host forwards after 4 s at least.
	plain := labtest.New(t, lab.Config{Bridge: "br-plain"})
	labtest.SpanningTree(t, plain, 2*time.Second)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := plain.AddHost(ctx, lab.HostConfig{Name: "late"}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("AddHost returned %v, want the context's end", err)
	}
	// Close must work on what there is by then.
	l, err := lab.New(ctx, lab.Config{})
	if err == nil {
		l.Close()
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("New returned %v, want the context's end", err)
	}
	if _, err := netlink.LinkByName("xenbr0"); err == nil {
		t.Error("bridge is still there")
	}
}

func TestEmbeddedServers(t *testing.T) {
	tree := sampleTree(t)
	ended := make(chan lab.Request, 100)
	l := labtest.New(t, lab.Config{OnRequest: func(r lab.Request) { ended <- r }})
	labtest.Check(t, l.Servers.ServeDHCP(lab.SampleDHCP()))
	labtest.Check(t, l.Servers.ServeTFTP(tree))
	labtest.Check(t, l.Servers.ServeHTTP(tree))
	guest := addGuest(t, l)

	checkOffer(t, lease(t, guest, dhcpv4.WithBroadcast(true)))
	checkOffer(t, lease(t, guest, dhcpv4.WithBroadcast(false)))

	for _, name := range []string{lab.SampleKernel, "/" + lab.SampleInitrd} {
		got, err := fetch(t, guest, name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if !bytes.Equal(got, readFile(t, filepath.Join(tree, name))) {
			t.Errorf("%s is not the server's file", name)
		}
	}
	for name, want := range map[string]string{
		"pxelinux.cfg/default": "code: 1, message: file not found",
		"pxelinux.cfg":         "code: 1, message: access violation: not a file",
		"../../etc/passwd":     "code: 1, message: access violation",
	} {
		if _, err := fetch(t, guest, name); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: error %v, want %s", name, err, want)
		}
	}

	got, err := get(guest, "/"+lab.SampleKernel)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, readFile(t, filepath.Join(tree, lab.SampleKernel))) {
		t.Error("HTTP gave another kernel")
	}

	kinds := make(map[string]int)
	for _, r := range l.Requests() {
		kinds[r.Service+" "+r.Asked]++
		if r.MAC.String() != lab.SampleMAC || r.Address != lab.SampleAddress || r.Host != "servers" {
			t.Errorf("request of somebody else: %v", r)
		}
		<-ended // each is told to OnRequest, too
	}
	want := map[string]int{
		"dhcp DISCOVER":             2,
		"dhcp REQUEST":              2,
		"tftp " + lab.SampleKernel:  1,
		"tftp /" + lab.SampleInitrd: 1,
		"tftp pxelinux.cfg/default": 1,
		"tftp pxelinux.cfg":         1,
		"tftp ../../etc/passwd":     1,
		"http /" + lab.SampleKernel: 1,
	}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// get does an HTTP request on the host. The connection is opened under Do, as
// http.Transport would open it on another thread.
func get(h *lab.Host, path string) ([]byte, error) {
	var conn net.Conn
	err := h.Do(func() (err error) {
		conn, err = net.Dial("tcp4", netip.AddrPortFrom(server, 80).String())
		return err
	})
	if err != nil {
		return nil, err
	}
	client := http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil }}}
	reply, err := client.Get("http://lab" + path)
	if err != nil {
		return nil, err
	}
	defer reply.Body.Close()
	return io.ReadAll(reply.Body)
}

func TestTwoDHCPServers(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	second, err := l.AddHost(t.Context(), lab.HostConfig{Name: "second", Address: netip.MustParsePrefix("192.168.1.167/24")})
	labtest.Check(t, err)
	labtest.Check(t, l.Servers.ServeDHCP(lab.SampleDHCP()))
	labtest.Check(t, second.ServeDHCP(lab.DHCP{First: netip.MustParseAddr("192.168.1.10"), Last: netip.MustParseAddr("192.168.1.20")}))
	guest := addGuest(t, l)
	discover, err := dhcpv4.NewDiscovery(guestMAC)
	if err != nil {
		t.Fatal(err)
	}
	offers := make(map[string]string)
	err = guest.Do(func() error {
		client, err := nclient4.New("eth0", nclient4.WithTimeout(5*time.Second))
		if err != nil {
			return err
		}
		defer client.Close()
		_, err = client.SendAndRead(t.Context(), nclient4.DefaultServers, discover, func(offer *dhcpv4.DHCPv4) bool {
			offers[offer.ServerIdentifier().String()] = offer.YourIPAddr.String()
			return len(offers) == 2
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"192.168.1.166": "192.168.1.199", "192.168.1.167": "192.168.1.10"}
	if diff := cmp.Diff(want, offers); diff != "" {
		t.Errorf("offers (-want +got):\n%s", diff)
	}
}

func TestRunIsOnTheHost(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	for host, want := range map[*lab.Host]string{l.Servers: "eth0", l.Dom0: "xenbr0"} {
		var out bytes.Buffer
		cmd := exec.Command("cat", "/proc/self/net/dev")
		cmd.Stdout = &out
		if err := host.Run(cmd); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), want+":") {
			t.Errorf("%s has no %s:\n%s", host.Name, want, out.String())
		}
	}
	err := l.Dom0.Run(exec.Command("sh", "-c", "exit 7"))
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 7 {
		t.Errorf("Run returned %v, want exit status 7", err)
	}
}

func TestCloseRemovesAll(t *testing.T) {
	before := links(t)
	l := labtest.New(t, lab.Config{})
	labtest.Check(t, l.Servers.ServeDHCP(lab.SampleDHCP()))
	labtest.Check(t, l.Servers.ServeTFTP(t.TempDir()))
	labtest.Check(t, l.Servers.ServeHTTP(t.TempDir()))
	// A server that leaves a child behind, as in.tftpd does.
	p, err := real.Start(l.Servers, exec.Command("sh", "-c", "sleep 1000 & echo started; wait"))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	select {
	case <-p.Done():
	default:
		t.Error("Close left a process")
	}
	if diff := cmp.Diff(before, links(t)); diff != "" {
		t.Errorf("Close left interfaces (-before +after):\n%s", diff)
	}
	if err := l.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	if _, err := l.AddHost(t.Context(), lab.HostConfig{Name: "late"}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("AddHost of a closed lab returned %v", err)
	}
}

func links(t *testing.T) []string {
	t.Helper()
	all, err := netlink.LinkList()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, link := range all {
		names = append(names, link.Attrs().Name)
	}
	return names
}
