package pxelinux

import (
	"strings"
	"testing"
)

// The hashes are glibc's and OpenSSL's.
func TestPassword(t *testing.T) {
	const hello, sha256 = "Hello world!", "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"
	for _, c := range []struct {
		have, typed string
		want        bool
		err         string
	}{
		{"plain", "plain", true, ""},
		{"plain", "Plain", false, ""},
		{"", "", true, ""},
		{"", "x", false, ""},
		{"$x", "$x", true, ""},
		{sha256, hello, true, ""},
		{sha256, "hello world!", false, ""},
		{sha256 + "$more", hello, true, ""},
		{"$5$rounds=10000$saltstringsaltst$3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA", hello, true, ""},
		{"$5$rounds=1400$anotherlongst$cBzcuxreA4XXEFALAi.Tl1L1HnT0zT7dWI/EqSWs091", strings.Repeat("x", 70), true, ""},
		{"$5$ab$qRq/oZkUn9lJUSIcgVT3NbpSDsjn.r137TBSoCt2kCA", "", true, ""},
		{"$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1", hello, true, ""},
		{"$6$rounds=1400$anotherlongst$HxBEZmyIhFWfAmeHoee5rewSlJyG0KVnkwBWLTqAwC3aa3tsQxvP.pW2KKI9zLlmuF9anWkp9GQ96dnbYs1Vm0", strings.Repeat("x", 70), true, ""},
		{"$6$rounds=10$roundstoolow$kUMsbe306n21p9R.FRkW3IGn.S9NPN0x50YhH1xhLsPuWGsUSklZt58jaTfF4ZEQpyUNGc0dqbpBYYBaHHrsX.", "the minimum number is still observed", true, ""},
		{"$6$rounds=200001$salt$x", hello, false, "a password of the form $6$rounds=200001: more than 200000 can't be checked"},
		{"$6$rounds=99999999999999999999$salt$x", hello, false, "a password of the form $6$rounds=99999999999999999999: more than 200000 can't be checked"},
		{"$6$saltstringsaltstring$x", hello, false, ""},
		{"$6$", "", false, ""},
		{"$1$salt$qJH7.N4xYta3aEG/dfqo/0", "password", false, "a password of the form $1$ (MD5) can't be checked"},
		{"$4$salt$x", "password", false, "a password of the form $4$ (SHA-1) can't be checked"},
		{"$y$j9T$x", "password", false, ""}, // false to menu.c32, too
		{"long", strings.Repeat("x", 1<<20), false, ""},
	} {
		got, err := isPassword(c.have, c.typed)
		if got != c.want || errText(err) != c.err {
			t.Errorf("%.60q for %.20q: got %v, %v", c.have, c.typed, got, err)
		}
	}
}
