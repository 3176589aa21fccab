package program_test

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/internal/menu"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/program"
	"github.com/gopxeboot/gopxeboot/pxelinux"
)

// PXELINUX's configuration counts where the server says that iPXE has nothing to
// boot, and not where it is slow to say anything: the lab may want something else.
func TestSilentForIPXE(t *testing.T) {
	silent := errors.New("no answer in 6 s")
	for _, c := range []struct {
		name, script, silent string
		program              plan.Program
		err                  string
	}{
		{"a script that is missing", "", "", plan.PXELINUX, ""},
		{"one that fails", "kernel gone", "", plan.PXELINUX, ""},
		{"a script that does not come", "kernel vmlinuz", "boot.ipxe", "", silent.Error()},
		{"a kernel that does not come", "kernel vmlinuz", "vmlinuz", plan.IPXE, "boot.ipxe:2: kernel vmlinuz: " + silent.Error()},
		{"a kernel before a shell", "kernel vmlinuz || shell", "vmlinuz", plan.IPXE, silent.Error()},
		{"another file comes instead", "imgfetch gone.img || imgfetch slow.img || boot vmlinuz", "slow.img", plan.IPXE, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := fstest.MapFS{"pxelinux.cfg/default": {Data: []byte("default a\nlabel a\nkernel k\n")}, "vmlinuz": {Data: []byte(strings.Repeat("\x00", 0x202) + "HdrS")}}
			if c.script != "" {
				files["boot.ipxe"] = &fstest.MapFile{Data: []byte("#!ipxe\n" + c.script)}
			}
			m := machine("boot.ipxe")
			tree := program.Opener(pxelinux.OpenFS(files, m.Lease.NextServer))
			d, err := program.Decide(t.Context(), m, func(ctx context.Context, url string) (io.ReadCloser, error) {
				if c.silent != "" && strings.HasSuffix(url, "/"+c.silent) {
					return nil, silent
				}
				return tree(ctx, url)
			})
			if d.Boot.Program != c.program || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("%q boots, %v", d.Boot.Program, err)
			}
		})
	}
}

// What somebody may choose of a script is its first menu; what follows takes what a
// time-out would, and nothing is asked for twice.
func TestMenuOfIPXE(t *testing.T) {
	const text = `#!ipxe
menu Boot what?
item --gap -- Linux
item --key d debian Debian
item --default fedora
item
choose --timeout 3000 os && goto ${os}
:debian
menu
item a A
item --default b B
choose x
:fedora
kernel vmlinuz ${os} ${x}
boot
`
	files := fstest.MapFS{"boot.ipxe": {Data: []byte(text)}, "vmlinuz": {Data: []byte(strings.Repeat("\x00", 0x202) + "HdrS")}}
	m := machine("boot.ipxe")
	m.Person = true
	var list []string
	open := asked(program.Opener(pxelinux.OpenFS(files, m.Lease.NextServer)), &list)
	d, err := program.Decide(t.Context(), m, open)
	if err != nil || d.Boot.Args != "fedora " {
		t.Fatalf("%q boots, %v", d.Boot.Args, err)
	}
	want := menu.Menu{Title: "Boot what?", Default: 2, Timeout: 3 * time.Second, Parent: -1, Immediate: true, Entries: []menu.Entry{
		{Text: "Linux", Kind: menu.Separator},
		{Text: "Debian", Hotkey: 'd', Kind: menu.Boots},
		{Text: "fedora", Kind: menu.Boots},
		{Kind: menu.Separator},
	}}
	if diff := cmp.Diff(menu.Offer{Menus: []menu.Menu{want}}, d.Asks.Offer); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for entry, want := range []string{"", "debian b", "fedora ", "", ""} {
		other, err := d.Asks.Choose(t.Context(), menu.Choice{Entry: entry})
		if other.Boot.Args != want || (err == nil) != (want != "") || other.Asks != nil {
			t.Errorf("entry %d: %q, %v", entry, other.Boot.Args, err)
		}
	}
	if _, err := d.Asks.Choose(t.Context(), menu.Choice{Entry: 1, Line: "x"}); err == nil {
		t.Error("a line is edited")
	}
	if len(list) != 2 {
		t.Errorf("asked for %q", list)
	}
	for _, wanted := range []program.Wanted{{}, {Person: true, Label: "debian"}} {
		m.Wanted = wanted
		if d, err := program.Decide(t.Context(), m, open); err != nil || d.Asks != nil {
			t.Errorf("%+v is asked, %v", wanted, err)
		}
	}
}

// Scripts read all that the servers said, and who said it; without it, what the lease
// is known to be.
func TestSettingsOfLease(t *testing.T) {
	const text = "#!ipxe\nkernel vmlinuz [${43:hexraw}|${43.6:uint8}|${175.190:string}|${filename}|${next-server}|${domain}|${net0.dhcp/filename}|${proxydhcp/filename}|${proxydhcp/next-server}|${proxydhcp/dhcp-server}|${proxydhcp/ip}|${60:string}|${dns}|${netmask}]\nboot\n"
	files := fstest.MapFS{"boot.ipxe": {Data: []byte(text)}, "vmlinuz": {Data: []byte(strings.Repeat("\x00", 0x202) + "HdrS")}}
	for _, c := range []struct {
		name   string
		change func(*dhcpclient.Lease)
		want   string
	}{
		{"a lease that was said", func(l *dhcpclient.Lease) { l.Domain = "lab" }, "|||boot.ipxe|10.0.0.2|lab|boot.ipxe|||||||255.255.255.0"},
		{"one server", func(l *dhcpclient.Lease) {
			l.Reply = dhcpclient.Reply{BootFile: "boot.ipxe", NextServer: l.NextServer, Options: map[uint8][]byte{43: {6, 1, 8, 255}, 175: {190, 2, 'm', 'e'}, 6: {10, 0, 0, 9, 10, 0, 0, 8}, 15: []byte("lab\x00")}}
		}, "060108ff|0x8|me|boot.ipxe|10.0.0.2|lab|boot.ipxe||||||10.0.0.9|"},
		{"a proxy", func(l *dhcpclient.Lease) {
			l.Reply = dhcpclient.Reply{NextServer: netip.MustParseAddr("10.0.0.1"), Options: map[uint8][]byte{1: {255, 255, 0, 0}}}
			l.Boot = []dhcpclient.Reply{{NextServer: l.NextServer, Options: map[uint8][]byte{54: {10, 0, 0, 2}, 60: []byte("PXEClient"), 67: []byte("boot.ipxe\x00")}}}
		}, "|||boot.ipxe|10.0.0.1|||boot.ipxe|10.0.0.2|10.0.0.2||PXEClient||255.255.0.0"},
		{"a server that names none", func(l *dhcpclient.Lease) {
			l.Reply = dhcpclient.Reply{BootFile: "boot.ipxe", Options: map[uint8][]byte{}}
		}, "|||boot.ipxe|10.0.0.2||boot.ipxe|||||||"},
	} {
		m := machine("boot.ipxe")
		c.change(&m.Lease)
		d, err := program.Decide(t.Context(), m, program.Opener(pxelinux.OpenFS(files, m.Lease.NextServer)))
		if got := strings.Trim(d.Boot.Args, "[]"); got != c.want || err != nil {
			t.Errorf("%s: %v\ngot  %q\nwant %q", c.name, err, got, c.want)
		}
	}
}

// An iPXE that PXELINUX starts as a kernel runs its command line, or else its initrd.
func TestLKRN(t *testing.T) {
	for _, c := range []struct{ name, entry, want, err string }{
		{"a line", "KERNEL ipxe.lkrn\nAPPEND dhcp && chain a.ipxe || chain b.ipxe", "linux tftp://10.0.0.2/vmlinuz b", ""},
		{"an initrd", "KERNEL my-ipxe.lkrn\nINITRD b.ipxe", "linux tftp://10.0.0.2/vmlinuz b", ""},
		{"a line that boots", "LINUX http://10.0.0.2/ipxe.lkrn?x=1\nAPPEND initrd=b.ipxe boot vmlinuz one two", "linux tftp://10.0.0.2/vmlinuz one two", ""},
		{"the disk", "KERNEL ipxe.lkrn\nAPPEND sanboot --drive 0x80", "localboot  ", ""},
		{"no script", "KERNEL ipxe.lkrn", "", "label x: tftp://10.0.0.2/ipxe.lkrn is an iPXE without a script: it would ask DHCP for one"},
		{"what is missing", "KERNEL ipxe.lkrn\nAPPEND dhcp && chain gone.ipxe", "", "label x: tftp://10.0.0.2/ipxe.lkrn:1: dhcp && chain gone.ipxe: "},
		{"nothing boots", "KERNEL ipxe.lkrn\nAPPEND dhcp", "", "label x: tftp://10.0.0.2/ipxe.lkrn:1: end of the script: nothing was booted"},
		{"another kernel", "KERNEL linux.lkrn\nAPPEND boot vmlinuz", "linux tftp://10.0.0.2/linux.lkrn BOOT_IMAGE=linux.lkrn boot vmlinuz", ""},
	} {
		m := machine("pxelinux.0")
		files := fstest.MapFS{"pxelinux.cfg/default": {Data: []byte("DEFAULT x\nLABEL x\n" + c.entry)}, "vmlinuz": {Data: []byte(strings.Repeat("\x00", 0x202) + "HdrS")},
			"b.ipxe": {Data: []byte("#!ipxe\nkernel vmlinuz b\nboot\n")}}
		d, err := program.Decide(t.Context(), m, program.Opener(pxelinux.OpenFS(files, m.Lease.NextServer)))
		if got := strings.TrimSpace(string(d.Boot.Outcome) + " " + d.Boot.Kernel + " " + d.Boot.Args); err == nil && got != strings.TrimSpace(c.want) {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		if err == nil != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}
