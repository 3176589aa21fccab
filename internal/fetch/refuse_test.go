package fetch

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// An address that is refused gets not one packet, whoever names it.
func TestRefuse(t *testing.T) {
	t.Parallel()
	const bad = "203.0.113.66"
	refused := errors.New("refused")
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		redirect("http://" + bad + r.URL.Path)(w)
	}))
	t.Cleanup(web.Close)
	ftp := serveFTP(t, &ftpServer{content: "x", answers: map[string]string{"EPSV": "500 what?", "PASV": "227 here (203,0,113,66,0,80)"}})
	names := serveNames(t, knows("boot.example.", bad))
	for _, test := range []struct {
		name, url string
		change    func(*Client)
		other     bool // the error is another, as the address is not looked at
	}{
		{name: "http", url: "http://" + bad + "/x"},
		{name: "http by IPv6", url: "http://[::ffff:" + bad + "]/x"},
		{name: "https", url: "https://" + bad + "/x"},
		{name: "ftp", url: "ftp://" + bad + "/x"},
		{name: "nfs", url: "nfs://" + bad + "/x"},
		{name: "tftp", url: "tftp://" + bad + "/x"},
		{name: "a name", url: "http://boot.example/x"},
		{name: "a name by TFTP", url: "tftp://boot.example/x"},
		{name: "a redirect", url: "http://198.51.100.10/x"},
		{name: "an image", url: "nfs://" + bad + "/x.iso/vmlinuz"},
		{name: "PASV", url: "ftp://198.51.100.11/x", other: true}, // the server's own address is asked instead
		{name: "a DNS server", url: "http://boot.example/x", change: func(c *Client) { c.DNS = []netip.Addr{netip.MustParseAddr(bad)} }},
		{name: "the boot server", url: "tftp:///x", change: func(c *Client) { c.Fallback = netip.MustParseAddr(bad) }},
		{name: "a proxy", url: "http://198.51.100.10/x", change: func(c *Client) {
			c.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: bad + ":3128"})
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := resolver(names)
			dial, at := c.Dial, map[string]string{"198.51.100.10:80": web.Listener.Addr().String(), "198.51.100.11:21": ftp.addr}
			var mu sync.Mutex
			var dialled []string
			c.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
				mu.Lock()
				dialled = append(dialled, address)
				mu.Unlock()
				if to, ok := at[address]; ok {
					return new(net.Dialer).DialContext(ctx, network, to)
				}
				return dial(ctx, network, address)
			}
			c.Refuse = func(a netip.Addr) error {
				if a == netip.MustParseAddr(bad) {
					return refused
				}
				return nil
			}
			if test.change != nil {
				test.change(c)
			}
			f, err := c.Open(t.Context(), test.url)
			if err == nil {
				f.Close()
			}
			if err == nil || errors.Is(err, refused) == test.other {
				t.Errorf("got %v", err)
			}
			for _, address := range dialled {
				if strings.Contains(address, bad) {
					t.Errorf("asked %s", address)
				}
			}
		})
	}
	// Another name server is asked in its place.
	c := resolver(names)
	other := netip.MustParseAddr("192.0.2.99")
	c.DNS = append([]netip.Addr{other}, c.DNS...)
	c.Refuse = func(a netip.Addr) error {
		if a == other {
			return refused
		}
		return nil
	}
	if a, err := c.resolve(t.Context(), "boot.example"); err != nil || a.String() != bad {
		t.Errorf("with another name server: %v, %v", a, err)
	}
}
