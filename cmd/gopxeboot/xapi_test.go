package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/gopxeboot/gopxeboot/xenout"
	"github.com/urfave/cli/v2"
)

// taken are the options that a VM's administrators may use, with a value for
// each that has one. All the others can name a file, a program, a limit or a
// network of dom0, say which VM it is, or have no answer for XAPI.
var taken = map[string]string{
	"args": "a", "default_args": "a", "extra_args": "a", "label": "linux", "entry": "linux",
	"bootfile": "pxelinux.0", "config-dir": "pxelinux.cfg", "kernel": "vmlinuz", "ramdisk": "initrd.img",
	"location": "http://192.168.1.166/", "distro": "rhlike", "release": "bookworm",
	"arch": "efi64", "client-id": "a", "option": "43=a", "user-class": "a", "vendor-class": "a",
	"vif": "1", "offset": "1048576", "output-directory": "/var/run/xend/boot",
	"q": "", "quiet": "", "once": "", "v": "", "verbose": "", "debug": "", "logging": "",
}

// Every option that there is, in each of XAPI's places and in each spelling.
func TestXAPIOptions(t *testing.T) {
	takes := takesValue(bootFlags())
	var names []string
	for _, f := range append(bootFlags(), cli.HelpFlag) {
		names = append(names, f.Names()...)
	}
	for name := range taken {
		if !slices.Contains(names, name) {
			t.Errorf("there is no --%s", name)
		}
	}
	t.Chdir(t.TempDir())
	for _, own := range [][]string{eliloaderSlot(), pygrubSlot(), pygrubSlotDomid(), pygrubSlotNameless()} {
		for _, name := range names {
			value, ok := taken[name]
			if !ok {
				value = "named" // a file, if it is taken for one
			}
			spellings := []string{"--" + name + "=" + value, "-" + name + "=" + value, "--" + name + " " + value, "-" + name + " " + value}
			if !takes(name) {
				spellings = []string{"--" + name, "-" + name, "--" + name + "=true"}
			}
			for _, spelling := range spellings {
				words := slices.Concat(own, strings.Split(spelling, " "), []string{"/dev/sm/x"})
				_, err := xenout.ParseCall(slices.Concat([]string{"gopxeboot"}, words), nil, takes)
				if _, refused := errors.AsType[*xenout.RefusedError](err); !refused {
					err = nil // of a value
				}
				if ok != (err == nil) {
					t.Errorf("%q: %v", words, err)
				}
				if ok {
					continue
				}
				o := runIn(t, []string{"PATH=/sbin:/usr/sbin:/bin:/usr/bin"}, words...)
				if o.Code != 2 || o.Stdout != "" || strings.Count(o.Stderr, "RuntimeError: ") != 1 || !strings.HasPrefix(lastLine(o.Stderr), "RuntimeError: usage: PV-bootloader-args must not say ") {
					t.Errorf("%q: %+v", words, o)
				}
			}
		}
	}
	equal(t, "files", entries(t, "."), []string(nil))
}

// runIn is the program in this process, in an environment.
func runIn(t *testing.T, environ []string, args ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), append([]string{"/usr/libexec/gopxeboot"}, args...), environ, &stdout, &stderr)
	return outcome{stdout.String(), stderr.String(), code}
}

// The table in docs/toolstacks.md is the list, and so is the one above.
func TestXAPITable(t *testing.T) {
	table := between(document(t), "<!-- PV-bootloader-args -->\n", "\n\n")
	want := "| option | value | why it is harmless |\n|---|---|---|"
	var names []string
	for _, o := range xenout.XAPIOptions {
		want += fmt.Sprintf("\n| `--%s` | %s | %s |", strings.Join(o.Names, "`, `--"), o.Values, o.Why)
		names = append(names, o.Names...)
	}
	equal(t, "the table", table, want)
	slices.Sort(names)
	equal(t, "options", names, slices.Sorted(maps.Keys(taken)))
}

// between is what stands between two texts.
func between(text, begin, end string) string {
	_, text, _ = strings.Cut(text, begin)
	text, _, _ = strings.Cut(text, end)
	return text
}
