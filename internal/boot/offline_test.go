package boot

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/internal/session"
)

// The tree is the root of the next-server's web server, too. What a script names on
// another server is taken for good, and what it would run from there is not.
func TestOfflineHTTP(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"ipxe/boot.ipxe": "#!ipxe\nchain ${next}", "a b.ipxe": "#!ipxe\nboot http://192.168.1.166:8080/vmlinuz x", "vmlinuz": strings.Repeat("\x00", 0x202) + "HdrS",
		"mirror.ipxe": "#!ipxe\nkernel http://mirror.example/linux quiet\ninitrd http://mirror.example/initrd\nboot",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	lease := &dhcpclient.Lease{Address: netip.MustParsePrefix("192.168.1.199/24"), NextServer: netip.MustParseAddr("192.168.1.166"), BootFile: "http://192.168.1.166/ipxe/boot.ipxe?x=y"}
	for _, c := range []struct {
		next   string
		kernel string
		warns  []string
		err    string
	}{
		{"/a%20b.ipxe", "http://192.168.1.166:8080/vmlinuz", []string{}, ""},
		{"tftp://192.168.1.166/mirror.ipxe", "http://mirror.example/linux",
			[]string{"http://mirror.example/linux is on another server, which is not asked: it is taken for a Linux kernel"}, ""},
		{"http://192.168.1.167/boot.ipxe", "", []string{}, "boot.ipxe?x=y:2: chain ${next}: boot.ipxe is on another server, which is not asked"},
		{"gone.ipxe", "", []string{}, "boot.ipxe?x=y:2: chain ${next}: not found"},
	} {
		o := Options{Network: session.Network{MAC: net.HardwareAddr{0, 0x16, 0x3e, 1, 2, 3}}}
		o.Set = map[string]string{"next": c.next}
		p, err := Offline(t.Context(), o, lease, dir, "", quiet())
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %v", c.next, err)
		}
		if p.Kernel != c.kernel || cmp.Diff(c.warns, p.Warnings) != "" {
			t.Errorf("%s: %q, warnings %q", c.next, p.Kernel, p.Warnings)
		}
	}
}
