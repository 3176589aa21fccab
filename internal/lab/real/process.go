package real

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"os/exec"
	"sync"
	"syscall"

	"github.com/gopxeboot/gopxeboot/internal/lab"
	"golang.org/x/sys/unix"
)

// Process is a program that runs on a host of a lab.
type Process struct {
	cmd  *exec.Cmd
	log  *logBuffer
	done chan struct{}
	err  error // of Wait; read after done
}

// Start runs a server program on the host: cmd, with its output kept for Log.
// The program and all that it forks end with Stop, the lab's Close, and this
// process's own end.
func Start(h *lab.Host, cmd *exec.Cmd) (*Process, error) {
	p := &Process{cmd: cmd, log: new(logBuffer), done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.log, p.log
	// The first process of a PID namespace takes all others with it when it is
	// killed: TFTP servers fork one for each transfer. The parent-death signal
	// comes when the thread that forked ends, so that one waits, too.
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID, Pdeathsig: unix.SIGKILL}
	started := make(chan struct{})
	go func() {
		defer close(p.done)
		p.err = h.Do(func() error {
			if err := pretendSetgroups(); err != nil {
				return err
			}
			if err := cmd.Start(); err != nil {
				return err
			}
			close(started)
			return cmd.Wait()
		})
	}()
	select {
	case <-started:
	case <-p.done:
		if cmd.Process == nil {
			return nil, fmt.Errorf("start %s on %s: %w", cmd.Path, h.Name, p.err)
		}
	}
	h.OnClose(p.Stop)
	return p, nil
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

// failed is why a process that was not to end has ended.
func (p *Process) failed() error {
	return fmt.Errorf("%s ended: %w; it printed:\n%s", p.cmd.Path, cmp.Or(p.err, errors.New("exit status 0")), p.Log())
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
