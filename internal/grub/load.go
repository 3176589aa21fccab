package grub

import (
	"path"
	"strings"
)

// Outcome says what kind of thing boots.
type Outcome string

// What GRUB can come to.
const (
	Linux     Outcome = "linux"     // a kernel with initrds
	Multiboot Outcome = "multiboot" // a kernel with modules
	LocalBoot Outcome = "localboot" // the guest's own disk
	ChainBoot Outcome = "chainboot" // another boot program
	Nothing   Outcome = ""          // see Boot.Err
)

// Boot is what boots, as absolute URLs.
type Boot struct {
	Position // of the line that loads it
	Outcome  Outcome
	Entry    string // the ids of the menu's and the submenus' entries that lead here, as $chosen has them: a>b
	Waits    bool   // a menu on the way would wait for a key without end

	Kernel  string // ChainBoot: the program; Multiboot with Xen: dom0's kernel
	Args    string // the command line, byte for byte
	Initrds []Initrd
	Modules []Module // Multiboot: all files, the hypervisor or kernel first
}

// Initrd is a file that is loaded as a ramdisk. It begins at a multiple of 4
// behind the one before it.
type Initrd struct {
	URL  string
	Newc string // the name that it gets inside an archive of its own; "" for a file that is one
}

// Module is one file of Multiboot with its own arguments, without its name.
type Module struct{ URL, Args string }

// commandLine joins arguments as GRUB does (lib/cmdline.c,
// grub_create_loader_cmdline).
func commandLine(args []string) string {
	escaper := strings.NewReplacer(`\`, `\\`, `'`, `\'`, `"`, `\"`)
	var quoted []string
	for _, arg := range args {
		arg = escaper.Replace(arg)
		if strings.Contains(arg, " ") {
			arg = `"` + arg + `"`
		}
		quoted = append(quoted, arg)
	}
	return strings.Join(quoted, " ")
}

// file is the URL of a file that is to be loaded. That the server has it is
// taken for granted until somebody who downloaded says that it does not.
func (m *machine) file(name string) (string, *failure) {
	url, failure := m.url(name)
	if failure == nil && m.missing[url] {
		failure, m.asked = failed(inputOutput, "%s is not there", url), true
	}
	return url, failure
}

func linux(m *machine, args []string, _ *block) *failure {
	if len(args) < 2 {
		return failed(badArgument, "the kernel's name is missing")
	}
	url, failure := m.file(args[1])
	if failure != nil {
		return failure
	}
	if m.loaded != nil && m.loaded.Outcome == Linux {
		m.note("a second kernel takes the place of %s", m.loaded.Kernel)
	}
	m.loaded = &Boot{Position: m.at, Outcome: Linux, Kernel: url, Args: "BOOT_IMAGE=" + commandLine(args[1:])}
	return nil
}

func initrd(m *machine, args []string, _ *block) *failure {
	if len(args) < 2 {
		return failed(badArgument, "the file's name is missing")
	}
	if m.loaded == nil || m.loaded.Outcome != Linux {
		return failed(notLoaded, "no kernel is loaded before it")
	}
	var initrds []Initrd
	for _, name := range args[1:] {
		var i Initrd
		if rest, found := strings.CutPrefix(name, "newc:"); found {
			if i.Newc, name, found = strings.Cut(rest, ":"); !found {
				return failed(badArgument, "%s names no file", rest)
			}
			if i.Newc = strings.TrimLeft(i.Newc, "/"); len(i.Newc) > maxNewc {
				return failed(badArgument, "the name of a file in an archive has more than %d bytes", maxNewc)
			}
		}
		var failure *failure
		if i.URL, failure = m.url(name); failure != nil {
			return failure
		}
		initrds = append(initrds, i)
	}
	m.loaded.Initrds = initrds
	return nil
}

func multiboot(m *machine, args []string, _ *block) *failure {
	args = withoutOptions(args[1:], "--quirk-")
	if len(args) == 0 {
		return failed(badArgument, "the kernel's name is missing")
	}
	url, failure := m.file(args[0])
	if failure != nil {
		return failure
	}
	m.loaded = &Boot{Position: m.at, Outcome: Multiboot, Modules: []Module{{url, commandLine(args[1:])}}}
	return nil
}

func module(m *machine, args []string, _ *block) *failure {
	args = withoutOptions(args[1:], "--nounzip")
	if len(args) == 0 {
		return failed(badArgument, "the file's name is missing")
	}
	if m.loaded == nil || m.loaded.Outcome != Multiboot {
		return failed(notLoaded, "no kernel is loaded before it")
	}
	url, failure := m.file(args[0])
	if failure != nil {
		return failure
	}
	m.loaded.Modules = append(m.loaded.Modules, Module{url, commandLine(args[1:])})
	return nil
}

func withoutOptions(args []string, prefix string) []string {
	for len(args) > 0 && strings.HasPrefix(args[0], prefix) {
		args = args[1:]
	}
	return args
}

// chainloader loads a boot sector or an EFI program. One that is on a disk, or
// is a disk's first sector, boots that disk.
func chainloader(m *machine, args []string, _ *block) *failure {
	args = withoutOptions(args[1:], "-")
	if len(args) == 0 {
		return failed(badArgument, "the file's name is missing")
	}
	name := args[0]
	_, rest, _ := strings.Cut(name, ")")
	url, failure := m.url(name)
	switch {
	case strings.HasPrefix(name, "+") || strings.HasPrefix(rest, "+"), failure != nil && m.disk == m.at:
		m.loaded = &Boot{Position: m.at, Outcome: LocalBoot}
		return nil
	case failure != nil:
		return failure
	}
	if _, _, failure := m.read(name); failure != nil {
		return failure
	}
	m.loaded = &Boot{Position: m.at, Outcome: ChainBoot, Kernel: url}
	return nil
}

// boot starts what is loaded.
func boot(m *machine, _ []string, _ *block) *failure {
	if m.loaded == nil {
		return failed(notLoaded, "no kernel is loaded before it")
	}
	m.start(m.loaded)
	return nil
}

// start is the end of the run.
func (m *machine) start(b *Boot) {
	if m.over() {
		return
	}
	b.Entry, b.Waits = m.get("chosen"), m.waits
	switch b.Outcome {
	case ChainBoot:
		m.at = b.Position
		m.fail("%s is a boot program, which a guest without firmware can't run", b.Kernel)
	case Multiboot:
		m.dom0(b)
	}
	if m.err == nil {
		m.boot = b
	}
}

// dom0 makes of Xen with a dom0 the kernel that Xen would boot: a guest has no
// use for a hypervisor.
func (m *machine) dom0(b *Boot) {
	m.at = b.Position
	xen := b.Modules[0].URL
	if !strings.HasPrefix(strings.ToLower(path.Base(xen)), "xen") {
		m.fail("%s is a Multiboot kernel and not Xen: a guest can't run it", xen)
		return
	}
	if len(b.Modules) < 2 {
		m.fail("%s is Xen without a kernel", xen)
		return
	}
	b.Kernel, b.Args = b.Modules[1].URL, b.Modules[1].Args
	for _, module := range b.Modules[2:] {
		b.Initrds = append(b.Initrds, Initrd{URL: module.URL})
	}
	m.note("%s is Xen with a dom0: its kernel %s boots as the guest, without the hypervisor", xen, b.Kernel)
}
