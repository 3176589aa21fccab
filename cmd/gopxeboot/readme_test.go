package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
)

// blocks are the blocks of a document that begin with "```KIND".
func blocks(t *testing.T, file, kind string) (texts []string) {
	t.Helper()
	for _, m := range regexp.MustCompile("(?ms)^```"+regexp.QuoteMeta(kind)+"\n(.*?)^```$").FindAllStringSubmatch(readFile(t, file), -1) {
		texts = append(texts, m[1])
	}
	if texts == nil {
		t.Fatalf("%s has no block %q", file, kind)
	}
	return texts
}

// What README tells to type works, in the lab that it speaks of.
func TestReadmeCommands(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	tree := sampleTree(t)
	labtest.Check(t, servers["embedded"](t.Context(), l.Servers, tree))
	dir, bin := t.TempDir(), t.TempDir()
	self, err := filepath.Abs(os.Args[0]) // a chroot's /proc/self/exe shows its path from outside
	labtest.Check(t, err)
	labtest.Check(t, os.Symlink(self, filepath.Join(bin, "gopxeboot")))
	for _, block := range blocks(t, "../../README.md", "sh lab") {
		for line := range strings.Lines(block) {
			cmd := exec.CommandContext(t.Context(), "sh", "-c", strings.NewReplacer("/tftpboot", tree, "/var/tmp", dir).Replace(line))
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
			if said, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %v: %s", strings.TrimSpace(line), err, said)
			}
		}
	}
	for _, file := range []string{"check.html", "vmlinuz"} {
		if info, err := os.Stat(filepath.Join(dir, file)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// README's configurations, and those of the packages, boot as toolstacks pass them.
func TestReadmeConfigurations(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	labtest.Check(t, servers["embedded"](t.Context(), l.Servers, sampleTree(t)))
	xl := blocks(t, "../../README.md", "python xl")[0]
	libvirt := "<domain>" + blocks(t, "../../README.md", "xml libvirt")[0] + "</domain>"
	for name, args := range map[string][]string{
		"xl":                             list(t, setting(t, xl, "bootloader_args")),
		"packaging/examples/guest.cfg":   list(t, setting(t, readFile(t, "../../packaging/examples/guest.cfg"), "bootloader_args")),
		"libvirt":                        {domainXML(t, libvirt).Args},
		"packaging/examples/guest.xml":   {domainXML(t, readFile(t, "../../packaging/examples/guest.xml")).Args},
		"the manual page, a MAC by hand": {lab.SampleMAC},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDom0(t)
			cmd, _ := toolstack(t, []string{"xl", "create", "guest1.cfg"}, d.libxl(t, libxl{Args: args}))
			cmd.Wait()
			equal(t, "exit status", cmd.ProcessState.ExitCode(), 0)
		})
	}
}

// No link of a document of ours leads nowhere.
func TestLinks(t *testing.T) {
	files, err := filepath.Glob("../../docs/*.md")
	labtest.Check(t, err)
	for _, file := range append(files, "../../README.md", "../../SECURITY.md", "../../CONTRIBUTING.md", "../../packaging/RELEASING.md") {
		for _, m := range regexp.MustCompile(`\]\(([^)#:]+)(?:#[^)]*)?\)`).FindAllStringSubmatch(readFile(t, file), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(file), m[1])); err != nil {
				t.Errorf("%s: %v", file, err)
			}
		}
	}
}

// A demo that works has no line that looks like an error, and says what comes
// next. A lab's commands find gopxeboot where it is not installed.
func TestDemo(t *testing.T) {
	self, err := filepath.Abs(os.Args[0])
	labtest.Check(t, err)
	program := filepath.Join(t.TempDir(), "gopxeboot")
	labtest.Check(t, os.Symlink(self, program))
	demo := wait(t, exec.CommandContext(t.Context(), program, "demo"))
	contains(t, demo.Stdout, "server: tftp", "told its size", "bootloader_args = [\"mac="+lab.SampleMAC, "gopxeboot check")
	if demo.Code != 0 || regexp.MustCompile(`(?i)error|cancel|fail`).MatchString(demo.Stdout+demo.Stderr) {
		t.Errorf("status %d: %s%s", demo.Code, demo.Stdout, demo.Stderr)
	}
	inside := wait(t, exec.CommandContext(t.Context(), program, "lab", "-q", "--", "gopxeboot", "version"))
	contains(t, inside.Stdout, "gopxeboot version")
	contains(t, wait(t, exec.CommandContext(t.Context(), program, "lab", "-q", "nowhere")).Stderr, "gopxeboot: lab: there is no program nowhere\n")
}
