package console

import (
	"bytes"
	"io"
	"sync"
)

// maxLine is where a program's line is cut in two, in bytes.
const maxLine = 4096

// Program is where a program that we run may write. That is the terminal
// itself, on which it may draw. Where there is none its lines become the
// console's, with its name before them; done prints the last one, which need
// not have ended.
func (c *Console) Program(name string) (w io.Writer, done func()) {
	if c.end == "\r\n" {
		return c.w, func() {}
	}
	p := &program{console: c, name: name}
	return p, p.done
}

type program struct {
	console *Console
	name    string
	mu      sync.Mutex
	begun   []byte // a line
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
	p.console.print(p.name + ": " + string(bytes.TrimRight(line, "\r")))
}
