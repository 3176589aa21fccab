package xenout_test

import (
	"flag"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gopxeboot/gopxeboot/xenout"
)

// The options of the four bootloaders before us, with some of our own.
var (
	valueOptions = strings.Fields(`output output-format output-directory kernel ramdisk args extra_args default_args
		runas vm location label entry interface bridge udhcpc pygrub-image config-dir offset mac timeout`)
	boolOptions = strings.Fields("q quiet i interactive v verbose debug logging isconfig l list-entries n not-really version h help")
)

func takesValue(option string) bool { return slices.Contains(valueOptions, option) }

func TestArguments(t *testing.T) {
	const (
		mac   = "mac=00:16:3e:72:79:e3"
		vif   = mac + ",bridge=xenbr0"
		libxl = "--output=/var/lib/xen/bootloader.7.out --output-format=simple0 --output-directory=/var/lib/xen/bootloader.7.d"
	)
	// list makes words of strings.Fields and of single words, which are
	// given with "|" in front.
	list := func(parts ...string) (words []string) {
		for _, part := range parts {
			if word, ok := strings.CutPrefix(part, "|"); ok {
				words = append(words, word)
			} else {
				words = append(words, strings.Fields(part)...)
			}
		}
		return words
	}
	for _, test := range []struct {
		name     string
		in, want []string
	}{
		{"nothing", nil, nil},

		// xl and libxl
		{"libxl", list(libxl, vif, "/dev/loop0"), list(libxl, "--", vif, "/dev/loop0")},
		{"libxl, options of the guest's configuration",
			list("--kernel=/srv/vmlinuz", "|--ramdisk=/srv/my --initrd", "|--args=root=/dev/xvda1 ro -v --label=x mac=y", libxl, vif, "/dev/loop0"),
			list("--kernel=/srv/vmlinuz", "|--ramdisk=/srv/my --initrd", "|--args=root=/dev/xvda1 ro -v --label=x mac=y", libxl, "--", vif, "/dev/loop0")},
		{"libxl, restricted", list("--runas=65534 --quiet", libxl, vif, "/dev/loop0"), list("--runas=65534 --quiet", libxl, "--", vif, "/dev/loop0")},
		{"libxl, no bootloader_args", list(libxl, "/dev/loop0"), list(libxl, "--", "/dev/loop0")},
		{"xl, elements of bootloader_args as they are", list(libxl, "--interface=br0", "|b c", "|", "d=e", "/dev/loop0"),
			list(libxl, "--interface=br0", "--", "|b c", "d=e", "/dev/loop0")},
		{"xl, vif with blanks in one element", list(libxl, "|mac=00:16:3e:72:79:e3, bridge=xenbr0", "/dev/loop0"),
			list(libxl, "--", "mac=00:16:3e:72:79:e3,", "bridge=xenbr0", "/dev/loop0")},
		{"xl, vif with blanks around =", list(libxl, "|mac = 00:16:3e:72:79:e3, bridge = xenbr0", "/dev/loop0"),
			list(libxl, "--", "|mac = 00:16:3e:72:79:e3, bridge = xenbr0", "/dev/loop0")},
		{"the toolstack's output wins", list(libxl, "--output=/etc/passwd --output-format sxp --output-directory=/ --output -", vif, "/dev/loop0"),
			list(libxl, "--", vif, "/dev/loop0")},

		{"the toolstack's uid wins", list("--runas=65534 --quiet", libxl, "--runas=0 -q --runas 1", "/dev/loop0"),
			list("--runas=65534 --quiet", libxl, "-q -- /dev/loop0")},
		{"a uid of the user's own", list(libxl, "--runas 1", "/dev/loop0"), list(libxl, "--runas=1 -- /dev/loop0")},

		// xm: bootargs = vif[0], through shlex.split
		{"xm, mac alone", list("--output=/var/run/xend/boot/xenbl.5", mac, "/dev/vg/g"),
			list("--output=/var/run/xend/boot/xenbl.5 --", mac, "/dev/vg/g")},
		{"xm, blank after the comma", list("--output=/var/run/xend/boot/xenbl.5", mac+",", "bridge=xenbr0", "/dev/vg/g"),
			list("--output=/var/run/xend/boot/xenbl.5 --", mac+",", "bridge=xenbr0 /dev/vg/g")},
		{"xm, no blank", list("--output=/var/run/xend/boot/xenbl.5", "bridge=xenbr0,"+mac, "/dev/vg/g"),
			list("--output=/var/run/xend/boot/xenbl.5 --", "bridge=xenbr0,"+mac, "/dev/vg/g")},
		{"xm, -q and extra=", list("|--args=root=/dev/sda1 4", "--output=/var/run/xend/boot/xenbl.5 -q /dev/vg/g"),
			list("|--args=root=/dev/sda1 4", "--output=/var/run/xend/boot/xenbl.5 -q -- /dev/vg/g")},

		// libvirt: bootloader_args is one word
		{"libvirt", list(libxl, "|--interface=br0 "+mac, "/dev/vg/g"), list(libxl, "--interface=br0 --", mac, "/dev/vg/g")},
		{"libvirt, as written for pypxeboot", list(libxl, "|--udhcpc=/usr/bin/udhcpc --interface=br0 "+mac+" --label=install-el5", "/dev/vg/g"),
			list(libxl, "--udhcpc=/usr/bin/udhcpc --interface=br0 --label=install-el5 --", mac, "/dev/vg/g")},
		{"libvirt, laid out over lines", list(libxl, "|\n  --interface=br0\n\t"+mac+"\n", "/dev/vg/g"), list(libxl, "--interface=br0 --", mac, "/dev/vg/g")},
		{"libvirt, values in words of their own", list(libxl, "|-v --interface br0 --label linux "+mac, "/dev/vg/g"),
			list(libxl, "-v --interface=br0 --label=linux --", mac, "/dev/vg/g")},
		{"libvirt, blank in a value", list(libxl, "|--label=Debian 12 "+mac, "/dev/vg/g"), list(libxl, "|--label=Debian 12", "--", mac, "/dev/vg/g")},
		{"libvirt, quotes", list(libxl, `|--label="a -b" --entry 'c d' --args='x mac=y' `+mac, "/dev/vg/g"),
			list(libxl, "|--label=a -b", "|--entry=c d", "|--args=x mac=y", "--", mac, "/dev/vg/g")},
		{"libvirt, quotes around a part", list(libxl, `|--label="a"b `+mac, "/dev/vg/g"), list(libxl, `--label="a"b --`, mac, "/dev/vg/g")},
		{"libvirt, an apostrophe", list(libxl, "|--label=Bob's "+mac, "/dev/vg/g"), list(libxl, "--label=Bob's --", mac, "/dev/vg/g")},
		{"libvirt, args take the rest", list(libxl, "|"+mac+" --args=a b -v mac=c", "/dev/vg/g"), list(libxl, "|--args=a b -v mac=c", "--", mac, "/dev/vg/g")},
		{"libvirt, args take the rest, two words", list(libxl, "|-v --args a b -v", "/dev/vg/g"), list(libxl, "|-v", "|--args=a b -v", "--", "/dev/vg/g")},
		{"libvirt, value in the next word", list(libxl, "|-v --args", "|a b -v", "/dev/vg/g"), list(libxl, "|-v", "|--args=a b -v", "--", "/dev/vg/g")},
		{"libvirt, kernel of the lab", list(libxl, "|--kernel=a --ramdisk=b "+mac, "/dev/vg/g"), list(libxl, "--kernel=a --ramdisk=b --", mac, "/dev/vg/g")},
		{"libvirt, xenpvboot's location", list(libxl, "|-q --kernel a --ramdisk b nfs:host:/p", "/dev/vg/g"),
			list(libxl, "-q --kernel=a --ramdisk=b -- nfs:host:/p /dev/vg/g")},
		{"libvirt, unknown option", list(libxl, "|--label=x --no-such=y "+mac, "/dev/vg/g"), list(libxl, "--label=x --no-such=y --", mac, "/dev/vg/g")},

		// people
		{"options after positionals", list("/dev/vg/g --output=F", mac, "-v --label x"), list("--output=F -v --label=x -- /dev/vg/g", mac)},
		{"args, every form", list("--args -v --args= --args=-v", "|--args=a b=c", "|--args", "|a --label=x mac=y", "|--args", "|"),
			list("--args=-v --args= --args=-v", "|--args=a b=c", "|--args=a --label=x mac=y", "--args=")},
		{"value that is --", list("--args -- -v"), list("--args=-- -v")},
		{"value missing", list("x -q --args"), list("-q --args")},
		{"value of a second output missing", list("--output=F x --output"), list("--output=F -- x")},
		{"end of options", list("-q -- --output=F", "|-v --label=x", "|", "-- x"), list("-q -- --output=F", "|-v --label=x", "-- x")},
		{"standard output", list("--output - x"), list("--output=- -- x")},
		{"lone dash", list("- -v"), list("-v -- -")},
		{"names that no option has", list("x -5 ---args"), list("-5 ---args -- x")},
		{"empty words", list("|", "-q", "|", "x", "|"), list("-q -- x")},
		{"only blanks", list("|  \t", "x"), list("-- x")},
		{"unknown options", list("--no-such=x -Z y"), list("--no-such=x -Z -- y")},
		{"single-dash long option", list("-output=F -label x"), list("-output=F -label=x")},
		{"path with blanks", list("|/srv/my disk -v mac=x.img"), list("--", "|/srv/my disk -v mac=x.img")},
		{"kernel without --output", list("|--kernel=my kernel -v"), list("|--kernel=my kernel -v")},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, xenout.Arguments(test.in, takesValue)); diff != "" {
				t.Errorf("Arguments(%q) (-want +got):\n%s", test.in, diff)
			}
		})
	}
}

func TestOutput(t *testing.T) {
	for _, test := range []struct {
		in   []string
		want string
	}{
		{nil, ""},
		{[]string{"--output"}, ""},
		{[]string{"--no-such", "mac=1", "--output=/fifo", "--label"}, "/fifo"},
		{[]string{"x", "--output", "/fifo", "--output=/other"}, "/fifo"},
		{[]string{"--output-format=what", "--output=-"}, "-"},
		{[]string{"--args", "--output=/x", "--output=/fifo"}, "/fifo"},
		{[]string{"--args=--output=/x --output=/y", "--output=/fifo"}, "/fifo"},
		{[]string{"-v --output=/fifo mac=x"}, "/fifo"},
		{[]string{"--", "--output=/x"}, ""},
	} {
		if got, _ := xenout.ParseCall(slices.Concat([]string{"gopxeboot"}, test.in), nil, takesValue); got.Output != test.want {
			t.Errorf("%q has the output %q, want %q", test.in, got.Output, test.want)
		}
	}
}

// parse reads words with the standard library's parser, which urfave/cli/v2
// stands on and which stops at the first positional.
func parse(words []string) (options map[string][]string, positionals []string, err error) {
	options = make(map[string][]string)
	set := flag.NewFlagSet("", flag.ContinueOnError)
	set.SetOutput(io.Discard)
	for _, name := range valueOptions {
		set.Func(name, "", func(value string) error {
			options[name] = append(options[name], value)
			return nil
		})
	}
	for _, name := range boolOptions {
		set.BoolFunc(name, "", func(string) error {
			options[name] = append(options[name], "")
			return nil
		})
	}
	err = set.Parse(words)
	return options, set.Args(), err
}

func FuzzArguments(f *testing.F) {
	for _, seed := range []string{
		"--output=/var/lib/xen/bootloader.7.out\n--output-format=simple0\nmac=00:16:3e:72:79:e3, bridge=xenbr0\n/dev/loop0",
		"--interface=br0 mac=00:16:3e:72:79:e3 --label=\"a b\"\n/dev/vg/g",
		"-q\n--vm\nu\n\n--label\n\nx", "--args\n-v\n--args=\n--\n--output=x", "x --args=' -v", "- --output \n\t-v", "-q\n--args\n", "- -output",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, lines string) {
		words := strings.Split(lines, "\n")
		got := xenout.Arguments(words, takesValue)
		options, positionals, err := parse(got)
		if err != nil {
			return // an option that does not exist, or a value missing: the parser's to say
		}
		for _, positional := range positionals {
			if positional == "" {
				t.Errorf("%q became %q with an empty positional", words, got)
			}
		}
		for _, name := range []string{"output", "output-format", "output-directory", "runas"} {
			if len(options[name]) > 1 {
				t.Errorf("%q became %q with two of --%s", words, got, name)
			}
		}
		var output string
		if values := options["output"]; values != nil {
			output = values[0]
		}
		if call, _ := xenout.ParseCall(slices.Concat([]string{"gopxeboot"}, words), nil, takesValue); call.Toolstack == xenout.Xen && call.Output != output {
			t.Errorf("%q: the output is %q, the parser says %q", words, call.Output, output)
		}
		// An option before "--" is never left among the positionals.
		if !slices.Contains(words, "--") {
			for _, positional := range positionals {
				if name := strings.TrimLeft(positional, "-"); takesValue(name) && strings.HasPrefix(positional, "--") {
					t.Errorf("%q became %q: option %q is a positional", words, got, positional)
				}
			}
		}
		// Arguments for the kernel arrive as they are, where they are no
		// value themselves.
		for i, word := range words {
			value, ok := strings.CutPrefix(word, "--args=")
			if ok && !strings.Contains(strings.Join(words[:i], ""), "-") && !slices.Contains(options["args"], value) {
				t.Errorf("%q became %q: args %q lost", words, got, value)
			}
		}
	})
}
