package grub

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/netip"
	"strings"
	"testing"
)

// host is the machine of all tests.
var host = Host{
	MAC: net.HardwareAddr{0x00, 0x16, 0x3e, 0x72, 0x79, 0xe3}, UUID: "564d1c4f-0a1b-4c3d-8e5f-a0b1c2d3e4f5",
	Address: netip.MustParseAddr("192.168.1.199"), Server: netip.MustParseAddr("192.168.1.2"),
	BootFile: "boot/grub/i386-pc/core.0", Domain: "lab",
}

// core is what grub-mknetdir makes.
var core = &Image{Known: true, Prefix: "/boot/grub"}

// serve opens files by their URL without tftp://192.168.1.2/ and slashes.
func serve(files map[string]string) Opener {
	return func(_ context.Context, url string) (io.ReadCloser, error) {
		name := strings.TrimLeft(strings.TrimPrefix(url, "tftp://192.168.1.2"), "/")
		if text, found := files[name]; found {
			return io.NopCloser(strings.NewReader(text)), nil
		}
		return nil, fmt.Errorf("%s: %w", url, fs.ErrNotExist)
	}
}

func run(t *testing.T, files map[string]string) (*Result, error) {
	return New(host, core, serve(files)).Run(t.Context(), Choice{})
}

// What the kernel's command line, which is x and what is said here, becomes.
func TestWords(t *testing.T) {
	for _, c := range []struct{ name, script, want string }{
		{"quotes", `linux /vmlinuz a=1 "b c" d="e f" 'g"h' i\ j k\\l "m\"n" it\'s "it's" x=$nope y='$z' t="a  b" "" end`,
			`a=1 "b c" "d=e f" g\"h "i j" k\\l m\"n it\'s it\'s x= y=$z "t=a  b"  end`},
		{"kept backslashes", `linux /vmlinuz "\a" \n \x41 "\$\\\""`, `\\a n x41 $\\\"`},
		{"comment", "linux /vmlinuz a#b x=#y # c", "a#b x=#y"},
		{"split", "set k='quiet splash'\nlinux /vmlinuz \"$k\" $k a$k", `"quiet splash" quiet splash aquiet splash`},
		{"leading blank", "set k=' a '\nlinux /vmlinuz $k b", `a b`},
		{"parameters", "function f { linux /vmlinuz $# $1 $3 $10 ${2}x \"at=$@\" \"$*\"; }\nf a 'b c' d", `3 a d b cx at=a "b c" d "a b c d"`},
		{"only the first", "a=1 b=2\nset c=3 d=4\nlinux /vmlinuz $a $b $c $d", "1 3"},
		{"first word", "y='a b'\nz=$y\nset w=pre$y\nv=\"$y\"\nlinux /vmlinuz $z $w $v", "a prea a b"},
		{"continued", "linux /vmlinuz a\\\nb 'c\nd' \"e\\\nf\"", "ab c\nd ef"},
		{"plain", "linux /vmlinuz (hd0,1)/x [x] a=b c~d %e ^f !g * ä", "(hd0,1)/x [x] a=b c~d %e ^f !g * ä"},
		{"reserved as an argument", "linux /vmlinuz if then fi", "if then fi"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := run(t, map[string]string{"boot/grub/grub.cfg": c.script + "\nboot\n"})
			if err != nil {
				t.Fatal(err, r.Problems)
			}
			if got := strings.TrimPrefix(r.Boot.Args, "BOOT_IMAGE=/vmlinuz "); got != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

// Where no disk is, nothing boots from one by mistake.
func TestDevices(t *testing.T) {
	for device, want := range map[string]Outcome{"hd0,msdos1": LocalBoot, "lvm/a-b": LocalBoot, "$unset": LocalBoot, "ftp,10.0.0.1": Nothing, "htpp,h": Nothing} {
		for _, command := range []string{"linux", "chainloader"} {
			r, err := run(t, map[string]string{"boot/grub/grub.cfg": "set timeout=0\nmenuentry a {\n" + command + " (" + device + ")/x\n}\n"})
			if got := r.Boot != nil; got != (want != Nothing) || got && r.Boot.Outcome != want {
				t.Errorf("%s (%s): boot %+v, error %v", command, device, r.Boot, err)
			}
		}
	}
}

// Each entry boots by its name, also where GRUB's $default would take that for a
// number or a path.
func TestPick(t *testing.T) {
	const text = `
menuentry 22.04 { linux /vmlinuz 0; }
menuentry '24.04 LTS' --id x { linux /vmlinuz 1; }
submenu '12 more >' { menuentry '0 a' { linux /vmlinuz 2; }; menuentry b { linux /vmlinuz 3; }; }
menuentry '0' { linux /vmlinuz 4; }
`
	for entry, want := range map[string]string{
		"22.04": "0", "0": "0", "24.04 LTS": "1", "x": "1", "1": "1", "12 more >": "2", "2>b": "3", "2>1": "3", "12 more >>>b": "3", "12 more >>>0 a": "2", "3": "4", "0 b": "0",
	} {
		r, err := New(host, core, serve(map[string]string{"boot/grub/grub.cfg": text})).Run(t.Context(), Choice{Entry: entry})
		if err != nil || r.Boot.Args != "BOOT_IMAGE=/vmlinuz "+want {
			t.Errorf("%q: boot %+v, error %v; want %s", entry, r.Boot, err, want)
		}
	}
}

// Each directory of a name costs a header, so that a name is bounded.
func TestLongNewc(t *testing.T) {
	for n, want := range map[int]int{maxNewc / 2: 1, maxNewc/2 + 1: 0} {
		r, err := run(t, map[string]string{"boot/grub/grub.cfg": "linux /vmlinuz\ninitrd newc:" + strings.Repeat("a/", n) + ":/x\nboot\n"})
		if err != nil || len(r.Boot.Initrds) != want {
			t.Errorf("%d directories: boot %+v, error %v", n, r.Boot, err)
		}
	}
}
