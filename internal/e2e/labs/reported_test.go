package labs

import (
	"bytes"
	"compress/gzip"
	"debug/elf"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/kernel/fake"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
)

// report is a lab that once got a wrong verdict, or a wrong hint.
type report struct {
	fault
	says  []string // words of the verdict and its notes
	never []string // and words that would blame who is not at fault
}

var reports = []report{
	{fault{"Debian's installer as it is", check.Fine, fine, func(s *site) {
		s.installer()
		s.dnsmasq()
	}}, []string{"INCLUDEs name files that are missing, as PXELINUX allows", "would wait"}, nil},
	{fault{"a configuration of 5 MiB", check.Fine, fine, configured(goodConfig + strings.Repeat("# made by a program\n", 5<<20/20))}, nil, nil},
	{fault{"a configuration of 17 MiB", check.ConfigUnreadable, isBroken, configured(goodConfig + strings.Repeat("# made by a program\n", 17<<20/20))},
		[]string{"The configuration is too large", "16.0 MiB"}, []string{"TFTP server runs"}},
	{fault{"a prompt", check.Fine, fine, configured("prompt 1\n" + goodConfig)}, []string{"would wait at the prompt"}, nil},
	{fault{"UTF-16", check.NoDefault, isBroken, configured(utf16LE(goodConfig))}, []string{configName + ":1: the file is UTF-16", "iconv"}, []string{"DEFAULT linux"}},
	{fault{"a byte order mark", check.NoDefault, isBroken, configured("\ufeff" + goodConfig)}, []string{configName + ":1: the file begins with a byte order mark", "sed -i"}, []string{"add a line"}},
	{fault{"KERNEL= as in a shell", check.KernelMissing, isBroken, configured("default linux\nlabel linux\n kernel=vmlinuz\n append initrd=initrd.img\n")},
		[]string{"write in " + configName + ":3: KERNEL vmlinuz"}, []string{"put it there"}},
	{fault{"a space in the kernel's name", check.KernelMissing, isBroken, configured("default linux\nlabel linux\n kernel my files/vmlinuz\n append initrd=initrd.img\n")},
		[]string{configName + `:3: a name has no spaces: only "my" is asked for`, "rename the directory"}, []string{"chmod", "put it there"}},
	{fault{"initrd= and a space", check.FileUnreadable, isBroken, configured("default linux\nlabel linux\n kernel vmlinuz\n append initrd= initrd.img quiet\n")},
		[]string{"write in " + configName + ":4: APPEND initrd=initrd.img quiet"}, []string{"chmod"}},
	{fault{"DEFAULT misspelt", check.LabelMissing, isBroken, configured(strings.Replace(goodConfig, "default linux", "default linus", 1))},
		[]string{"write in " + configName + ":1: DEFAULT linux"}, []string{"chmod", "add the label"}},
	{fault{"the boot file has an underscore", check.NoConfig, isBroken, func(s *site) {
		s.move("pxelinux.0", "my_pxelinux.0")
		s.dhcp.BootFile = "my_pxelinux.0"
		s.dnsmasq()
	}}, []string{"my_pxelinux.cfg/", "dots and dashes: my_;", "dhcp-boot=my-pxelinux.0,,192.168.1.166"}, nil},
	{fault{"option 210 without a slash", check.NoConfig, isBroken, args("--dhcp-option-force=210,boot")}, []string{"option 210 says boot", "dhcp-option-force=210,boot/"}, nil},
	{fault{"the boot file is in pxelinux.cfg", check.ConfigMisnamed, isBroken, func(s *site) {
		s.dhcp.BootFile = "pxelinux.cfg/pxelinux.0"
		s.move("pxelinux.0", s.dhcp.BootFile)
		s.dnsmasq()
	}}, []string{"pxelinux.cfg/pxelinux.cfg/", "move the boot file up", "dhcp-boot=pxelinux.0,,192.168.1.166"}, []string{"call it"}},
}

// htmlPage is what web servers say in the place of a file.
const htmlPage = "<!DOCTYPE html>\n<html><head><title>Welcome to nginx!</title></head><body>Hello.</body></html>\n"

// lfsPointer is what Git LFS has in a file's place.
const lfsPointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345678\n"

// initrdIs is a lab with that in the place of the initrd.
func initrdIs(content string) func(*site) { return with(func(s *site) { s.file(initrdFile, content) }) }

// kernelIs is one with that in the place of the kernel.
func kernelIs(content string) func(*site) { return with(func(s *site) { s.file(kernelFile, content) }) }

// garbled is a kernel whose packed part is damaged.
func garbled() string {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write(fake.Vmlinux(elf.EM_X86_64, make([]byte, 200<<10), fake.Notes(true, true), elf.SHT_NULL))
	_ = w.Close()
	for i := range packed.Bytes()[20:] {
		packed.Bytes()[20+i] ^= 0x55
	}
	return string(fake.BzImage(packed.Bytes()))
}

// fileReports are about what is in files.
var fileReports = []report{
	{fault{"the initrd is a page", check.InitrdWrong, isBroken, initrdIs(htmlPage)}, []string{"The initrd is no initrd", `a page of HTML, "Welcome to nginx!", and no initrd`}, nil},
	{fault{"the initrd is a web server's page", check.InitrdWrong, isBroken, func(s *site) {
		s.config("default linux\nlabel linux\n kernel vmlinuz\n initrd http://192.168.1.166/missing\n")
		s.file("sorry.html", htmlPage)
		s.dnsmasq()
		s.nginx("error_page 404 =200 /sorry.html;")
	}}, []string{"a page where the file is missing"}, nil},
	{fault{"the initrd is a pointer of Git LFS", check.InitrdWrong, isBroken, initrdIs(lfsPointer)}, []string{"a pointer of Git LFS", "git lfs pull"}, nil},
	{fault{"the initrd is a kernel", check.InitrdWrong, isBroken, initrdIs(linux(fake.Notes(true, true)))}, []string{"bzImage, and no initrd", "exchanged"}, nil},
	{fault{"the initrd is a text", check.InitrdWrong, warning, initrdIs("not found\n")}, []string{"The initrd is a text"}, nil},
	{fault{"the kernel is a pointer of Git LFS", check.KernelNotLinux, isBroken, kernelIs(lfsPointer)}, []string{"a pointer of Git LFS, and no kernel", "git lfs pull"}, []string{"web server"}},
	{fault{"the kernel is memdisk", check.KernelNotLinux, isBroken, with(func(s *site) {
		image := []byte(linux(nil))
		copy(image[0x300:], "MEMDISK 6.04\x00")
		s.file(kernelFile, string(image))
	})}, []string{"make the guest HVM"}, []string{"web server"}},
	{fault{"the kernel is an EFI program", check.KernelNotLinux, isBroken, kernelIs("MZ" + strings.Repeat("\x00", 9000))}, []string{"an EFI program, and no kernel", "often named vmlinuz"}, []string{"web server"}},
	{fault{"the kernel's packed part is garbage", check.KernelDamaged, isBroken, kernelIs(garbled())}, []string{"Xen can't read it: ", "unpack gzip", "copy the file to the server again"}, []string{"web server"}},
}

// What a boot refuses by a file's content, a look refuses, too.
func TestContents(t *testing.T) { testReports(t, fileReports) }

// An initrd is looked at, and it is said that its end is not.
func TestInitrd(t *testing.T) {
	t.Parallel()
	for kind, head := range map[string]string{
		"gzip": "\x1f\x8b\x08", "xz": "\xfd7zXZ\x00", "zstd": "\x28\xb5\x2f\xfd", "lz4": "\x02\x21\x4c\x18", "lzo": "\x89LZO", "bzip2": "BZh9", "cpio": "070701",
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			initrdIs(head + strings.Repeat("\x00", 50000))(s)
			facts, r := s.lookAt()
			i := slices.IndexFunc(r.Steps, func(s check.Step) bool { return s.Name == "initrd" })
			if want := ", " + kind + ", not verified to the end"; r.Verdict.Code != check.Fine || i < 0 || !strings.Contains(r.Steps[i].Detail, want) {
				t.Errorf("want %q\n%s", want, dump(facts, r))
			}
		})
	}
}

// configName is how lint names the guest's configuration.
var configName = filepath.Base(configFile)

// utf16LE is a text as Notepad saves it.
func utf16LE(text string) string {
	b := []byte("\xff\xfe")
	for _, r := range text {
		b = append(b, byte(r), 0)
	}
	return string(b)
}

// installer is Debian's netboot tree, as its package has it.
func (s *site) installer() {
	s.Helper()
	tree := filepath.Join(os.Getenv("GOPXEBOOT_SERVERS"), "debian-installer-12-netboot-amd64/usr/lib/debian-installer/images/12/amd64/text")
	if _, err := os.Stat(filepath.Join(tree, "pxelinux.0")); err != nil {
		labtest.Missing(s, "Debian's netboot tree: .ci/servers fetches it")
	}
	s.tree = tree
}

// everything is what a person reads below the steps.
func everything(r check.Report) string {
	text := []string{r.Verdict.Summary, r.Verdict.Evidence, r.Verdict.Hint}
	for _, n := range r.Notes {
		text = append(append(text, n.Summary), n.Details...)
	}
	return strings.Join(text, "\n")
}

func TestReported(t *testing.T) { testReports(t, reports) }

// testReports compares what is said of labs with what should be.
func testReports(t *testing.T, reports []report) {
	t.Helper()
	atOnce(t, reports, report.shows)
}

// atOnce has labs that do not disturb each other judged side by side.
func atOnce(t *testing.T, reports []report, judge func(report, *testing.T)) {
	t.Helper()
	t.Parallel()
	for _, r := range reports {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			judge(r, t)
		})
	}
}

// shows makes the lab, and sees what is said of it.
func (r report) shows(t *testing.T) {
	t.Helper()
	s := newSite(t)
	r.make(s)
	facts, found := s.lookAt()
	text := everything(found)
	if found.Verdict.Code != r.code || found.ExitCode() != r.exit && (r.exit != either || found.ExitCode() == fine) {
		t.Errorf("verdict %s (exit %d), want %s (exit %d)\n%s\n%s", found.Verdict.Code, found.ExitCode(), r.code, r.exit, text, dump(facts, found))
	}
	r.words(t, text)
}

// words sees that a text says what it has to, and not what it never may.
func (r report) words(t *testing.T, text string) {
	t.Helper()
	for _, words := range r.says {
		if !strings.Contains(text, words) {
			t.Errorf("%q is not in:\n%s", words, text)
		}
	}
	for _, words := range r.never {
		if strings.Contains(text, words) {
			t.Errorf("%q is in:\n%s", words, text)
		}
	}
}
