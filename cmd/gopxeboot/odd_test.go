package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/xenread"
	"github.com/gopxeboot/gopxeboot/xenout"
)

// However odd what surrounds it is, a boot is as it was.
func TestOddEnvironment(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	tree := sampleTree(t)
	labtest.Check(t, servers["embedded"](t.Context(), l.Servers, tree))
	for _, environ := range []string{
		"",
		"http_proxy=://\xff,HTTPS_PROXY=file:///etc/passwd,ALL_PROXY=-",
		"SSL_CERT_FILE=/dev/zero,SSL_CERT_DIR=/proc",
		"TMPDIR=/nowhere,HOME=/nowhere",
		"TMPDIR=\xff\n,PATH=\xff\x1b[2J:/nowhere:.",
		"PATH=",
		"PATH,=,==,\xff=\xff",
		"LIBXL_BOOTLOADER_TIMEOUT=-\xff,GODEBUG=netdns=\xff,RES_OPTIONS=\xff,LOCALDOMAIN=\xff,TERM=\x1b",
		"LONG=" + strings.Repeat("x", 100<<10),
	} {
		cmd := command(t.Context(), "--output-format=simple0", "--output-directory="+t.TempDir(), vif, "/dev/vg/guest")
		cmd.Env = append([]string{}, strings.Split(environ, ",")...)
		o := wait(t, cmd)
		result, err := xenread.Readers[xenout.Simple0](o.Stdout)
		if o.Code != 0 || err != nil {
			t.Errorf("%.40q: %v, %+v", environ, err, o)
			continue
		}
		equal(t, "args", result.Args, howtoArgs)
		sameFile(t, result.Kernel, filepath.Join(tree, lab.SampleKernel))
	}
}

// Words of odd bytes end in a line of ours, whoever the toolstack is.
func TestOddArguments(t *testing.T) {
	labtest.New(t, lab.Config{}) // with its bridge, and without servers
	dir, long := t.TempDir(), strings.Repeat("\xff", 100<<10)
	line := regexp.MustCompile(`^(gopxeboot|RuntimeError): [[:print:]]+$`)
	for _, words := range [][]string{
		{"\xff\xfe"}, {"-"}, {"-\xff"}, {"--=x"}, {"---"}, {"--\x1b[2J=x"}, {"-=-"}, {"\n"},
		{"mac=\xff"}, {"mac=00:16:3e:72:79:e3\n,bridge=x\ny"}, {"mac=,,,=,bridge"}, {"=", ",", "mac"},
		{vif + "/../../x"}, {"mac=" + lab.SampleMAC + ",bridge=\x1b[2J\xff"}, {"mac=" + lab.SampleMAC + ",bridge=" + strings.Repeat("b", 100<<10)},
		{"--label=\xff RuntimeError: \n", "mac=x"}, {"--args=\n" + long, "mac=x"},
		{"--bridge=..", "--mac=" + lab.SampleMAC}, {"--vlan=99999999999999999999", vif}, {"--timeout=NaN", vif}, {"--timeout=1e400", vif},
		{"--client-id=" + long, "--dhcp-timeout=0.1", vif}, {"--user-class=" + long, "--dhcp-timeout=0.1", vif}, {"--option=43=" + long, "--dhcp-timeout=0.1", vif},
		{"--domid=\xff", vif}, {"--domid=0", vif}, {"--vif=-1"}, {"--vif=1", vif}, {"--vif=300"}, {"--guest-type=\xff", vif}, {"vlan=\xff,\xff=\xff," + vif}, {"--runas=-1", vif}, {"--output-format=\xff", vif},
	} {
		for toolstack, own := range map[string][]string{"": nil, "pygrub": pygrubSlotDomid(), "eliloader": eliloaderSlot()} {
			environ := []string{"PATH=/sbin:/usr/sbin:/bin:/usr/bin"}
			cmd := command(t.Context(), slices.Concat(own, words, []string{"/dev/vg/guest"})...)
			cmd.Env, cmd.Dir = environ, dir
			o := wait(t, cmd)
			if o.Code < 1 || o.Code > 8 || o.Stdout != "" {
				t.Errorf("%s: %.40q: exit status %d, %q", toolstack, words, o.Code, o.Stdout)
			}
			for said := range strings.Lines(o.Stderr) {
				if !line.MatchString(strings.TrimSuffix(said, "\n")) {
					t.Errorf("%s: %.40q: it says %.200q", toolstack, words, said)
				}
			}
			if want := min(len(own), 1); strings.Count(o.Stderr, "RuntimeError: ") != want {
				t.Errorf("%s: %.40q: RuntimeError not %d times in %q", toolstack, words, want, o.Stderr)
			}
		}
	}
	equal(t, "files", entries(t, dir), []string(nil))
	if _, err := os.Stat("/var/run/xen/pygrub"); err == nil {
		t.Error("a directory is left")
	}
}
