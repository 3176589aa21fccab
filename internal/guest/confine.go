package guest

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"unsafe"

	"github.com/landlock-lsm/go-landlock/landlock"
	"golang.org/x/sys/unix"
	"kernel.org/pub/linux/libs/security/libcap/psx"
)

// nobodyBase is the first of the uids that the child takes when nobody said
// which: far above users, containers and systemd's dynamic ranges. Its pid is
// added, so that no two children share one and could signal each other.
const nobodyBase = 0x70000000

// Confine gives up everything that the child does not need any more, for
// good: root's uid, all capabilities, new privileges, the file system (it
// keeps what is open). What comes from the network is read after this only.
//
// The order matters: rights to change rights go last.
func (c *Child) Confine() error {
	uid := c.setup.RunAs
	if uid == 0 {
		uid = nobodyBase + os.Getpid()
	}
	if err := limit(c.setup.MaxFile); err != nil {
		return fmt.Errorf("set limits: %w", err)
	}
	if err := becomeNobody(uid); err != nil {
		return fmt.Errorf("become uid %d: %w", uid, err)
	}
	if err := dropCapabilities(); err != nil {
		return fmt.Errorf("drop capabilities: %w", err)
	}
	if err := prctl(unix.PR_SET_NO_NEW_PRIVS, 1); err != nil {
		return fmt.Errorf("set no_new_privs: %w", err)
	}
	// No rule at all: nothing can be opened, made, removed or executed, and
	// nobody be signalled or reached by an abstract Unix socket of dom0's. A
	// kernel before 5.13 has no landlock, one before 6.12 not the latter; the
	// uid is what protects there.
	sandbox := landlock.V6.BestEffort()
	if err := errors.Join(sandbox.RestrictPaths(), sandbox.RestrictScoped()); err != nil {
		return fmt.Errorf("landlock: %w", err)
	}
	// Changing credentials forgot who to die with (prctl(2),
	// PR_SET_PDEATHSIG): ask again, and see that it is not too late.
	if err := prctl(unix.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL)); err != nil {
		return fmt.Errorf("tie to the parent: %w", err)
	}
	if os.Getppid() != c.setup.Parent {
		return errors.New("the parent is gone")
	}
	return nil
}

// limit sets what the child may use up. Address space is no measure for a Go
// program; the parsers bound their own memory.
func limit(maxFile uint64) error {
	limits := map[int]uint64{unix.RLIMIT_CORE: 0, unix.RLIMIT_NOFILE: 256}
	if maxFile > 0 {
		limits[unix.RLIMIT_FSIZE] = maxFile
	}
	for resource, value := range limits {
		if err := syscall.Setrlimit(resource, &syscall.Rlimit{Cur: value, Max: value}); err != nil {
			return err
		}
	}
	return nil
}

// becomeNobody leaves root. In a user namespace that maps a single uid, as
// `gopxeboot lab` makes for a person without privileges, no other uid exists
// (EINVAL) and setgroups is forbidden (EPERM): there the uid was never root's.
func becomeNobody(uid int) error {
	if err := syscall.Setgroups(nil); err != nil && !(errors.Is(err, syscall.EPERM) && inUserNamespace()) {
		return err
	}
	for _, change := range []func(int, int, int) error{syscall.Setresgid, syscall.Setresuid} {
		if err := change(uid, uid, uid); err != nil && !(errors.Is(err, syscall.EINVAL) && inUserNamespace()) {
			return err
		}
	}
	return nil
}

// inUserNamespace says whether this is any other than the first user
// namespace, the only one that maps every uid.
func inUserNamespace() bool {
	text, err := os.ReadFile("/proc/self/uid_map")
	var inside, outside, count uint32
	if err == nil {
		_, err = fmt.Sscan(string(text), &inside, &outside, &count)
	}
	return err == nil && count != 1<<32-1
}

func dropCapabilities() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	_, _, errno := psx.Syscall3(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&none[0])), 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// prctl calls prctl(2) on every thread of the process.
func prctl(option int, argument uintptr) error {
	if _, _, errno := psx.Syscall6(unix.SYS_PRCTL, uintptr(option), argument, 0, 0, 0, 0); errno != 0 {
		return errno
	}
	return nil
}
