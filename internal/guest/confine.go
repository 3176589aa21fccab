package guest

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// uidBase is the first of the uids that the child takes when no one said
// which: above users, those of a domain (sssd), and systemd's ranges. Its pid is
// added, so that no two children share one and could signal each other.
const uidBase = 0x78000000

// overflowUID is the uid that the kernel shows for one that a namespace lacks, and
// that containers map for that reason.
const overflowUID = 65534

// Confine gives up everything that the child does not need any more, for
// good: root's uid, all capabilities, new privileges, the file system (it
// keeps what is open), and all system calls but those of rules. What comes
// from the network is read after this only. Its pid and ipc namespaces are its
// own since Start.
//
// The order matters: rights to change rights go last.
func (c *Child) Confine() error {
	uid, err := availableUID(c.setup.RunAs)
	if err != nil {
		return err
	}
	if c.OwnNet {
		// NFS servers give files to ports below 1024 only (exports(5), secure).
		// In a network of the guest's own they are no one else's. Best effort:
		// a server may do without, and a container's /proc may be read-only.
		_ = os.WriteFile("/proc/sys/net/ipv4/ip_unprivileged_port_start", []byte("0"), 0)
	}
	firstForOOM()
	return inOrder(
		step{"lock packet filters", lockFilters},
		step{"set limits", func() error { return lowerLimits(uid, c.setup.MaxFile) }},
		step{"empty the root directory", emptyRoot},
		step{fmt.Sprintf("become uid %d", uid), func() error { return becomeUser(uid) }},
		step{"drop capabilities", dropCapabilities},
		step{"set no_new_privs", noNewPrivileges},
		step{"tie to the parent", tieToParent},
		step{"look for the parent", c.parentLives},
		step{"filter system calls", func() error { return filterCalls(rules()) }},
	)
}

// Seal is Confine for a process that is no guest's child: one that looks at
// bytes from somebody else, has all files open that it needs, and reads and
// writes nothing but them until its end.
func Seal() error {
	uid := none // only root has another to become
	if os.Geteuid() == 0 {
		var err error
		if uid, err = availableUID(uidBase + os.Getpid()); err != nil {
			return err
		}
	}
	firstForOOM()
	return inOrder(
		step{"set limits", func() error { return lowerLimits(uid, 0) }},
		step{fmt.Sprintf("become uid %d", uid), func() error { return becomeUser(uid) }},
		step{"drop capabilities", dropCapabilities},
		step{"set no_new_privs", noNewPrivileges},
		step{"filter system calls", func() error { return filterCalls(withoutSockets(rules())) }},
	)
}

type step struct {
	what string
	do   func() error
}

// inOrder does it on one thread, as the filter takes no_new_privs from there to
// all others (seccomp(2), TSYNC).
func inOrder(steps ...step) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for _, s := range steps {
		if err := s.do(); err != nil {
			return fmt.Errorf("%s: %w", s.what, err)
		}
	}
	return nil
}

func noNewPrivileges() error { return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }

// tieToParent asks again to die with the parent, as a change of credentials
// forgets that (prctl(2), PR_SET_PDEATHSIG). Who asks on one thread asks for the
// process, and after the filter there is no prctl to take it back.
func tieToParent() error {
	return unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(unix.SIGKILL), 0, 0, 0)
}

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

// emptyRoot leaves the child's mount namespace with a directory that is empty
// and can't be written, so that also a process with a uid of somebody's finds
// no file of dom0's. The namespace is private first: else the host would lose
// its root directory, too.
func emptyRoot() error {
	// A mount point that is there wherever gopxeboot works. What is to be read
	// from it was read.
	const at = "/proc"
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make the mounts private: %w", err)
	}
	if err := unix.Mount("empty", at, "tmpfs", unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "mode=0555"); err != nil {
		return fmt.Errorf("mount an empty directory: %w", err)
	}
	if err := unix.Chdir(at); err != nil {
		return err
	}
	// "." twice stacks the old root above the new one, from where it is taken
	// away (pivot_root(2)).
	switch err := unix.PivotRoot(".", "."); {
	case err == nil:
		if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
			return fmt.Errorf("unmount the old root: %w", err)
		}
	case errors.Is(err, unix.EINVAL): // the root is rootfs, an initramfs, which can't be moved
		if err := unix.Chroot("."); err != nil {
			return err
		}
	default:
		return fmt.Errorf("pivot_root: %w", err)
	}
	return unix.Chdir("/")
}

// resourceLimit is one of setrlimit(2).
type resourceLimit struct {
	resource int
	name     string // with which a shell's ulimit raises it
	value    uint64
	least    uint64 // below which no boot is possible
}

const (
	maxDescriptors   = 64
	leastDescriptors = 40 // the parent needs more than the child
	// maxData bounds private memory that can be written, in bytes. As measured,
	// a boot has 78 MB of it and check, which unpacks the kernel, 154 MB with
	// Debian's; most is what Go keeps for its heap's tables.
	maxData = 512 << 20
	// maxGrowth is how much address space may come to what there is, 1 GiB: it
	// bounds page tables, and what is mapped and not written. Go has reserved
	// 1.2 GiB by then, and a race detector's build some TiB.
	maxGrowth = 1 << 30
	// maxThreads is more than Go starts with maxProcs.
	maxThreads = 64
)

// limits are those of a process with that uid that makes files of at most that
// many bytes; 0 is no limit of files.
func limits(uid int, maxFile uint64) ([]resourceLimit, error) {
	var pages uint64 // of address space
	statm, err := os.ReadFile("/proc/self/statm")
	if err == nil {
		_, err = fmt.Sscan(string(statm), &pages)
	}
	if err != nil {
		return nil, fmt.Errorf("how much memory there is: %w", err)
	}
	list := []resourceLimit{
		{unix.RLIMIT_CORE, "-c", 0, 0},
		{unix.RLIMIT_NOFILE, "-n", maxDescriptors, leastDescriptors},
		{unix.RLIMIT_DATA, "-d", maxData, 192 << 20},
		{unix.RLIMIT_AS, "-v", pages*uint64(os.Getpagesize()) + maxGrowth, 0},
	}
	if maxFile > 0 {
		list = append(list, resourceLimit{unix.RLIMIT_FSIZE, "-f", maxFile, 1})
	}
	// It counts all threads of the uid, of which other processes may have many
	// where it is somebody's.
	if uid >= uidBase {
		list = append(list, resourceLimit{unix.RLIMIT_NPROC, "-u", maxThreads, 16})
	}
	return list, nil
}

// enoughDescriptors says what keeps a boot from opening what it needs, before
// it is in the middle of that.
func enoughDescriptors() error {
	var now unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &now); err != nil {
		return err
	}
	if now.Cur < leastDescriptors {
		return fmt.Errorf("this process may have %d files open, and a boot needs %d: raise it for the toolstack (ulimit -n)", now.Cur, leastDescriptors)
	}
	return nil
}

// firstForOOM makes the process the first to go when memory is short (proc(5)).
// Best effort: a container's /proc may be read-only.
func firstForOOM() { _ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0) }

// lowerLimits lowers what the process may use up. What is lower already stays:
// raising a limit takes a capability that root may lack in a container.
func lowerLimits(uid int, maxFile uint64) error {
	list, err := limits(uid, maxFile)
	if err != nil {
		return err
	}
	for _, l := range list {
		var now unix.Rlimit
		if err := unix.Getrlimit(l.resource, &now); err != nil {
			return fmt.Errorf("ulimit %s: %w", l.name, err)
		}
		value := min(l.value, now.Max)
		if value < l.least {
			return fmt.Errorf("it is %d, and a boot needs %d: raise it for the toolstack (ulimit %s)", value, l.least, l.name)
		}
		if err := syscall.Setrlimit(l.resource, &syscall.Rlimit{Cur: value, Max: value}); err != nil {
			return fmt.Errorf("ulimit %s: %w", l.name, err)
		}
	}
	return nil
}

// becomeUser leaves root for that uid and gid; none is for a process that
// has no other to become.
func becomeUser(uid int) error {
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

// availableUID is available in this process's user namespace.
func availableUID(wanted int) (int, error) {
	uidMap, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return 0, err
	}
	return available(wanted, string(uidMap)), nil
}

// available is the uid that the process can have instead of root's: the
// wanted one in the first user namespace, which maps every uid. A container's
// maps fewer, of which nobody is one; and the one that `gopxeboot lab` makes
// for a user without privileges maps only that user.
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
	case wanted >= uidBase:
		return overflowUID
	}
	return wanted // and fail, as somebody asked for this one
}

// dropCapabilities is for who stays root in an unprivileged user namespace: a
// change of uid has dropped them already, on all threads.
func dropCapabilities() error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	_, _, errno := syscall.AllThreadsSyscall(unix.SYS_CAPSET, uintptr(unsafe.Pointer(&header)), uintptr(unsafe.Pointer(&none[0])), 0)
	switch errno {
	case 0:
		return nil
	case unix.ENOTSUP: // a program with cgo: this thread has to do
		return unix.Capset(&header, &none[0])
	}
	return errno
}
