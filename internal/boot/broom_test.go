package boot

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/vishvananda/netlink"
)

func TestSweepUp(t *testing.T) {
	labtest.New(t, lab.Config{})
	for words, want := range map[string]struct {
		files int
		port  bool
	}{
		"":                   {0, true},
		"keep\n":             {2, true},
		"port %d\n":          {0, false},
		"port %d\nkeep\n":    {2, false},
		"port 99%d\nkeep\n":  {2, true},
		"port eth0\nkeep\n":  {2, true},
		"port %d\nkeepers\n": {0, false},
	} {
		dir := t.TempDir()
		paths := []string{filepath.Join(dir, "kernel"), filepath.Join(dir, "ramdisk"), filepath.Join(dir, "never made")}
		for _, path := range paths[:2] {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		attributes := netlink.NewLinkAttrs()
		attributes.Name = "gpxswept"
		veth := netlink.NewVeth(attributes)
		veth.PeerName = "swept"
		if err := netlink.LinkAdd(veth); err != nil {
			t.Fatal(err)
		}
		port := veth.Attrs().Index
		sweepUp(strings.NewReader(strings.ReplaceAll(words, "%d", strconv.Itoa(port))), paths)
		if got := names(t, dir); len(got) != want.files {
			t.Errorf("after %q: %v", words, got)
		}
		link, err := netlink.LinkByIndex(port)
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

// The answer is given when the broom hears that the files are to stay. Whoever
// killed it has not made the boot a bad one.
func TestKilledBroom(t *testing.T) {
	b, err := newBroom()
	if err != nil {
		t.Fatal(err)
	}
	b.cmd.Process.Kill()
	b.cmd.Process.Wait()
	if b.leave(1) {
		t.Error("it says that it will remove a port")
	}
	if err := b.putAway(); err != nil {
		t.Error(err)
	}
}
