package boot

import (
	"bytes"
	"compress/gzip"
	"debug/elf"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/kernel"
	"github.com/gopxeboot/gopxeboot/internal/kernel/fake"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/xenout"
)

// file is one of that size with these texts at these places.
func file(size int, parts map[int]string) string {
	b := bytes.Repeat([]byte{0x90}, size)
	for at, text := range parts {
		copy(b[at:], text)
	}
	return string(b)
}

// TestUpgrading goes through docs/UPGRADING.md: each file there is refused with
// that exit code and message, and handed over with the option.
func TestUpgrading(t *testing.T) {
	text, err := os.ReadFile("../../docs/UPGRADING.md")
	labtest.Check(t, err)
	noise := make([]byte, 5000)
	rand.NewChaCha8([32]byte{7}).Read(noise)
	noise[0] = 1
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	w.Write(fake.Vmlinux(elf.EM_X86_64, noise, fake.Notes(true, true), elf.SHT_NULL))
	w.Close()
	damaged := fake.BzImage(packed.Bytes())
	copy(damaged[fake.PayloadAt+20:], noise[:400])
	const page, pointer = "<html><title>Please log in</title></html>", "version https://git-lfs.github.com/spec/v1\n"
	files := images{
		"a page of HTML as kernel": page, "a page of HTML as initrd": page,
		"a pointer of Git LFS as kernel": pointer, "a pointer of Git LFS as initrd": pointer,
		"a text as kernel, also JSON":              "{}\n",
		"a kernel that is cut short on the server": string(fake.BzImage(make([]byte, 1280))[:1280]),
		"a kernel whose packed part is damaged":    string(damaged),
		"a kernel for another processor":           file(4096, map[int]string{0: "MZ", 0x38: "ARM\x64"}),
		"random bytes as kernel":                   string(noise),
		"a COM32 module as kernel":                 file(4096, map[int]string{0: "\xb8\xff\x4c\xcd\x21"}),
		"memdisk as kernel":                        file(4096, map[int]string{0x1fe: "\x55\xaa", 0x202: "HdrS", 0x20e: "\x00\x01", 0x300: "MEMDISK 6.04\x00"}),
		"pxelinux.0 as kernel":                     file(4096, map[int]string{8: "\xac\xc8\x83\x29"}),
		"an EFI program as kernel":                 file(4096, map[int]string{0: "MZ", 0x3c: "\x80\x00\x00\x00", 0x80: "PE\x00\x00\x64\x86"}),
		"a cpio archive as kernel":                 "070701",
		"a disk image as kernel":                   file(4096, map[int]string{0x1fe: "\x55\xaa"}),
		"a kernel as initrd":                       bzImage(true, true),
		"linux":                                    bzImage(true, true),
	}
	rows := 0
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if len(cells) != 4 || !strings.HasSuffix(strings.TrimSpace(cells[3]), "`--force`") {
			continue
		}
		rows++
		name, code, message := strings.TrimSpace(cells[0]), cells[1], strings.Trim(cells[2], "`")
		if _, ok := files[name]; !ok {
			t.Errorf("no file for %q", name)
			continue
		}
		for _, force := range []bool{false, true} {
			p, url, k, ramdisk, _ := downloads(t, files)
			p.gate = gate{kernel.Guest{Type: xenout.PV, Host: kernel.X86_64}, force}
			boot := &plan.Boot{Kernel: url + "/" + name}
			if strings.HasSuffix(name, "initrd") {
				boot = &plan.Boot{Kernel: url + "/linux", Initrds: []string{url + "/" + name}}
			}
			err := p.fetchBoth(t.Context(), boot, &limits{MaxKernel: 1 << 20, MaxInitrd: 1 << 20}, k, ramdisk)
			switch {
			case force && err != nil:
				t.Errorf("%s: with --force: %v", name, err)
			case !force && (map[string]fault.Code{"5": fault.NotBootable, "6": fault.NotFetched}[code] != fault.CodeOf(err) || !strings.Contains(err.Error(), message)):
				t.Errorf("%s: exit %d, %v; want %s, %s", name, fault.CodeOf(err), err, code, message)
			}
		}
	}
	if rows != len(files)-1 {
		t.Errorf("%d rows, and %d files", rows, len(files)-1)
	}
}
