package boot

import (
	"strings"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/xenout"
)

// The directory of a VM's files is where XAPI takes them from.
func TestDirectoryOfVM(t *testing.T) {
	const uuid, root = "3c2a1b00-5d6e-4f70-8192-a3b4c5d6e7f8", xenout.XEDirectory
	for named, want := range map[string]string{
		root:                    root + "/" + uuid,
		root + "/":              root + "/" + uuid,
		root + "/sub":           root + "/sub/" + uuid,
		root + "/../../../etc":  "",
		root + "/../guest/x/..": root + "/" + uuid,
		root + "2":              "",
		"/etc":                  "",
	} {
		got, err := DirectoryOfVM(named, strings.ToUpper(uuid))
		if got != want || (err == nil) != (want != "") || err != nil && fault.CodeOf(err) != fault.Usage {
			t.Errorf("%s: %q, %v", named, got, err)
		}
	}
	for _, other := range []string{"", "..", uuid + "/.."} {
		if got, err := DirectoryOfVM(root, other); err == nil {
			t.Errorf("%q: %s", other, got)
		}
	}
}
