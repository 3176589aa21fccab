package main

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/boot"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/session"
	"github.com/gopxeboot/gopxeboot/xenout"
)

// failure is why a boot failed, and the command that it names; "" for none.
func failure(lines []string) (why, try string) {
	const prefix = "gopxeboot: try: "
	last := len(lines) - 1
	if last > 0 && strings.HasPrefix(lines[last], prefix) {
		return lines[last-1], strings.TrimPrefix(lines[last], prefix)
	}
	return lines[last], ""
}

// goWords are what packages of Go say, and no administrator does.
var goWords = regexp.MustCompile(`context (deadline|canceled)|dial (tcp|udp)|i/o timeout|no such host|net/http|x509|read (tcp|udp)|lookup |EOF|syscall|panic|ParseAddr|0x[0-9a-f]{6}|%!|<nil>`)

// wantHint wants what was said of a failure to end in what to try, in words.
func wantHint(t *testing.T, text string) {
	t.Helper()
	if goWords.MatchString(text) {
		t.Errorf("Go's words: %s", text)
	}
	if why, hint, found := strings.Cut(text, "; "); (!found || hint == "") && !strings.Contains(why, "? ") {
		t.Errorf("no hint: %s", text)
	}
}

// Whatever a lab does wrong, a boot and a plan end in a hint and in the check that
// tells more, and that check finds what is wrong.
func TestFailureAdvice(t *testing.T) {
	_, tree := checkLab(t)
	labtest.Check(t, os.WriteFile(filepath.Join(tree, "page"), []byte("<html><head><title>Sorry</title></head></html>\n"), 0o644))
	kernel := func(url string) string { return "default linux\nlabel linux\n kernel " + url + "\n" }
	initrd := func(url string) string {
		return kernel(lab.SampleKernel) + " initrd " + url + "\n"
	}
	both := []string{"plan", ""}
	guests := 0
	for i, test := range []struct {
		config   string
		commands []string // that fail
		args     []string
		verdict  string
	}{
		{"", both, []string{"--server=192.168.1.77"}, "next-server-unreachable"},
		{"", both, []string{"--bootfile=http://192.168.1.166/pxelinux.0"}, "http-refused"},
		{"", both, []string{"--bootfile=https://192.168.1.166/pxelinux.0"}, "http-refused"},
		{"", both, []string{"--bootfile=ftp://192.168.1.166/pxelinux.0"}, "config-unreadable"},
		{"", both, []string{"--config-dir=it's nowhere"}, "no-config"},
		{kernel(lab.SampleKernel), both, []string{"--label=nolabel"}, "label-missing"},
		{"# nothing\n", both, nil, "no-default"},
		{"default hdt\nlabel hdt\n com32 hdt.c32\n", both, nil, "com32-only"},
		{"default x\nlabel x\n kernel pxelinux.0\n", both, nil, "boot-program"},
		{"default linus\nlabel linux\n kernel vmlinuz\n", both[1:], nil, "label-missing"},
		{kernel("gone"), both[1:], nil, "kernel-missing"},
		{kernel("page"), both[1:], nil, "kernel-not-linux"},
		{kernel("http://192.168.1.166/vmlinuz"), both[1:], nil, "http-refused"},
		{kernel("https://192.168.1.166/vmlinuz"), both[1:], nil, "http-refused"},
		{kernel("ftp://192.168.1.166/vmlinuz"), both[1:], nil, "file-unreachable"},
		{kernel("nfs://192.168.1.166/vmlinuz"), both, nil, "not-bootable"},
		{kernel("http://192.168.1.77/vmlinuz"), both[1:], nil, "file-unreachable"},
		{kernel("http://mirror.example/vmlinuz"), both[1:], nil, "no-dns"},
		{initrd("gone"), both[1:], nil, "initrd-missing"},
		{initrd("page"), both[1:], nil, "initrd-wrong"},
		{initrd("http://192.168.1.166/initrd.img"), both[1:], nil, "http-refused"},
	} {
		args := append([]string{"--timeout=30"}, test.args...)
		if test.config != "" {
			dir := fmt.Sprint("labs", i)
			labtest.Check(t, os.Mkdir(filepath.Join(tree, dir), 0o755))
			labtest.Check(t, os.WriteFile(filepath.Join(tree, dir, "default"), []byte(test.config), 0o644))
			args = append(args, "--config-dir="+dir)
		}
		for _, command := range test.commands {
			guests++
			vif := fmt.Sprintf("mac=00:16:3e:72:81:%02x,bridge=xenbr0", guests)
			t.Run(strings.Join(append(test.args, test.verdict, command), " "), func(t *testing.T) {
				t.Parallel() // most of it is waiting
				words := append([]string{"--output-directory=" + t.TempDir()}, args...)
				if command != "" {
					words = append([]string{command}, args...)
				}
				o := gopxeboot(t, append(words, vif)...)
				lines := strings.Split(strings.TrimSuffix(o.Stderr, "\n"), "\n")
				why, try := failure(lines)
				if o.Code < 3 || o.Code > 6 {
					t.Errorf("exit code %d", o.Code)
				}
				wantHint(t, why)
				for _, line := range lines {
					if goWords.MatchString(line) {
						t.Errorf("Go's words: %s", line)
					}
				}
				t.Log(why)
				call := shellWords(t, try)
				if len(call) < 3 || call[0] != "gopxeboot" || call[1] != "check" {
					t.Fatalf("the last line is %q", lines[len(lines)-1])
				}
				checked := gopxeboot(t, append([]string{"check", "--wait=0.3"}, call[2:]...)...)
				if checked.Code != 2 || !strings.Contains(checked.Stdout, "["+test.verdict+"]") || goWords.MatchString(checked.Stdout+checked.Stderr) {
					t.Errorf("%s: %d\n%s%s", try, checked.Code, checked.Stdout, checked.Stderr)
				}
			})
		}
	}
}

// The other commands say what went wrong in words, too.
func TestPlainWords(t *testing.T) {
	l := labtest.New(t, lab.Config{Dom0: netip.MustParsePrefix("192.168.1.1/24")})
	labtest.Check(t, servers["embedded"](t.Context(), l.Servers, sampleTree(t)))
	dir := t.TempDir()
	urls := []string{
		"http://192.168.1.166/x", "https://192.168.1.166/x", "ftp://192.168.1.166/x", "nfs://192.168.1.166/x", "tftp://192.168.1.166:70/x", "tftp://192.168.1.166/missing",
		"http://no-such-name.invalid/x", "http://192.168.1.77/x", "gopher://192.168.1.166/x", "http://[::1]:x/", "http://192.168.1.166:99999/x",
	}
	var calls [][]string
	for _, url := range urls {
		calls = append(calls, []string{"get", "--timeout=15", "-o", filepath.Join(dir, "x"), url}, []string{"get", "--timeout=15", "-o", filepath.Join(dir, "x"), vif, url},
			[]string{"--timeout=15", "--output-directory=" + dir, "--location=" + url}, []string{"plan", "--timeout=15", "--location=" + url, vif})
	}
	calls = append(calls, []string{"get", "http://192.168.1.166/x"}, []string{"lint", filepath.Join(dir, "missing")}, []string{"check", "--replay=" + filepath.Join(dir, "missing")},
		[]string{"check", "--replay=/proc/self/exe"}, []string{"plan", "--tree=" + filepath.Join(dir, "missing"), vif}, []string{"--timeout=0.2", vif}, []string{"check", "--timeout=0.2", vif},
		[]string{"check", "--server=192.168.1.999", vif}, []string{"plan", "--server=server.example", vif})
	t.Run("calls", func(t *testing.T) {
		for _, args := range calls {
			t.Run(strings.Join(args, " "), func(t *testing.T) {
				t.Parallel()
				o := gopxeboot(t, args...)
				t.Log(lastLine(o.Stderr))
				if o.Code == 0 || goWords.MatchString(o.Stderr) || goWords.MatchString(o.Stdout) || strings.TrimSpace(o.Stderr+o.Stdout) == "" {
					t.Errorf("code %d: %s%s", o.Code, o.Stdout, o.Stderr)
				}
			})
		}
	})
}

// shellWords is how a shell takes a command apart that shellWord made.
func shellWords(t *testing.T, text string) (words []string) {
	t.Helper()
	for text != "" {
		word := ""
		for text != "" && text[0] != ' ' {
			switch text[0] {
			case '\'':
				end := strings.IndexByte(text[1:], '\'')
				if end < 0 {
					t.Fatalf("no end: %s", text)
				}
				word, text = word+text[1:1+end], text[2+end:]
			case '\\':
				word, text = word+text[1:2], text[2:]
			default:
				word, text = word+text[:1], text[1:]
			}
		}
		words, text = append(words, word), strings.TrimLeft(text, " ")
	}
	return words
}

// The check that is named looks at the same guest and the same lab, and harms no
// file.
func TestCheckOf(t *testing.T) {
	mac, err := xenout.ParseMAC(lab.SampleMAC)
	labtest.Check(t, err)
	call := &xenout.Call{Words: []string{
		"--output=/run/fifo", "--mac=" + lab.SampleMAC, "--pcap=/root/boot.pcap", "--server=192.168.1.9", "--entry=it's mine", "-v", "--once", "--net=dom0", "--", "--label=no",
	}}
	o := &boot.Options{Network: session.Network{MAC: mac, Bridge: "br0", VLAN: 7}, IP: "10.0.0.7"}
	want := `gopxeboot check --server=192.168.1.9 '--label=it'\''s mine' --net=dom0 mac=` + lab.SampleMAC + ",bridge=br0,vlan=7,ip=10.0.0.7"
	equal(t, "the command", checkOf(call, o), want)
	equal(t, "its words", shellWords(t, want)[3], "--label=it's mine")
}
