package pxelinux

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"time"
)

// Host is the machine that PXELINUX finds itself on, and what DHCP told it.
// Zero values are "not known" and make PXELINUX skip what depends on them.
type Host struct {
	MAC          net.HardwareAddr
	HardwareType byte   // ARP hardware type; 0 means 1, Ethernet
	UUID         string // the guest's uuid as text, as in xl.cfg; "" when unknown

	Address netip.Prefix // the leased address and its netmask
	Router  netip.Addr   // option 3, only when it named exactly one router
	Server  netip.Addr   // next-server, the default server of relative names

	BootFile   string // DHCP file name, the source of the path prefix
	ConfigFile string // DHCP option 209
	PathPrefix string // DHCP option 210; replaces the boot file's directory
	ConfigDir  string // directory of configurations; "" means PXELINUX's, pxelinux.cfg

	// MaxArgs is how many bytes of command line the guest can be given, for Lint;
	// 0 when that is not known.
	MaxArgs int

	// DMI holds what SYSAPPEND may add beyond address, MAC and UUID, by the
	// name of the parameter: "SYSVENDOR", "SYSPRODUCT", "CPU", ...
	DMI map[string]string
}

// Opener opens the file behind an absolute URL, such as
// tftp://192.168.1.166/pxelinux.cfg/default. An error that wraps ErrNotFound or
// fs.ErrNotExist makes PXELINUX go on to its next choice, as does an empty
// file; any other error ends the search.
type Opener func(ctx context.Context, url string) (io.ReadCloser, error)

// ErrNotFound is what an Opener's error wraps when the server says that it
// will not give the file.
var ErrNotFound = errors.New("not found")

// ErrNoConfig is what Find's error wraps when the server has none of the
// names of the search path, or only empty files.
var ErrNoConfig = errors.New("no PXELINUX configuration")

// ErrTooLarge is what an error wraps when configuration files pass the limits
// of this package: 16 MiB, 1024 files or 1048576 labels together.
var ErrTooLarge = errors.New("configuration too large")

// A Try is one name that was asked for while a configuration was looked for.
type Try struct {
	URL    string
	Result string // "found", "not found", "empty" or "error"
	Took   time.Duration
}

// Outcome says what kind of thing boots.
type Outcome string

// What PXELINUX can come to.
const (
	Linux     Outcome = "linux"     // a kernel with initrds
	Multiboot Outcome = "multiboot" // mboot.c32: a kernel with modules
	COM32     Outcome = "com32"     // a module that only PXELINUX can run
	LocalBoot Outcome = "localboot" // LOCALBOOT: the guest's own disk
	ChainBoot Outcome = "chainboot" // another boot program (.0, .bin, .bs, .bss)
	Prompt    Outcome = "prompt"    // the boot: prompt, with nothing to run
	Error     Outcome = "error"     // nothing that could boot

	// SubConfig is the type of a label only: CONFIG, which leads to another
	// configuration file.
	SubConfig Outcome = "config"
)

// A Module is one file of a multiboot entry with its own arguments, which
// begin with the file's name as mboot.c32 passes it.
type Module struct {
	URL  string `json:"url"`
	Args string `json:"args"`
}

// Boot is what boots, as absolute URLs.
type Boot struct {
	Outcome Outcome
	Label   string        // the label's name; "" for a command that is no label
	Waits   bool          // a real machine would wait for a key without end; the rest is what Enter would run
	Timeout time.Duration // how long a real machine would wait before it boots this; 0 when at once or never

	Kernel  string   // Linux: the kernel; ChainBoot, COM32: the program; Multiboot with Xen: dom0's kernel
	Initrds []string // in order; each is to be padded with zeros to a multiple of 4 bytes before the next
	Args    string   // the command line, byte for byte
	Modules []Module // Multiboot: all files, the hypervisor or kernel first

	// Err says why this can't boot: always set for Error, COM32 and Prompt,
	// and for Multiboot when module 0 is not Xen.
	Err error

	// Config is what was read until here: what Find read, and what the way to
	// this Boot came to, as menus and other configurations.
	Config *Config

	asked *scope   // where somebody could have chosen; see Offer
	after *machine // where PXELINUX stands if the files are not there; see NotFound
}

// NotFound says what PXELINUX does when the server does not have b's kernel
// or one of its initrds (or they are empty, or larger than memory): the
// ONERROR command, the boot: prompt and its ONTIMEOUT, or the menu again. The
// chain ends with a Boot of Outcome Error. Errors are as Config.Boot's.
func (b *Boot) NotFound(ctx context.Context) (*Boot, error) {
	if b.after == nil {
		return b, nil
	}
	return b.Config.run(b.after, func(m *machine) (*Boot, error) { return m.missing(ctx, b) })
}

// Label is one entry as it is written in the configuration.
type Label struct {
	Name    string   `json:"name"`
	Display string   `json:"display"` // MENU LABEL, without its hotkey mark; "" when there is none
	Type    Outcome  `json:"type"`
	Kernel  string   `json:"kernel"`
	Initrds []string `json:"initrds"` // the names of INITRD or initrd=, whichever PXELINUX would load
	Append  string   `json:"append"`  // APPEND; the global one where the label has none of its own
}
