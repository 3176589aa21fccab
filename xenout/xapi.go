package xenout

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// An XAPIOption is an option that XAPI may find in a VM's PV-bootloader-args.
type XAPIOption struct {
	Names  []string // all of its names, without dashes
	Values string   // what its value has to be, for people; "" for any
	Why    string   // why it is harmless, for people

	allows func(value string) bool // nil for any
}

// XAPIOptions are the options that are taken from PV-bootloader-args, and there
// are no others. VM administrators write those, who are not dom0's root, and
// xenopsd runs a bootloader as root. So none of these can name a file, a
// program, a limit or a network of dom0. Where a server may be is not decided
// here, as configurations and redirects name servers too.
var XAPIOptions = []XAPIOption{
	// PV-args, which a VM's administrators write as well, get there anyway.
	{Names: []string{"args", "default_args", "extra_args"}, Why: "the guest's own command line"},
	// The lab's configuration is what it names a part of.
	{Names: []string{"label", "entry"}, Why: "an entry of the lab's configuration; one that has a password is refused"},
	// The process that asks for it has no files of dom0's.
	{Names: []string{"bootfile"}, Values: "no `file:`", Why: "a file of the lab's server, or a URL", allows: notFile},
	{Names: []string{"config-dir"}, Values: "no `file:`", Why: "a directory of the lab's server", allows: notFile},
	// With a location in dom0 they would be dom0's files.
	{Names: []string{"kernel", "ramdisk"}, Values: "a name without a `/` at its start, or a server's URL", Why: "a file of the lab or of the location", allows: isRemoteFile},
	{Names: []string{"location"}, Values: "`http://`, `https://`, `ftp://`, `tftp://`, `nfs:` or `nfs+iso:`", Why: "a server's directory or image", allows: serverForm.MatchString},
	{Names: []string{"distro", "release"}, Why: "names that are looked for at the location"},
	// What a guest says to DHCP it can say itself, once it runs.
	{Names: []string{"arch", "client-id", "option", "user-class", "vendor-class"}, Why: "what DHCP is asked as, which the guest may do itself"},
	{Names: []string{"vif"}, Values: "digits", Why: "one of the VM's own interfaces", allows: isNumber},
	{Names: []string{"offset"}, Values: "digits", Why: "a place on the VM's own disk", allows: isNumber},
	// The next boots are of the VM's own disk, as without us.
	{Names: []string{"once"}, Why: "the VM boots from its own disk after the first time"},
	// Which these are takesFilesFrom says, which is asked wherever one was named.
	{Names: []string{"output-directory"}, Values: "`/var/run/xen/pygrub` or `/var/run/xend/boot`", Why: "XAPI takes files from these two"},
	// xenopsd keeps what is said in a file of its own while it runs us.
	{Names: []string{"debug", "logging", "q", "quiet", "v", "verbose"}, Why: "how much xenopsd's log gets to hear"},
}

// A RefusedError says what PV-bootloader-args may not hold.
type RefusedError struct {
	Word   string // as it was written; an option without its value when no value would do
	Reason string
}

func (e *RefusedError) Error() string {
	return fmt.Sprintf("PV-bootloader-args must not say %q: %s", e.Word, e.Reason)
}

// scanXAPI is scan for XAPI's words. The first of them are XAPI's own, and the
// last, an absolute path, is the VM's disk, whatever stands before it. What is
// between is PV-bootloader-args, cut at each blank: of that only XAPIOptions are
// taken, and locations of servers. Anything else is a *RefusedError, as a VM might
// boot something else without it.
func scanXAPI(words []string, takesValue func(option string) bool) ([]option, []string, error) {
	own, words := cutXAPI(words)
	options, positionals := scan(own, takesValue)
	var disk []string
	if last := len(words) - 1; last >= 0 && filepath.IsAbs(words[last]) {
		words, disk = words[:last], words[last:]
	}
	words = slices.DeleteFunc(slices.Clone(words), func(w string) bool { return w == "" })
	theirs, more := scan(words, takesValue)
	for i, o := range theirs {
		// The first eliloaders were given --vm after other options of XAPI's.
		if own == nil && o.name == "vm" && !slices.ContainsFunc(theirs[:i], func(o option) bool { return o.name == "vm" }) {
			continue
		}
		if err := o.refused(); err != nil {
			return nil, nil, err
		}
	}
	for _, word := range more {
		if !serverForm.MatchString(word) {
			return nil, nil, &RefusedError{word, "it is no option and no URL of a server; XAPI itself says which disk and interface a VM has"}
		}
	}
	return append(options, theirs...), slices.Concat(positionals, more, disk), nil
}

// refused is nil for an option that PV-bootloader-args may hold.
func (o option) refused() error {
	for _, x := range XAPIOptions {
		switch {
		case !slices.Contains(x.Names, o.name):
		case o.hasValue && x.allows != nil && !x.allows(o.value):
			return &RefusedError{o.dashes + o.name + "=" + o.value, "the value has to be " + strings.ReplaceAll(x.Values, "`", "")}
		default:
			return nil
		}
	}
	return &RefusedError{o.dashes + o.name, "it is none of the options that VM administrators may use"}
}

// pygrubsPlace matches an option by which XAPI names the VM in pygrub's place.
var pygrubsPlace = regexp.MustCompile(`^--(domid|runas)=[0-9]+$`)

// cutXAPI cuts XAPI's own words off; own is nil when words do not begin as
// XAPI's do (xenopsd's bootloader.ml, command). In the place of pygrub those
// are "--output-format=simple -q", and "--domid=N" from 23.26.0 on, "--runas=N"
// from 26.17.0 on; in the place of eliloader "-q --vm UUID". Quiet is an option
// of xenopsd's too.
func cutXAPI(words []string) (own, rest []string) {
	at := func(i int) string {
		if i < len(words) {
			return words[i]
		}
		return ""
	}
	n := 0
	pygrub := at(0) == "--output-format=simple"
	if pygrub {
		n++
	}
	if at(n) == "-q" {
		n++
	}
	switch {
	case pygrub && pygrubsPlace.MatchString(at(n)), !pygrub && strings.HasPrefix(at(n), "--vm="):
		n++
	case !pygrub && at(n) == "--vm" && at(n+1) != "":
		n += 2
	case !pygrub:
		return nil, words
	}
	return words[:n:n], words[n:]
}

// underXAPI says whether these are XAPI's words. Nothing that a VM's
// administrator writes can hide it. Others may well begin with
// --output-format=simple, but then there is more in the environment than
// xenopsd leaves (forkhelpers.ml, default_path_env_pair).
func underXAPI(words, environ []string) bool {
	own, _ := cutXAPI(words)
	if len(own) > 0 && (own[0] != "--output-format=simple" || pygrubsPlace.MatchString(own[len(own)-1]) || !slices.ContainsFunc(environ, isPersons)) {
		return true
	}
	if end := slices.Index(words, "--"); end >= 0 {
		words = words[:end]
	}
	return slices.ContainsFunc(words, func(w string) bool { return w == "--vm" || strings.HasPrefix(w, "--vm=") })
}

// isPersons says whether a variable is neither xenopsd's nor one that a shell
// or Python adds, in which dom0's root may have written a wrapper.
func isPersons(variable string) bool {
	name, _, _ := strings.Cut(variable, "=")
	return !slices.Contains([]string{"PATH", "PWD", "OLDPWD", "SHLVL", "_", "LC_CTYPE"}, name)
}

// IsLocation says whether a word has a location's form with a scheme, as
// xenpvboot took it without an option. A bare path has none: a toolstack's last
// word is the guest's disk.
func IsLocation(word string) bool {
	return serverForm.MatchString(word) || strings.HasPrefix(strings.ToLower(word), "file://")
}

// serverForm matches a location that is on a server.
var serverForm = regexp.MustCompile(`(?i)^(https?://|ftp://|tftp://|nfs:|nfs\+iso:)`)

func isRemoteFile(name string) bool {
	return !strings.HasPrefix(name, "/") && notFile(name)
}

func notFile(name string) bool {
	return !strings.HasPrefix(strings.ToLower(strings.TrimLeft(name, blanks)), "file:")
}

func isNumber(text string) bool { return text != "" && strings.Trim(text, "0123456789") == "" }
