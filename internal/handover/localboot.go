package handover

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/domain"
	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/gopxeboot/gopxeboot/xenout"
	"golang.org/x/term"
)

// pygrubPlaces are where Xen's packages put pygrub, newest Xen last: Debian's
// by version, then others'. After these comes where dom0's programs are.
var pygrubPlaces = []string{"/usr/lib/xen-*/bin/pygrub", "/usr/lib*/xen/bin/pygrub", "/usr/libexec/xen/bin/pygrub"}

// maxPygrub bounds pygrub's answer, in bytes: two paths and a command line.
const maxPygrub = 64 << 10

// localBoot hands over to pygrub, which finds what the guest's own disk boots:
// what LOCALBOOT means to a guest without a BIOS.
//
// pygrub works in a directory that is made here and known to the cleanup process, and
// what it made becomes kernel and ramdisk. So nothing of it is left however it
// ends, and the toolstack gets no name that was not chosen here.
func (h *Handover) localBoot(ctx context.Context) (xenout.Result, error) {
	var none xenout.Result
	spec, dir := &h.spec, h.place.pygrub
	if spec.Disk == "" {
		return none, fault.New(fault.NotBootable, "localboot", errors.New("the configuration says to boot from disk, and there is no disk"), "name the guest's disk as the last argument")
	}
	pygrub, err := findPygrub(spec.Pygrub)
	if err != nil {
		return none, fault.New(fault.NotBootable, "localboot", err, "install pygrub, or name it with --pygrub")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return none, noOutput(err)
	}
	defer os.RemoveAll(dir)
	h.con.Stage(fmt.Sprintf("localboot: %s on %s", pygrub, spec.Disk))
	answer, err := h.watchPygrub(ctx, pygrub)
	if err != nil {
		return none, err
	}
	found, err := parsePygrub(answer, dir)
	if err == nil {
		found.Args, err = h.fitArgs(found.Args)
	}
	if err == nil {
		err = take(found.Kernel, h.kernel)
	}
	result := xenout.Result{Kernel: h.kernel.name, Args: found.Args}
	if err == nil && found.Ramdisk != "" {
		err = take(found.Ramdisk, h.ramdisk)
		result.Ramdisk = h.ramdisk.name
	} else {
		h.ramdisk.discard()
	}
	if err != nil {
		return none, fault.New(fault.NotBootable, "localboot", fmt.Errorf("%s on %s: %w", pygrub, spec.Disk, err), "")
	}
	return result, nil
}

// take makes a file of pygrub's the result. Libxl says nothing of one that it
// can't map, such as an empty one; its domain builder fails later.
func take(path string, result *resultFile) error {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is no regular file", path)
	case info.Sys().(*syscall.Stat_t).Nlink != 1: // it would be somebody else's file, too
		return fmt.Errorf("%s is a file with another name", path)
	}
	return result.adopt(path)
}

// confinement is the uid that pygrub gives root up for before it reads the
// guest's disk, 0 for none; and whether it may ask which entry to boot, which
// no pygrub does that gives up root. A lab's LOCALBOOT leads to the disk, and
// the guest decides what is on it (XSA-443).
func (h *Handover) confinement(pygrub string) (uid int, asks bool) {
	spec := &h.spec
	terminal := term.IsTerminal(int(os.Stdin.Fd()))
	why := ""
	switch {
	case spec.RunAs != 0:
		return spec.RunAs, false
	case spec.Interactive && terminal:
		why = "it may ask, as -i says"
	case !knowsRunAs(pygrub):
		why = "it has no --runas, which Xen 4.18 and the fixes of XSA-443 have"
	default:
		var err error
		if uid, err = guest.UnusedUID(); err == nil && uid != 0 {
			return uid, false
		}
		why = "there is no other uid here"
	}
	h.con.Stage(fmt.Sprintf("localboot: %s reads the guest's disk as root: %s", pygrub, why))
	return 0, terminal && (spec.Interactive || !spec.Quiet)
}

// knowsRunAs looks for --runas in pygrub's text, as its getopt spells it: every
// pygrub is a Python script, and to ask it is to run it.
func knowsRunAs(pygrub string) bool {
	f, err := os.Open(pygrub)
	if err != nil {
		return false
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, 1<<20))
	return err == nil && bytes.Contains(text, []byte("runas="))
}

// watchPygrub is runPygrub until it writes too much.
func (h *Handover) watchPygrub(ctx context.Context, pygrub string) ([]byte, error) {
	ctx, stop := watchByClock(ctx, func() (int64, error) { return h.overgrownIn(h.place.pygrub) })
	defer stop()
	answer, err := h.runPygrub(ctx, pygrub)
	if err != nil {
		return nil, fault.In(ctx, fault.NotBootable, "localboot", err, "see what "+pygrub+" says about "+h.spec.Disk)
	}
	return answer, nil
}

// runPygrub returns its answer as simple0. Its exit status says nothing: one
// that gave up privileges exits with 0 when it failed (depriv, sys.exit of a
// wait status).
func (h *Handover) runPygrub(ctx context.Context, pygrub string) ([]byte, error) {
	spec := &h.spec
	uid, asks := h.confinement(pygrub)
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer read.Close()
	defer write.Close()

	args := []string{"--output=/proc/self/fd/3", "--output-format=simple0", "--output-directory=" + h.place.pygrub + "/"}
	if spec.Args != "" {
		args = append(args, "--args="+spec.Args) // pygrub adds them itself
	}
	if spec.Offset != "" {
		args = append(args, "--offset="+spec.Offset)
	}
	if uid != 0 {
		args = append(args, "--runas="+strconv.Itoa(uid))
	}
	if !asks {
		args = append(args, "--quiet")
	}
	cmd := exec.CommandContext(ctx, pygrub, append(args, spec.Disk)...)
	said, done := h.con.Program("pygrub")
	defer done()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, said, said     // our stdout may be where our result goes
	cmd.Env = append(os.Environ(), "PATH="+domain.ProgramPath()) // it runs mount and umount
	cmd.ExtraFiles = []*os.File{write}
	if asks { // its menu gives the terminal back then (ncurses)
		cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	}
	cmd.WaitDelay = time.Second
	// Pygrub holds the guest's console; it has to go with us however we go, and
	// in a pid namespace of its own what it has started goes with it: the
	// process that reads the disk is another. The signal is tied to the thread
	// that forks (prctl(2)).
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Cloneflags: syscall.CLONE_NEWPID}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	write.Close()
	// Who holds the pipe open after pygrub was told to go does not hold us.
	stop := context.AfterFunc(ctx, func() { read.SetReadDeadline(time.Now().Add(cmd.WaitDelay)) })
	defer stop()
	answer, readErr := io.ReadAll(io.LimitReader(read, maxPygrub))
	read.Close() // who has more to say than that gets SIGPIPE
	err = cmd.Wait()
	switch {
	case len(bytes.Trim(answer, "\x00")) > 0 && ctx.Err() == nil:
		return answer, nil
	case err != nil:
		return nil, fmt.Errorf("%s: %w", pygrub, err)
	case readErr != nil:
		return nil, readErr
	}
	return nil, errors.New("pygrub found nothing to boot")
}

// parsePygrub reads what libxl would (parse_bootloader_result), and takes only
// files of the directory that pygrub was told to put them in.
func parsePygrub(answer []byte, dir string) (xenout.Result, error) {
	var result xenout.Result
	for item := range strings.SplitSeq(string(answer), "\x00") {
		key, value, _ := strings.Cut(item, " ")
		switch key {
		case "kernel":
			result.Kernel = filepath.Clean(value)
		case "ramdisk":
			if value != "" {
				result.Ramdisk = filepath.Clean(value)
			}
		case "args":
			result.Args = value
		}
	}
	if result.Kernel == "" {
		return result, errors.New("pygrub named no kernel")
	}
	for _, path := range []string{result.Kernel, result.Ramdisk} {
		if path != "" && filepath.Dir(path) != filepath.Clean(dir) {
			return result, fmt.Errorf("pygrub named %s, which is not in %s", path, dir)
		}
	}
	return result, nil
}

// findPygrub looks for the program: a file or a name as given, or the usual
// places. Those may have gopxeboot itself, which is no pygrub: it would ask the
// network again, and be told LOCALBOOT again.
func findPygrub(name string) (string, error) {
	switch {
	case strings.Contains(name, "/"):
		return exec.LookPath(name)
	case name != "":
		return domain.FindProgram(name)
	}
	elsewhere, _ := domain.FindProgram("pygrub") // "" matches nothing
	return pygrubIn(append(slices.Clip(pygrubPlaces), elsewhere)...)
}

// pygrubIn is the last program that is not this one, of the first pattern that
// has one.
func pygrubIn(patterns ...string) (string, error) {
	self, err := os.Stat("/proc/self/exe")
	if err != nil {
		return "", err
	}
	for _, pattern := range patterns {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return "", err
		}
		for _, path := range slices.Backward(found) {
			info, err := os.Stat(path)
			if err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 && !os.SameFile(info, self) {
				return path, nil
			}
		}
	}
	return "", errors.New("pygrub is not installed")
}
