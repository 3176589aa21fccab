package pxelinux

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/percent"
)

// Configurations that once were hard to get right.
var seeds = []string{
	"",
	"DEFAULT a\nLABEL a\nKERNEL k\nAPPEND initrd=i,j quiet\nIPAPPEND 3\n",
	"UI menu.c32\nTIMEOUT 50\nONTIMEOUT b x\nMENU BEGIN m\nLABEL b\nKERNEL k\nMENU DEFAULT\nMENU EXIT\nMENU END\n",
	"UI vesamenu.c32 ~ a b\nINCLUDE a\nMENU INCLUDE b tag\nMENU BACKGROUND x\nMENU SHIFTKEY\n",
	"MENU END\nMENU END\nMENU BEGIN\nMENU BEGIN\nMENU SEPARATOR\nMENU DEFAULT\nMENU START\n",
	"MENU HIDE\nMENU DISABLE\nMENU SEPARATOR\nLABEL\nMENU GOTO .hidden\nMENU DEFAULT\nUI menu\n",
	"PATH :a::b:\nDEFAULT x\nPXERETRY 99\nDISPLAY a\nFONT b\n",
	"INCLUDE pxelinux.cfg/default\nINCLUDE a\nCONFIG a\nLABEL c\nCONFIG pxelinux.cfg/default b\nDEFAULT c\n",
	"DEFAULT m\nLABEL m\nCOM32 mboot\nAPPEND xen --- \n",
	"DEFAULT m\nLABEL m\nCOM32 ifcpu\nAPPEND -- --\nONERROR m\n",
	"DEFAULT m\nLABEL m\nCOM32 pxechn\nAPPEND ://pxelinux.0 -c -p\n",
	"DEFAULT .com32 .linux .config .localboot\nONERROR .com32\nIMPLICIT 0\nNOESCAPE 1\n",
	"DEFAULT a\nLABEL a\nLINUX tftp://@:/%:#;\nINITRD ::,://,\xff\nTEXT HELP\n",
	"\x18a\n\x0f\x0f\x18\n\x1a",
}

// outcomeOf is everything that can be seen of a machine with
// these files, and it fails where there is none to be seen.
func outcomeOf(t *testing.T, files tree, label string) string {
	var b strings.Builder
	v := &visit{tree: files}
	c, err := Find(t.Context(), testHost(), v.open)
	fmt.Fprintln(&b, err)
	if err != nil {
		if !errors.Is(err, ErrNoConfig) && !errors.Is(err, ErrTooLarge) {
			t.Fatalf("Find: %v", err)
		}
		return b.String()
	}
	show := func(boot *Boot, err error) {
		if err != nil {
			if boot == nil || boot.Config == nil {
				t.Fatal("no Config with an error")
			}
			if !errors.Is(err, ErrTooLarge) {
				t.Fatalf("Boot: %v", err)
			}
			fmt.Fprintln(&b, err)
			return
		}
		for n := 0; ; n++ {
			checkBoot(t, boot)
			text := *boot
			text.Config, text.asked, text.after = nil, nil, nil
			fmt.Fprintf(&b, "%+v %v %v %s\n", text, boot.Config.Labels, boot.Config.Warnings, boot.Config.URL)
			next, err := boot.NotFound(t.Context())
			if err != nil || next == boot {
				fmt.Fprintln(&b, err)
				return
			}
			if boot = next; n > 2*maxSteps {
				t.Fatal("NotFound does not come to an end")
			}
		}
	}
	found, _ := json.Marshal(c)
	boot, err := c.Boot(t.Context())
	show(boot, err)
	if o := boot.Offer(); o != nil {
		checkOffer(t, o)
		show(o.Entry(t.Context(), 0, 0))
		show(o.Edited(t.Context(), label))
		show(o.Typed(t.Context(), label))
	}
	show(c.BootLabel(t.Context(), label))
	if now, _ := json.Marshal(c); string(now) != string(found) {
		t.Fatalf("the Config has changed from %s to %s", found, now)
	}
	fmt.Fprintln(&b, v.requests)
	return b.String()
}

// checkBoot checks what the program that takes a Boot relies on.
func checkBoot(t *testing.T, b *Boot) {
	if strings.ContainsAny(b.Args, "\r\n\x00") {
		t.Fatalf("the command line has a line's end in it: %q", b.Args)
	}
	urls := b.Initrds
	switch b.Outcome {
	case Linux, ChainBoot:
		urls = append([]string{b.Kernel}, urls...)
	case Multiboot:
		for _, m := range b.Modules {
			urls = append(urls, m.URL)
		}
		if b.Err == nil && b.Kernel == "" {
			t.Fatalf("no kernel and no reason: %+v", b)
		}
	case LocalBoot:
	case COM32, Prompt, Error:
		if b.Err == nil {
			t.Fatalf("no reason for %s", b.Outcome)
		}
	default:
		t.Fatalf("outcome %q", b.Outcome)
	}
	for _, s := range urls {
		if scheme, _, _ := strings.Cut(s, "://"); scheme != "tftp" && scheme != "http" && scheme != "https" && scheme != "ftp" {
			t.Fatalf("no URL: %q", s)
		}
	}
}

// checkOffer checks that what it names is there.
func checkOffer(t *testing.T, o *Offer) {
	for i, m := range o.Menus {
		if len(m.Entries) == 0 || m.Default < 0 || m.Default >= len(m.Entries) || m.Parent < -1 || m.Parent >= len(o.Menus) {
			t.Fatalf("menu %d: %+v", i, m)
		}
		for _, e := range m.Entries {
			if e.To < 0 || e.To >= len(o.Menus) || e.Mark >= len(e.Text) || strings.ContainsAny(e.Line, "\r\n\x00") {
				t.Fatalf("menu %d: %+v", i, e)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, config string) {
		files := tree{"pxelinux.cfg/default": config}
		diff(t, "twice", outcomeOf(t, files, "a"), outcomeOf(t, files, "a"))
	})
}

// Three files that may include, configure and start each other.
func FuzzInclude(f *testing.F) {
	for i, s := range seeds {
		f.Add(s, seeds[(i+1)%len(seeds)], seeds[(i+2)%len(seeds)])
	}
	f.Fuzz(func(t *testing.T, config, a, b string) {
		files := tree{"pxelinux.cfg/default": config, "a": a, "b": b, "a.c32": "x"}
		diff(t, "twice", outcomeOf(t, files, "c"), outcomeOf(t, files, "c"))
	})
}

// A command line as it is typed, or as it stands in a label.
func FuzzCommand(f *testing.F) {
	for _, s := range []string{
		"menu", "vesamenu.c32 ~", "a.0", ".linux k", "linux.c32 k initrd=i initrd+=j", "mboot.c32 xen --- k --- i", "ifcpu64.c32 a -- b",
		"ifcpu.c32 hvm -- a -- b -- c", "whichsys.c32 -pxe- a", "config.c32 a b", "cmd.c32 a", "pxechn.c32 h::pxelinux.0 -c a -o 210=x", "chain.c32 hd0", ".localboot 0", "",
	} {
		f.Add(s, "a", "DEFAULT a\n")
	}
	f.Fuzz(func(t *testing.T, command, label, more string) {
		files := tree{"pxelinux.cfg/default": "DEFAULT " + command + "\nLABEL a\nAPPEND " + command + "\n" + more, "a": more, "x.c32": "x"}
		diff(t, "twice", outcomeOf(t, files, label), outcomeOf(t, files, label))
		outcomeOf(t, files, command)
	})
}

func FuzzResolve(f *testing.F) {
	for _, s := range []string{"k", "/k", "::k", "h::k", "a:b::c", "tftp://h/k", "http://u:p@h:80/k?q#f", "ftp://h", "://", "tftp://h/%41%2f;mode=octet"} {
		f.Add("::boot/", s)
		f.Add("http://h/boot/", s)
	}
	f.Fuzz(func(t *testing.T, cwd, name string) {
		cwd = prefixOf(Host{PathPrefix: cwd})
		got, err := resolve("10.0.0.1", cwd, name)
		if err != nil {
			return
		}
		// A TFTP name comes back from its URL as it goes over the wire.
		if rest, tftp := strings.CutPrefix(got, "tftp://"); tftp && kindOf(absolute(cwd, mangle(name))) == oldTFTP {
			_, path, _ := strings.Cut(rest, "/")
			_, want, _ := strings.Cut(absolute(cwd, mangle(name)), "::")
			if back := percent.Unescape(path); back != want {
				t.Fatalf("%q in %q: got %q, which is %q", name, cwd, got, back)
			}
			// Go's own idea of a URL is the fetcher's.
			if u, err := url.Parse("tftp://h/" + path); err != nil || u.Path != "/"+want {
				t.Fatalf("%q: %v", got, err)
			}
		}
	})
}

func FuzzLint(f *testing.F) {
	for i, s := range seeds {
		f.Add(s, seeds[(i+1)%len(seeds)])
	}
	f.Fuzz(func(t *testing.T, config, included string) {
		lint := func() []Finding {
			open := func(context.Context, string) (io.ReadCloser, error) {
				return io.NopCloser(strings.NewReader(included)), nil
			}
			findings, err := Lint(t.Context(), testHost(), "f", []byte(config), open)
			if err != nil {
				t.Fatal(err)
			}
			return findings
		}
		findings := lint()
		diff(t, "twice", findings, lint())
		for _, f := range findings {
			if f.Line < 1 || f.File == "" || f.Text == "" || f.Code == "" || f.Severity == "" || strings.ContainsAny(f.Text+f.Fix, "\r\n") {
				t.Fatalf("not a finding: %q", f)
			}
		}
	})
}

// One Config may be asked by several at once.
func TestBootAtOnce(t *testing.T) {
	files := tree{
		"pxelinux.cfg/default": "UI menu.c32 menu.cfg\nLABEL a\nKERNEL ka\n",
		"menu.cfg":             "TIMEOUT 1\nMENU ONERROR x\nLABEL m\nMENU DEFAULT\nKERNEL km\nLABEL x\nCOM32 mboot.c32\nAPPEND xen --- kx\n",
	}
	open := func(ctx context.Context, link string) (io.ReadCloser, error) {
		return (&visit{tree: files}).open(ctx, link)
	}
	c, err := Find(t.Context(), testHost(), open)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			b, err := c.Boot(t.Context())
			if err == nil {
				b, err = b.NotFound(t.Context())
			}
			if err != nil || b.Label != "x" || len(b.Config.Labels) != 3 || len(b.Config.Warnings) != 1 {
				t.Errorf("got %+v, %v", b, err)
			}
			if b, err := c.BootLabel(t.Context(), "m"); err != nil || b.Kernel != serverURL+"km" {
				t.Errorf("by its label: got %+v, %v", b, err)
			}
		})
	}
	all.Wait()
}

// The package's own state is in the values it returns: two machines at once
// do not meet.
func TestParallel(t *testing.T) {
	for i := range 4 {
		t.Run("", func(t *testing.T) {
			t.Parallel()
			kernel := fmt.Sprintf("k%d", i)
			for range 20 {
				v := &visit{tree: tree{"pxelinux.cfg/default": "DEFAULT l\nLABEL l\nKERNEL " + kernel + "\n"}}
				c, err := Find(context.Background(), testHost(), v.open)
				if err != nil {
					t.Fatal(err)
				}
				if b, err := c.Boot(context.Background()); err != nil || b.Kernel != serverURL+kernel {
					t.Errorf("got %+v, %v", b, err)
				}
			}
		})
	}
}
