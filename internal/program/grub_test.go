package program_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/internal/grub"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/menu"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/program"
	"github.com/gopxeboot/gopxeboot/pxelinux"
)

func machine(bootFile string) program.Machine {
	return program.Machine{
		MAC: net.HardwareAddr{0x00, 0x16, 0x3e, 0x72, 0x79, 0xe3},
		Lease: dhcpclient.Lease{
			Address: netip.MustParsePrefix("10.0.0.42/24"), NextServer: netip.MustParseAddr("10.0.0.2"), BootFile: bootFile,
		},
	}
}

// asked notes what is asked for.
func asked(open program.Opener, list *[]string) program.Opener {
	return func(ctx context.Context, url string) (io.ReadCloser, error) {
		*list = append(*list, url)
		return open(ctx, url)
	}
}

// Which boot files are asked for, for what is in them: never PXELINUX's own.
func TestBootFileAsked(t *testing.T) {
	for _, c := range []struct {
		bootFile string
		asked    bool
	}{
		{"pxelinux.0", false}, {"boot/lpxelinux.0", false}, {"syslinux.efi", false}, {"", false},
		{"other.0", true}, {"bootx64.efi", true}, {"grubx64.efi", true}, {`EFI\BOOT\SHIMX64.EFI`, true}, {"boot/grub/i386-pc/core.0", true},
		{"grub2/grubx64.0", true}, {"boot/grub2/grub2-node", true}, {"grubnetx64.efi.signed", true},
	} {
		var list []string
		m := machine(c.bootFile)
		_, err := program.Decide(t.Context(), m, asked(program.Opener(pxelinux.OpenFS(fstest.MapFS{}, m.Lease.NextServer)), &list))
		if !errors.Is(err, pxelinux.ErrNoConfig) {
			t.Errorf("%s: the error is %v", c.bootFile, err)
		}
		base := c.bootFile[strings.LastIndexAny(c.bootFile, `/\`)+1:]
		if got := base != "" && slices.ContainsFunc(list, func(url string) bool { return strings.HasSuffix(url, base) }); got != c.asked {
			t.Errorf("%s: it is asked for: %v, want %v: %v", c.bootFile, got, c.asked, list)
		}
	}
}

// Debian's own netboot tree, as it comes: by shim and by GRUB itself.
func TestDebianTree(t *testing.T) {
	dir := os.Getenv("GOPXEBOOT_SERVERS")
	if dir == "" {
		dir = "../../build/servers"
	}
	dir = filepath.Join(dir, "debian-installer-12-netboot-amd64/usr/lib/debian-installer/images/12/amd64/text")
	if _, err := os.Stat(dir); err != nil {
		labtest.Missing(t, err)
	}
	for _, bootFile := range []string{"debian-installer/amd64/bootnetx64.efi", "debian-installer/amd64/grubx64.efi"} {
		m := machine(bootFile)
		d, err := program.Decide(t.Context(), m, program.Opener(pxelinux.OpenFS(os.DirFS(dir), m.Lease.NextServer)))
		if err != nil {
			t.Fatalf("%s: %v", bootFile, err)
		}
		const args = "BOOT_IMAGE=/debian-installer/amd64/linux vga=788 --- quiet"
		if d.Boot.Program != plan.GRUB || d.Boot.Args != args || !d.Boot.Waits || len(d.Config.Tried) != 1 {
			t.Errorf("%s: %+v", bootFile, d.Boot)
		}
	}
}

// A kernel that is missing leads to the fallback, a ramdisk that is to an error.
func TestGRUBNotFound(t *testing.T) {
	m := machine("core.0")
	d, err := program.Decide(t.Context(), m, program.Opener(pxelinux.OpenFS(fstest.MapFS{"grub.cfg": {Data: []byte(`set timeout=0
set fallback=1
menuentry a { linux /a; initrd /i; }
menuentry b { linux /b; }
`)}}, m.Lease.NextServer)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.NotFound(t.Context(), d.Boot.Initrds[0]); err == nil {
		t.Error("it boots without its ramdisk")
	}
	next, err := d.NotFound(t.Context(), d.Boot.Kernel)
	if err != nil || next.Boot.Label != "b" {
		t.Errorf("%+v, error %v", next.Boot, err)
	}
	if _, err := next.NotFound(t.Context(), next.Boot.Kernel); err == nil {
		t.Error("nothing is left, and something boots")
	}
	picked, err := d.Entry(t.Context(), "b")
	if err != nil || picked.Boot.Label != "b" {
		t.Errorf("%+v, error %v", picked.Boot, err)
	}
	var unknown *grub.NoEntryError
	if _, err := d.Entry(t.Context(), "c"); !errors.As(err, &unknown) || len(unknown.Entries) != 2 {
		t.Errorf("the error is %v", err)
	}
}

func TestIsGRUBConfig(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       bool
	}{
		{"grub.cfg", "", true}, {"/srv/grub.cfg-01-00-16-3e-72-79-e3", "x", true},
		{"menu", "# x\nset timeout=5\n", true}, {"menu", "  menuentry 'a' {\n", true}, {"a.cfg", "configfile /x\n", true},
		{"menu", "\ufeffset timeout=5\n", true},
		{"default", "DEFAULT linux\nLABEL linux\n  LINUX vmlinuz\n  APPEND initrd=i\n", false}, {"default", "default menu.c32\nmenu title a\ntimeout 5\n", false},
		{"boot.ipxe", "#!ipxe\nset base http://h\nkernel ${base}/k\n", false},
	} {
		if got := program.IsGRUBConfig(c.name, []byte(c.text)); got != c.want {
			t.Errorf("%s: %q: %v, want %v", c.name, c.text, got, c.want)
		}
	}
}

// The names that newc: gives files.
func TestGRUBNewc(t *testing.T) {
	m := machine("core.0")
	d, err := program.Decide(t.Context(), m, program.Opener(pxelinux.OpenFS(fstest.MapFS{"grub.cfg": {Data: []byte("linux /a\ninitrd /i newc:/etc/x:/x\nboot\n")}}, m.Lease.NextServer)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]plan.InitrdFile{{}, {Path: "etc/x", Mode: 0o100777}}, d.Boot.InitrdFiles); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// GRUB's menu, and what boots by a choice in it.
func TestGRUBAsks(t *testing.T) {
	const entries = "menuentry 'First' --id a { linux /a; }\nsubmenu 'More' { menuentry 'Second' { linux /b; }; menuentry 'Third' { linux /c; }; }\n"
	for _, c := range []struct {
		name, text string
		want       *menu.Menu
	}{
		{"at once", "set timeout=0\n" + entries, nil},
		{"after a while", "set timeout=7\nset default=More\n" + entries, &menu.Menu{Default: 1, Timeout: 7 * time.Second}},
		{"never", entries, &menu.Menu{}},
		{"no entries", "linux /a\nboot\n", nil},
	} {
		m := machine("core.0")
		m.Person = true
		d, err := program.Decide(t.Context(), m, program.Opener(pxelinux.OpenFS(fstest.MapFS{"grub.cfg": {Data: []byte(c.text)}}, m.Lease.NextServer)))
		if err != nil {
			t.Fatal(err)
		}
		if d.Asks == nil || c.want == nil {
			if d.Asks != nil || c.want != nil {
				t.Errorf("%s: %+v", c.name, d.Asks)
			}
			continue
		}
		c.want.Title, c.want.Parent = "GNU GRUB", -1
		c.want.Entries = []menu.Entry{{Text: "First", Kind: menu.Boots}, {Text: "More", Kind: menu.Boots}}
		if diff := cmp.Diff(menu.Offer{Menus: []menu.Menu{*c.want}}, d.Asks.Offer); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", c.name, diff)
		}
		for i, kernel := range []string{"tftp://10.0.0.2//a", "tftp://10.0.0.2//b"} {
			if chosen, err := d.Asks.Choose(t.Context(), menu.Choice{Entry: i}); err != nil || chosen.Boot.Kernel != kernel || chosen.Asks != nil {
				t.Errorf("%s: entry %d: %+v, error %v", c.name, i, chosen.Boot, err)
			}
		}
		if _, err := d.Asks.Choose(t.Context(), menu.Choice{Entry: 2}); err == nil {
			t.Errorf("%s: there is no third entry", c.name)
		}
	}
}
