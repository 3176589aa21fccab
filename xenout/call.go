package xenout

import (
	"cmp"
	"fmt"
	"net"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Call is what a toolstack asks of a bootloader.
type Call struct {
	Toolstack Toolstack

	VIF       VIF
	Interface int      // which of the guest's boots where VIF does not say it, counted from 0
	Location  string   // as xenpvboot took it without an option; "" for none
	Disk      string   // the guest's first disk; it need not exist
	Unknown   []string // words that are none of these
	VM        string   // the uuid of a VM of XAPI's; "" when it is not known, or the guest is none
	Domid     int      // 0 when it is not known; libxl tells it in file names only

	Output          string // the file to answer in; "" and "-" are stdout
	OutputDirectory string // where the kernel and the ramdisk go, an absolute path
	Format          Format

	Args  string // --args and eliloader's --default_args and --extra_args, joined in their order
	Quiet bool   // no one is there to answer a question
	RunAs int    // the uid to drop to; 0 when not given

	// Words are all of it for a parser that stops at the first positional:
	// options first, each with its value as --name=value, then "--", then the
	// positionals. A value that is missing ends them, so that the parser sees it.
	Words []string
}

// CallError is the error of a call that can't be meant.
type CallError struct{ Problem, Try string }

func (e *CallError) Error() string { return e.Problem }

// ParseCall reads a whole command line, with the program's name first.
// environ is the environment, as [os.Environ] has it. takesValue says whether an
// option, named without its dashes, has a value; for one it does not know it says
// false.
//
//   - Options and positionals may come in any order, until "--".
//   - Empty words are dropped. An empty word after an option that takes a value
//     is that value.
//   - A word that holds several is split, because libvirt passes all of its
//     bootloader_args as one: at blanks before what looks like an option or
//     like a key of a vif string, and after an option's name. Quotes around
//     the whole of a value in such a word are taken off, as xend's shlex
//     did. A value of --args, one that is a word of its own, one of the
//     --kernel and --ramdisk that libxl writes before its --output, and a
//     word that is an absolute path stay as they are.
//   - Of --output, --output-format, --output-directory and --runas the first
//     one stays, which is the toolstack's own.
//   - Pieces of a vif string are read as one: xm's shlex makes two of
//     "mac=00:16:3e:72:79:e3, bridge=xenbr0". A MAC address by itself is one, too.
//     Of the other positionals the last is
//     the guest's disk, which libxl, xend and XAPI always pass.
//   - Under XAPI only the first words are its own, and the last, an absolute path,
//     is the disk. Of what is between only [XAPIOptions] are taken, and locations
//     of servers.
//
// With a *RefusedError, which is XAPI's, nothing else is known. With any other
// error Output and Words are: who fails without opening Output leaves xend waiting.
func ParseCall(argv, environ []string, takesValue func(option string) bool) (Call, error) {
	c := Call{Toolstack: toolstackOf(argv, environ)}
	c.Format = c.Toolstack.defaultFormat()
	if len(argv) == 0 {
		return c, nil
	}
	options, positionals := scan(argv[1:], takesValue)
	if c.Toolstack == XAPI {
		var err error
		if options, positionals, err = scanXAPI(argv[1:], takesValue); err != nil {
			return c, err
		}
	}
	options = firstOnly(options)
	c.Words = join(options, positionals, takesValue)
	for _, o := range options { // whatever else is wrong
		if o.name == "output" {
			c.Output = o.value
		}
	}
	if err := c.positionals(positionals); err != nil {
		return c, err
	}
	return c, c.options(options)
}

// positionals says what the words mean that are no options. All but the VIF is
// right also with an error.
func (c *Call) positionals(words []string) (err error) {
	var pieces []string
	for _, word := range words {
		switch {
		case c.Location == "" && IsLocation(word):
			c.Location = word
		case vifStart.MatchString(word):
			pieces = append(pieces, word)
		case isMAC(word):
			pieces = append(pieces, "mac="+word)
		default:
			c.Unknown = append(c.Unknown, word)
		}
	}
	if last := len(c.Unknown) - 1; last >= 0 {
		c.Disk, c.Unknown = c.Unknown[last], c.Unknown[:last]
	}
	c.VIF, err = ParseVIF(strings.Join(pieces, ","))
	return err
}

func isMAC(word string) bool {
	mac, err := net.ParseMAC(word)
	return err == nil && len(mac) == 6
}

// options reads those that are a toolstack's.
func (c *Call) options(options []option) (err error) {
	chosen, uuid := "", ""
	hasMAC := c.VIF.MAC != nil
	for _, o := range options {
		switch o.name {
		case "args", "default_args", "extra_args":
			c.Args = MergeArgs(c.Args, o.value)
		case "domid":
			if c.Domid, err = ParseDomid(o.value); err != nil {
				return fmt.Errorf("--domid: %w", err)
			}
		case "mac":
			hasMAC = hasMAC || o.value != ""
		case "output-directory":
			c.OutputDirectory = o.value
		case "output-format":
			if o.value == "" {
				continue
			}
			if c.Format, err = ParseFormat(o.value); err != nil {
				return err
			}
		case "q", "quiet":
			c.Quiet, _ = strconv.ParseBool(cmp.Or(o.value, "true"))
		case "runas":
			c.RunAs, _ = strconv.Atoi(o.value) // a parser refuses what is no number
		case "unapply":
			c.Format = XE // whose files it removes
		case "uuid":
			uuid = o.value
		case "vif":
			chosen = o.value
			number, err := strconv.ParseUint(o.value, 10, 8)
			if err != nil {
				return fmt.Errorf("--vif %q is no number from 0 on", o.value)
			}
			c.Interface = int(number)
		case "vm":
			c.VM = o.value
		}
	}
	if chosen != "" && hasMAC {
		return &CallError{"--vif chooses among the vifs that the toolstack knows, and a MAC is written down", "leave one of the two away"}
	}
	c.Domid = cmp.Or(c.Domid, domidOf(c.Output, c.OutputDirectory))
	directory := c.Toolstack.DefaultDirectory()
	if c.Format == XE {
		c.VM, directory = uuid, XEDirectory
	}
	c.OutputDirectory = cmp.Or(c.OutputDirectory, directory)
	if c.OutputDirectory, err = filepath.Abs(c.OutputDirectory); err != nil {
		return err
	}
	if !c.Toolstack.takesFilesFrom(c.OutputDirectory) {
		return &CallError{"XAPI takes no kernel from " + c.OutputDirectory, "leave --output-directory away; to have room elsewhere, mount it on " + c.Toolstack.DefaultDirectory()}
	}
	return nil
}

// Toolstack says which conventions hold beyond the options.
type Toolstack string

// The conventions there are.
const (
	// Xen is xl, libvirt, xend and people.
	Xen Toolstack = "xen"

	// XAPI is XenServer and XCP-ng. It never passes a VM's PV-args but
	// appends them itself, so that --args under it are what a user wrote
	// into PV-bootloader-args. It reads the answer from standard output, and
	// shows a user only the part of standard error after "RuntimeError: ".
	XAPI Toolstack = "xapi"
)

// toolstackOf tells who calls from the whole command line, with the program's
// name first, and from the environment, as [os.Environ] has it.
func toolstackOf(argv, environ []string) Toolstack {
	if len(argv) > 0 && (filepath.Base(argv[0]) == "eliloader" || underXAPI(argv[1:], environ)) {
		return XAPI
	}
	return Xen
}

// defaultFormat is the format of an answer when no --output-format is given.
func (t Toolstack) defaultFormat() Format {
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

// takesFilesFrom says whether the toolstack boots a kernel in this directory,
// named as it will be in the answer.
func (t Toolstack) takesFilesFrom(directory string) bool {
	return t != XAPI || slices.Contains(xapiDirectories, path.Clean(directory))
}

// FailurePrefix is what the last line on standard error must begin with for
// the toolstack to show the rest of it to a user (bootloader.ml,
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

// domidOf returns the guest's domain id, which libxl tells only in the names
// that it gives with --output and --output-directory,
// /var/lib/xen/bootloader.<domid>.out and .d; 0 when no path has it.
func domidOf(paths ...string) int {
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
// --runas; then it kills it by SIGKILL, and no one learns why. value is that of
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
