package labs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/check"
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

func TestReported(t *testing.T) { see(t, reports) }

// see compares what is said of labs with what should be.
func see(t *testing.T, reports []report) {
	t.Helper()
	t.Parallel()
	for _, test := range reports {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			test.make(s)
			facts, r := s.lookAt()
			text := everything(r)
			if r.Verdict.Code != test.code || r.ExitCode() != test.exit {
				t.Errorf("verdict %s (exit %d), want %s (exit %d)\n%s\n%s", r.Verdict.Code, r.ExitCode(), test.code, test.exit, text, dump(facts, r))
			}
			for _, words := range test.says {
				if !strings.Contains(text, words) {
					t.Errorf("%q is not in:\n%s", words, text)
				}
			}
			for _, words := range test.never {
				if strings.Contains(text, words) {
					t.Errorf("%q is in:\n%s", words, text)
				}
			}
		})
	}
}
