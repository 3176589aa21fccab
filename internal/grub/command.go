package grub

import (
	"regexp"
	"strconv"
	"strings"
)

// A command gets its name and arguments. Without a failure its status is 0.
type commandFunc func(m *machine, args []string, b *block) *failure

// builtin is the command of that name; nil is none.
func builtin(name string) commandFunc {
	switch name {
	case "[", "test":
		return test
	case "true", "false", "break", "continue", "return", "shift", "setparams", "eval":
		return control
	case "set", "unset", "export":
		return variables
	case "source", ".", "configfile", "normal":
		return sources
	case "menuentry", "submenu":
		return menuentry
	case "linux", "linux16", "linuxefi":
		return linux
	case "initrd", "initrd16", "initrdefi":
		return initrd
	case "multiboot", "multiboot2":
		return multiboot
	case "module", "module2":
		return module
	case "chainloader":
		return chainloader
	case "boot":
		return boot
	case "exit", "fwsetup":
		return exit
	case "reboot", "halt", "read", "authenticate", "blscfg", "blsuki":
		return ends
	case "regexp":
		return match
	case "load_env":
		return loadEnv
	case "smbios":
		return smbios
	case "net_get_dhcp_option":
		return dhcpOption
	case "search", "search.file", "search.fs_label", "search.fs_uuid":
		return search
	}
	switch {
	case fails[name], strings.HasPrefix(name, "legacy_"):
		return unavailable
	case does[name], strings.HasPrefix(name, "net_"), strings.HasPrefix(name, "terminal_"):
		return nothing
	}
	return nil
}

// does has the commands that work without effect on what boots, and fails
// those that can't on a machine that has nothing but a network.
var does, fails = words(`acpi background_color background_image cat clear date devicetree echo gettext gfxmenu help hexdump
	insmod keymap list_env list_trusted loadfont ls lscpu lsefi lsmmap lsmod lspci module_list normal_exit outb outl outw
	parttool password password_pbkdf2 play rmmod serial setpci sleep stall terminfo time trust usb videoinfo videotest wrmsr
	connectefi pcidump efi_route_smbios unset_menu`),
	words(`cpuid cryptomount distrust drivemap eject gptsync hdparm hello inb inl inw keystatus kfreebsd kfreebsd_module
	knetbsd kopenbsd freebsd loopback macppcbless ntldr openbsd netbsd parted probe rdmsr save_env savedefault sendkey
	verify_detached xen_hypervisor xen_module xnu_kernel xnu_kernel64 zfskey plan9 truecrypt`)

func words(s string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(s) {
		set[w] = true
	}
	return set
}

func nothing(*machine, []string, *block) *failure { return nil }

func unavailable(m *machine, args []string, _ *block) *failure {
	return failed(testFailure, "can't be done here")
}

// sources is source and its like: a file that is not there is no failure.
func sources(m *machine, args []string, _ *block) *failure {
	name, args := args[0], args[1:]
	switch {
	case name == "normal" && len(args) == 0:
		m.searched = true
		m.normal()
		return nil
	case len(args) != 1:
		return failed(badArgument, "it takes one file")
	case name == "configfile":
		m.openContext()
		defer m.closeContext()
	}
	m.searched = m.searched || name == "normal"
	if m.source(args[0]) && name != "source" && name != "." {
		m.menu()
	}
	return nil
}

func exit(m *machine, _ []string, _ *block) *failure {
	m.start(&Boot{Position: m.at, Outcome: LocalBoot})
	return nil
}

// ends is what a guest can't go on behind.
func ends(m *machine, args []string, _ *block) *failure {
	switch name := args[0]; name {
	case "reboot", "halt":
		m.fail("%s: the machine would restart or stop here", name)
	case "blscfg", "blsuki":
		m.fail("%s: boot loader entries are files of a disk, which a network has no list of", name)
	default:
		m.fail("%s: it waits for somebody at the keyboard", name)
	}
	return nil
}

// search looks at disks, and there never finds a network.
func search(m *machine, args []string, _ *block) *failure {
	m.disk = m.at
	return failed(fileNotFound, "there is no disk with %s", args[len(args)-1])
}

// match is regexp.
func match(m *machine, args []string, _ *block) *failure {
	o, rest, failure := parseOptions(args, "set= s=", false)
	switch {
	case failure != nil:
		return failure
	case len(rest) != 2:
		return failed(badArgument, "it takes an expression and a text")
	case len(rest[0]) > 1<<10:
		return failed(badArgument, "the expression is too long")
	}
	re, err := regexp.CompilePOSIX(rest[0])
	if err != nil {
		return failed(testFailure, "%v", err)
	}
	m.spend(len(rest[0]) * len(rest[1]))
	found := re.FindStringSubmatch(rest[1])
	if found == nil {
		return errFalse
	}
	for _, set := range append(o["set"], o["s"]...) {
		n := 1
		if number, name, indexed := strings.Cut(set, ":"); indexed {
			n, err = strconv.Atoi(number)
			set = name
		}
		if err == nil && n >= 0 && n < len(found) {
			m.set(set, found[n])
		}
	}
	return nil
}

// loadEnv is load_env: an environment block is lines of name=value.
func loadEnv(m *machine, args []string, _ *block) *failure {
	o, names, failure := parseOptions(args, "file= f= skip-sig s", false)
	if failure != nil {
		return failure
	}
	file := "(" + strings.TrimPrefix(m.get("prefix"), "(") + "/grubenv"
	if o.has("file") || o.has("f") {
		file = o.get("file") + o.get("f")
	}
	_, text, failure := m.read(file)
	if failure != nil {
		return failure
	}
	text, found := strings.CutPrefix(text, "# GRUB Environment Block\n")
	if !found {
		return failed(badArgument, "%s is no environment block", file)
	}
	wanted := words(strings.Join(names, " "))
	for line := range strings.Lines(strings.ReplaceAll(text, "\\\n", "")) {
		name, value, found := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if found && !strings.HasPrefix(name, "#") && (len(names) == 0 || wanted[name]) {
			m.set(name, strings.ReplaceAll(value, `\\`, `\`))
		}
	}
	return nil
}

// smbios knows the machine's UUID, and nothing else.
func smbios(m *machine, args []string, _ *block) *failure {
	o, _, failure := parseOptions(args, "type= t= handle= match= get-byte= get-word= get-dword= get-qword= get-string= s= get-uuid= u= set=", false)
	if failure != nil {
		return failure
	}
	if o.get("type")+o.get("t") != "1" || o.get("get-uuid")+o.get("u") != "8" || m.host.UUID == "" {
		return failed(fileNotFound, "it is not known")
	}
	if o.has("set") {
		m.set(o.get("set"), strings.ToLower(m.host.UUID))
	}
	return nil
}

// dhcpOption is net_get_dhcp_option, for what a lease keeps.
func dhcpOption(m *machine, args []string, _ *block) *failure {
	if len(args) != 5 && len(args) != 4 {
		return failed(badArgument, "it takes a variable, an interface, an option and a type")
	}
	if args[3] != "15" || m.host.Domain == "" {
		return failed(badArgument, "option %s is not known", args[3])
	}
	m.set(args[1], m.host.Domain)
	return nil
}
