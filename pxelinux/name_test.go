package pxelinux

import "testing"

// Rule A3: the prefix.
func TestPrefix(t *testing.T) {
	for _, test := range []struct{ bootFile, option210, want string }{
		{"", "", "::"},
		{"pxelinux.0", "", "::"},
		{"/pxelinux.0", "", "::/"},
		{"/mybootdir/pxelinux.0", "", "::/mybootdir/"},
		{"boot/my_pxelinux.0", "", "::boot/my_"},
		{`boot\x86\pxelinux.0`, "", `::boot\x86\`},
		{"a+b", "", "::a+"},
		{"boot/pxe-linux.v6.0", "", "::boot/"},
		{"http://h/boot/lpxelinux.0", "", "http://h/boot/"},
		{"10.0.0.1::boot/pxelinux.0", "", "10.0.0.1::boot/"},
		{"boot/pxelinux.0", "dir1", "::dir1"},
		{"boot/pxelinux.0", "tftp://10.0.0.1/x/", "tftp://10.0.0.1/x/"},
		{"boot/pxelinux.0", "::/x/", "::/x/"},
		{"caf\xe9.0", "", "::caf\xe9"},
	} {
		if got := prefixOf(Host{BootFile: test.bootFile, PathPrefix: test.option210}); got != test.want {
			t.Errorf("prefix of %q and %q: got %q, want %q", test.bootFile, test.option210, got, test.want)
		}
	}
}

// Rule A4: names. H1: a leading slash is not absolute.
func TestResolve(t *testing.T) {
	for _, test := range []struct{ cwd, name, want string }{
		{"::", "vmlinuz", "tftp://S/vmlinuz"},
		{"::", "/images/k", "tftp://S//images/k"},
		{"::/mybootdir/", "/images/k", "tftp://S//mybootdir//images/k"},
		{"::boot/", "k", "tftp://S/boot/k"},
		{"::boot/", "../k/./x", "tftp://S/boot/../k/./x"},
		{"::boot/", "::/images/k", "tftp://S//images/k"},
		{"::boot/", "::images/k", "tftp://S/images/k"},
		{"::boot/", "10.0.0.9::images/k", "tftp://10.0.0.9/images/k"},
		{"::boot/", "server::k", "tftp://server/k"},
		{"::boot/", "a:b", "tftp://S/boot/a:b"},
		{"::boot/", "a:b::c", "tftp://S/boot/a:b::c"},
		{"::", "::a%20b", "tftp://S/a%2520b"},
		{"::", "a#b?c;d%", "tftp://S/a%23b%3Fc%3Bd%25"},
		{"::", "caf\xe9", "tftp://S/caf%E9"},
		{"::", `boot\k`, `tftp://S/boot\k`},
		{"::", "two words", "tftp://S/two"},
		{"tftp://h/dir/", "k", "tftp://h/dir/k"},
		{"::", "tftp://h/a%20b%2Fc%zz", "tftp://h/a%20b/c%25zz"},
		{"::", "tftp://h/k;mode=octet", "tftp://h/k"},
		{"::", "tftp://h//k#frag", "tftp://h//k"},
		{"::", "tftp://h", "tftp://h/"},
		{"::", "tftp:///k", "tftp://S/k"},
		{"::", "tftp://u:p@h:69/k", "tftp://h/k"},
		{"::", "tftp://h:1069/k", "tftp://h:1069/k"},
		{"::", "http://u:p@h:8080/k%20x?y=1#f", "http://u:p@h:8080/k%20x?y=1"},
		{"::", "http://h:80/k", "http://h/k"},
		{"::", "http://h/caf\xe9", "http://h/caf%E9"},
		{"http://h/boot/", "k", "http://h/boot/k"},
		{"http://h/boot/", "/k", "http://h/boot//k"},
		{"http://h/boot/", "::k", "tftp://S/k"},
		{"::", "https://h/k", "https://h/k"},
		{"::", "ftp://h/a%20b", "ftp://h/a%20b"},
		{"::", "HTTP://h/k", ""},
		{"::", "nfs://h/k", ""},
	} {
		got, err := resolve("S", test.cwd, test.name)
		if got != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%q in %q: got %q, %v; want %q", test.name, test.cwd, got, err, test.want)
		}
	}
}

func TestNameIsCut(t *testing.T) {
	long := make([]byte, 300)
	for i := range long {
		long[i] = 'a'
	}
	if got := len(mangle(string(long))); got != 255 {
		t.Errorf("got a name of %d bytes, want 255", got)
	}
	if got := mangle("a\x01b"); got != "a" {
		t.Errorf("got %q, want a: a name ends at the first byte up to a space", got)
	}
}
