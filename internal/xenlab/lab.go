package xenlab

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Lab is a Xen host in the making.
type Lab struct {
	shared   string // what all releases have
	dir      string // what this one has
	packages unpacked
}

// New fetches and unpacks what is not in dir yet. The error is a
// *MissingError for what this machine lacks.
func New(ctx context.Context, dir string, release Release) (*Lab, error) {
	for _, program := range []string{"apt-get", "dpkg-deb", "xz", "as", "ld", qemu} {
		if _, err := exec.LookPath(program); err != nil {
			return nil, &MissingError{What: program, Err: errors.New("not installed")}
		}
	}
	u, err := unpack(ctx, dir, release)
	if err != nil {
		return nil, err
	}
	return &Lab{shared: dir, dir: filepath.Join(dir, release.Suite), packages: u}, nil
}

// writeInitramfs writes dom0's, with the program under test and the cases.
func (l *Lab) writeInitramfs(ctx context.Context, file, program string, cases []Case) error {
	files := map[string][]byte{}
	for _, c := range cases {
		files["lab/cases/"+c.Name+".sh"] = c.Script
	}
	guests, err := guestFiles(ctx, l.packages, l.dir)
	if err != nil {
		return err
	}
	for name, data := range guests {
		files["srv/tftp/"+name] = data
	}
	installed, err := installation(ctx, program)
	if err != nil {
		return err
	}
	maps.Copy(files, installed)
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	return errors.Join(writeDom0(w, l.packages, files), w.Flush(), f.Close())
}

// installation is what is installed of the program: all of a .deb, or else what
// the cases use.
func installation(ctx context.Context, program string) (map[string][]byte, error) {
	if filepath.Ext(program) != ".deb" {
		text, err := os.ReadFile(program)
		return map[string][]byte{"usr/bin/gopxeboot": text, "usr/share/gopxeboot/empty.img": make([]byte, 1<<20)}, err
	}
	archive, err := exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", program).Output()
	if err != nil {
		return nil, fmt.Errorf("unpack %s: %w", program, err)
	}
	files := map[string][]byte{}
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		switch h, err := r.Next(); {
		case err == io.EOF:
			return files, nil
		case err != nil:
			return nil, fmt.Errorf("read %s: %w", program, err)
		case h.Typeflag == tar.TypeReg:
			if files[strings.TrimPrefix(h.Name, "./")], err = io.ReadAll(r); err != nil {
				return nil, fmt.Errorf("read %s: %w", program, err)
			}
		}
	}
}

const qemu = "qemu-system-x86_64"

// Boot starts a machine whose dom0 runs the cases, in this order, with the
// program as /usr/bin/gopxeboot. It ends with the context. The goroutine that
// boots it has to close it.
func (l *Lab) Boot(ctx context.Context, program string, cases []Case) (*Machine, error) {
	if slices.ContainsFunc(cases, Case.installs) {
		if err := l.packages.unpackInstaller(ctx, l.shared); err != nil {
			return nil, err
		}
	}
	xen, dom0Kernel, err := l.packages.kernels()
	if err != nil {
		return nil, err
	}
	initramfs := filepath.Join(l.dir, "initramfs")
	if err := l.writeInitramfs(ctx, initramfs, program, cases); err != nil {
		return nil, err
	}
	m := &Machine{console: filepath.Join(l.dir, "console.log"), cases: cases}
	m.cmd = exec.CommandContext(ctx, qemu,
		// PVH guests need SVM with nested paging, which TCG has; with -cpu max
		// dom0 crashes. One processor is as fast as two. The memory is for dom0
		// and the largest guest.
		"-accel", "tcg", "-cpu", "qemu64,+svm,+npt", "-smp", "1", "-m", "2304",
		"-nodefaults", "-display", "none", "-no-reboot",
		"-serial", "file:"+m.console, "-serial", "stdio",
		"-kernel", xen,
		"-append", "console=com1 com1=115200,8n1 dom0_mem=1152M,max:1152M bootscrub=0 loglvl=warning guest_loglvl=warning",
		"-initrd", dom0Kernel+" console=hvc0 panic=1 quiet mitigations=off,"+initramfs)
	m.cmd.Stderr = &m.stderr
	out, err := m.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(l.dir, "results.log"))
	if err != nil {
		return nil, err
	}
	m.log = log
	m.results = newResults(io.TeeReader(out, log))
	// QEMU ends with the thread that started it (prctl(2), PR_SET_PDEATHSIG),
	// and so with a test that is killed; Close lets the thread go.
	runtime.LockOSThread()
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := m.cmd.Start(); err != nil {
		runtime.UnlockOSThread()
		log.Close()
		return nil, err
	}
	return m, nil
}

// Machine is a running Xen host.
type Machine struct {
	cmd     *exec.Cmd
	console string
	log     io.Closer
	results *results
	stderr  strings.Builder
	cases   []Case // those whose result no one has asked for
}

// patience is how much longer than its limit, which dom0/init keeps, a case may
// take, with dom0's start before the first, where other work keeps the
// processor busy.
const patience = 2 * time.Minute

// Next waits for the next case's end. The error says what dom0's console and
// QEMU said last.
func (m *Machine) Next() (Result, error) {
	limit := quick
	if len(m.cases) > 0 {
		limit, m.cases = m.cases[0].limit(), m.cases[1:]
	}
	kill := time.AfterFunc(limit+patience, func() { m.cmd.Process.Kill() })
	defer kill.Stop()
	result, err := m.results.next()
	if err != nil && !errors.Is(err, io.EOF) {
		console, _ := os.ReadFile(m.console)
		err = fmt.Errorf("%w\n%s\n%s", err, tail(string(console), 30), m.stderr.String())
	}
	return result, err
}

// Close ends the machine.
func (m *Machine) Close() error {
	defer runtime.UnlockOSThread()
	m.cmd.Process.Kill()
	m.cmd.Wait() // it was killed: the error says no more
	return m.log.Close()
}
