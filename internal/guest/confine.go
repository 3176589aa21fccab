package guest

import (
	"errors"
	"fmt"
	"os"
	"strings"
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

// nobody is the uid that the kernel shows for one that a namespace lacks, and
// that containers map for that reason.
const nobody = 65534

// Confine gives up everything that the child does not need any more, for
// good: root's uid, all capabilities, new privileges, the file system (it
// keeps what is open), and the system calls that it has no use for. What comes
// from the network is read after this only.
//
// The order matters: rights to change rights go last.
func (c *Child) Confine() error {
	uidMap, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return err
	}
	uid := available(c.setup.RunAs, string(uidMap))
	if c.OwnNet {
		// NFS servers give files to ports below 1024 only (exports(5), secure).
		// In a network of the guest's own they are nobody else's. Best effort:
		// a server may do without, and a container's /proc may be read-only.
		_ = os.WriteFile("/proc/sys/net/ipv4/ip_unprivileged_port_start", []byte("0"), 0)
	}
	return inOrder(
		step{"set limits", func() error { return limit(c.setup.MaxFile) }},
		step{fmt.Sprintf("become uid %d", uid), func() error { return becomeNobody(uid) }},
		step{"drop capabilities", dropCapabilities},
		step{"set no_new_privs", noNewPrivileges},
		step{"landlock", landlocked},
		// Changing credentials forgot who to die with (prctl(2),
		// PR_SET_PDEATHSIG): ask again, and see that it is not too late.
		step{"tie to the parent", func() error { return prctl(unix.PR_SET_PDEATHSIG, uintptr(syscall.SIGKILL)) }},
		step{"look for the parent", c.parentLives},
		step{"filter system calls", filterCalls},
	)
}

// Seal is Confine for a process that is nobody's child: one that looks at
// bytes from somebody else, has all files open that it needs, and reads and
// writes nothing but them until its end.
func Seal() error {
	uidMap, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return err
	}
	uid := none // a person has no other to become
	if os.Geteuid() == 0 {
		uid = available(nobodyBase+os.Getpid(), string(uidMap))
	}
	return inOrder(
		step{fmt.Sprintf("become uid %d", uid), func() error { return becomeNobody(uid) }},
		step{"drop capabilities", dropCapabilities},
		step{"set no_new_privs", noNewPrivileges},
		step{"landlock", landlocked},
		step{"filter system calls", filterCalls},
	)
}

// step is one thing to give up.
type step struct {
	what string
	do   func() error
}

func inOrder(steps ...step) error {
	for _, s := range steps {
		if err := s.do(); err != nil {
			return fmt.Errorf("%s: %w", s.what, err)
		}
	}
	return nil
}

// landlocked has no rule at all: nothing can be opened, made, removed or
// executed, and nobody be signalled or reached by an abstract Unix socket of
// dom0's. A kernel before 5.13 has no landlock, and the child can read there
// what everybody can; one before 6.12 lacks the latter.
func landlocked() error {
	sandbox := landlock.V6.BestEffort()
	return errors.Join(sandbox.RestrictPaths(), sandbox.RestrictScoped())
}

func noNewPrivileges() error { return prctl(unix.PR_SET_NO_NEW_PRIVS, 1) }

// parentLives looks at the pipe that the parent holds the other end of.
func (c *Child) parentLives() error {
	poll := []unix.PollFd{{Fd: requestsFD, Events: unix.POLLIN}}
	if _, err := unix.Poll(poll, 0); err != nil && !errors.Is(err, unix.EINTR) {
		return err
	}
	if poll[0].Revents&unix.POLLHUP != 0 {
		return errors.New("it is gone")
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

// becomeNobody leaves root for that uid and gid; none is for a process that
// has no other to become.
func becomeNobody(uid int) error {
	if uid == none {
		return nil
	}
	for _, change := range []func() error{
		func() error { return syscall.Setgroups(nil) },
		func() error { return syscall.Setresgid(uid, uid, uid) },
		func() error { return syscall.Setresuid(uid, uid, uid) },
	} {
		if err := change(); err != nil {
			return err
		}
	}
	return nil
}

const none = -1

// available is the uid that the process can have instead of root's: the
// wanted one in the first user namespace, which maps every uid. A container's
// maps fewer, of which nobody is one; and the one that `gopxeboot lab` makes
// for a person without privileges maps only that person.
func available(wanted int, uidMap string) int {
	total := 0
	for line := range strings.Lines(uidMap) {
		var inside, outside, count int
		if _, err := fmt.Sscan(line, &inside, &outside, &count); err != nil {
			continue
		}
		if wanted >= inside && wanted < inside+count {
			return wanted
		}
		total += count
	}
	switch {
	case total <= 1:
		return none
	case wanted >= nobodyBase:
		return nobody
	}
	return wanted // and fail, as somebody asked for this one
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
