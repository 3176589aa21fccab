package pxelinux

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/gopxeboot/gopxeboot/internal/percent"
)

// tree is a TFTP server's files by their names on the wire.
type tree map[string]string

// A visit is one machine's boot from a tree, with what it asked for.
type visit struct {
	tree     tree
	requests []string // "!" is before the names that were not there
}

const serverURL = "tftp://192.168.1.2/"

func (v *visit) open(_ context.Context, url string) (io.ReadCloser, error) {
	name := percent.Unescape(strings.TrimPrefix(url, serverURL))
	text, found := v.tree[name]
	if !found {
		v.requests = append(v.requests, "!"+name)
		return nil, ErrNotFound
	}
	v.requests = append(v.requests, name)
	return io.NopCloser(strings.NewReader(text)), nil
}

// fetch does as the program that downloads a Boot: it asks for the kernel and
// the initrds, and goes on where PXELINUX goes on if one is not there.
func (v *visit) fetch(t *testing.T, b *Boot) *Boot {
	t.Helper()
	for range 20 {
		if b.Outcome != Linux || b.Waits {
			return b
		}
		missing := false
		for _, url := range append([]string{b.Kernel}, b.Initrds...) {
			if r, err := v.open(t.Context(), url); err != nil {
				missing = true
				break
			} else if _, err := io.ReadFull(r, make([]byte, 1)); err != nil {
				missing = true
				break
			}
		}
		if !missing {
			return b
		}
		next, err := b.NotFound(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		b = next
	}
	t.Fatal("NotFound does not come to an end")
	return nil
}

func testHost() Host {
	return Host{
		MAC:      net.HardwareAddr{0x00, 0x16, 0x3e, 0x72, 0x79, 0xe3},
		UUID:     "4f1c4d56-1b0a-3d4c-8e5f-a0b1c2d3e4f5",
		Address:  netip.MustParsePrefix("192.168.1.199/24"),
		Router:   netip.MustParseAddr("192.168.1.2"),
		Server:   netip.MustParseAddr("192.168.1.2"),
		BootFile: "pxelinux.0",
		MaxArgs:  1023,
		DMI:      map[string]string{"SYSVENDOR": "QEMU", "SYSPRODUCT": "Standard PC (i440FX + PIIX, 1996)"},
	}
}

// find finds the configuration of testHost.
func (tr tree) find(t *testing.T) (*Config, *visit) {
	t.Helper()
	v := &visit{tree: tr}
	c, err := Find(t.Context(), testHost(), v.open)
	if err != nil {
		t.Fatal(err)
	}
	v.requests = nil
	return c, v
}

// boots is what testHost boots from a tree that has this default file.
func boots(t *testing.T, config string) *Boot {
	t.Helper()
	return tree{"pxelinux.cfg/default": config}.boots(t)
}

func (tr tree) boots(t *testing.T) *Boot {
	t.Helper()
	c, _ := tr.find(t)
	b, err := c.Boot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func diff(t *testing.T, what string, want, got any) {
	t.Helper()
	if d := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Boot{}), cmpopts.IgnoreFields(Boot{}, "Config"), cmpopts.EquateErrors(), cmpopts.EquateEmpty()); d != "" {
		t.Errorf("%s (-want +got):\n%s", what, d)
	}
}

// errText makes errors comparable by their text.
func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

var errSilent = errors.New("no answer")

// The answers of the real pxelinux.0 6.04 to small trees: what it asked for
// after its search, and the command line of the kernel that it started.
func TestRealAnswers(t *testing.T) {
	const kernel = "k"
	for _, test := range []struct {
		name     string
		tree     tree
		requests string
		waits    bool
		args     string
	}{
		{
			"implicit kernel: extensions, each also in PATH, last directory first",
			tree{"pxelinux.cfg/default": "PATH mods:other/\nSYSAPPEND 0x20\nDEFAULT vmlinuz a=b\n", "vmlinuz": kernel},
			"!vmlinuz.c32 !other/vmlinuz.c32 !mods/vmlinuz.c32 !vmlinuz.img !other/vmlinuz.img !mods/vmlinuz.img " +
				"!vmlinuz.bss !other/vmlinuz.bss !mods/vmlinuz.bss !vmlinuz.bin !other/vmlinuz.bin !mods/vmlinuz.bin " +
				"!vmlinuz.bs !other/vmlinuz.bs !mods/vmlinuz.bs !vmlinuz.0 !other/vmlinuz.0 !mods/vmlinuz.0 vmlinuz",
			false, "BOOT_IMAGE=vmlinuz a=b SYSPRODUCT=Standard_PC_(i440FX_+_PIIX,_1996)",
		},
		{
			"a disabled first entry stops the menu's time-out",
			tree{"pxelinux.cfg/default": "UI menu.c32\nTIMEOUT 20\nLABEL first\nMENU DISABLE\nKERNEL vmlinuz\nLABEL lab\nKERNEL vmlinuz\n APPEND x=1\n"},
			"pxelinux.cfg/default", true, "BOOT_IMAGE=vmlinuz x=1",
		},
		{
			"ONERROR: the label's own words are lost, the DEFAULT command follows",
			tree{
				"pxelinux.cfg/default": "DEFAULT missing\nONERROR lab w=1\nTIMEOUT 20\nONTIMEOUT lab\nLABEL missing\nKERNEL vmlinuz.nope\n" +
					"LABEL lab\nKERNEL vmlinuz\nSYSAPPEND 0x33\nAPPEND x=1\n",
				"vmlinuz": kernel,
			},
			"!vmlinuz.nope vmlinuz", false,
			"BOOT_IMAGE=vmlinuz x=1 ip=192.168.1.199:192.168.1.2:192.168.1.2:255.255.255.0 BOOTIF=01-00-16-3e-72-79-e3 " +
				"SYSVENDOR=QEMU SYSPRODUCT=Standard_PC_(i440FX_+_PIIX,_1996) missing",
		},
		{
			"config.c32",
			tree{
				"pxelinux.cfg/default": "DEFAULT x\nLABEL x\nCOM32 config.c32\nAPPEND sub/other.cfg ::sub/\n",
				"sub/other.cfg":        "PATH a\nDEFAULT lab\nLABEL lab\nKERNEL vmlinuz\nAPPEND y=2\n",
				"sub/vmlinuz":          kernel,
			},
			"sub/other.cfg sub/vmlinuz", false, "BOOT_IMAGE=vmlinuz y=2",
		},
		{
			"what is shown is asked for; CONFIG from a menu, and SYSAPPEND that outlives it",
			tree{
				"pxelinux.cfg/default": "DISPLAY boot.msg\nFONT f.psf\nKBDMAP k.ktl\nSYSAPPEND 2\nUI vesamenu.c32\nMENU BACKGROUND splash.png\n" +
					"TIMEOUT 20\nONTIMEOUT cfg\nLABEL first\nKERNEL vmlinuz\nLABEL cfg\nCONFIG sub/x.cfg sub/\n",
				"boot.msg":    "hello\x18logo.lss\nmore\x18 two.lss\n",
				"sub/x.cfg":   "DEFAULT lab\nINCLUDE inc.cfg\nLABEL lab\n KERNEL vmlinuz\n APPEND y=2\n",
				"sub/vmlinuz": kernel,
			},
			"pxelinux.cfg/default !splash.png sub/x.cfg !sub/inc.cfg sub/vmlinuz",
			false, "BOOT_IMAGE=vmlinuz y=2 BOOTIF=01-00-16-3e-72-79-e3",
		},
		{
			"no DEFAULT: the boot: prompt has its ONTIMEOUT",
			tree{"pxelinux.cfg/default": "TIMEOUT 10\nONTIMEOUT lab b=2\nLABEL lab\nKERNEL vmlinuz\n", "vmlinuz": kernel},
			"vmlinuz", false, "BOOT_IMAGE=vmlinuz b=2",
		},
		{
			"PXERETRY; a default that is not there leads to the prompt and its ONTIMEOUT",
			tree{
				"pxelinux.cfg/default": "PXERETRY 1\nINCLUDE nope.cfg\nDEFAULT bad\nTIMEOUT 10\nONTIMEOUT lab b=2\nLABEL bad\nKERNEL nokernel\nLABEL lab\nKERNEL vmlinuz\n",
				"vmlinuz":              kernel,
			},
			"!nokernel vmlinuz", false, "BOOT_IMAGE=vmlinuz b=2",
		},
		{
			"pxechn.c32 to another PXELINUX",
			tree{
				"pxelinux.cfg/default": "DEFAULT x\nLABEL x\nCOM32 pxechn.c32\nAPPEND sub/pxelinux.0 -c my.cfg\n",
				"sub/pxelinux.0":       "nbp", "sub/my.cfg": "DEFAULT vmlinuz\nLABEL vmlinuz\n", "sub/vmlinuz": kernel,
			},
			"sub/pxelinux.0 sub/my.cfg sub/vmlinuz", false, "BOOT_IMAGE=vmlinuz ",
		},
		{
			"a submenu as default is no command: PXELINUX starts its menu again without end",
			tree{"pxelinux.cfg/default": "UI menu.c32\nTIMEOUT 20\nLABEL top\nKERNEL vmlinuz\nMENU BEGIN sub\nMENU DEFAULT\nLABEL one\nKERNEL one\nMENU END\n"},
			"pxelinux.cfg/default", true, "BOOT_IMAGE=one ",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, v := test.tree.find(t)
			b, err := c.Boot(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			b = v.fetch(t, b)
			diff(t, "requests", test.requests, strings.Join(v.requests, " "))
			diff(t, "waits", test.waits, b.Waits)
			diff(t, "command line", test.args, b.Args)
		})
	}
}
