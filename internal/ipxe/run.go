package ipxe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
)

// runner is iPXE while it runs. All scripts share it.
type runner struct {
	env      Env
	commands map[string]command
	set      *settings
	images   []*image // in the order of their registration
	selected *image
	menus    map[string]*Menu
	forms    map[string][]string // params, by name
	wanted   string              // what of Env.Label is still to be chosen

	current  *running
	last     *script // that ran
	depth    int
	work     int
	requests int
	errno    uint32
	waited   bool // a download has failed since the script last slept

	demands, permanent bool // of imgtrust: what runs has to be verified, for good

	before *Error // the last failure that was not a test's
	exited bool   // the last script ended by exit
	booted bool   // the result is complete
	fatal  error  // ends all

	nextServer string // as it was last seen
	result     *Result
}

// running is a script that runs.
type running struct {
	*script
	at      int    // the line
	stop    bool   // exit, or chain --replace
	jumped  bool   // goto
	instead *image // what chain --replace named
	base    string // a URL that names are seen from in place of the script's; "" for none
}

// over says that no command may run any more.
func (r *runner) over() bool { return r.booted || r.fatal != nil }

// end ends all with an error.
func (r *runner) end(err error) error {
	if r.fatal == nil {
		r.fatal = err
		if s := r.current; s != nil && s.at < len(s.lines) {
			r.fatal = s.error(err, nil)
		}
	}
	return r.fatal
}

func (s *running) error(err error, before *Error) *Error {
	l := s.lines[s.at]
	return &Error{URL: s.url, Line: l.number, Command: strings.Join(split(l.text), " "), Err: err, Before: before}
}

// spend counts work, so that a script that goes round without end is ended.
func (r *runner) spend(bytes int) error {
	if r.work += bytes; r.work > maxWork {
		return r.end(tooMuch("it goes round and round"))
	}
	return nil
}

func (r *runner) warn(format string, args ...any) {
	w := fmt.Sprintf(format, args...)
	if len(r.result.Warnings) < 100 {
		r.result.Warnings = append(r.result.Warnings, w)
	}
}

// run runs a script's image, and what it names in its place. It is not among the images
// meanwhile and comes back at their end, unless it is to be freed (script_exec).
func (r *runner) run(ctx context.Context, i *image) error {
	if r.depth == maxDepth {
		return r.end(tooMuch("scripts run each other %d deep", maxDepth))
	}
	saved := r.current
	r.depth++
	defer func() { r.current, r.depth = saved, r.depth-1 }()
	for {
		if err := r.spend(len(i.text)); err != nil {
			return err
		}
		s := &running{script: parseScript(i.uri.url(), i.text)}
		r.current, r.last = s, s.script
		r.unregister(i)
		err := r.lines(ctx, s)
		if r.over() {
			return err
		}
		if s.instead == nil {
			if !i.autofree {
				r.images = append(r.images, i)
			}
			return err
		}
		i = s.instead
		if !IsScript(i.head) {
			r.current = saved
			return r.execute(ctx, i)
		}
	}
}

// lines runs the lines of a script to its end, to exit, or to the first that fails.
func (r *runner) lines(ctx context.Context, s *running) error {
	for r.exited = false; s.at < len(s.lines); s.at++ {
		if err := ctx.Err(); err != nil {
			return r.end(err)
		}
		s.jumped = false
		err := r.line(ctx, s.lines[s.at].text)
		if r.over() || s.stop || err != nil {
			return err
		}
		if s.jumped {
			s.at-- // to the label's own line
		}
	}
	return nil
}

// line runs the commands of one line, from the left (core/exec.c, system).
func (r *runner) line(ctx context.Context, text string) error {
	words := split(text)
	var err error
	for process := true; ; {
		n := 0
		for n < len(words) && !operator(words[n]) {
			n++
		}
		if process {
			err = r.command(ctx, words[:n])
			if r.over() || r.current.stop || r.current.jumped {
				return err
			}
		}
		if n == len(words) {
			return err
		}
		switch words[n] {
		case "||":
			process = err != nil
		case "&&":
			process = err == nil
		default:
			process = true
		}
		words = words[n+1:]
	}
}

// command runs one command. Words are expanded after splitting, and not split again.
func (r *runner) command(ctx context.Context, words []string) error {
	if err := r.spend(step); err != nil {
		return err
	}
	argv := make([]string, len(words))
	for i, w := range words {
		var err error
		if argv[i], err = expand(w, r.value, r.spend); err != nil {
			return r.end(err)
		}
	}
	if len(argv) == 0 {
		return nil
	}
	return r.exec(ctx, argv)
}

// exec runs an expanded command and notes its failure.
func (r *runner) exec(ctx context.Context, argv []string) error {
	s := r.current
	c, known := r.commands[argv[0]]
	var err error
	if !known {
		err = errUnknown
	} else {
		var o options
		if o, argv, err = parseOptions(c, argv[1:]); err == nil {
			err = c.run(ctx, o, argv)
		}
	}
	if r.set.moved {
		r.set.moved = false
		r.move()
	}
	switch {
	case err == nil || r.fatal != nil:
		return err
	case ctx.Err() != nil:
		return r.end(ctx.Err())
	case errors.Is(err, ErrTooMuch):
		return r.end(err)
	}
	r.errno = errnoOf(err)
	e, inner := errors.AsType[*Error](err)
	if !inner { // else a script's below this one
		e = s.error(err, nil)
		if c.helpless {
			e.Before = r.before
		}
	}
	if !c.test && !c.helpless {
		r.before = e
	}
	return e
}

// value is what a ${...} stands for.
func (r *runner) value(name string) string {
	switch key, _, _ := strings.Cut(name, ":"); key {
	case "errno":
		r.live(kindUint32, kindUint32.denumerate(int32(r.errno)), key)
	case "cwuri":
		r.live(kindString, []byte(r.cwuri().String()), key)
	case "cwduri":
		u := r.cwuri()
		u.path, u.query = strings.TrimSuffix(dirname(u.path), "/")+"/", ""
		r.live(kindString, []byte(u.String()), key)
	case "unixtime":
		if r.env.Now != nil {
			r.live(kindUint32, kindUint32.denumerate(int32(r.env.Now().Unix())), key)
		}
	}
	s, _ := r.set.get(name)
	return s
}

// live puts a value that changes among the builtin settings.
func (r *runner) live(k kind, b []byte, name string) { r.set.scope("builtin", false).fill(k, b, name) }

// cwuri is what relative names are seen from: the running script's own URI.
func (r *runner) cwuri() uri {
	if r.current == nil {
		return uri{}
	}
	return parseURI(cmp.Or(r.current.base, r.current.url))
}

// move has names seen from another next-server, when it is set (net/udp/tftp.c,
// tftp_apply_settings).
func (r *runner) move() {
	server, _ := r.set.get(nextServer)
	if server != "" && server != r.nextServer {
		r.current.base = "tftp://" + server + "/"
	}
	r.nextServer = server
}
