package xenread

import (
	"testing"

	"github.com/gopxeboot/gopxeboot/xenout"
)

// What the readers themselves refuse or misunderstand, as those do that they
// stand for. That they read what package xenout writes is tested there.
func TestReaders(t *testing.T) {
	for _, test := range []struct {
		format xenout.Format
		answer string
		want   xenout.Result
		fails  bool
	}{
		{xenout.Simple0, "kernel /k\x00ramdisk /r\x00args a  b \x00\x00", xenout.Result{Kernel: "/k", Ramdisk: "/r", Args: "a  b "}, false},
		{xenout.Simple0, "kernel /k\x00args a\x00kernel /etc/shadow\x00", xenout.Result{Kernel: "/etc/shadow", Args: "a"}, false}, // XSA-198
		{xenout.Simple0, "kernel /k\nargs a\n", xenout.Result{Kernel: "/k\nargs a\n"}, false},
		{xenout.Simple0, "args\x00", xenout.Result{}, true},
		{xenout.Simple, "kernel /var/run/xen/pygrub/k\nargs a\n", xenout.Result{Kernel: "/var/run/xen/pygrub/k", Args: "a"}, false},
		{xenout.Simple, "kernel /run/xend/boot/k\n", xenout.Result{}, true},
		{xenout.Simple, "kernel /var/run/xend/boot/../../../etc/shadow\n", xenout.Result{}, true},
		{xenout.Simple, "a line of a log\nkernel /var/run/xen/pygrub/k\n", xenout.Result{}, true},
		{xenout.Simple, "args a\n", xenout.Result{}, true},
		{xenout.SXP, `linux (kernel '/k')(args "a\051")`, xenout.Result{Kernel: "/k", Args: "a)"}, false},
		{xenout.SXP, `linux (kernel /k#1)`, xenout.Result{}, true}, // a comment
		{xenout.SXP, `(linux (kernel /k))`, xenout.Result{}, true},
		{xenout.SXP, `linux (kernel '/k)`, xenout.Result{}, true},
		{xenout.XL, "kernel = \"/k\"\ncmdline = 'a\\\\'\n", xenout.Result{Kernel: "/k", Args: `a\`}, false},
		{xenout.XL, "kernel = \"/k\"\r\n", xenout.Result{}, true},
		{xenout.XL, "kernel = \"/k\"", xenout.Result{}, true},
		{xenout.Libvirt, "<os><kernel>/k</kernel><boot/></os>", xenout.Result{}, true},
		{xenout.JSON, `{"kernel":"/k"}`, xenout.Result{}, true},
		{xenout.Shell, "KERNEL='/k'\nRAMDISK=''\nARGS=$(reboot)\n", xenout.Result{}, true},
	} {
		got, err := Readers[test.format](test.answer)
		if test.fails != (err != nil) {
			t.Errorf("%s of %q: %v", test.format, test.answer, err)
		}
		if err == nil && got != test.want {
			t.Errorf("%s of %q: %+v", test.format, test.answer, got)
		}
	}
}
