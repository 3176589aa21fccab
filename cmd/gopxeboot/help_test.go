package main

import (
	"cmp"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gopxeboot/gopxeboot/internal/boot"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/xenout"
	"github.com/urfave/cli/v2"
)

// helps is each command, and the bootloader as "".
func helps() map[string]*cli.Command {
	all := map[string]*cli.Command{"": {Flags: append(bootFlags(), cli.HelpFlag)}}
	for _, c := range commands() {
		all[c.Name] = c
	}
	return all
}

func TestHelp(t *testing.T) {
	for name, c := range helps() {
		t.Run("gopxeboot "+name, func(t *testing.T) {
			text := gopxeboot(t, strings.Fields(name+" --help")...).Stdout
			checkPage(t, text)
			for _, f := range c.Flags {
				checkShown(t, text, f)
			}
			for _, wrong := range []string{"(default: )", "(default: false)", "(default: 0)", "{{"} {
				if strings.Contains(text, wrong) && !strings.Contains(text, "--vif") {
					t.Errorf("help has %q", wrong)
				}
			}
		})
	}
	checkPage(t, summary(commands()))
}

// checkPage looks at what a terminal shows.
func checkPage(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if n := utf8.RuneCountInString(line); n > helpWidth {
			t.Errorf("%d columns: %s", n, line)
		}
		if strings.TrimRight(line, " ") != line {
			t.Errorf("blanks at the end: %q", line)
		}
	}
}

// checkShown looks for a flag in help: once, unless it is hidden.
func checkShown(t *testing.T, text string, f cli.Flag) {
	t.Helper()
	sectionsOf := 0
	for _, s := range sections() {
		if len(s.in([]cli.Flag{f})) > 0 {
			sectionsOf++
		}
	}
	if !f.(cli.VisibleFlag).IsVisible() {
		if sectionsOf != 0 {
			t.Errorf("--%s is hidden, and in a section", f.Names()[0])
		}
		return
	}
	if sectionsOf != 1 {
		t.Errorf("--%s is in %d sections", f.Names()[0], sectionsOf)
	}
	if n := strings.Count(text, "\n"+strings.SplitAfter(optionOf(f).help(), "\n")[0]); n != 1 {
		t.Errorf("--%s is shown %d times", f.Names()[0], n)
	}
}

// Each option of a command does something there: what it says is among the
// options of the boot, or the command reads it by itself.
func TestOptionsUsed(t *testing.T) {
	dir := t.TempDir()
	labtest.Check(t, os.Chmod(dir, 0o700)) // as the cache wants it
	list, key := filepath.Join(t.TempDir(), "SHA256SUMS"), filepath.Join(t.TempDir(), "key.pub")
	writeFile(t, list, strings.Repeat("0", 64)+"  vmlinuz\n")
	writeFile(t, key, "untrusted comment: minisign public key\nRWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\n")
	values := map[string]string{
		"mac": "00:16:3e:00:00:01", "vlan": "7", "vif": "1", "guest-type": "pvh", "net": "dom0", "server": "10.0.0.1", "timeout": "7s", "runas": "7",
		"pcap": os.DevNull, "ca": os.DevNull, "arch": "7", "option": "60=x", "dhcp-timeout": "7s", "retransmit": "7s", "proxy-wait": "7s",
		"arp-probe": "7s", "menu-timeout": "7s", "location": "http://h/", "distro": "rhlike", "max-kernel": "7", "max-initrd": "7", "max-size": "7",
		"output-format": "xl", "domid": "7", "program": "ipxe", "set": "a=b", "address": "10.0.0.7/24", "router": "10.0.0.2",
		"sha256": "vmlinuz=" + strings.Repeat("0", 64), "sums": list, "key": key, "cache": dir, "cache-size": "7000000000",
	}
	const directly = "--output-format=xe --output-directory=/var/lib/xcp/guest/x --uuid=564d1c4f-0a1b-4c3d-8e5f-a0b1c2d3e4f5"
	beside := map[string]string{ // options that have no effect alone
		"distro": "--location=http://h/", "release": "--location=http://h/",
		"address": "--server=10.0.0.1", "router": "--server=10.0.0.1 --address=10.0.0.7/24", "apply": directly,
		"cache": "--sums=" + list, "cache-size": "--sums=" + list + " --cache=" + dir,
	}
	elsewhere := readElsewhere(t)
	for _, name := range []string{"", "plan", "check", "get"} {
		for _, f := range helps()[name].Flags {
			option := f.Names()[0]
			if !f.(cli.VisibleFlag).IsVisible() || slices.Contains(elsewhere, option) {
				continue
			}
			base := strings.Fields(beside[option])
			value := cmp.Or(values[option], "x")
			if _, ok := f.(*cli.BoolFlag); ok {
				value = "true"
			}
			with := append(base, dashed(option)+"="+value)
			if reflect.DeepEqual(optionsOf(t, name, base), optionsOf(t, name, with)) {
				t.Errorf("gopxeboot %s: %s changes nothing", name, dashed(option))
			}
		}
	}
}

// optionsOf is what a command makes of its options.
func optionsOf(t *testing.T, command string, args []string) any {
	t.Helper()
	flags := helps()[command].Flags
	call, err := xenout.ParseCall(append([]string{"gopxeboot"}, args...), nil, takesValue(flags))
	labtest.Check(t, err)
	words, err := oneForm(call.Words, flags)
	labtest.Check(t, err)
	var o boot.Options
	app := &cli.App{Flags: flags, Writer: io.Discard, Action: func(c *cli.Context) (err error) {
		o, err = options(c, &call, console.New(io.Discard, console.Quiet))
		return err
	}}
	labtest.Check(t, app.Run(append([]string{"gopxeboot"}, words...)))
	call.Words = nil
	return []any{call, o}
}

// readElsewhere has the options that commands look at beside those of the boot.
func readElsewhere(t *testing.T) (options []string) {
	t.Helper()
	for _, file := range []string{"boot.go", "check.go", "plan.go", "get.go", "main.go", "flags.go", "menu.go"} {
		text, err := os.ReadFile(file)
		labtest.Check(t, err)
		for _, m := range regexp.MustCompile(`\bc\.(?:String|Bool|Int|Float64|IsSet|Generic)\("([a-z-]+)"`).FindAllSubmatch(text, -1) {
			options = append(options, string(m[1]))
		}
	}
	return append(options, "help", "version")
}

// A default that is a value is the one that the flag has, and not only words
// about it.
func TestDefaults(t *testing.T) {
	for name, c := range helps() {
		for _, f := range c.Flags {
			generic, ok := f.(*cli.GenericFlag)
			if !ok || generic.DefaultText != "" || generic.Value.String() == "" {
				continue
			}
			shown := generic.Value.String()
			if err := generic.Value.Set(shown); err != nil || generic.Value.String() != shown {
				t.Errorf("gopxeboot %s: --%s has the default %q, and makes of it %q: %v", name, f.Names()[0], shown, generic.Value, err)
			}
		}
	}
}

func TestOptionOf(t *testing.T) {
	for _, c := range []struct {
		flag cli.Flag
		want string
	}{
		{&cli.BoolFlag{Name: "q", Aliases: []string{"quiet"}, Usage: "say less"}, "  -q, --quiet           say less"},
		{&cli.UintFlag{Name: "vlan", Usage: "the VLAN `N`"}, "  --vlan N              the VLAN N"},
		{&cli.StringFlag{Name: "net", Value: "auto", Usage: "from `NET`"}, "  --net NET             from NET (default: auto)"},
		{&cli.StringFlag{Name: "runas", Usage: "the `UID`", DefaultText: "none"}, "  --runas UID           the UID (default: none)"},
		{&cli.StringFlag{Name: "output-directory", Usage: "the `DIRECTORY` for them"}, "  --output-directory DIRECTORY\n                        the DIRECTORY for them"},
	} {
		if got := optionOf(c.flag).help(); got != c.want {
			t.Errorf("got\n%s\nwant\n%s", got, c.want)
		}
	}
}

func TestVersionOf(t *testing.T) {
	checkout := &debug.BuildInfo{Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "0123456789abcdef"}, {Key: "vcs.time", Value: "2026-11-28T12:00:00Z"}}}
	untagged := &debug.BuildInfo{Settings: checkout.Settings}
	untagged.Main.Version = "v0.0.0-20261128120000-0123456789ab"
	installed := &debug.BuildInfo{}
	installed.Main.Version = "v0.9.0"
	for _, c := range []struct {
		name, version string
		info          *debug.BuildInfo
		want          string
	}{
		{"make", "v0.9.0, commit 01234567 of 2026-11-28", installed, "v0.9.0, commit 01234567 of 2026-11-28, "},
		{"go build", "", checkout, "devel (commit 0123456789ab of 2026-11-28T12:00:00Z), "},
		{"go build without a tag", "", untagged, "v0.0.0-20261128120000-0123456789ab, "},
		{"go install", "", installed, "v0.9.0, "},
		{"nothing is known", "", nil, "devel, "},
	} {
		if got := versionOf(c.version, c.info); !strings.HasPrefix(got, c.want+"go1.") {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
