package probe

import (
	"slices"
	"testing"
)

func TestOtherNames(t *testing.T) {
	const root = "tftp://192.0.2.1/"
	for _, test := range []struct {
		role, link, prefix, beside string
		want                       []string
	}{
		{"kernel", "VMLinuz", "", "", []string{"vmlinuz", "linux", "bzImage", "VMLINUZ"}},
		{"kernel", "/boot/Linux", "", "", []string{"boot/Linux", "boot/linux", "Linux", "boot/vmlinuz", "boot/bzImage", "boot/LINUX"}},
		{"kernel", "pxe/vmlinuz", "pxe/", "", []string{"pxe/linux", "pxe/bzImage", "vmlinuz", "pxe/VMLINUZ"}},
		{"initrd", "initrd.img", "", root + "debian/linux", []string{"debian/initrd.img", "initrd.gz", "initrd", "INITRD.IMG"}},
		{"initrd", "Debian/Extra.cpio", "", "http://192.0.2.1/linux", []string{"Debian/extra.cpio", "debian/extra.cpio", "Extra.cpio", "Debian/EXTRA.CPIO"}},
		{"initrd", "boot/", "", "", nil},
	} {
		var want []string
		for _, name := range test.want {
			want = append(want, root+name)
		}
		if got := otherNames(test.role, root+test.link, root, root+test.prefix, test.beside); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", test.link, got, want)
		}
	}
	if got := otherNames("kernel", "http://me@192.0.2.1/k", "http://192.0.2.1/", "http://192.0.2.1/", ""); got != nil {
		t.Errorf("with a user: %q", got)
	}
}
