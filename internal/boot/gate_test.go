package boot

import (
	"bytes"
	"context"
	"debug/elf"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/install"
	"github.com/gopxeboot/gopxeboot/internal/kernel"
	"github.com/gopxeboot/gopxeboot/internal/kernel/fake"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/xenout"
)

// bzImage is a kernel with these entry points.
func bzImage(pv, pvh bool) string {
	return string(fake.BzImage(fake.Vmlinux(elf.EM_X86_64, make([]byte, 1000), fake.Notes(pv, pvh), elf.SHT_NULL)))
}

// What is no kernel, or no initrd, is refused by name; --force and a guest whose
// type is not known turn that into a warning, or some of it.
func TestGate(t *testing.T) {
	whole := bzImage(true, true)
	files := images{
		"linux": whole, "page": "<html><title>Please log in</title></html>", "cut": whole[:len(whole)/2], "c32": "\xb8\xff\x4c\xcd\x21",
		"pv": bzImage(true, false), "none": bzImage(false, false), "cpio": "070701", "pointer": "version https://git-lfs.github.com/spec/v1\n",
	}
	pvh, unknown := kernel.Guest{Type: xenout.PVH}, kernel.Guest{}
	for _, c := range []struct {
		kernel, initrd string
		guest          kernel.Guest
		code           fault.Code
		says           string
	}{
		{"linux", "cpio", pvh, fault.Done, ""},
		{"page", "cpio", pvh, fault.NotFetched, `kernel: URL/page: a page of HTML, "Please log in", and no kernel; see what the server has there; a web server may answer with a page where the file is missing; --force hands it over all the same`},
		{"cut", "cpio", pvh, fault.NotFetched, "kernel: URL/cut: it is cut short: "},
		{"c32", "cpio", pvh, fault.NotBootable, "kernel: URL/c32: a COM32 module of SYSLINUX, and no kernel; name the kernel that the module would load; "},
		{"pv", "cpio", pvh, fault.NotBootable, `kernel: URL/pv: this kernel has no PVH entry point (CONFIG_PVH); make the guest type="pv" or serve another kernel; `},
		{"pv", "cpio", unknown, fault.Done, ""},
		{"none", "cpio", unknown, fault.Done, "kernel: URL/none: this kernel has neither the PV nor the PVH entry point"},
		{"linux", "page", pvh, fault.NotFetched, `initrd: URL/page: a page of HTML, "Please log in", and no initrd; `},
		{"linux", "linux", pvh, fault.NotBootable, "initrd: URL/linux: bzImage, and no initrd; see whether the kernel's and the initrd's name are exchanged; "},
		{"linux", "pointer", pvh, fault.NotFetched, "initrd: URL/pointer: a pointer of Git LFS, and no initrd; run git lfs pull"},
	} {
		for _, force := range []bool{false, true} {
			p, url, file, ramdisk, said := downloads(t, files)
			p.gate = gate{c.guest, force}
			err := p.fetchBoth(t.Context(), &plan.Boot{Kernel: url + "/" + c.kernel, Initrds: []string{url + "/" + c.initrd}}, &limits{MaxKernel: 1 << 20, MaxInitrd: 1 << 20}, file, ramdisk)
			text, want := strings.Join(said(), "\n"), strings.ReplaceAll(c.says, "URL", url)
			if c.code != fault.Done && !force {
				text = err.Error()
			}
			if force { // a warning, without advice
				want, _, _ = strings.Cut(want, "; ")
			}
			if code := fault.CodeOf(err); code != c.code && !force || force && err != nil || !strings.Contains(text, want) {
				t.Errorf("%s, %s, force %v: exit %d, %v\n%s\nwant %d, %s", c.kernel, c.initrd, force, code, err, text, c.code, want)
			}
			if force {
				if diff := cmp.Diff([]string{files[c.kernel], files[c.initrd]}, []string{contents(t, file), contents(t, ramdisk)}); diff != "" {
					t.Error("(-want +got)\n", diff)
				}
			}
		}
	}
}

// A kernel that takes long to unpack is looked into as long as the initrd comes,
// and is not waited for afterwards.
func TestGateIsQuick(t *testing.T) {
	vmlinux := fake.Vmlinux(elf.EM_X86_64, make([]byte, 128<<20), fake.Notes(false, true), elf.SHT_NULL)
	cmd := labtest.Program(t, "bzip2", "-1")
	cmd.Stdin = bytes.NewReader(vmlinux)
	packed, err := cmd.Output()
	labtest.Check(t, err)
	file, err := os.CreateTemp(t.TempDir(), "kernel")
	labtest.Check(t, err)
	defer file.Close()
	_, err = file.Write(fake.BzImage(append(packed, 0, 0, 0, 8)))
	labtest.Check(t, err)

	p, _, _, _, said := downloads(t, nil)
	p.gate.Guest.Type = xenout.PV
	if err := p.lookAtKernel(t.Context(), "x", file, func() {}); err != nil || !strings.Contains(strings.Join(said(), "\n"), "x is not looked into, as it takes longer than the download") {
		t.Errorf("got %v, %q", err, said())
	}
	ended := make(chan error)
	initrd := make(chan struct{})
	go func() { ended <- p.lookAtKernel(t.Context(), "x", file, func() { <-initrd }) }()
	if err := <-ended; fault.CodeOf(err) != fault.NotBootable || !strings.Contains(err.Error(), "no PV entry point") {
		t.Errorf("while the initrd comes: %v", err)
	}
	close(initrd)
}

// A server that has a page, or JSON, for every name does not hide the kernel,
// nor does a .treeinfo that names what is none.
func TestSearchPassesPages(t *testing.T) {
	files := map[string]string{
		"/.treeinfo":               "[images-xen]\nkernel = mboot.c32\ninitrd = isolinux/initrd.img\n",
		"/mboot.c32":               "\xb8\xff\x4c\xcd\x21",
		"/isolinux/vmlinuz":        bzImage(true, true),
		"/isolinux/initrd.img":     "070701",
		"/images/xen/vmlinuz":      "",
		"/images/pxeboot/vmlinuz":  bzImage(true, true),
		"/boot/x86_64/vmlinuz-xen": "ELF",
	}
	for _, page := range []string{"<html><title>Not here</title></html>", `{"status": 404}`} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			content, ok := files[r.URL.Path]
			if !ok {
				content = page
			}
			io.WriteString(w, content)
		}))
		defer server.Close()
		p, _, _, _, _ := downloads(t, nil)
		p.gate.Guest.Type = xenout.PV
		r, err := install.NewRepository(server.URL, install.Wanted{})
		labtest.Check(t, err)
		found, err := r.Find(t.Context(), p.files, p.lookFirst, func(context.Context, install.Found) error { return nil })
		if err != nil || found.Kernel != server.URL+"/isolinux/vmlinuz" {
			t.Errorf("%s: %v, %+v", page, err, found)
		}
	}
}
