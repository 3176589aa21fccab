package kernel

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/gopxeboot/gopxeboot/internal/kernel/fake"
	"github.com/gopxeboot/gopxeboot/xenout"
)

// TestGate has every kind of file in a kernel's place, by name.
func TestGate(t *testing.T) {
	nothing := fake.Kind{Name: "nothing", Refused: "pv pvh pvshim - hvm direct", Says: "an empty file, and no kernel", Download: true}
	for _, c := range append(fake.Kinds(), nothing) {
		t.Run(c.Name, func(t *testing.T) {
			var refused []string
			for name, g := range map[string]Guest{
				"pv": {Type: xenout.PV}, "pvh": {Type: xenout.PVH}, "pvshim": {Type: xenout.PVShim}, "-": {}, "hvm": {Type: xenout.HVM, Direct: true}, "direct": {Direct: true},
			} {
				g.Host = X86_64
				size := int64(len(c.Content))
				m, _ := g.Looks(bytes.NewReader(c.Content), size)
				first := g.Refuses(bytes.NewReader(c.Content[:min(len(c.Content), headSize)]), size)
				if first != nil && cmp.Diff(first, m) != "" || (first == nil) != (m == nil || c.Inside) {
					t.Errorf("%s: by its beginning %v, then %v", name, first, m)
				}
				if m == nil {
					continue
				}
				refused = append(refused, name)
				if (name == "pv" || !strings.Contains(c.Refused, "pv ")) && !strings.HasPrefix(m.Error(), c.Says) || m.Download != c.Download || m.Try == "" {
					t.Errorf("%s: %+v, want %s", name, m, c.Says)
				}
			}
			want := strings.Fields(c.Refused)
			slices.Sort(refused)
			slices.Sort(want)
			if diff := cmp.Diff(want, refused, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("guests that refuse it (-want +got):\n%s", diff)
			}
		})
	}
}

func TestGateWarnings(t *testing.T) {
	kernel := func(c Compression, pv, pvh bool) []byte {
		return fake.BzImage(pack(t, c, fake.Vmlinux(elf.EM_X86_64, code(1000), fake.Notes(pv, pvh), elf.SHT_NULL)))
	}
	const zstd, entry = "it is packed with zstd in a way that Xen knows since 4.15", "this kernel has neither the PV nor the PVH entry point (CONFIG_XEN_PV, CONFIG_PVH)"
	for _, c := range []struct {
		name  string
		guest Guest
		image []byte
		want  []string
	}{
		{"none", Guest{Xen: "4.17"}, kernel(Gzip, true, true), nil},
		{"an unknown type", Guest{}, kernel(Gzip, false, false), []string{entry}},
		{"zstd, and Xen is not known", Guest{Type: xenout.PV}, kernel(Zstd, true, true), []string{zstd}},
		{"zstd, and an old Xen", Guest{Type: xenout.PV, Xen: "4.14"}, kernel(Zstd, true, true), []string{zstd}},
		{"zstd, and a new Xen", Guest{Type: xenout.PV, Xen: "4.15"}, kernel(Zstd, true, true), nil},
	} {
		m, warnings := c.guest.Looks(bytes.NewReader(c.image), int64(len(c.image)))
		if diff := cmp.Diff(c.want, warnings); diff != "" || m != nil {
			t.Errorf("%s: %v (-want +got):\n%s", c.name, m, diff)
		}
	}
}

// What is more than we look at is not refused.
func TestGateLimits(t *testing.T) {
	endless := fake.Vmlinux(elf.EM_X86_64, code(1000), linuxNotes, elf.SHT_NULL)
	binary.LittleEndian.PutUint64(endless[64+56+8:], 300<<20) // where its notes are
	image := pack(t, Gzip, endless)
	if m, _ := (Guest{Type: xenout.PV}).Looks(bytes.NewReader(image), int64(len(image))); m != nil {
		t.Error(m)
	}
}

func TestInspectInitrd(t *testing.T) {
	for _, c := range []struct {
		name string
		head []byte
		says string
	}{
		{"cpio", []byte("070701000000"), ""},
		{"gzip", pack(t, Gzip, []byte("070701")), ""},
		{"zstd", pack(t, Zstd, []byte("070701")), ""},
		{"nothing known", fake.Noise(4096), ""},
		{"an answer file", []byte("d-i debian-installer/locale string en_US\n"), ""},
		{"ELF", fake.Vmlinux(elf.EM_X86_64, nil, linuxNotes, elf.SHT_NULL), ""},
		{"a page", []byte("<html><head><title>Index of /</title>"), `a page of HTML, "Index of /", and no initrd`},
		{"a pointer", []byte(fake.Pointer), "a pointer of Git LFS, and no initrd"},
		{"a kernel", fake.BzImage(pack(t, Gzip, []byte("x"))), "bzImage, and no initrd"},
		{"COM32", fake.At(4096, map[int]string{0: "\xb8\xff\x4c\xcd\x21"}), "a COM32 module of SYSLINUX, and no initrd"},
	} {
		_, m := InspectInitrd(c.head)
		if got := m; (got == nil) != (c.says == "") || got != nil && (got.Text != c.says || got.Try == "") {
			t.Errorf("%s: %+v, want %s", c.name, got, c.says)
		}
	}
}

// TestGateReal has real kernels pass and real boot programs fail.
func TestGateReal(t *testing.T) {
	servers := os.Getenv("GOPXEBOOT_SERVERS")
	if servers == "" {
		servers = "../../build/servers"
	}
	g := Guest{Type: xenout.PV, Host: X86_64, Xen: "4.17"}
	for _, c := range []struct {
		name, make string
		files      []string
		says       string
	}{
		{"Debian's installer", ".ci/servers", []string{servers + "/debian-installer-12-netboot-amd64/usr/lib/debian-installer/images/12/amd64/text/debian-installer/amd64/linux"}, ""},
		{"pxelinux.0", ".ci/servers", []string{"/usr/lib/PXELINUX/pxelinux.0", servers + "/pxelinux/usr/lib/PXELINUX/pxelinux.0"}, "PXELINUX itself"},
		{"memdisk", ".ci/servers", []string{"/usr/lib/syslinux/memdisk", servers + "/syslinux-common/usr/lib/syslinux/memdisk"}, "memdisk"},
		{"undionly.kpxe", ".ci/servers", []string{"/usr/lib/ipxe/undionly.kpxe", servers + "/ipxe/usr/lib/ipxe/undionly.kpxe"}, "iPXE itself"},
		{"ipxe.lkrn", ".ci/servers", []string{"/boot/ipxe.lkrn", servers + "/ipxe/boot/ipxe.lkrn"}, "iPXE itself"},
		{"menu.c32", ".ci/servers", []string{"/usr/lib/syslinux/modules/bios/menu.c32", servers + "/syslinux-common/usr/lib/syslinux/modules/bios/menu.c32"}, "a COM32 module"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, size := open(t, c.make, c.files)
			if m, warnings := g.Looks(f, size); (m == nil) != (c.says == "") || m != nil && !strings.HasPrefix(m.Text, c.says) || len(warnings) > 0 {
				t.Errorf("%v, %q, want %q", m, warnings, c.says)
			}
		})
	}
}
