package boot

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
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

// broom is a process that outlives us for a moment, to remove what we leave:
// the port of a guest that has ended; and the files, if we die before we say
// that they are to stay. Two files and an answer can't appear at once, and
// SIGKILL may come in between (libxl's restricted mode sends it when its time
// is over).
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

// What the broom is told, a word a line.
const (
	keepFiles  = "keep"
	portIsLeft = "port " // and its index
)

// leave tells of a port to remove, and says whether the broom will.
func (b *broom) leave(port int) bool {
	if b == nil || port == 0 {
		return false
	}
	_, err := fmt.Fprintf(b.pipe, "%s%d\n", portIsLeft, port)
	return err == nil
}

// putAway lets the broom do what is left to do, without the files: they stay.
// A broom that somebody killed removes none either.
func (b *broom) putAway() error {
	_, err := fmt.Fprintln(b.pipe, keepFiles)
	if errors.Is(err, syscall.EPIPE) {
		err = nil
	}
	return errors.Join(err, b.pipe.Close())
}

// sweep returns when the broom has removed everything.
func (b *broom) sweep() {
	b.pipe.Close()
	b.cmd.Wait()
}

// sweepUp is what the broom does, when nobody has any more to say to it.
func sweepUp(words io.Reader, paths []string) {
	port, keep := 0, false
	for lines := bufio.NewScanner(words); lines.Scan(); {
		if index, ok := strings.CutPrefix(lines.Text(), portIsLeft); ok {
			port, _ = strconv.Atoi(index)
		}
		keep = keep || lines.Text() == keepFiles
	}
	if !keep {
		for _, path := range paths {
			os.Remove(path)
		}
	}
	if port != 0 {
		_ = guest.Remove(port) // else it goes with its namespace
	}
}
