package console

import (
	"bytes"
	"io"
	"sync"
)

// maxLine is where a program's line is cut in two, in bytes.
const maxLine = 4096

// maxProgram is how much of it is printed, in bytes: what pygrub says of a disk is
// the guest's, and goes into dom0's logs.
const maxProgram = 1 << 20

// Program is where a program that we run may write. That is the terminal
// itself, on which it may draw. Where there is none its lines become the
// console's, with its name before them; done prints the last one, which need
// not have ended.
func (c *Console) Program(name string) (w io.Writer, done func()) {
	if c.end == "\r\n" {
		return c.w, func() {}
	}
	p := &program{console: c, name: name, left: maxProgram}
	return p, p.done
}

type program struct {
	console *Console
	name    string
	mu      sync.Mutex
	begun   []byte // a line
	left    int    // of maxProgram
}

func (p *program) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.begun = append(p.begun, b...)
	for {
		line, rest, ended := bytes.Cut(p.begun, []byte("\n"))
		switch {
		case len(line) > maxLine:
			line, rest = p.begun[:maxLine], p.begun[maxLine:]
		case !ended:
			return len(b), nil
		}
		p.say(line)
		p.begun = rest
	}
}

func (p *program) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.begun) > 0 {
		p.say(p.begun)
	}
}

func (p *program) say(line []byte) {
	if p.left < 0 {
		return
	}
	if p.left -= len("gopxeboot: ") + len(p.name) + len(line) + 3; p.left < 0 {
		line = []byte("it says more than 1 MiB, and the rest is not shown")
	}
	p.console.print(p.name + ": " + string(bytes.TrimRight(line, "\r")))
}
