package grub

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
)

// ErrNoConfig is what an error wraps when the server has no grub.cfg.
var ErrNoConfig = errors.New("no GRUB configuration")

// GRUB is a GRUB that was loaded on a machine. What it reads, it reads once,
// however often it runs.
type GRUB struct {
	host  Host
	image *Image
	files *files
	Tried []Try // names that were asked for while a configuration was looked for
}

// New is GRUB as an image starts it; nil is an image of which nothing is known.
func New(h Host, image *Image, open Opener) *GRUB {
	if image == nil {
		image = &Image{}
	}
	return &GRUB{host: h, image: image, files: &files{open, map[string]answer{}}}
}

// guess is what a boot file's name says of one that can't be read.
func guess(bootFile string) *Image {
	name := strings.ToLower(path.Base(bootFile))
	i := &Image{EFI: strings.Contains(name, ".efi")}
	switch {
	case strings.Contains(name, "aa64"):
		i.CPU = "arm64"
	case strings.Contains(name, "ia32"):
		i.CPU = "i386"
	}
	return i
}

// Load reads the boot file of a host, and through shim the GRUB beside it.
// Known is false where there is none. The error is one of the opener.
func Load(ctx context.Context, h Host, open Opener) (*Image, error) {
	m := &machine{ctx: ctx, host: &h, image: &Image{}}
	m.prepare()
	files := &files{open, map[string]answer{}}
	name := path.Base("/" + h.BootFile)
	for range 2 {
		url, _ := m.url(m.get("cmdpath") + "/" + name)
		data, err := files.read(ctx, url)
		if err != nil {
			return guess(h.BootFile), err
		}
		image := ReadImage(data)
		if image.Known {
			return image, nil
		}
		if name = image.Next; name == "" {
			break
		}
	}
	return guess(h.BootFile), nil
}

// URL is the URL of a file by GRUB's name for it, or a URL.
func (g *GRUB) URL(name string) (string, error) {
	if strings.Contains(name, "://") {
		return name, nil
	}
	m := &machine{host: &g.host, image: g.image}
	m.prepare()
	url, failure := m.url(name)
	if failure != nil {
		return "", errors.New(failure.text)
	}
	return url, nil
}

// Choice is what is different in a run. The zero value is none.
type Choice struct {
	Entry   string   // what somebody picks in the first menu: a number, a title or an id, and those of submenus behind >
	Open    bool     // entries for users with a password boot without
	Missing []string // URLs of kernels that the server turned out not to have
}

// Result is what came of a run.
type Result struct {
	Config  string // URL of the configuration that was found
	Lines   int    // it has
	Bytes   int
	Entries []Entry // of the first menu
	Default string  // $default where that was shown
	// Highlight is the index of the entry that boots by itself, and Seconds how
	// long GRUB waits before; -1 is without end.
	Highlight int
	Seconds   int64
	Problems  []Problem
	Boot      *Boot // what boots; nil with an error
}

// Entry is one entry of a menu, with what its first commands load as they are
// written: variables are not expanded.
type Entry struct {
	ID, Title string
	Submenu   bool

	Type         Outcome
	Kernel, Args string
	Initrds      []string
}

// Run says what boots. With an error the Result holds what is known by then.
// The error wraps ErrNoConfig or ErrTooLarge, is a *NoEntryError, one of the
// opener's or of ctx, or says which line keeps anything from booting.
func (g *GRUB) Run(ctx context.Context, c Choice) (*Result, error) {
	m := &machine{
		ctx: ctx, host: &g.host, image: g.image, files: g.files, wanted: c.Entry, open: c.Open, missing: map[string]bool{},
		functions: map[string][]statement{},
	}
	for _, url := range c.Missing {
		m.missing[url] = true
	}
	g.Tried = g.Tried[:0]
	m.tried = &g.Tried
	m.prepare()
	if g.image.Config != "" {
		m.text("GRUB's image", g.image.Config)
	}
	if !m.over() && !m.searched {
		m.normal()
	}
	r := &Result{Config: m.config, Default: m.topDefault, Highlight: max(m.highlight, 0), Seconds: m.seconds, Problems: m.problems, Boot: m.boot}
	if a, found := g.files.known[m.config]; found {
		r.Bytes, r.Lines = len(a.data), strings.Count(string(a.data), "\n")
	}
	if m.top != nil {
		for _, e := range m.top.entries {
			r.Entries = append(r.Entries, e.describe())
		}
	}
	if m.over() {
		return r, m.err
	}
	return r, m.prompt()
}

// prompt says why GRUB ends at its own prompt.
func (m *machine) prompt() error {
	switch {
	case m.config == "":
		return ErrNoConfig
	case m.loaded != nil:
		return fmt.Errorf("%s%s is loaded, but there is neither a boot command nor a menu entry", m.loaded.prefix(), cmp.Or(m.loaded.Kernel, "a boot loader"))
	case len(m.problems) > 0:
		return fmt.Errorf("%s has no menu entry: %s", m.config, m.problems[len(m.problems)-1])
	}
	return fmt.Errorf("%s has no menu entry", m.config)
}

// prepare sets the variables that GRUB begins with (kern/main.c; net/bootp.c).
func (m *machine) prepare() {
	m.scopes = []*scope{{variables: map[string]variable{}}}
	h := m.host
	device, path := "tftp,"+h.Server.String(), h.BootFile
	if protocol, rest, found := strings.Cut(h.BootFile, "://"); found {
		host, file, _ := strings.Cut(rest, "/")
		device, path = protocol+","+host, "/"+file
	}
	directory := path[:max(strings.LastIndexByte(path, '/'), 0)]
	cpu, platform, card := "i386", "pc", "pxe"
	if m.image.EFI {
		cpu, platform, card = cmp.Or(m.image.CPU, "x86_64"), "efi", "efinet0"
	}
	prefix := m.image.Prefix
	switch {
	case prefix == "":
		prefix = "(" + device + ")" + trimPlatform(directory)
	case strings.HasPrefix(prefix, "(") && !strings.HasPrefix(prefix, "(,"):
	default:
		prefix = "(" + device + ")" + prefix
	}
	m.set("net_default_server", device[strings.IndexByte(device, ',')+1:])
	m.set("root", device)
	m.set("prefix", prefix)
	m.set("cmdpath", "("+device+")"+directory)
	m.set("fw_path", "("+device+")"+directory)
	m.set("net_default_interface", card)
	m.set("net_default_ip", h.Address.String())
	m.set("net_default_mac", h.MAC.String())
	for name, value := range map[string]string{
		"ip": h.Address.String(), "mac": h.MAC.String(), "boot_file": h.BootFile, "next_server": h.Server.String(), "domain": h.Domain,
	} {
		m.set("net_"+card+"_"+name, value)
	}
	m.set("grub_cpu", cpu)
	m.set("grub_platform", platform)
	for _, feature := range strings.Fields(`200_final all_video_module chainloader_bpb default_font_path menuentry_id menuentry_options
		nativedisk_cmd ntldr platform_search_hint timeout_style`) {
		m.set("feature_"+feature, "y")
	}
	m.set("lang", "")
	m.set("pager", "")
	for name := range m.current().variables {
		m.export(name)
	}
	m.set("?", "0")
}

// trimPlatform is the directory above i386-pc or x86_64-efi, where GRUB's own
// files are.
func trimPlatform(directory string) string {
	directory = strings.TrimRight(directory, "/")
	for _, platform := range []string{"i386-pc", "x86_64-efi", "i386-efi", "arm64-efi"} {
		if above, found := strings.CutSuffix(directory, platform); found && (above == "" || strings.HasSuffix(above, "/")) {
			return strings.TrimRight(above, "/")
		}
	}
	return directory
}

// normal looks for a configuration and runs it (normal/main.c, grub_cmd_normal).
func (m *machine) normal() {
	prefix := m.get("prefix")
	for _, name := range m.names() {
		if !m.image.Known { // an image that asks there has its prefix there
			m.set("prefix", name[:strings.LastIndexByte(name, '/')])
		}
		if m.source(name) {
			m.menu()
		}
		if m.config != "" || m.over() {
			return
		}
	}
	if !m.image.Known {
		m.set("prefix", prefix)
	}
}

// menu shows the menu of a configuration that has been run, if it has entries.
func (m *machine) menu() {
	if menu := m.current().menu; menu != nil && len(menu.entries) > 0 {
		m.show(menu, false)
	}
}

// names are GRUB's names for configurations, in the order in which they are
// asked for (net/net.c, grub_net_search_config_file). It looks for those of one
// machine by TFTP only.
func (m *machine) names() (names []string) {
	for _, directory := range m.directories() {
		name := directory + "/grub.cfg"
		if strings.HasPrefix(directory, "(tftp") && m.get("feature_net_search_cfg") != "n" {
			for _, suffix := range m.host.suffixes() {
				names = append(names, name+"-"+suffix)
			}
		}
		names = append(names, name)
	}
	return names
}

// suffixes are what the machine's own configurations have at their end.
func (h *Host) suffixes() []string {
	suffixes := []string{"01-" + strings.ReplaceAll(h.MAC.String(), ":", "-")}
	if h.Address.Is4() {
		ip := fmt.Sprintf("%X", h.Address.AsSlice())
		for n := len(ip); n > 0; n-- {
			suffixes = append(suffixes, ip[:n])
		}
	} else if h.Address.IsValid() {
		suffixes = append(suffixes, strings.ReplaceAll(h.Address.String(), ":", "-"))
	}
	return suffixes
}

// directories are where an image looks: its prefix; and first the boot file's
// directory where it is Red Hat's, or Debian's since 13. Where the image did not
// tell, they are those that distributions' images have, and that people use.
func (m *machine) directories() []string {
	firmware, prefix := m.get("fw_path"), m.get("prefix")
	switch {
	case m.image.Known && m.image.FirmwarePath:
		return distinct(firmware, prefix)
	case m.image.Known:
		return []string{prefix}
	}
	device := "(" + m.get("root") + ")"
	list := []string{prefix, firmware}
	for _, directory := range usualDirectories {
		list = append(list, device+directory)
	}
	return distinct(list...)
}

// usualDirectories are asked for where an image does not tell its own.
var usualDirectories = []string{"/boot/grub", "/grub", "/boot/grub2", "/grub2"}

func distinct(list ...string) (out []string) {
	seen := map[string]bool{}
	for _, s := range list {
		if key := strings.Replace(s, ")/", ")", 1); !seen[key] {
			seen[key] = true
			out = append(out, s)
		}
	}
	return out
}
