package pxelinux

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"
)

// module runs the COM32 modules that decide what boots. A module that fails
// leads to the boot: prompt, not to ONERROR.
func (m *machine) module(ctx context.Context, line string) (*Boot, error) {
	m.fallbacks = []fallback{(*machine).promptAgain}
	argv := words(line)
	if len(argv) == 0 {
		return m.fail(ctx, "a COM32 module without a name")
	}
	name, args := moduleName(argv[0]), argv[1:]
	switch name {
	case "menu", "vesamenu":
		return m.menu(ctx, args, name == "vesamenu")
	case "mboot":
		return m.mboot(ctx, args)
	case "linux":
		return m.linuxModule(ctx, args)
	case "config":
		if len(args) < 1 || len(args) > 2 {
			return m.fail(ctx, "config.c32 wants a file and perhaps a directory, and got %d words", len(args))
		}
		return m.chdirConfig(ctx, args[0], strings.Join(args[1:], ""))
	case "cmd":
		return m.loadKernel(ctx, restOf(line))
	case "ifcpu64":
		return m.choose(ctx, split(args, "--")[0])
	case "ifcpu":
		return m.ifcpu(ctx, args)
	case "whichsys":
		return m.whichsys(ctx, args)
	case "pxechn":
		return m.pxechn(ctx, argv)
	case "chain":
		// It starts boot sectors: of a disk, a partition, a file on them.
		return &Boot{Outcome: LocalBoot, Label: m.label}, nil
	case "reboot", "poweroff":
		return m.refuse(argv, "switches the machine off or restarts it: there is nothing to boot")
	}
	return m.refuse(argv, "runs in PXELINUX only, not for a PV guest")
}

// refuse is a module that this package can't run.
func (m *machine) refuse(argv []string, why string) (*Boot, error) {
	url, err := m.resolve(argv[0])
	if err != nil {
		url = argv[0]
	}
	return &Boot{
		Outcome: COM32, Label: m.label, Kernel: url, Args: strings.Join(argv[1:], " "),
		Err: fmt.Errorf("%sthe module %s %s", m.inLabel(), argv[0], why),
	}, nil
}

// split cuts words at a separator; there is always a first part.
func split(words []string, separator string) [][]string {
	parts := [][]string{nil}
	for _, w := range words {
		if w == separator {
			parts = append(parts, nil)
			continue
		}
		parts[len(parts)-1] = append(parts[len(parts)-1], w)
	}
	return parts
}

// choose runs the words that a module chose, as a command line; none are the
// DEFAULT command.
func (m *machine) choose(ctx context.Context, words []string) (*Boot, error) {
	if len(words) > 0 {
		return m.loadKernel(ctx, strings.Join(words, " "))
	}
	if m.core.command == nil {
		return m.fail(ctx, "a module runs the DEFAULT command, and there is none")
	}
	return m.loadKernel(ctx, *m.core.command)
}

// ifcpu runs one of two commands by what the processor can do. A guest of Xen
// on a 64 bit machine has long mode, PAE and a hypervisor, and can't be host
// to a hypervisor itself. How many processors it has is not known here.
func (m *machine) ifcpu(ctx context.Context, args []string) (*Boot, error) {
	parts := split(args, "--")
	if len(parts) == 1 {
		return m.fail(ctx, "ifcpu.c32 without a command")
	}
	second := parts[1]
	if len(parts) > 2 {
		// Words after a third separator belong to the second command.
		i := slices.Index(args, "--") + 1
		second = args[i+slices.Index(args[i:], "--")+1:]
	}
	matches := true
	// It reads the first command's words as conditions, too.
	for _, word := range append(slices.Clone(parts[0]), parts[1]...) {
		switch word {
		case "hvm":
			matches = false
		case "multicore", "smp":
			m.note("%sifcpu.c32 %s: taken as true, the number of processors is not known", m.inLabel(), word)
		case "dry-run":
			return m.fail(ctx, "ifcpu.c32 dry-run boots nothing")
		}
	}
	if matches {
		return m.choose(ctx, parts[1])
	}
	return m.choose(ctx, second)
}

// whichsys runs the command for this kind of boot loader.
func (m *machine) whichsys(ctx context.Context, args []string) (*Boot, error) {
	var chosen []string
	found, inside := false, false
	for _, word := range args {
		switch word {
		case "-pxe-":
			chosen, found, inside = nil, true, true
		case "-iso-", "-sys-":
			inside = false
		default:
			if inside {
				chosen = append(chosen, word)
			}
		}
	}
	if !found {
		return m.fail(ctx, "whichsys.c32 without a command for PXELINUX (-pxe-)")
	}
	return m.choose(ctx, chosen)
}

// linuxModule is linux.c32: as a kernel, but the last initrd= counts, and
// more can be added.
func (m *machine) linuxModule(ctx context.Context, args []string) (*Boot, error) {
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		if args[0] != "-dhcpinfo" {
			return m.fail(ctx, "linux.c32 has no option %s", args[0])
		}
		m.note("%slinux.c32 -dhcpinfo: the guest gets no /dhcpinfo.dat", m.inLabel())
		args = args[1:]
	}
	if len(args) == 0 {
		return m.fail(ctx, "linux.c32 without a kernel")
	}
	var last, more []string
	for _, word := range args[1:] {
		name, value, _ := strings.Cut(word, "=")
		switch {
		case !strings.Contains(word, "="):
		case name == "initrd":
			last = strings.Split(value, ",")
		case name == "initrd+":
			more = append(more, strings.Split(value, ",")...)
		case name == "initrdfile":
			return m.refuse(append([]string{"linux.c32"}, args...), "packs files into an initrd with initrdfile=, which is not supported")
		case name == "dtb", strings.HasPrefix(word, "blob."):
			m.note("%slinux.c32 %s: not given to the guest", m.inLabel(), word)
		}
	}
	line := strings.Join(append([]string{"BOOT_IMAGE=" + args[0]}, args[1:]...), " ")
	return m.kernel(ctx, args[0], append(last, more...), line)
}

var mbootOptions = []string{"-solaris", "-no-solaris", "-aout", "-no-aout"}

// mboot is mboot.c32: files with arguments, separated by "---". A guest can't
// run Xen in it, but it can run what Xen would have run as dom0.
func (m *machine) mboot(ctx context.Context, args []string) (*Boot, error) {
	for len(args) > 0 && slices.Contains(mbootOptions, args[0]) {
		args = args[1:]
	}
	if len(args) > 0 && args[0] == "-c" {
		return m.refuse(append([]string{"mboot.c32"}, args...), "is VMware's: a PV guest can't run ESXi")
	}
	b := &Boot{Outcome: Multiboot, Label: m.label, after: m}
	parts := split(args, "---")
	for _, part := range parts {
		if len(part) == 0 {
			return m.fail(ctx, "mboot.c32: a module without a file's name")
		}
		url, err := m.resolve(part[0])
		if err != nil {
			return m.refused(ctx, "mboot.c32", err)
		}
		b.Modules = append(b.Modules, Module{URL: url, Args: strings.Join(part, " ")})
	}
	if !strings.HasPrefix(lower(path.Base(parts[0][0])), "xen") || len(parts) < 2 {
		b.Err = fmt.Errorf("%s%s is a multiboot kernel, which a PV guest can't boot", m.inLabel(), parts[0][0])
		return b, nil
	}
	b.Kernel = b.Modules[1].URL
	b.Args = strings.Join(parts[1][1:], " ")
	for _, module := range b.Modules[2:] {
		b.Initrds = append(b.Initrds, module.URL)
	}
	m.note("%sis Xen with a dom0 (%s): its kernel %s boots as the guest, without the hypervisor", m.inLabel(), parts[0][0], parts[1][0])
	return b, nil
}

// pxechn is pxechn.c32: another boot program, with DHCP options of its own.
// When that is PXELINUX again, its search begins anew.
func (m *machine) pxechn(ctx context.Context, argv []string) (*Boot, error) {
	args := argv[1:]
	restart := len(args) == 2 && args[0] == "-r"
	if restart {
		args = args[1:]
	}
	if len(args) == 0 {
		return m.fail(ctx, "pxechn.c32 without a boot program")
	}
	program := args[0]
	if !strings.HasSuffix(lower(path.Base(program)), "pxelinux.0") || restart {
		return m.chain(ctx, program)
	}
	h := m.host
	h.BootFile = program
	server := m.server
	if kind := kindOf(program); kind != suffix {
		host, file, _ := strings.Cut(program, "::")
		if kind == fullURL {
			_, rest, _ := strings.Cut(program, "://")
			host, file, _ = strings.Cut(rest, "/")
			host = host[strings.LastIndexByte(host, '@')+1:]
			host, _, _ = strings.Cut(host, ":")
		}
		h.BootFile = file
		if host != "" {
			server = host
		}
		if addr, err := netip.ParseAddr(host); err == nil {
			h.Server = addr
		}
	}
	for i := 1; i < len(args); i++ {
		option, value := args[i], ""
		if len(option) < 2 || option[0] != '-' {
			continue
		}
		if strings.IndexByte("cfgopt", option[1]) >= 0 {
			if value = option[2:]; value == "" && i+1 < len(args) {
				i++
				value = args[i]
			}
		}
		switch option[1] {
		case 'c':
			h.ConfigFile = value
		case 'p':
			h.PathPrefix = value
		case 'o':
			number, text, _ := strings.Cut(value, "=") // as in 209.s=...
			number, _, _ = strings.Cut(number, ".")
			switch strtoul(number) {
			case 209:
				h.ConfigFile = text
			case 210:
				h.PathPrefix = text
			}
		}
	}
	// The program is asked for, as PXELINUX does, but this package is it.
	if found, err := m.exists(ctx, program); err != nil {
		return nil, err
	} else if !found {
		m.note("%spxechn.c32: %s: not found; read as if it were there", m.inLabel(), program)
	}
	again := newMachine(h, m.open)
	again.server, again.config, again.used, again.steps = server, m.config, m.used, m.steps
	if err := again.search(ctx); errors.Is(err, ErrNoConfig) {
		m.fallbacks = nil
		return m.fail(ctx, "pxechn.c32 %s: %w", program, err)
	} else if err != nil {
		return nil, err
	}
	return again.main(ctx)
}
