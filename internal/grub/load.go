package grub

import "strings"

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
	Title    string // the last one's title
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
