package kernel

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
)

// TestReal looks at images of Debian, where .ci/servers and internal/xenlab
// (make test-xen) put them or where they are installed.
func TestReal(t *testing.T) {
	const xenlab = "../../build/xenlab/"
	type facts struct {
		Format      Format
		Arch        Arch
		Version     string // its beginning
		Compression Compression
		PV, PVH     bool
	}
	servers := os.Getenv("GOPXEBOOT_SERVERS")
	if servers == "" {
		servers = "../../build/servers"
	}
	for _, c := range []struct {
		name, make string
		files      []string
		want       facts
	}{
		{"linux-image-amd64", "make test-xen", []string{xenlab + "kernel-dom0/boot/vmlinuz-*"}, facts{BzImage, X86_64, "6.", XZ, true, true}},
		{"linux-image-amd64, unpacked", "make test-xen", []string{xenlab + "kernel-dom0/boot/vmlinux"}, facts{ELF, X86_64, "", None, true, true}},
		{"linux-image-cloud-amd64", "make test-xen", []string{xenlab + "kernel-guest/boot/vmlinuz-*"}, facts{BzImage, X86_64, "6.", LZ4, true, true}},
		{"linux-image-686-pae", "", []string{"../../build/kernels/boot/vmlinuz-*-686-pae"}, facts{BzImage, I386PAE, "6.", XZ, false, true}},
		{"xen-hypervisor", "make test-xen", []string{xenlab + "*/root/boot/xen-*-amd64.gz"}, facts{Multiboot, I386, "", Gzip, false, false}},
		{"xen-hypervisor for EFI", "make test-xen", []string{xenlab + "*/root/boot/xen-*-amd64.efi"}, facts{EFI, X86_64, "", None, false, false}},
		{"pxelinux.0", ".ci/servers", []string{"/usr/lib/PXELINUX/pxelinux.0", servers + "/pxelinux/usr/lib/PXELINUX/pxelinux.0"}, facts{PXELINUX, I386, "", None, false, false}},
		{"lpxelinux.0", ".ci/servers", []string{"/usr/lib/PXELINUX/lpxelinux.0", servers + "/pxelinux/usr/lib/PXELINUX/lpxelinux.0"}, facts{PXELINUX, I386, "", None, false, false}},
		{"memdisk", ".ci/servers", []string{"/usr/lib/syslinux/memdisk", servers + "/syslinux-common/usr/lib/syslinux/memdisk"}, facts{Memdisk, I386, "6.", None, false, false}},
		{"undionly.kpxe", ".ci/servers", []string{"/usr/lib/ipxe/undionly.kpxe", servers + "/ipxe/usr/lib/ipxe/undionly.kpxe"}, facts{IPXE, I386, "", None, false, false}},
		{"ipxe.lkrn", ".ci/servers", []string{"/boot/ipxe.lkrn", servers + "/ipxe/boot/ipxe.lkrn"}, facts{IPXE, I386, "", None, false, false}},
		{"menu.c32", ".ci/servers", []string{"/usr/lib/syslinux/modules/bios/menu.c32", servers + "/syslinux-common/usr/lib/syslinux/modules/bios/menu.c32"}, facts{COM32, I386, "", None, false, false}},
		{"mboot.c32", ".ci/servers", []string{"/usr/lib/syslinux/modules/bios/mboot.c32", servers + "/syslinux-common/usr/lib/syslinux/modules/bios/mboot.c32"}, facts{COM32, I386, "", None, false, false}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, size := open(t, c.make, c.files)
			info, err := Inspect(f, size)
			if err != nil {
				t.Error(err)
			}
			got := facts{info.Format, info.Arch, info.Version, info.Compression, info.Xen.PV(), info.Xen.PVH()}
			if c.want.Version != "" && strings.HasPrefix(got.Version, c.want.Version) {
				got.Version = c.want.Version
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if info.Length > size {
				t.Errorf("it says that it has %d bytes and has %d", info.Length, size)
			}
			if info.Format != BzImage {
				return
			}
			// By its first 64 KiB all is known but the notes.
			first, err := Inspect(f, 64<<10)
			info.Xen = nil
			if diff := cmp.Diff(info, first); diff != "" || err == nil {
				t.Errorf("first part: %v (-whole +part):\n%s", err, diff)
			}
		})
	}
}

// open opens the first of the files that is there.
func open(t *testing.T, made string, patterns []string) (*os.File, int64) {
	t.Helper()
	for _, pattern := range patterns {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			continue
		}
		f, err := os.Open(found[0])
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		info, err := f.Stat()
		if err != nil {
			t.Fatal(err)
		}
		return f, info.Size()
	}
	if made == "" { // and nothing fetches it
		t.Skipf("%s is not there: unpack Debian's package of i386 by hand to look at it", patterns[0])
	}
	labtest.Missing(t, fmt.Sprintf("%s: %s fetches it", patterns[0], made))
	return nil, 0
}
