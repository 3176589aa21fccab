package boot

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/gopxeboot/gopxeboot/internal/guest"
)

// broomName is the argv[0] of the process that sweeps, and what ps shows.
const broomName = "gopxeboot-broom"

// Helper does the work of this process when it is not what somebody started
// but a helper of another gopxeboot: the guest, or a broom. main has to ask
// before anything else.
func Helper() (status int, helper bool) {
	switch {
	case guest.IsChild():
		return Child(), true
	case os.Args[0] == broomName:
		// Whoever stops all of us stops the one that we work for, too.
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
		sweepUp(os.Stdin, os.Args[1:])
		return 0, true
	}
	return 0, false
}

// broom is a process that removes files if we die before we say that they are
// to stay. Two files and an answer can't appear at once, and SIGKILL may come
// in between (libxl's restricted mode sends it when its time is over).
type broom struct {
	cmd  *exec.Cmd
	pipe io.WriteCloser
}

func newBroom(paths ...string) (*broom, error) {
	cmd := exec.Command("/proc/self/exe", paths...)
	cmd.Args[0] = broomName
	cmd.Env = []string{}
	cmd.Dir = "/"
	// What the terminal sends to us is not for the broom.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the broom: %w", err)
	}
	return &broom{cmd, pipe}, nil
}

// putAway ends the broom: the files stay.
func (b *broom) putAway() error {
	if _, err := b.pipe.Write([]byte{'k'}); err != nil {
		return err
	}
	return b.cmd.Wait()
}

// sweep ends the broom: the files go.
func (b *broom) sweep() {
	b.pipe.Close()
	b.cmd.Wait()
}

// sweepUp is what the broom does: it waits for a word that the files stay, or
// for the end of whom it works for.
func sweepUp(word io.Reader, paths []string) {
	if n, _ := word.Read(make([]byte, 1)); n > 0 {
		return
	}
	for _, path := range paths {
		os.Remove(path)
	}
}
