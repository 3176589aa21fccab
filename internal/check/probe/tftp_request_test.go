package probe

import (
	"bytes"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/plan"
)

// A request is for the name below the server's root, or for an absolute one, and only
// for a server whose address the URL has.
func TestRequestOf(t *testing.T) {
	server := netip.MustParseAddrPort("192.0.2.1:69")
	for _, c := range []struct {
		link, want string
		server     netip.AddrPort
	}{
		{"tftp://192.0.2.1/a/vmlinuz", "\x00\x01a/vmlinuz\x00octet\x00blksize\x001024\x00", server},
		{"tftp://192.0.2.1//srv/vmlinuz", "\x00\x01/srv/vmlinuz\x00octet\x00blksize\x001024\x00", server},
		{"tftp://192.0.2.1:6969/vmlinuz", "\x00\x01vmlinuz\x00octet\x00blksize\x001024\x00", netip.MustParseAddrPort("192.0.2.1:6969")},
		{"tftp://lab.example/vmlinuz", "\x00\x01vmlinuz\x00octet\x00blksize\x001024\x00", netip.AddrPortFrom(netip.Addr{}, 69)},
	} {
		if a, request := requestOf(c.link, 1024); a != c.server || string(request) != c.want {
			t.Errorf("%s: %v, %q; want %v, %q", c.link, a, request, c.server, c.want)
		}
	}
	if conn, _, err := sendRequest(t.Context(), netip.AddrPort{}, nil); err == nil {
		conn.Close()
		t.Error("a request went to no address")
	}
}

// A server that repeats its OACK does not hear the acknowledgements. That is a firewall
// before its data ports only where it hears what is sent to its own port meanwhile.
func TestWhyStopped(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		hearsOthers bool
		want        plan.Reason
	}{
		"only the port of requests is open":      {true, plan.DataBlocked},
		"nothing gets to the server for a while": {false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			go repeatsOACK(t, conn, c.hearsOthers)
			reason, says := WhyStopped(t.Context(), "tftp://"+conn.LocalAddr().String()+"/vmlinuz")
			if reason != c.want {
				t.Errorf("%q (%s), want %q", reason, says, c.want)
			}
		})
	}
}

// repeatsOACK answers each request, or only the first one, from a port of its own, and
// repeats that as often as a server does.
func repeatsOACK(t *testing.T, requests *net.UDPConn, all bool) {
	request := make([]byte, 600)
	for first := true; ; first = false {
		n, client, err := requests.ReadFromUDPAddrPort(request)
		if err != nil {
			return
		}
		if !first && !all {
			continue
		}
		if !bytes.HasPrefix(request[:n], []byte("\x00\x01vmlinuz\x00")) {
			t.Errorf("request %q", request[:n])
		}
		data, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(func() { data.Close() })
		for _, after := range []time.Duration{0, time.Second, 3 * time.Second} {
			time.AfterFunc(after, func() { data.WriteToUDPAddrPort([]byte("\x00\x06blksize\x001024\x00"), client) })
		}
	}
}
