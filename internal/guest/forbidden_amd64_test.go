package guest

import (
	"testing"

	"golang.org/x/sys/unix"
)

// Calls that amd64 has beside those of every platform.
func TestForbiddenAMD64(t *testing.T) {
	m := newFilterMachine(t)
	for name, call := range map[string]uint32{
		"fork": unix.SYS_FORK, "vfork": unix.SYS_VFORK, "open": unix.SYS_OPEN, "creat": unix.SYS_CREAT,
		"rename": unix.SYS_RENAME, "link": unix.SYS_LINK, "unlink": unix.SYS_UNLINK, "symlink": unix.SYS_SYMLINK, "mkdir": unix.SYS_MKDIR,
		"chmod": unix.SYS_CHMOD, "arch_prctl": unix.SYS_ARCH_PRCTL, "modify_ldt": unix.SYS_MODIFY_LDT, "iopl": unix.SYS_IOPL, "dup2": unix.SYS_DUP2,
	} {
		if m.allows(call) || m.allows(call, 1, 1, 1) {
			t.Errorf("%s is let through", name)
		}
	}
}
