package xenout_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/gopxeboot/gopxeboot/xenout"
)

func TestMergeArgs(t *testing.T) {
	for _, test := range []struct{ pxe, toolstack, want string }{
		{"", "", ""},
		{"BOOT_IMAGE=vmlinuz  initrd=i ", "", "BOOT_IMAGE=vmlinuz  initrd=i "},
		{"BOOT_IMAGE=vmlinuz  initrd=i ", " \t", "BOOT_IMAGE=vmlinuz  initrd=i "},
		{"BOOT_IMAGE=vmlinuz initrd=i", "root=/dev/xvda1 ro", "BOOT_IMAGE=vmlinuz initrd=i root=/dev/xvda1 ro"},
		{"BOOT_IMAGE=vmlinuz ", "ro", "BOOT_IMAGE=vmlinuz ro"}, // PXELINUX's line without an APPEND
		{"a", "  b  c ", "a b  c "},
		{"", " console=hvc0", "console=hvc0"},
	} {
		if got := xenout.MergeArgs(test.pxe, test.toolstack); got != test.want {
			t.Errorf("MergeArgs(%q, %q) = %q, want %q", test.pxe, test.toolstack, got, test.want)
		}
	}
}

func TestFitArgs(t *testing.T) {
	x := func(n int) string { return strings.Repeat("x", n) }
	for _, test := range []struct {
		name, args, want string
		dropped          bool
		tooLong          int
	}{
		{name: "empty"},
		{name: "short", args: "BOOT_IMAGE=k initrd=i a ", want: "BOOT_IMAGE=k initrd=i a "},
		{name: "just fits", args: "initrd=i " + x(1014), want: "initrd=i " + x(1014)},
		{name: "one over", args: "initrd=i " + x(1015), want: x(1015), dropped: true},
		{name: "both go, all of them", args: "BOOT_IMAGE=k initrd=i  a  b initrd=j,k " + x(1000) + " BOOT_IMAGE=", want: "a  b " + x(1000), dropped: true},
		{name: "only whole words", args: "BOOT_IMAGE=k noinitrd=1 xBOOT_IMAGE=2 initrd " + x(990), want: "noinitrd=1 xBOOT_IMAGE=2 initrd " + x(990), dropped: true},
		{name: "not in quotes", args: `initrd=i a="b initrd=c" ` + x(1005), want: `a="b initrd=c" ` + x(1005), dropped: true},
		{name: "a quoted value goes whole", args: `initrd="i j" ` + x(1020), want: x(1020), dropped: true},
		{name: "nothing to drop", args: x(1024), tooLong: 1024},
		{name: "not enough to drop", args: "BOOT_IMAGE=k " + x(2000), tooLong: 2000},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, dropped, err := xenout.FitArgs(xenout.Simple0, "", test.args)
			if test.tooLong != 0 {
				var tooLong *xenout.ArgsError
				if !errors.As(err, &tooLong) || tooLong.Length != test.tooLong || tooLong.Format != xenout.Simple0 || got != "" || dropped {
					t.Fatalf("got %q, %v, %v; want an *ArgsError of %d bytes", got, dropped, err, test.tooLong)
				}
				return
			}
			if err != nil || got != test.want || dropped != test.dropped {
				t.Errorf("got %q, %v, %v; want %q, %v", got, dropped, err, test.want, test.dropped)
			}
		})
	}
}

// A PV guest gets fewer bytes than any other. Where the type is not known, what
// toolstacks read may be for one.
func TestMaxArgs(t *testing.T) {
	const pv, linux = "Xen gives a PV guest no more than 1023", "Linux reads no more than 2047"
	read := []xenout.Format{xenout.SXP, xenout.Simple, xenout.Simple0}
	direct := []xenout.Format{xenout.XL, xenout.Libvirt, xenout.JSON, xenout.Shell}
	for _, test := range []struct {
		guest   xenout.GuestType
		formats []xenout.Format
		max     int
		says    string
	}{
		{"", read, 1023, pv},
		{"", direct, 2047, linux},
		{xenout.PV, slices.Concat(read, direct), 1023, pv},
		{xenout.PVShim, slices.Concat(read, direct), 1023, pv},
		{xenout.PVH, slices.Concat(read, direct), 2047, linux},
		{xenout.HVM, slices.Concat(read, direct), 2047, linux},
	} {
		for _, format := range test.formats {
			longest := strings.Repeat("x", test.max)
			if got, dropped, err := xenout.FitArgs(format, test.guest, longest); got != longest || dropped || err != nil {
				t.Errorf("%s, %s: %d bytes became %d, %v, %v", test.guest, format, test.max, len(got), dropped, err)
			}
			if got, dropped, err := xenout.FitArgs(format, test.guest, "initrd=i "+longest); got != longest || !dropped || err != nil {
				t.Errorf("%s, %s: initrd= and %d bytes became %d, %v, %v", test.guest, format, test.max, len(got), dropped, err)
			}
			if _, _, err := xenout.FitArgs(format, test.guest, longest+"x"); err == nil || !strings.HasSuffix(err.Error(), test.says) {
				t.Errorf("%s, %s: %d bytes: %v", test.guest, format, test.max+1, err)
			}
		}
	}
}

func TestParseGuestType(t *testing.T) {
	for _, test := range []struct {
		in   string
		want xenout.GuestType
		ok   bool
	}{
		{"pv", xenout.PV, true}, {"pvh", xenout.PVH, true}, {"pvshim", xenout.PVShim, true}, {"hvm", xenout.HVM, true},
		{"pv_in_pvh", xenout.PVShim, true}, {"", "", false}, {"PV", "", false}, {"unspecified", "", false},
	} {
		if got, err := xenout.ParseGuestType(test.in); got != test.want || test.ok != (err == nil) {
			t.Errorf("ParseGuestType(%q) is %q, %v", test.in, got, err)
		}
	}
}

func FuzzFitArgs(f *testing.F) {
	f.Add("BOOT_IMAGE=vmlinuz initrd=initrd.img ", "x", 1000)
	f.Add(`initrd="a b`, " initrd=", 130)
	f.Fuzz(func(t *testing.T, head, repeated string, n int) {
		max := xenout.PV.MaxArgs(xenout.Simple0)
		if n < 0 || n > 2000 || len(repeated) > 100 {
			return
		}
		args := head + strings.Repeat(repeated, n)
		got, dropped, err := xenout.FitArgs(xenout.Simple0, xenout.PV, args)
		switch {
		case len(got) > max:
			t.Fatalf("%d bytes", len(got))
		case (err != nil || dropped) && len(args) <= max:
			t.Fatalf("%q fits, but got %v, %v", args, dropped, err)
		case err == nil && !dropped && got != args:
			t.Fatalf("%q became %q", args, got)
		}
	})
}
