package xenout

import (
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Invocation is what a toolstack asks of a bootloader.
type Invocation struct {
	Toolstack Toolstack
	VIF       VIF
	Disk      string // the guest's first disk; it need not exist
	VM        string // the guest's uuid, which XAPI gives
	Domid     int    // 0 when it is not known; see DomidOf

	Output          string // the file to answer in; "" and "-" are stdout
	OutputDirectory string // where the kernel and the ramdisk go
	Format          Format

	Kernel  string // --kernel: instead of what would boot; "" when not given
	Ramdisk string
	Args    string // --args, then eliloader's --default_args and --extra_args, each appended with MergeArgs

	Quiet bool // nobody is there to answer a question
	RunAs int  // the uid to drop to; 0 when not given
}

// Toolstack says which conventions hold beyond the options.
type Toolstack string

// The conventions there are.
const (
	// Xen is xl, libvirt, xend and people.
	Xen Toolstack = "xen"

	// XAPI is XenServer and XCP-ng. It never passes a VM's PV-args but
	// appends them itself, it reads the answer from standard output, and it
	// shows a person only the part of standard error after "RuntimeError: ".
	XAPI Toolstack = "xapi"
)

// ToolstackOf tells who calls from the whole command line, with the
// program's name first. XAPI has two slots for bootloaders (xenopsd's
// bootloader.ml, command): eliloader is given --vm, pygrub begins with
// --output-format=simple -q and, unlike under libxl, has no --output.
func ToolstackOf(argv []string) Toolstack {
	if len(argv) > 0 && (filepath.Base(argv[0]) == "eliloader" || underXAPI(argv[1:])) {
		return XAPI
	}
	return Xen
}

func underXAPI(words []string) bool {
	if end := slices.Index(words, "--"); end >= 0 {
		words = words[:end]
	}
	if slices.ContainsFunc(words, func(w string) bool { return w == "--vm" || strings.HasPrefix(w, "--vm=") }) {
		return true
	}
	return len(words) >= 2 && words[0] == "--output-format=simple" && words[1] == "-q" &&
		!slices.ContainsFunc(words, isOutput)
}

// DefaultFormat is the format of an answer when no --output-format is given.
func (t Toolstack) DefaultFormat() Format {
	if t == XAPI {
		return Simple // eliloader's only one
	}
	return SXP // xend names no format
}

// DefaultDirectory is where kernel and ramdisk go when no --output-directory
// is given. XAPI takes them from two directories only (bootloader.ml,
// sanity_check_path), and need not have made this one. Everybody else
// deletes them wherever they are, and /var/run is often too small for them.
func (t Toolstack) DefaultDirectory() string {
	if t == XAPI {
		return "/var/run/xen/pygrub"
	}
	return "/var/lib/xen"
}

// FailurePrefix is what the last line on standard error must begin with for
// the toolstack to show the rest of it to a person (bootloader.ml,
// parse_exception).
func (t Toolstack) FailurePrefix() string {
	if t == XAPI {
		return "RuntimeError: "
	}
	return ""
}

var domidName = regexp.MustCompile(`(?:^|/)bootloader\.([0-9]+)\.(?:out|d)/?$`)

// firstReservedDomid is Xen's DOMID_FIRST_RESERVED.
const firstReservedDomid = 0x7ff0

// DomidOf returns the guest's domain id, which libxl tells only in the names
// that it gives with --output and --output-directory,
// /var/lib/xen/bootloader.<domid>.out and .d; 0 when no path has it.
func DomidOf(paths ...string) int {
	for _, path := range paths {
		if m := domidName.FindStringSubmatch(path); m != nil {
			if id, err := strconv.Atoi(m[1]); err == nil && id > 0 && id < firstReservedDomid {
				return id
			}
		}
	}
	return 0
}
