package ipxe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// Error is why a script ended, and where.
type Error struct {
	URL     string // the script's
	Line    int    // from 1
	Command string // as it is written
	Err     error
	Before  *Error // what had failed before, where Err is only what the script does then; nil for none
}

func (e *Error) Error() string {
	s := fmt.Sprintf("%s:%d: %s: %v", e.URL, e.Line, e.Command, e.Err)
	if e.Before != nil {
		s = fmt.Sprintf("%v; then %s:%d: %s: %v", e.Before, e.URL, e.Line, e.Command, e.Err)
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// ErrElsewhere is an Opener's error of a file that may be there, and can't be looked
// at: what a script loads from there is taken for good, and what it would run fails.
var ErrElsewhere = errors.New("is on another server, which is not asked")

// Opener opens an absolute URL. What it returns may have a method URL() string, which
// says where it came from after redirects. An error is that there is no such file,
// as far as iPXE cares; one of ctx ends the script.
type Opener func(ctx context.Context, url string) (io.ReadCloser, error)

// Env is what a script can use beside the network. Nil functions are not there.
type Env struct {
	Open Opener
	// Post is Open for `params`, whose form it sends.
	Post func(ctx context.Context, url, form string) (io.ReadCloser, error)
	// Lookup is the address of a name, for nslookup.
	Lookup func(ctx context.Context, host string) (netip.Addr, error)
	// Sleep waits. It is called after a failed download only, so that a script
	// that tries again gives the server the time that it means to.
	Sleep func(context.Context, time.Duration) error
	// Now is the time, for ${unixtime}.
	Now func() time.Time

	// Choose is the index of the item to take of a menu, which is shown to it; one
	// that can't be chosen is the menu's Default.
	Choose func(Menu) int

	Label string // boot this menu item, or this one after those that lead to it: a/b/c
	// Verified says whether the caller verifies the file at a URL where it boots:
	// imgverify and imgtrust go by that, and fail without it.
	Verified func(url string) bool
}

// Outcome is what a script comes to.
type Outcome string

// What a script can come to.
const (
	Linux     Outcome = "linux"
	Multiboot Outcome = "multiboot"
	LocalBoot Outcome = "localboot" // sanboot of the first disk, or exit
)

// File is one of the files that boot.
type File struct {
	URL string
	// Path and Mode are of the cpio header that iPXE puts before a file that has
	// arguments; Mode is 0 for none.
	Path string
	Mode uint32
	// Parents is how many of Path's directories are made before it; -1 for all.
	Parents int32
	Gunzip  bool // the file has it packed
	// Args are a Multiboot module's, with its URL before them.
	Args string
}

// Item is one of a menu's.
type Item struct{ Name, Text string }

// Result is what a script boots, and how it came to it.
type Result struct {
	Outcome Outcome
	Kernel  string // its URL
	// KernelGunzip says that the file there has it packed by gzip.
	KernelGunzip bool
	Args         string // the command line, byte for byte
	Initrds      []File // in the order that they are laid, each at a multiple of 4096
	Modules      []File // Multiboot's, the kernel first
	Items        []Item // of all menus that were chosen from
	Chosen       string // the last item chosen
	Waits        bool   // a real machine would wait for a user without limit
	Warnings     []string
}

// Run fetches a script and runs it. The Result is never nil: with an error it
// holds what is known by then. The error is an *Error but for one of ctx, or of
// the first script's opening.
func Run(ctx context.Context, m Machine, env Env, url string) (*Result, error) {
	return run(ctx, m, env, func(r *runner) (*image, error) {
		first, err := r.fetch(ctx, parseURI(url))
		if err == nil && !IsScript(first.head) {
			return nil, fmt.Errorf("%s %s", url, first.kind.says())
		}
		return first, err
	})
}

// RunLine is Run for an iPXE that a boot program has started as a kernel: its command
// line is the script (arch/x86/core/runtime.c, cmdline_init). url is what it is called,
// and what names are seen from.
func RunLine(ctx context.Context, m Machine, env Env, line, url string) (*Result, error) {
	return run(ctx, m, env, func(*runner) (*image, error) {
		return &image{uri: parseURI(url), kind: isScript, text: line, autofree: true}, nil
	})
}

func run(ctx context.Context, m Machine, env Env, begin func(*runner) (*image, error)) (*Result, error) {
	r := &runner{env: env, set: newSettings(&m), menus: map[string]*Menu{}, forms: map[string][]string{}, result: &Result{}, wanted: env.Label}
	r.commands = r.table()
	for _, n := range slices.Sorted(maps.Keys(m.Set)) {
		if err := r.set.set(n, m.Set[n]); err != nil {
			return r.result, fmt.Errorf("set %s: %w", n, err)
		}
	}
	r.nextServer, _ = r.set.get(nextServer)
	r.set.moved = false
	first, err := begin(r)
	if err != nil {
		return r.result, err
	}
	r.images = nil // the first script frees itself
	err = r.run(ctx, first)
	switch {
	case r.fatal != nil:
		err = r.fatal
	case r.booted:
		err = nil
	case err == nil && !r.exited:
		err = &Error{URL: first.uri.url(), Line: len(r.last.lines), Command: "end of the script", Err: errors.New("nothing was booted"), Before: r.before}
	default:
		if e, ok := errors.AsType[exit](err); err == nil || ok && e.code != 0 {
			r.result.Outcome = LocalBoot
			if r.before != nil {
				r.warn("the script gave up: %v", r.before)
			}
			err = nil
		}
	}
	if err == nil && r.wanted != "" {
		var names []string
		for _, i := range r.result.Items {
			names = append(names, i.Name)
		}
		return r.result, &NoItemError{r.wanted, names}
	}
	return r.result, err
}

// NoItemError says that no menu had the item that the caller wants.
type NoItemError struct {
	Name  string
	Items []string
}

func (e *NoItemError) Error() string {
	if len(e.Items) == 0 {
		return fmt.Sprintf("no menu item is called %q: the script asks for none", e.Name)
	}
	return fmt.Sprintf("no menu item is called %q: the items are %s", e.Name, strings.Join(e.Items, ", "))
}
