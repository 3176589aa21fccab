package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// enteredFrom is the environment variable that tells the restarted program
// the network namespace it was started from.
const enteredFrom = "GOPXEBOOT_LAB_FROM"

// labMark is written on the loopback interface of the namespace that Enter
// made, so that New never builds its bridge in a real dom0.
const labMark = "gopxeboot lab"

// NamespaceError is returned by Enter when the kernel does not let the caller
// have namespaces of its own.
type NamespaceError struct {
	Err    error  // what the kernel said
	Remedy string // what a user can do about it
}

func (e *NamespaceError) Error() string {
	return fmt.Sprintf("create private namespaces: %v: %s", e.Err, e.Remedy)
}

func (e *NamespaceError) Unwrap() error { return e.Err }

// Enter starts the running program again, with the same arguments,
// environment and standard streams, as root of private network and mount
// namespaces (and of a user namespace, when the caller is not privileged), and
// returns nil there. Call it first thing. In the process that was started
// originally it does not return on success: that one waits, passes signals on
// and exits with the other's status, 128+N after death by signal N.
//
// When the kernel refuses, the error is a *NamespaceError.
func Enter() error {
	here, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		return fmt.Errorf("enter the lab: %w", err)
	}
	from := os.Getenv(enteredFrom)
	// Unset, so that a program started in the lab can make a lab of its own.
	os.Unsetenv(enteredFrom)
	if from != "" && from != here {
		return prepare()
	}
	cmd, err := restart(here)
	if err != nil {
		return namespaceError(err)
	}
	os.Exit(wait(cmd))
	return nil
}

// restart starts the program again in its namespaces.
func restart(here string) (*exec.Cmd, error) {
	// The parent-death signal comes when the thread that forked ends, so that
	// thread must last as long as this process.
	runtime.LockOSThread()
	start := func(userNamespace bool) (*exec.Cmd, error) {
		cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
		cmd.Args[0] = os.Args[0]
		cmd.Env = append(os.Environ(), enteredFrom+"="+here)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS,
			Pdeathsig:  unix.SIGKILL,
		}
		if userNamespace {
			// One uid and one gid: more would need newuidmap.
			cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWUSER
			cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}}
			cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}}
		}
		return cmd, cmd.Start()
	}
	if os.Geteuid() == 0 {
		cmd, err := start(false)
		// Root of a container has no CAP_SYS_ADMIN.
		if !errors.Is(err, unix.EPERM) {
			return cmd, err
		}
	}
	return start(true)
}

// wait passes signals on until the command ends, and returns the status to
// exit with.
func wait(cmd *exec.Cmd) int {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2)
	go func() {
		for s := range signals {
			// The terminal's Ctrl-C went to the whole foreground process
			// group, the child included: twice could mean "now!" to it.
			if s == unix.SIGINT && inForeground() {
				continue
			}
			// An error means that it has ended, which Wait will tell.
			_ = cmd.Process.Signal(s)
		}
	}()
	_ = cmd.Wait()
	status := cmd.ProcessState.Sys().(syscall.WaitStatus)
	if status.Signaled() {
		return 128 + int(status.Signal())
	}
	return status.ExitStatus()
}

func inForeground() bool {
	tty, err := os.Open("/dev/tty")
	if err != nil {
		return false
	}
	defer tty.Close()
	group, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// prepare finishes the namespaces from inside.
func prepare() error {
	// A /sys that shows the lab's interfaces is for people and scripts only,
	// and containers often forbid it. It must not show outside. The root of a
	// chroot is no mount that could be made private, but its /sys is one.
	if unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") == nil || unix.Mount("", "/sys", "", unix.MS_PRIVATE, "") == nil {
		_ = unix.Mount("sysfs", "/sys", "sysfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
	}
	lo, err := netlink.LinkByName("lo")
	if err == nil {
		err = netlink.LinkSetAlias(lo, labMark)
	}
	if err == nil {
		err = netlink.LinkSetUp(lo)
	}
	if err != nil {
		return namespaceError(err)
	}
	return nil
}

// inside tells whether this network namespace is one that Enter made.
func inside() bool {
	lo, err := netlink.LinkByName("lo")
	return err == nil && lo.Attrs().Alias == labMark
}

// namespaceError makes a NamespaceError of a refusal, and leaves others.
func namespaceError(err error) error {
	switch errno, _ := errors.AsType[syscall.Errno](err); errno {
	case unix.EPERM, unix.EACCES, unix.ENOSPC, unix.EUSERS, unix.EINVAL, unix.ENOSYS:
		return &NamespaceError{Err: errno, Remedy: remedy(errno, sysctl)}
	}
	return fmt.Errorf("enter the lab: %w", err)
}

// remedy says what to do about a refusal. sysctl returns a setting's value and
// whether the kernel has it.
func remedy(errno syscall.Errno, sysctl func(string) (int, bool)) string {
	is := func(name string, value int) bool {
		v, ok := sysctl(name)
		return ok && v == value
	}
	switch {
	case is("kernel.unprivileged_userns_clone", 0):
		return "as root, sysctl kernel.unprivileged_userns_clone=1; or run this as root"
	case is("user.max_user_namespaces", 0):
		return "as root, sysctl user.max_user_namespaces=10000; or run this as root"
	case errno == unix.ENOSPC || errno == unix.EUSERS:
		return "too many namespaces, or too deeply nested: raise sysctl user.max_user_namespaces, user.max_net_namespaces and user.max_mnt_namespaces"
	case errno == unix.EINVAL || errno == unix.ENOSYS:
		return "this kernel is built without user or network namespaces: run this as root, or on another kernel"
	case is("kernel.apparmor_restrict_unprivileged_userns", 1):
		return "as root, sysctl kernel.apparmor_restrict_unprivileged_userns=0; or run this as root"
	default:
		return "run this as root; in a container, allow it the clone system call (--privileged, or --security-opt seccomp=unconfined --cap-add SYS_ADMIN)"
	}
}

func sysctl(name string) (int, bool) {
	text, err := os.ReadFile("/proc/sys/" + strings.ReplaceAll(name, ".", "/"))
	if err != nil {
		return 0, false
	}
	value, err := strconv.Atoi(strings.TrimSpace(string(text)))
	return value, err == nil
}
