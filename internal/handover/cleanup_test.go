package handover

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/vishvananda/netlink"
)

func TestCleanUp(t *testing.T) {
	labtest.New(t, lab.Config{})
	for words, want := range map[string]struct {
		files bool
		port  bool
	}{
		"":                   {false, true},
		"keep\n":             {true, true},
		"port %d\n":          {false, false},
		"port %d\nkeep\n":    {true, false},
		"port 99%d\nkeep\n":  {true, true},
		"port eth0\nkeep\n":  {true, true},
		"port %d\nkeepers\n": {false, false},
	} {
		base := t.TempDir()
		place := newPlace(filepath.Join(base, "xen", "pygrub"))
		if err := errors.Join(place.make(), os.MkdirAll(filepath.Join(place.pygrub, "28672-chroot"), 0o700)); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{place.kernel, place.ramdisk, filepath.Join(place.pygrub, "boot_kernel.x")} {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		attributes := netlink.NewLinkAttrs()
		attributes.Name = "gpxleft"
		veth := netlink.NewVeth(attributes)
		veth.PeerName = "left"
		if err := netlink.LinkAdd(veth); err != nil {
			t.Fatal(err)
		}
		port := veth.Attrs().Index
		cleanUp(strings.NewReader(strings.ReplaceAll(words, "%d", strconv.Itoa(port))), place.words())
		if got := names(t, base); len(got) > 0 != want.files {
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

// The answer is given when the process hears that the files are to stay. Whoever
// killed it has not made the boot a bad one.
func TestKilledCleanup(t *testing.T) {
	place := newPlace(filepath.Join(t.TempDir(), "made"))
	killed := func() *cleanup {
		c, err := startCleanup(place)
		if err != nil {
			t.Fatal(err)
		}
		c.cmd.Process.Kill()
		c.cmd.Process.Wait()
		if c.leave(1) {
			t.Error("it says that it will remove a port")
		}
		return c
	}
	if err := killed().keep(); err != nil {
		t.Error(err)
	}
	// After a boot that failed we do its work.
	c := killed()
	if err := place.make(); err != nil {
		t.Fatal(err)
	}
	c.now()
	if _, err := os.Stat(filepath.Dir(place.kernel)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the directory is still there (%v)", err)
	}
}
