package xenout_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gopxeboot/gopxeboot/xenout"
)

const xapisVM = "5f1c7e0a-1111-2222-3333-444455556666"

func TestXAPIArguments(t *testing.T) {
	for _, test := range []struct {
		name      string
		own, args string // as XAPI cuts them, at each blank
		want      string // "" when it is refused
		refused   string
	}{
		{"eliloader's place", "-q --vm " + xapisVM, "", "-q --vm=" + xapisVM + " -- /dev/sm/x", ""},
		{"the same, not quiet", "--vm " + xapisVM, "-v", "--vm=" + xapisVM + " -v -- /dev/sm/x", ""},
		{"pygrub's place", "--output-format=simple -q --runas=65539", "", "--output-format=simple -q --runas=65539 -- /dev/sm/x", ""},
		{"the same, from 23.26.0 on", "--output-format=simple -q --domid=3", "", "--output-format=simple -q --domid=3 -- /dev/sm/x", ""},
		{"the same, before", "--output-format=simple -q", "--label=x", "--output-format=simple -q --label=x -- /dev/sm/x", ""},
		{"the first eliloaders", "-q --default_args= --extra_args=a --vm " + xapisVM, "", "-q --default_args= --extra_args=a --vm=" + xapisVM + " -- /dev/sm/x", ""},
		{"two words", "-q --vm " + xapisVM, "--label  linux  -v", "-q --vm=" + xapisVM + " --label=linux -v -- /dev/sm/x", ""},
		{"a location", "-q --vm " + xapisVM, "nfs:h:/p --kernel=k", "-q --vm=" + xapisVM + " --kernel=k -- nfs:h:/p /dev/sm/x", ""},
		{"the end of options", "-q --vm " + xapisVM, "-v -- http://h/", "-q --vm=" + xapisVM + " -v -- http://h/ /dev/sm/x", ""},
		// The parser says so; the disk does not become the value.
		{"a value that is missing", "-q --vm " + xapisVM, "--args", "-q --vm=" + xapisVM + " --args", ""},

		{"another VM", "-q --vm " + xapisVM, "--vm x", "", "--vm"},
		{"another VM, in pygrub's place", "--output-format=simple -q --domid=3", "--vm=x", "", "--vm"},
		{"a second VM", "-q --args=", "--vm x --vm=y", "", "--vm"},
		{"another domain", "--output-format=simple -q --domid=3", "--domid=4", "", "--domid"},
		{"another uid", "--output-format=simple -q --runas=65539", "--runas=0", "", "--runas"},
		{"an output", "--output-format=simple -q", "--output=/f", "", "--output"},
		{"one dash", "--output-format=simple -q", "-output=/f", "", "-output"},
		{"three", "--output-format=simple -q", "---output=/f", "", "---output=/f"},
		{"behind a tab", "--output-format=simple -q", "--label=x\t--pcap=/f", "", "--pcap"},
		{"behind a line's end", "--output-format=simple -q", "-v\n--pcap=/f", "", "--pcap"},
		{"no option", "-q --vm " + xapisVM, "--no-such=x", "", "--no-such"},
		{"a file", "-q --vm " + xapisVM, "/etc/shadow", "", "/etc/shadow"},
		{"a file after the end of options", "-q --vm " + xapisVM, "-- /etc/shadow", "", "/etc/shadow"},
		{"a file by its URL", "-q --vm " + xapisVM, "FILE:///etc/shadow", "", "FILE:///etc/shadow"},
		{"an interface", "-q --vm " + xapisVM, "mac=00:16:3e:72:79:e3,bridge=xenbr0", "", "mac=00:16:3e:72:79:e3,bridge=xenbr0"},
	} {
		t.Run(test.name, func(t *testing.T) {
			words := slices.Concat(strings.Split(test.own, " "), strings.Split(test.args, " "), []string{"/dev/sm/x"})
			if got := xenout.ToolstackOf(append([]string{"gopxeboot"}, words...), nil); got != xenout.XAPI {
				t.Errorf("its toolstack is %s", got)
			}
			got, err := xenout.XAPIArguments(words, xapiTakesValue)
			if refused, ok := errors.AsType[*xenout.RefusedError](err); ok != (test.refused != "") || ok && refused.Word != test.refused {
				t.Errorf("error %v, want one about %q", err, test.refused)
			}
			if diff := cmp.Diff(test.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func xapiTakesValue(option string) bool {
	return takesValue(option) || option == "domid" || option == "pcap"
}

// What an option's value may be.
func TestXAPIValues(t *testing.T) {
	for option, test := range map[string]struct{ good, bad []string }{
		"args":       {good: []string{"/bin/sh", "file:///etc/shadow", "--pcap=/f"}},
		"bootfile":   {good: []string{"/pxelinux.0", "http://h/pxelinux.0"}, bad: []string{"file:///etc/shadow", "File:x"}},
		"config-dir": {good: []string{"cfg", "/cfg"}, bad: []string{"file:///etc/"}},
		"kernel":     {good: []string{"vmlinuz", "a/b", "http://h/k", "nfs:h:/k", "::vmlinuz", "file"}, bad: []string{"/boot/vmlinuz", "file:///boot/vmlinuz", "FILE:/boot/vmlinuz", "file:///a.iso!/vmlinuz", "\tfile:///etc/shadow"}},
		"ramdisk":    {good: []string{"initrd.img"}, bad: []string{"/etc/shadow", "file:///etc/shadow"}},
		"location":   {good: []string{"http://h/", "HTTPS://h/", "ftp://h/", "tftp://h/", "nfs:h:/p", "nfs+iso:h:/p.iso"}, bad: []string{"/srv", "/dev/sda", "/a.iso", "file:///srv", "cdrom", "", " /srv", "srv"}},
		"offset":     {good: []string{"1048576"}, bad: []string{"", "-1", "x", "1 --output=/f"}},
	} {
		for _, value := range slices.Concat(test.good, test.bad) {
			_, err := xenout.XAPIArguments([]string{"-q", "--vm", xapisVM, "--" + option, value, "/dev/sm/x"}, func(string) bool { return true })
			_, err2 := xenout.XAPIArguments([]string{"-q", "--vm", xapisVM, "--" + option + "=" + value, "/dev/sm/x"}, func(string) bool { return true })
			if value == "" { // XAPI's double blank
				err = err2
			}
			if want := slices.Contains(test.bad, value); (err != nil) != want || (err2 != nil) != want {
				t.Errorf("--%s=%q: %v, %v", option, value, err, err2)
			}
		}
	}
}

// Whatever stands there, the parser sees none but the options of the list, and
// the disk that XAPI said.
func FuzzXAPIArguments(f *testing.F) {
	for _, seed := range []string{"--label x", "--args=a\t--pcap=/f", "-- -x", "--args --", "-- --output=/f http://h/", "---x - -- --vm", "--label \"a\n--pcap /f"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, args string) {
		words := slices.Concat([]string{"--output-format=simple", "-q", "--domid=3"}, strings.Split(args, " "), []string{"/dev/sm/x"})
		got, err := xenout.XAPIArguments(words, takesValue)
		if err != nil {
			return
		}
		if diff := cmp.Diff(words[:3], got[:3]); diff != "" {
			t.Fatal(diff)
		}
		options, positionals, err := parse(got[3:])
		if err != nil {
			return // a value missing, or one for an option that has none
		}
		for name := range options {
			if !slices.ContainsFunc(xenout.XAPIOptions, func(o xenout.XAPIOption) bool { return slices.Contains(o.Names, name) }) {
				t.Errorf("%q became %q with --%s", args, got, name)
			}
		}
		if n := len(positionals); n == 0 || positionals[n-1] != "/dev/sm/x" || slices.ContainsFunc(positionals[:n-1], func(w string) bool { return w[0] == '/' }) {
			t.Errorf("%q became %q: the disk is another one", args, got)
		}
	})
}
