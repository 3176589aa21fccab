package handover

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

// cleanupName is the argv[0] of the cleanup process, and what ps shows.
const cleanupName = "gopxeboot-cleanup"

// IsCleanup says whether this process is the cleanup process of another
// gopxeboot. Then it returns when all of that one's work is done.
func IsCleanup() bool {
	if os.Args[0] != cleanupName {
		return false
	}
	// Whoever stops all of us stops the one that we work for, too.
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	cleanUp(os.Stdin, os.Args[1:])
	return true
}

// cleanup is a process that outlives us for a moment, to remove what we leave:
// the port of a guest that has ended; and the files, if we die before we say
// that they are to stay. Two files and an answer can't appear at once, pygrub
// works with files that have names, and SIGKILL may come in between (libxl's
// restricted mode sends it when its time is over).
type cleanup struct {
	place place
	cmd   *exec.Cmd
	pipe  io.WriteCloser
}

// startCleanup has to come before the first file of the place is made.
func startCleanup(p place) (*cleanup, error) {
	cmd := exec.Command("/proc/self/exe", p.words()...)
	cmd.Args[0] = cleanupName
	cmd.Env = []string{"GOMAXPROCS=1"} // it does one thing
	cmd.Dir = "/"
	// What the terminal sends to us is not for the cleanup process.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the cleanup process: %w", err)
	}
	return &cleanup{p, cmd, pipe}, nil
}

// What the cleanup process is told, a word a line.
const (
	keepFiles  = "keep"
	portIsLeft = "port " // and its index
)

// leave tells of a port to remove, and says whether the process will.
func (c *cleanup) leave(port int) bool {
	if port == 0 {
		return false
	}
	_, err := fmt.Fprintf(c.pipe, "%s%d\n", portIsLeft, port)
	return err == nil
}

// keep lets the process do what is left to do, without the files: they stay.
// One that somebody killed removes none either.
func (c *cleanup) keep() error {
	_, err := fmt.Fprintln(c.pipe, keepFiles)
	if errors.Is(err, syscall.EPIPE) {
		err = nil
	}
	return errors.Join(err, c.pipe.Close())
}

// now returns when everything is removed, also where the process was killed.
func (c *cleanup) now() {
	c.pipe.Close()
	if c.cmd.Wait() != nil {
		c.place.clear()
	}
}

// cleanUp is what the process does, when there is no one left to tell it more.
func cleanUp(words io.Reader, place []string) {
	port, keep := 0, false
	for lines := bufio.NewScanner(words); lines.Scan(); {
		if index, ok := strings.CutPrefix(lines.Text(), portIsLeft); ok {
			port, _ = strconv.Atoi(index)
		}
		keep = keep || lines.Text() == keepFiles
	}
	if p, ok := placeOf(place); ok && !keep {
		p.clear()
	}
	if port != 0 {
		_ = guest.Remove(port) // else it goes with its namespace
	}
}
