package lab

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"syscall"

	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Process is a program that runs on a host of the lab.
type Process struct {
	name string
	cmd  *exec.Cmd
	log  *logBuffer
	done chan struct{}
	err  error // of Wait; read after done
}

// Start runs a server program on the host: cmd, with its output kept for Log.
// The program and all that it forks end with Stop, Close, and this process's
// own end.
func (h *Host) Start(cmd *exec.Cmd) (*Process, error) {
	p := &Process{name: cmd.Path, cmd: cmd, log: new(logBuffer), done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.log, p.log
	// The first process of a PID namespace takes all others with it when it is
	// killed: TFTP servers fork one for each transfer.
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID}
	ended, err := h.run(cmd, pretendSetgroups)
	if err != nil {
		return nil, fmt.Errorf("start %s on %s: %w", cmd.Path, h.Name, err)
	}
	go func() {
		p.err = <-ended
		close(p.done)
	}()
	h.onClose(p.Stop)
	return p, nil
}

// Run runs a command on the host, for instance a user's on Lab.Dom0, and
// returns what cmd.Wait returns. The command ends with this process.
func (h *Host) Run(cmd *exec.Cmd) error {
	ended, err := h.run(cmd, func() error { return nil })
	if err != nil {
		return fmt.Errorf("run %s on %s: %w", cmd.Path, h.Name, err)
	}
	return <-ended
}

// run starts the command and waits for it on one thread, which it prepares
// first, as the parent-death signal comes when the thread that forked ends.
func (h *Host) run(cmd *exec.Cmd, prepare func() error) (ended <-chan error, err error) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.Pdeathsig = unix.SIGKILL
	started := make(chan error, 1)
	ended = onThread(netns.None(), func() error {
		err := netns.Set(h.ns)
		if err == nil {
			err = prepare()
		}
		if err == nil {
			err = cmd.Start()
		}
		started <- err
		if err != nil {
			return err
		}
		return cmd.Wait()
	})
	return ended, <-started
}

// Log is what the program has printed so far.
func (p *Process) Log() string { return p.log.String() }

// Done is closed when the program has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Stop kills the program and waits for its end.
func (p *Process) Stop() {
	// An error means that it has ended.
	_ = p.cmd.Process.Kill()
	<-p.done
}

// Failed is why a process that was not to end has ended.
func (p *Process) Failed() error {
	err := p.err
	if err == nil {
		err = errors.New("exit status 0")
	}
	return fmt.Errorf("%s ended: %w; it printed:\n%s", p.name, err, p.Log())
}

// logBuffer is a bytes.Buffer for two goroutines.
type logBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}
