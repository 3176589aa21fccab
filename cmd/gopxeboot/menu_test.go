package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/xenread"
	"github.com/gopxeboot/gopxeboot/xenout"
)

// keys are typed once a text was shown. "KILL" kills the process that reads from
// the network, "CLOSE" closes the terminal.
type keys struct{ After, Type string }

// person is who sits at a terminal: it is written what is shown there.
type person struct {
	to         *os.File
	bootloader int // its process
	keys       []keys
	shown      strings.Builder
	closed     bool
}

func (p *person) Write(text []byte) (int, error) {
	p.shown.Write(text)
	for len(p.keys) > 0 && strings.Contains(p.shown.String(), p.keys[0].After) {
		next := p.keys[0]
		p.keys = p.keys[1:]
		p.shown.Reset()
		switch next.Type {
		case "KILL":
		case "CLOSE":
			p.closed = true
			return len(text), p.to.Close()
		default:
			p.to.WriteString(next.Type)
			continue
		}
		tasks, _ := filepath.Glob(filepath.Join("/proc", strconv.Itoa(p.bootloader), "task/*/children")) // of each thread
		var children string
		for _, file := range tasks {
			text, _ := os.ReadFile(file)
			children += string(text)
		}
		for _, word := range strings.Fields(children) {
			if pid, err := strconv.Atoi(word); err == nil && strings.HasPrefix(proc(pid, "cmdline"), "gopxeboot-guest") {
				syscall.Kill(pid, syscall.SIGKILL)
			}
		}
	}
	return len(text), nil
}

func proc(pid int, file string) string {
	text, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), file))
	return string(text)
}

const (
	enter, escape  = "\r", "\x1b"
	up, down, last = "\x1b[A", "\x1b[B", "\x1b[F"
	opens          = "press a key for the menu"
	shown          = "Press [Tab] to edit options"
)

// labMenu is a lab's menu; the kernel and the initrd are the sample's.
var labMenu = strings.ReplaceAll(`UI menu.c32
TIMEOUT 600
MENU TITLE The lab
LABEL one
  MENU LABEL ^One
  KERNEL KERNEL
  INITRD el5u4_x86_xen_install/initrd.img
  APPEND number=1
LABEL two
  MENU LABEL ^Two
  KERNEL KERNEL
  APPEND number=2
LABEL secret
  MENU PASSWD sesame
  KERNEL KERNEL
  APPEND number=3
MENU BEGIN
  MENU TITLE More
  LABEL four
    KERNEL KERNEL
    APPEND number=4
MENU END
LABEL lost
  KERNEL lost/vmlinuz
LABEL hdt
  COM32 hdt.c32
`, "KERNEL KERNEL", "KERNEL "+lab.SampleKernel)

// atTerminal boots at a person's terminal, and returns the answer's arguments,
// what was shown and how long it took.
func atTerminal(t *testing.T, config string, parent []string, change func(*call), args ...string) (result xenout.Result, code int, log string, took time.Duration) {
	t.Helper()
	l := labtest.New(t, lab.Config{})
	tree := sampleTree(t)
	labtest.Check(t, os.WriteFile(filepath.Join(tree, "pxelinux.cfg/01-00-16-3e-72-79-e3"), []byte(config), 0o644))
	labtest.Check(t, servers["embedded"](t.Context(), l.Servers, tree))
	d := newDom0(t)
	c := d.libxl(t, libxl{Args: append(args, vif)})
	change(&c)
	began := time.Now()
	cmd, _ := toolstack(t, parent, c)
	var exit *exec.ExitError
	if err := cmd.Wait(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	took, code, log = time.Since(began), cmd.ProcessState.ExitCode(), readFile(t, c.Log)
	if code == 0 {
		read, err := xenread.Readers[xenout.Simple0](readFile(t, d.out()))
		labtest.Check(t, err)
		result = read
		sameFile(t, result.Kernel, filepath.Join(tree, lab.SampleKernel))
		if result.Ramdisk != "" {
			sameFile(t, result.Ramdisk, filepath.Join(tree, lab.SampleInitrd))
		}
	} else if left := entries(t, d.outDir()); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	return result, code, log, took
}

// The same keys as at menu.c32 boot the same entry.
func TestMenu(t *testing.T) {
	const boots = "BOOT_IMAGE=" + lab.SampleKernel + " number="
	const prompt = "PROMPT 1\nTIMEOUT 600\nSAY Hello\nDEFAULT one\nLABEL one\nKERNEL " + lab.SampleKernel + "\nAPPEND number=1\nLABEL two\nKERNEL " + lab.SampleKernel + "\nAPPEND number=2\n"
	for _, c := range []struct {
		name, config string
		keys         []keys
		want         string // arguments
		initrd       bool
	}{
		{"Enter", labMenu, []keys{{"The lab", enter}}, boots + "1 initrd=" + lab.SampleInitrd, true},
		{"down and Enter", labMenu, []keys{{"The lab", down + enter}}, boots + "2", false},
		{"a hotkey", labMenu, []keys{{"The lab", "t"}, {"Two", enter}}, boots + "2", false},
		{"a password", labMenu, []keys{{"The lab", down + down + enter}, {"Password:", "wrong" + enter}, {"wrong password", enter}, {"Password:", "sesame" + enter}}, boots + "3", false},
		{"a submenu", labMenu, []keys{{"The lab", down + down + down + enter}, {"four", enter}}, boots + "4", false},
		{"edited", labMenu, []keys{{"The lab", down}, {shown, "\t"}, {"> ", " more" + enter}}, boots + "2 more", false},
		{"typed behind the menu", labMenu, []keys{{"The lab", escape}, {"boot: ", "two single" + enter}}, boots + "2 single", false},
		{"a module, a kernel that is not there, and one that is", labMenu, []keys{{"The lab", last + enter}, {"hdt.c32", up + enter}, {"lost/vmlinuz", "t" + enter}}, boots + "2", false},
		{"the default, which is not there", strings.Replace(labMenu, lab.SampleKernel, "lost/vmlinuz", 1), []keys{{"The lab", enter}, {"lost/vmlinuz", "t" + enter}}, boots + "2", false},
		{"typed, and not there", labMenu, []keys{{"The lab", escape}, {"boot: ", "tow" + enter}, {"/tow", "two" + enter}}, boots + "2", false},
		{"typed at the prompt", prompt, []keys{{"Hello", "two single" + enter}}, boots + "2 single", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, code, log, _ := atTerminal(t, c.config, []string{"xl", "create", "guest1.cfg"}, func(call *call) { call.Person = c.keys }, "--menu")
			if code != 0 || got.Args != c.want || (got.Ramdisk != "") != c.initrd {
				t.Errorf("exit status %d, %+v\n%q", code, got, log)
			}
		})
	}
}

// A key opens the menu where somebody looks on; without one the default boots.
func TestMenuByKey(t *testing.T) {
	looksOn := []string{"xl", "create", "-c", "guest1.cfg"}
	for _, c := range []struct {
		name   string
		parent []string
		args   []string
		keys   []keys
		config string
		number string
		says   bool
		waits  bool
	}{
		{"a key", looksOn, nil, []keys{{opens, " "}, {"The lab", down + enter}}, labMenu, "number=2", true, false},
		{"a key, and the default after all", looksOn, nil, []keys{{opens, down}, {"The lab", enter}}, labMenu, "number=1", true, false},
		{"no key", looksOn, nil, nil, labMenu, "number=1", true, true},
		{"nobody looks on", []string{"xl", "create", "guest1.cfg"}, nil, nil, labMenu, "number=1", true, false},
		{"quiet", looksOn, []string{"-q"}, nil, labMenu, "number=1", false, false},
		{"--no-menu", looksOn, []string{"--no-menu"}, nil, labMenu, "number=1", false, false},
		{"--menu-timeout 0", looksOn, []string{"--menu-timeout=0"}, nil, labMenu, "number=1", false, false},
		{"--runas", looksOn, []string{"--runas=60001"}, nil, labMenu, "number=1", false, false},
		{"--label", looksOn, []string{"--label=two"}, nil, labMenu, "number=2", false, false},
		{"a lab that boots at once", looksOn, nil, nil, strings.Replace(labMenu, "UI menu.c32", "DEFAULT two", 1), "number=2", false, false},
		{"the menu's own time", looksOn, []string{"--menu", "--menu-timeout=1"}, nil, labMenu, "number=1", false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, code, log, took := atTerminal(t, c.config, c.parent, func(call *call) { call.Person = c.keys }, c.args...)
			if code != 0 || !strings.Contains(got.Args, c.number) {
				t.Errorf("exit status %d, %+v\n%q", code, got, log)
			}
			if says := strings.Contains(log, opens); says != c.says {
				t.Errorf("that a key opens the menu: %v\n%q", says, log)
			}
			if c.waits && took < attendedWait {
				t.Errorf("it booted after %v", took)
			}
		})
	}
}

// What can't boot says so; a child that dies ends the menu; the terminal is left
// as it was (which the toolstack of these tests looks at).
func TestMenuFails(t *testing.T) {
	for _, c := range []struct {
		name string
		keys []keys
		code int
		says string
	}{
		{"a module, and no key any more", []keys{{"The lab", last + enter}}, 5, "hdt.c32"},
		{"the child is killed", []keys{{"The lab", "KILL"}}, 1, "the guest's process ended"},
		{"Ctrl-C", []keys{{"The lab", "\x03"}}, 8, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, code, log, _ := atTerminal(t, labMenu, []string{"xl", "create", "guest1.cfg"}, func(call *call) { call.Person, call.Cooked = c.keys, true }, "--menu", "--menu-timeout=30")
			if code != c.code || !strings.Contains(log, c.says) {
				t.Errorf("exit status %d\n%q", code, log)
			}
		})
	}
}

// inMenuLab is a lab with labMenu, and a dom0 in it.
func inMenuLab(t *testing.T) *dom0 {
	t.Helper()
	l := labtest.New(t, lab.Config{})
	tree := sampleTree(t)
	writeFile(t, filepath.Join(tree, "pxelinux.cfg/01-00-16-3e-72-79-e3"), labMenu)
	labtest.Check(t, servers["embedded"](t.Context(), l.Servers, tree))
	return newDom0(t)
}

// An admin's terminal is asked by plan, too, and stays as it was; what a choice would
// boot is printed on it.
func TestMenuOfPlan(t *testing.T) {
	for _, c := range []struct {
		name string
		keys []keys
		args []string
		want string
	}{
		{"a choice", []keys{{"The lab", down + enter}}, []string{"--menu"}, `"args": "BOOT_IMAGE=` + lab.SampleKernel + ` number=2"`},
		{"an edited line", []keys{{"The lab", "\t"}, {"> ", " more" + enter}}, []string{"--menu"}, `initrd.img more"`},
		{"what does not boot, and what does", []keys{{"The lab", last + enter}, {"hdt.c32", "t" + enter}}, []string{"--menu"}, ` number=2"`},
		{"no key", nil, []string{"--menu", "--menu-timeout=1"}, ` number=1 initrd=`},
		{"not asked", nil, nil, ` number=1 initrd=`},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := inMenuLab(t)
			call := call{
				Argv: append(append([]string{"gopxeboot", "plan", "--json"}, c.args...), vif), Env: append(os.Environ(), "TERM=vt100"),
				TTY: true, Cooked: true, Log: filepath.Join(d.dir, "log"), Person: c.keys,
			}
			cmd, _ := toolstack(t, []string{"sh"}, call)
			err := cmd.Wait()
			if log := readFile(t, call.Log); err != nil || !strings.Contains(log, c.want) || strings.Contains(log, "The lab") != (c.args != nil) {
				t.Errorf("%v\n%s", err, log)
			}
		})
	}
}

// Who asks for a menu that can't be shown is told so in one line.
func TestMenuNotShown(t *testing.T) {
	const says = "gopxeboot: warning: --menu has no effect: "
	d := inMenuLab(t)
	for _, args := range [][]string{{"plan"}, {"--output-directory=" + t.TempDir()}} {
		o := gopxeboot(t, append(args, "--menu", vif)...)
		if o.Code != 0 || strings.Count(o.Stderr, "--menu") != 1 || !strings.Contains(o.Stderr, says+"standard input and standard error are no terminal\n") {
			t.Errorf("%q: %+v", args, o)
		}
	}
	for _, option := range []string{"-q", "--runas=60001"} {
		call := d.libxl(t, libxl{Args: []string{"--menu", option, vif}})
		cmd, _ := toolstack(t, []string{"xl", "create", "guest1.cfg"}, call)
		err := cmd.Wait()
		why, _, _ := strings.Cut(option, "=")
		if log := readFile(t, call.Log); err != nil || !strings.Contains(log, says+why+" shows none\r\n") || strings.Contains(log, "The lab") {
			t.Errorf("%s: %v\n%q", option, err, log)
		}
		labtest.Check(t, os.RemoveAll(d.outDir()))
	}
}

// What comes from a terminal in bursts, in halves or not at all, and one that no one
// reads, keeps no guest from booting; one that closes ends the boot, and leaves
// nothing behind. Where a burst is read in pieces an Escape stands alone, which is
// the key: then Enter is for what the rest has typed at the prompt, and that is no file.
func TestMenuBadInput(t *testing.T) {
	const burst = down + up + "\x1b[\x1b[99999;\x00\xc3" // more than a megabyte, by its number
	menu := []string{"--menu", "--menu-timeout=2", "--timeout=20", "-v"}
	for _, c := range []struct {
		name string
		call call
		code int
		args string
	}{
		{"a burst", call{Burst: burst}, 0, "number="},
		{"no reader", call{Deaf: true}, 0, "number=1"},
		{"a burst, and no reader", call{Burst: burst, Deaf: true}, 0, "number="},
		{"half a sequence", call{Person: []keys{{"The lab", down + "\x1b["}, {"Two", "t" + enter}}}, 0, "number=2"},
		{"it closes", call{Person: []keys{{"The lab", "CLOSE"}}}, 8, ""},
		{"it closes while a password is typed", call{Person: []keys{{"The lab", down + down + enter}, {"Password", "CLOSE"}}}, 8, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, code, log, _ := atTerminal(t, labMenu, []string{"xl", "create", "guest1.cfg"}, func(call *call) {
				call.Burst, call.Deaf, call.Person = c.call.Burst, c.call.Deaf, c.call.Person
			}, menu...)
			if c.call.Burst != "" && code == 6 {
				c.code, c.args = 6, ""
			}
			if code != c.code || !strings.Contains(got.Args, c.args) || len(log) > 1<<20 {
				t.Errorf("exit status %d, %+v\n%q", code, got, log[max(0, len(log)-4000):])
			}
		})
	}
}

// An admin's terminal is often tmux: what it makes of our screens is the menu, keys
// come through it as they are, and the shell finds its terminal as it was.
func TestMenuInTmux(t *testing.T) {
	d := inMenuLab(t)
	socket := filepath.Join(d.dir, "tmux")
	tmux := func(args ...string) string {
		text, err := labtest.Program(t, "tmux", append([]string{"-S", socket, "-f", "/dev/null"}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("tmux %q: %v\n%s", args, err, text)
		}
		return string(text)
	}
	self, err := filepath.Abs(os.Args[0])
	labtest.Check(t, err)
	program, answer := filepath.Join(d.dir, "gopxeboot"), filepath.Join(d.dir, "plan")
	labtest.Check(t, os.Symlink(self, program))
	before, after := filepath.Join(d.dir, "before"), filepath.Join(d.dir, "after")
	tmux("new-session", "-d", "-x", "80", "-y", "25", "stty -a >"+before+"; "+program+" plan --menu "+vif+" >"+answer+"; stty -a >"+after+"; echo ended; cat")
	defer tmux("kill-server")
	screen := ""
	shows := func(text string) {
		t.Helper()
		labtest.Eventually(t, text, func() bool {
			screen = tmux("capture-pane", "-p")
			return strings.Contains(screen, text)
		})
	}
	press := func(keys ...string) { tmux(append([]string{"send-keys"}, keys...)...) }
	shows("Automatic boot in")
	contains(t, screen, "                                    The lab\n\n  One\n  Two\n  secret\n  More >\n  lost\n  hdt\n")
	press("Down", "Down", "Down", "Enter")
	shows("                                     More\n")
	press("Escape")
	shows("  Two\n")
	press("Home", "Down", "Tab")
	shows("\n> " + lab.SampleKernel + " number=2")
	press(" in tmux", "Enter")
	shows("gopxeboot: boot: BOOT_IMAGE=")
	shows("\nended\n")
	equal(t, "the terminal's settings", readFile(t, after), readFile(t, before))
	contains(t, readFile(t, answer), ` number=2 in tmux"`)
	press("typed", "Enter")
	shows("typed\ntyped\n")
}
