package boot

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/vishvananda/netlink"
)

func TestSweepUp(t *testing.T) {
	labtest.New(t, lab.Config{})
	const port = "gpxswept"
	for words, want := range map[string]struct {
		files int
		port  bool
	}{
		"":                        {0, true},
		"keep\n":                  {2, true},
		"port gpxswept\n":         {0, false},
		"port gpxswept\nkeep\n":   {2, false},
		"port gpxnobody\nkeep\n":  {2, true},
		"port gpxswept\nkeeper\n": {0, false},
	} {
		dir := t.TempDir()
		paths := []string{filepath.Join(dir, "kernel"), filepath.Join(dir, "ramdisk"), filepath.Join(dir, "never made")}
		for _, path := range paths[:2] {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		attributes := netlink.NewLinkAttrs()
		attributes.Name = port
		veth := netlink.NewVeth(attributes)
		veth.PeerName = "swept"
		if err := netlink.LinkAdd(veth); err != nil {
			t.Fatal(err)
		}
		sweepUp(strings.NewReader(words), paths)
		if got := names(t, dir); len(got) != want.files {
			t.Errorf("after %q: %v", words, got)
		}
		link, err := netlink.LinkByName(port)
		if there := err == nil; there != want.port {
			t.Errorf("after %q the port is there: %v", words, there)
		}
		if err == nil {
			if err := netlink.LinkDel(link); err != nil {
				t.Fatal(err)
			}
		}
	}
}
