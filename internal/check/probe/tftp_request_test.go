package probe

import (
	"net/netip"
	"testing"
)

// A request is for the name below the server's root, or for an absolute one, and only
// for a server whose address the URL has, on TFTP's own port.
func TestRequestOf(t *testing.T) {
	server := netip.MustParseAddr("192.0.2.1")
	for _, c := range []struct {
		link, want string
		server     netip.Addr
	}{
		{"tftp://192.0.2.1/a/vmlinuz", "\x00\x01a/vmlinuz\x00octet\x00blksize\x001024\x00", server},
		{"tftp://192.0.2.1//srv/vmlinuz", "\x00\x01/srv/vmlinuz\x00octet\x00blksize\x001024\x00", server},
		{"tftp://192.0.2.1:6969/vmlinuz", "", netip.Addr{}},
		{"tftp://lab.example/vmlinuz", "\x00\x01vmlinuz\x00octet\x00blksize\x001024\x00", netip.Addr{}},
	} {
		if a, request := requestOf(c.link, 1024); a != c.server || string(request) != c.want {
			t.Errorf("%s: %v, %q; want %v, %q", c.link, a, request, c.server, c.want)
		}
	}
	if conn, _, err := sendRequest(t.Context(), netip.Addr{}, nil); err == nil {
		conn.Close()
		t.Error("a request went to no address")
	}
}
