package domain

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"reflect"
	"slices"
	"strings"

	"github.com/gopxeboot/gopxeboot/xenout"
)

// fromXL reads the configuration that the toolstack was started with. It is
// still on xl's command line when the guest reboots, because xl stays to
// create it anew.
func (h *Host) fromXL(parent process) lookup {
	return func(_ context.Context, guest Info, wanted int) (Info, error) {
		file, cfg, err := h.created(parent)
		if err != nil {
			return guest, err
		}
		if err := guest.mustBe(cfg.text("name"), cfg.uuid()); err != nil {
			return guest, fmt.Errorf("%s: %w", file, err)
		}
		return h.xlGuest(guest, wanted, file, cfg)
	}
}

// fromEtcXen looks for the guest's name in the configurations that dom0 keeps,
// or for its uuid where that is all that is known.
func (h *Host) fromEtcXen(_ context.Context, guest Info, wanted int) (Info, error) {
	is, sought := func(c config) bool { return c.text("name") == guest.Name }, fmt.Sprintf("name = %q", guest.Name)
	switch {
	case guest.Name != "":
	case guest.UUID != "":
		is, sought = func(c config) bool { return c.uuid() == guest.UUID }, fmt.Sprintf("uuid = %q", guest.UUID)
	default:
		return guest, errors.New("/etc/xen: not searched, because the guest's name is not known")
	}
	var found []Info
	var files, problems []string
	var conclusion error
	for _, file := range h.configurations() {
		cfg, err := h.readConfig(file)
		if !is(cfg) {
			continue
		}
		// A file with errors is not what xl has read, and one in xm's Python
		// says what it means only to Python.
		if err == nil {
			err = guest.mustBe(cfg.text("name"), cfg.uuid())
		}
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s: %v", file, err))
			continue
		}
		info, err := h.xlGuest(guest, wanted, file, cfg)
		if err != nil {
			conclusion = err
		} else {
			found = append(found, info)
		}
		files = append(files, file)
	}
	switch {
	case len(files) == 0 && len(problems) == 0:
		return guest, fmt.Errorf("/etc/xen: no configuration in it has %s", sought)
	case len(files) == 0:
		return guest, errors.New(strings.Join(problems, "; "))
	case len(found) == 0:
		return guest, conclusion
	case len(found) < len(files) || slices.ContainsFunc(found, func(i Info) bool { return !sameVIF(i.VIFs[wanted], found[0].VIFs[wanted]) }):
		return guest, &conclusive{fmt.Sprintf("%s all have %s, but not the same vif: rename or remove what is not used",
			strings.Join(files, " and "), sought)}
	}
	return found[0], nil
}

// sameVIF does not tell interfaces apart by keys that mean nothing.
func sameVIF(a, b xenout.VIF) bool {
	a.Unknown, b.Unknown = nil, nil
	a.IP, b.IP = "", ""
	return reflect.DeepEqual(a, b)
}

// maxConfigurations is how many files of /etc/xen are read at most.
const maxConfigurations = 2000

// configurations are the files that may be a guest's: those in /etc/xen with
// any name, and those that xendomains starts at boot. What editors, dpkg and
// rpm leave behind is not among them.
func (h *Host) configurations() []string {
	var files []string
	for _, dir := range []string{"/etc/xen", "/etc/xen/auto"} {
		// A directory that is not there holds nothing.
		entries, _ := fs.ReadDir(h.Root, dir[1:])
		for _, entry := range entries {
			name := entry.Name()
			if !entry.IsDir() && !isLeftover(name) && name != "xl.conf" && len(files) < maxConfigurations {
				files = append(files, path.Join(dir, name))
			}
		}
	}
	return files
}

func isLeftover(name string) bool {
	return name[0] == '.' || name[0] == '#' || name[len(name)-1] == '~' ||
		slices.Contains([]string{".bak", ".old", ".orig", ".save", ".swp",
			".dpkg-old", ".dpkg-dist", ".dpkg-new", ".rpmsave", ".rpmnew", ".rpmorig"}, path.Ext(name))
}

// mustBe says that a configuration, which may leave out either, is not this
// guest's.
func (guest Info) mustBe(name, uuid string) error {
	if guest.Name != "" && name != "" && name != guest.Name {
		return fmt.Errorf("it is the configuration of %q", name)
	}
	if guest.UUID != "" && uuid != "" && uuid != guest.UUID {
		return fmt.Errorf("it is for uuid %s, but the guest has %s", uuid, guest.UUID)
	}
	return nil
}

// xlGuest completes what is known of a guest from its configuration. Of its
// interfaces only the wanted one has to be right.
func (h *Host) xlGuest(guest Info, wanted int, file string, cfg config) (Info, error) {
	specs := cfg.strings("vif")
	if len(specs) == 0 {
		return guest, &conclusive{fmt.Sprintf("%s has no vif=: write vif = [ \"mac=00:16:3e:XX:XX:XX,bridge=xenbr0\" ] there", file)}
	}
	if wanted >= len(specs) {
		return guest, &conclusive{fmt.Sprintf("%s has no vif[%d], the last one is vif[%d]", file, wanted, len(specs)-1)}
	}
	vifs := make([]xenout.VIF, len(specs))
	for i, spec := range specs {
		vif, err := xenout.ParseVIF(spec)
		if i == wanted && err != nil {
			return guest, &conclusive{fmt.Sprintf("vif[%d] of %s: %v", i, file, err)}
		}
		if i == wanted && vif.MAC == nil {
			return guest, &conclusive{fmt.Sprintf("vif[%d] of %s has no mac=: xl makes a new one at each start, and it is nowhere to be read; write mac= there", i, file)}
		}
		if err == nil {
			vif = h.withDefaults(vif)
		}
		vifs[i] = vif
	}
	guest.Name = cmp.Or(guest.Name, cfg.text("name"))
	guest.UUID = cmp.Or(guest.UUID, cfg.uuid())
	guest.Type = cfg.typeOr(guest.Type)
	guest.VIFs, guest.Source = vifs, file
	return guest, nil
}

// withDefaults adds what a vif leaves out, as xl's parse_global_config does:
// by the older of two names only where the newer one is not there.
func (h *Host) withDefaults(vif xenout.VIF) xenout.VIF {
	// xl, too, goes on without this file.
	cfg, _ := h.readConfig("/etc/xen/xl.conf")
	vif.Bridge = cmp.Or(vif.Bridge, cfg.text("vif.default.bridge"), cfg.text("defaultbridge"))
	vif.Script = cmp.Or(vif.Script, cfg.text("vif.default.script"), cfg.text("vifscript"))
	vif.Gateway = cmp.Or(vif.Gateway, cfg.text("vif.default.gatewaydev"))
	vif.Backend = cmp.Or(vif.Backend, cfg.text("vif.default.backend"))
	return vif
}

func (h *Host) readConfig(file string) (config, error) {
	text, err := h.read(file)
	if err != nil {
		return nil, err
	}
	return parseConfig(text)
}

// created returns the configuration that "xl create" made the guest from,
// and the name of its file.
func (h *Host) created(parent process) (file string, cfg config, err error) {
	file, settings, ok := createArguments(parent.argv)
	if !ok {
		return "", nil, fmt.Errorf("the command line of xl names no configuration: %q", parent.argv)
	}
	file, text, fileErr := h.xlFile(parent, file)
	// xl appends the settings to the file's text (xl_vmcontrol.c,
	// create_domain).
	cfg, err = parseConfig(text + "\n" + strings.Join(settings, "\n") + "\n")
	switch {
	case fileErr != nil && cfg["vif"].list == nil:
		return "", nil, fileErr
	case fileErr != nil || file == "/dev/null":
		file = "the command line of xl create"
	}
	if err != nil {
		return "", nil, fmt.Errorf("%s: %w", file, err)
	}
	return file, cfg, nil
}

// xlFile reads the file that xl was given, and returns its absolute name.
func (h *Host) xlFile(parent process, file string) (name, text string, err error) {
	if file == "/dev/null" { // which xl takes for an empty file
		return file, "", nil
	}
	if path.IsAbs(file) {
		text, err = h.read(file)
		return file, text, err
	}
	dir, err := fs.ReadLink(h.Root, fmt.Sprintf("proc/%d/cwd", parent.pid))
	if err == nil {
		name = path.Join(dir, file)
		if text, err = h.read(name); err == nil {
			return name, text, nil
		}
	}
	// Once its first guest runs, xl is a daemon in / (xl_utils.c,
	// do_daemonize). Most guests are created from /etc/xen.
	name = path.Join("/etc/xen", path.Base(file))
	if text, etcErr := h.read(name); etcErr == nil {
		return name, text, nil
	}
	return file, "", fmt.Errorf("xl create was given %s: %w, nor is there %s", file, err, name)
}

// createArguments reads the command line of "xl [global options] create" as
// main (xl.c) and main_create (xl_vmcontrol.c) do: the configuration's file
// from the first word, -f or any other word, and the settings, which are
// words with "=". Without a file it is /dev/null.
func createArguments(argv []string) (file string, settings []string, ok bool) {
	if len(argv) == 0 {
		return "", nil, false
	}
	words := argv[1:]
	for len(words) > 0 && strings.HasPrefix(words[0], "-") {
		words = words[1:] // no global option has a value
	}
	// A command may be shortened while it can be only one; there is also
	// "console".
	if len(words) == 0 || len(words[0]) < len("cr") || !strings.HasPrefix("create", words[0]) {
		return "", nil, false
	}
	words = words[1:]
	for len(words) > 0 {
		word := words[0]
		words = words[1:]
		switch value, wanted := fileOption(word); {
		case word == "--":
			for _, word := range words {
				file, settings = addPositional(word, file, settings)
			}
			words = nil
		case wanted && value != "":
			file = value
		case wanted && len(words) > 0:
			file, words = words[0], words[1:]
		case len(word) > 1 && word[0] == '-':
		default:
			file, settings = addPositional(word, file, settings)
		}
	}
	file = cmp.Or(file, "/dev/null")
	return file, settings, file != "/dev/null" || len(settings) > 0
}

// Attended says whether somebody looks at the guest's console while it is
// created: xl runs as "xl create -c", and not as the daemon that creates a guest
// anew after it has rebooted, which has no terminal (xl_utils.c, do_daemonize).
func (h *Host) Attended() bool {
	parent := h.parent()
	if _, _, ok := createArguments(parent.argv); !ok || !parent.isXL() {
		return false
	}
	for _, word := range parent.argv[1:] {
		if word == "--" {
			return false
		}
		letters, short := strings.CutPrefix(word, "-")
		letters, _, _ = strings.Cut(letters, "f") // its value follows
		if short && !strings.HasPrefix(letters, "-") && strings.Contains(letters, "c") {
			return h.hasTerminal(parent.pid)
		}
	}
	return false
}

// hasTerminal says whether a process has a controlling terminal (proc(5),
// /proc/pid/stat, tty_nr).
func (h *Host) hasTerminal(pid int) bool {
	stat, err := h.read(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	return len(fields) > 4 && fields[4] != "0"
}

func addPositional(word, file string, settings []string) (string, []string) {
	if strings.Contains(word, "=") {
		return file, append(settings, word)
	}
	file = cmp.Or(file, word)
	return file, settings
}

// fileOption says whether a word is the option that names the file, and with
// which value; "" when the value is the next word. It is -f, alone or after
// other letters, and --defconfig, which getopt_long lets one shorten.
func fileOption(word string) (value string, is bool) {
	if long, ok := strings.CutPrefix(word, "--"); ok {
		name, value, _ := strings.Cut(long, "=")
		return value, len(name) > 1 && strings.HasPrefix("defconfig", name)
	}
	if len(word) > 1 && word[0] == '-' {
		_, value, is = strings.Cut(word, "f") // no other letter has a value
	}
	return value, is
}
