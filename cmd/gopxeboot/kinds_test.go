package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/kernel/fake"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
)

const labServer = "tftp://192.168.1.166/"

// kindsLab serves each kind of file as a kernel and as an initrd: by the names
// kind0, kind1 and so on, and at the locations k0 (the only kernel), n0 (the first
// of two) and i0 (the initrd of the only one). config makes the lab's default the
// label of that name: k0, i0 or good.
func kindsLab(t *testing.T) (tree string, config func(label string)) {
	t.Helper()
	if runtime.GOARCH != "amd64" {
		t.Skip("the kinds are those of an amd64 host")
	}
	l := labtest.New(t, lab.Config{})
	tree = sampleTree(t)
	good, initrd := string(kernelOf("good")), "070701 good"
	writeFile(t, filepath.Join(tree, "good"), good)
	writeFile(t, filepath.Join(tree, "initrd"), initrd)
	labels := "label good\n kernel good\n initrd initrd\n"
	for i, k := range fake.Kinds() {
		content := string(k.Content)
		for name, text := range map[string]string{
			"kind%d":                 content,
			"k%d/images/xen/vmlinuz": content, "k%d/images/xen/initrd.img": initrd,
			"n%d/images/xen/vmlinuz": content, "n%d/images/xen/initrd.img": initrd, "n%d/isolinux/vmlinuz": good, "n%d/isolinux/initrd.img": initrd,
			"i%d/images/xen/vmlinuz": good, "i%d/images/xen/initrd.img": content,
			"k%d/boot.ipxe": fmt.Sprintf("#!ipxe\nkernel /kind%d\ninitrd /initrd\nboot\n", i),
			"k%d/grub.cfg":  fmt.Sprintf("menuentry a {\n linux /kind%d\n initrd /initrd\n}\n", i),
		} {
			writeFile(t, filepath.Join(tree, fmt.Sprintf(name, i)), text)
		}
		labels += fmt.Sprintf("label k%[1]d\n kernel kind%[1]d\n initrd initrd\nlabel i%[1]d\n kernel good\n initrd kind%[1]d\n", i)
	}
	labtest.Check(t, servers["embedded"](t.Context(), l.Servers, tree))
	return tree, func(label string) {
		writeFile(t, filepath.Join(tree, "pxelinux.cfg/01-00-16-3e-72-79-e3"), "default "+label+"\n"+labels)
	}
}

// bootsKind runs a boot, which leaves the file of that content, or ends with a code
// and says why.
func bootsKind(t *testing.T, what, file string, args []string, content []byte, code int, says ...string) {
	t.Helper()
	dir := t.TempDir()
	o := gopxeboot(t, append(args, "--output-directory="+dir, vif)...)
	if o.Code != code || (o.Stdout == "") != (code != 0) {
		t.Errorf("%s: exit %d, want %d: %s", what, o.Code, code, o.Stderr)
		return
	}
	for _, text := range says {
		if !strings.Contains(o.Stderr, text) {
			t.Errorf("%s: %q is not in %s", what, text, o.Stderr)
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, file+".*"))
	labtest.Check(t, err)
	switch {
	case code != 0 && len(entries(t, dir)) > 0:
		t.Errorf("%s: left %q", what, entries(t, dir))
	case code == 0 && len(left) != 1:
		t.Errorf("%s: no %s in %q", what, file, entries(t, dir))
	case code == 0:
		got, err := os.ReadFile(left[0])
		labtest.Check(t, err)
		if string(got) != string(content) {
			t.Errorf("%s: it is another %s, of %d bytes", what, file, len(got))
		}
	}
}

// guests are who boots a kind, and by which format.
var kindGuests = []struct {
	name string // as in fake.Kind
	args []string
}{
	{"pv", []string{"--guest-type=pv", "--output-format=simple0"}},
	{"direct", []string{"--output-format=json"}},
	{"pvh", []string{"--guest-type=pvh", "--output-format=xl"}},
	{"pvshim", []string{"--guest-type=pvshim"}},
	{"hvm", []string{"--guest-type=hvm", "--output-format=libvirt"}},
	{"-", nil},
}

// TestKinds has each kind of file in a kernel's place boot, or be refused by name,
// in the four ways that name a kernel.
func TestKinds(t *testing.T) {
	_, config := kindsLab(t)
	good := kernelOf("good")
	for i, k := range fake.Kinds() {
		t.Run(k.Name, func(t *testing.T) {
			for n, g := range kindGuests {
				refuses := func(guest string) bool { return slices.Contains(strings.Fields(k.Refused), guest) }
				refused := refuses(g.name)
				if n > 1 && refused == refuses("pv") { // kernel.TestGate has all of them
					continue
				}
				code, says, how := 0, "", ""
				if refused {
					code, how = 5, "; --force hands it over all the same"
					if k.Download {
						code = 6
					}
					if g.name == "pv" || !strings.Contains(k.Refused, "pv ") {
						says = k.Says
					}
				}
				file := fmt.Sprintf("%skind%d", labServer, i)
				stage := ": " + says
				if refused {
					stage = "kernel: " + file + ": " + says
				}
				config(fmt.Sprintf("k%d", i))
				bootsKind(t, g.name, "kernel", slices.Clone(g.args), k.Content, code, stage, how)
				if refused && n == 0 {
					bootsKind(t, g.name+", --force", "kernel", append(slices.Clone(g.args), "--force"), k.Content, 0, "warning: "+stage, "; handed over by --force")
				}
				if n > 1 { // one gate for all ways
					continue
				}
				config("good")
				for _, way := range []string{fmt.Sprintf("--label=k%d", i), fmt.Sprintf("--kernel=kind%d", i), "--kernel=" + file} {
					bootsKind(t, g.name+", "+way, "kernel", append(slices.Clone(g.args), way), k.Content, code, stage, how)
				}
				location := fmt.Sprintf("%sk%d/", labServer, i)
				want := []string{location + "images/xen/vmlinuz: " + says, how}
				switch {
				case !refused:
					want = nil
				case k.Inside:
					want = append(want, "the search goes on")
				default:
					code, want = 4, []string{want[0], "location: no kernel found in " + location}
				}
				bootsKind(t, g.name+", --location", "kernel", append(slices.Clone(g.args), "--location="+location), k.Content, code, want...)
				content := k.Content
				if refused {
					content = good
				}
				bootsKind(t, g.name+", the first of two at a location", "kernel", append(slices.Clone(g.args), fmt.Sprintf("--location=%sn%d", labServer, i)), content, 0)
			}
		})
	}
}

// TestKindsOfPrograms does so in labs of GRUB and of iPXE, which knows by itself what
// is no image of its own.
func TestKindsOfPrograms(t *testing.T) {
	kindsLab(t)
	const none = " is neither a script nor a kernel; a boot program can't run in a guest without firmware"
	ofIPXE := map[string]string{"a page of HTML": " is an HTML page", "an EFI program": " is a program for UEFI, which a guest without firmware can't run"}
	for _, name := range []string{
		"Linux, ELF, packed", "Linux, ELF, packed, and padded", "NetBSD", "a packed ELF kernel that is cut short", // as iPXE for a BIOS unpacks none
		"a text", "JSON", "a pointer of Git LFS", "random bytes", "a COM32 module of SYSLINUX 4", "pxelinux.0", "a cpio archive", "a packed cpio archive", "a disk image",
	} {
		ofIPXE[name] = none
	}
	for i, k := range fake.Kinds() {
		code, says := 0, ""
		if strings.Contains(k.Refused, "pv ") {
			code, says = 5, ": "+k.Says
			if k.Download {
				code = 6
			}
		}
		args := func(bootFile string) []string {
			return append(slices.Clone(kindGuests[0].args), fmt.Sprintf("--bootfile=k%d/%s", i, bootFile))
		}
		bootsKind(t, k.Name+", GRUB", "kernel", args("grubx64.efi"), k.Content, code, says)
		if own := ofIPXE[k.Name]; own != "" {
			code, says = 5, fmt.Sprintf("kind%d%s", i, own)
		}
		bootsKind(t, k.Name+", iPXE", "kernel", args("boot.ipxe"), k.Content, code, says)
	}
}

// TestInitrdKinds does so in an initrd's place, which may be nearly anything.
func TestInitrdKinds(t *testing.T) {
	_, config := kindsLab(t)
	for i, k := range fake.Kinds() {
		refused, ok := map[string]struct {
			code int
			says string
		}{
			"a page of HTML":       {6, `a page of HTML, "Please log in", and no initrd; see what the server has there`},
			"a pointer of Git LFS": {6, "a pointer of Git LFS, and no initrd; run git lfs pull where the server has its files"},
			"Linux":                {5, "bzImage, and no initrd; see whether the kernel's and the initrd's name are exchanged"},
			"memdisk":              {5, "memdisk, and no initrd"},
			"a cpio archive":       {}, "a packed cpio archive": {}, "random bytes": {}, "a text": {}, "JSON": {},
		}[k.Name]
		if !ok {
			continue
		}
		t.Run(k.Name, func(t *testing.T) {
			for _, g := range kindGuests[:2] {
				how, stage := "", ""
				if refused.code != 0 {
					how, stage = "; --force hands it over all the same", fmt.Sprintf("initrd: %skind%d: %s", labServer, i, refused.says)
				}
				config(fmt.Sprintf("i%d", i))
				bootsKind(t, g.name, "ramdisk", slices.Clone(g.args), k.Content, refused.code, stage, how)
				config("good")
				for _, way := range []string{fmt.Sprintf("--label=i%d", i), fmt.Sprintf("--ramdisk=kind%d", i)} {
					bootsKind(t, g.name+", "+way, "ramdisk", append(slices.Clone(g.args), way), k.Content, refused.code, stage, how)
				}
				location := fmt.Sprintf("%si%d/", labServer, i)
				code, says := 0, ""
				switch {
				case refused.code != 0:
					before, _, _ := strings.Cut(refused.says, "; ")
					code, says = 4, location+"images/xen/initrd.img: "+before
				case k.Name == "JSON":
					code, says = 4, location+"images/xen/initrd.img: "+strings.TrimSuffix(k.Says, "kernel")+"initrd"
				}
				bootsKind(t, g.name+", --location", "ramdisk", append(slices.Clone(g.args), "--location="+location), k.Content, code, says)
			}
		})
	}
}
