package xenout

import (
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Invocation is what a toolstack asks of a bootloader.
type Invocation struct {
	Toolstack Toolstack
	VIF       VIF
	Interface int    // which of the guest's boots where VIF does not say it, counted from 0
	Disk      string // the guest's first disk; it need not exist
	VM        string // the uuid of a VM of XAPI's; "" when it is not known, or the guest is none
	Domid     int    // 0 when it is not known; see DomidOf and ParseDomid

	Output          string // the file to answer in; "" and "-" are stdout
	OutputDirectory string // where the kernel and the ramdisk go
	Format          Format

	Kernel  string // --kernel: instead of what would boot; "" when not given
	Ramdisk string
	Args    string // --args and eliloader's --default_args and --extra_args, joined in their order

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
	// appends them itself, so that --args under it are what a person wrote
	// into PV-bootloader-args. It reads the answer from standard output, and
	// shows a person only the part of standard error after "RuntimeError: ".
	XAPI Toolstack = "xapi"
)

// ToolstackOf tells who calls from the whole command line, with the program's
// name first, and from the environment, as [os.Environ] has it.
func ToolstackOf(argv, environ []string) Toolstack {
	if len(argv) > 0 && (filepath.Base(argv[0]) == "eliloader" || underXAPI(argv[1:], environ)) {
		return XAPI
	}
	return Xen
}

// DefaultFormat is the format of an answer when no --output-format is given.
func (t Toolstack) DefaultFormat() Format {
	if t == XAPI {
		return Simple // eliloader's only one
	}
	return SXP // xend names no format
}

// DefaultDirectory is where kernel and ramdisk go when no --output-directory
// is given. XAPI takes them from few directories only, and need not have made
// this one. Everybody else deletes them wherever they are, and /var/run is
// often too small for them.
func (t Toolstack) DefaultDirectory() string {
	if t == XAPI {
		return xapiDirectories[0]
	}
	return "/var/lib/xen"
}

// xapiDirectories are those that XAPI takes files from, and not from below
// them. The comparison is textual: /run/xend/boot is another one
// (bootloader.ml, sanity_check_path).
var xapiDirectories = []string{"/var/run/xen/pygrub", "/var/run/xend/boot"}

// XEDirectory is where, or below where, XAPI takes the files of a VM from that
// boots without a bootloader (xapi_xenops.ml). It deletes none there.
const XEDirectory = "/var/lib/xcp/guest"

// TakesFilesFrom says whether the toolstack boots a kernel in this directory,
// named as it will be in the answer.
func (t Toolstack) TakesFilesFrom(directory string) bool {
	return t != XAPI || slices.Contains(xapiDirectories, path.Clean(directory))
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

// ParseDomid reads the id of a domain that may be a guest.
func ParseDomid(text string) (int, error) {
	id, err := strconv.Atoi(text)
	if err != nil || id <= 0 || id >= firstReservedDomid {
		return 0, fmt.Errorf("%q is no domain id between 1 and %d", text, firstReservedDomid-1)
	}
	return id, nil
}

// DomidOf returns the guest's domain id, which libxl tells only in the names
// that it gives with --output and --output-directory,
// /var/lib/xen/bootloader.<domid>.out and .d; 0 when no path has it.
func DomidOf(paths ...string) int {
	for _, path := range paths {
		if m := domidName.FindStringSubmatch(path); m != nil {
			if id, err := ParseDomid(m[1]); err == nil {
				return id
			}
		}
	}
	return 0
}

// libxlTimeout is LIBXL_BOOTLOADER_TIMEOUT of libxl_internal.h.
const libxlTimeout = 120 * time.Second

// RestrictedTime is how long libxl lets a bootloader run that it gives
// --runas; then it kills it by SIGKILL, and nobody learns why. value is that of
// the environment variable LIBXL_BOOTLOADER_TIMEOUT, in seconds, which the
// bootloader inherits; "" is libxl's default. The result is 0 for no limit.
func RestrictedTime(value string) time.Duration {
	if value == "" {
		return libxlTimeout
	}
	// libxl uses atoi, which takes what is no number for 0.
	seconds, err := strconv.Atoi(strings.TrimSpace(value))
	if err != nil || seconds < 0 || seconds > 1<<31-1 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
