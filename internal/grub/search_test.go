package grub

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Which names an image asks for, where the server has none of them.
func TestSearch(t *testing.T) {
	const of = "01-00-16-3e-72-79-e3 C0A801C7 C0A801C C0A801 C0A80 C0A8 C0A C0 C"
	in := func(directory string) (names []string) {
		for _, suffix := range strings.Fields(of) {
			names = append(names, directory+"/grub.cfg-"+suffix)
		}
		return append(names, directory+"/grub.cfg")
	}
	signed := &Image{Known: true, EFI: true, Prefix: "/grub", Config: "normal (memdisk)/grub.cfg\n", Memdisk: map[string]string{"/grub.cfg": signedConfig}}
	for _, c := range []struct {
		name, bootFile string
		image          *Image
		want           []string
	}{
		{"grub-mknetdir's", "boot/grub/i386-pc/core.0", core, in("tftp://192.168.1.2//boot/grub")},
		{"Red Hat's", "efi/grubx64.efi", &Image{Known: true, EFI: true, Prefix: "/EFI/fedora", FirmwarePath: true},
			append(in("tftp://192.168.1.2/efi"), in("tftp://192.168.1.2//EFI/fedora")...)},
		{"Debian's signed one", "debian/grubx64.efi", signed, []string{"tftp://192.168.1.2//grub/grub.cfg", "tftp://192.168.1.2/debian/grub.cfg"}},
		{"by HTTP", "http://10.0.0.1:8080/efi/grubx64.efi", &Image{Known: true, EFI: true, Prefix: "/EFI/fedora", FirmwarePath: true},
			[]string{"http://10.0.0.1:8080/efi/grub.cfg", "http://10.0.0.1:8080/EFI/fedora/grub.cfg"}},
		{"a prefix with a device", "x/core.0", &Image{Known: true, Prefix: "(http,10.0.0.1)/grub"}, []string{"http://10.0.0.1/grub/grub.cfg"}},
		{"a prefix that is empty", "x/i386-pc/core.0", &Image{Known: true}, in("tftp://192.168.1.2/x")},
		{"KIWI's, with commands", "core.0", &Image{Known: true, Prefix: "/boot/grub", Config: "set root=(tftp)\nset net_default_server=10.0.0.9\nset prefix=($root)/boot/grub2\n"},
			in("tftp://10.0.0.9//boot/grub2")},
		{"without names of machines", "core.0", &Image{Known: true, Prefix: "/boot/grub", Config: "set feature_net_search_cfg=n"},
			[]string{"tftp://192.168.1.2//boot/grub/grub.cfg"}},
		{"unknown", "x/i386-pc/core.0", nil, slices.Concat(in("tftp://192.168.1.2/x"), in("tftp://192.168.1.2/x/i386-pc"), in("tftp://192.168.1.2//boot/grub"),
			in("tftp://192.168.1.2//grub"), in("tftp://192.168.1.2//boot/grub2"), in("tftp://192.168.1.2//grub2"))},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := host
			h.BootFile = c.bootFile
			g := New(h, c.image, serve(nil))
			if _, err := g.Run(t.Context(), Choice{}); !errors.Is(err, ErrNoConfig) {
				t.Errorf("the error is %v", err)
			}
			var got []string
			for _, try := range g.Tried {
				got = append(got, try.URL)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// Boot files that lead to GRUB by way of shim.
func TestLoad(t *testing.T) {
	shim, red := string(efi([]byte("UEFI shim"), utf16(`\grubx64.efi`))), string(efi(objects(64, map[uint32]string{3: "/EFI/x"})))
	for _, c := range []struct {
		bootFile, want string
		files          map[string]string
	}{
		{"efi/shimx64.efi", "/EFI/x", map[string]string{"efi/shimx64.efi": shim, "efi/grubx64.efi": red}},
		{"bootx64.efi", "/EFI/x", map[string]string{"bootx64.efi": shim, "grubx64.efi": red}},
		{"/grubx64.efi", "/EFI/x", map[string]string{"grubx64.efi": red}},
		{"efi/shimx64.efi", "", map[string]string{"efi/shimx64.efi": shim, "efi/grubx64.efi": shim}},
		{"efi/shimx64.efi", "", map[string]string{"efi/shimx64.efi": shim}},
		{"efi/shimx64.efi", "", nil},
	} {
		h := host
		h.BootFile = c.bootFile
		image, _ := Load(t.Context(), h, serve(c.files))
		if image.Prefix != c.want || image.Known != (c.want != "") {
			t.Errorf("%s: %+v, want %q", c.bootFile, image, c.want)
		}
	}
}

// What a boot file that can't be read is for: MAAS's grub.cfg goes on to one by
// $grub_cpu.
func TestGuess(t *testing.T) {
	for file, want := range map[string]string{
		"core.0": "i386 pc", "grub/grubx64.efi": "x86_64 efi", "GRUBAA64.EFI": "arm64 efi", "http://h/grubia32.efi": "i386 efi", "shimx64.efi.signed": "x86_64 efi",
	} {
		h := host
		h.BootFile = file
		open := serve(map[string]string{"boot/grub/grub.cfg": "linux /vmlinuz $grub_cpu $grub_platform\nboot\n"})
		image, err := Load(t.Context(), h, open)
		if err == nil || image.Known {
			t.Fatalf("%s: %+v, error %v", file, image, err)
		}
		h.BootFile = "x"
		if r, err := New(h, image, open).Run(t.Context(), Choice{}); err != nil || r.Boot.Args != "BOOT_IMAGE=/vmlinuz "+want {
			t.Errorf("%s: %+v, error %v; want %s", file, r.Boot, err, want)
		}
	}
}
