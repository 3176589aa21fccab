package verify

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/printable"
)

// Name is that of the list that a key's owner signs.
const Name = "SHA256SUMS"

// Policy is what somebody demands of the files of a boot. Its zero value
// demands nothing.
type Policy struct {
	Pins []string // FILE=HEX: that file has to be part of the boot, and has this digest
	Sums []byte   // a list: the kernel and the initrds have to be in it
	Key  []byte   // whoever has this one signs a list: all that decides what boots has to be in it
}

// None says whether it demands nothing.
func (p Policy) None() bool { return len(p.Pins) == 0 && p.Sums == nil && p.Key == nil }

// Spaces returns what names those whose files with a digest a guest may have: all
// guests, where dom0 lists it, else those with the same key. It is not ok where
// nothing of that kind is demanded.
func (p Policy) Spaces() func(Digest) (space string, ok bool) {
	c, err := p.Checker()
	if err != nil {
		return func(Digest) (string, bool) { return "", false }
	}
	listed := make(map[Digest]bool)
	for _, l := range c.lists {
		for _, d := range l.List {
			listed[d] = true
		}
	}
	key := Digest(sha256.Sum256(p.Key))
	return func(d Digest) (string, bool) {
		switch {
		case listed[d]:
			return "listed", true
		case p.Key == nil:
			return "", false
		}
		return "key-" + key.String()[:16], true
	}
}

// Error is a file that is not what was demanded, as opposed to one that could
// not be had.
type Error struct{ Err error }

func (e *Error) Error() string { return e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// A Checker knows what digests the files of one boot have to have. Once it is
// loaded several goroutines may use it at once.
type Checker struct {
	policy Policy
	key    *Key
	base   string // URL of the directory that names are relative to
	pins   List
	lists  []source // the first one that has a file counts
	signed *source  // counts after those; nil before Load
	by     string   // who signed it

	mu     sync.Mutex
	pinned map[string]bool // pins that were asked for
}

// source is a list and where it is from, in words.
type source struct {
	List
	from string
}

// Checker reads the policy. Errors name the option that is wrong.
func (p Policy) Checker() (*Checker, error) {
	c := &Checker{policy: p, pins: make(List), pinned: make(map[string]bool)}
	for _, pin := range p.Pins {
		i := strings.LastIndexByte(pin, '=')
		if i <= 0 {
			return nil, fmt.Errorf("--sha256 %q: want FILE=HEX", printable.Line(pin, 200))
		}
		digest, err := ParseDigest(pin[i+1:])
		if err != nil {
			return nil, fmt.Errorf("--sha256: %w", err)
		}
		key, err := keyOf(pin[:i])
		if err != nil {
			return nil, fmt.Errorf("--sha256: %w", err)
		}
		if other, ok := c.pins[key]; ok && other != digest {
			return nil, fmt.Errorf("--sha256: %s has two digests", printable.Line(key, 200))
		}
		c.pins[key] = digest
	}
	c.lists = []source{{c.pins, "--sha256"}}
	if p.Sums != nil {
		list, err := ParseList(p.Sums)
		if err != nil {
			return nil, fmt.Errorf("--sums: %w", err)
		}
		c.lists = append(c.lists, source{list, "--sums"})
	}
	if p.Key != nil {
		var err error
		if c.key, err = ParseKey(p.Key); err != nil {
			return nil, fmt.Errorf("--key: %w", err)
		}
	}
	return c, nil
}

// Load tells in which directory names are, by its URL with a slash at its end,
// and gets the signed list from there, where there is a key. Read gets a file of
// at most so many bytes, or an error that notFound knows. Another Load is for
// another directory.
func (c *Checker) Load(ctx context.Context, base string, read func(ctx context.Context, url string, most int64) ([]byte, error), notFound func(error) bool) error {
	c.base = base
	if c.key == nil {
		return nil
	}
	url := base + Name
	text, err := read(ctx, url, MaxList)
	if err != nil {
		return missing(err, notFound)
	}
	var signature []byte
	for _, suffix := range c.key.Suffixes() {
		if signature, err = read(ctx, url+suffix, MaxSignature); err == nil {
			url += suffix
			break
		}
		if !notFound(err) {
			return err
		}
	}
	if err != nil {
		return missing(err, notFound)
	}
	shown := printable.Redacted(url)
	by, err := c.key.Verify(text, signature, time.Now())
	if err != nil {
		return &Error{fmt.Errorf("%s: %w", shown, err)}
	}
	list, err := ParseList(text)
	if err != nil {
		return &Error{fmt.Errorf("%s: %w", printable.Redacted(base+Name), err)}
	}
	c.signed, c.by = &source{list, printable.Redacted(base+Name) + ", signed by " + by}, by
	return nil
}

// missing is the error of a list or signature that is not there: then nothing
// can be verified.
func missing(err error, notFound func(error) bool) error {
	if notFound(err) {
		return &Error{err}
	}
	return err
}

// A Want is what a file has to be.
type Want struct {
	Digest Digest
	from   string
}

// Want is what the file at a URL has to be; nil where nothing is demanded of it,
// as with a nil Checker. Boots is true for what is handed over: kernel and initrds.
func (c *Checker) Want(url string, boots bool) (*Want, error) {
	if c == nil {
		return nil, nil
	}
	if want := c.listed(url); want != nil {
		c.note(url)
		return want, nil
	}
	if c.key != nil || c.policy.Sums != nil && boots {
		lists := c.all()
		return nil, &Error{fmt.Errorf("%s is not in %s", printable.Redacted(url), lists[len(lists)-1].from)}
	}
	return nil, nil
}

// Signed says whether a key's owner signs what boots.
func (c *Checker) Signed() bool { return c != nil && c.key != nil }

// Listed says whether the file at a URL has to have a digest, where it boots.
func (c *Checker) Listed(url string) bool { return c != nil && c.listed(url) != nil }

// listed is what the first list that has a file says of it; nil for none.
func (c *Checker) listed(url string) *Want {
	for _, l := range c.all() {
		if digest, ok := l.of(c.base, url); ok {
			return &Want{digest, l.from}
		}
	}
	return nil
}

// all are the lists, the signed one at the end.
func (c *Checker) all() []source {
	if c.signed == nil {
		return c.lists
	}
	return append(slices.Clip(c.lists), *c.signed)
}

// note remembers that a pinned file is part of the boot.
func (c *Checker) note(url string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key := range c.pins {
		if _, ok := (List{key: Digest{}}).of(c.base, url); ok {
			c.pinned[key] = true
		}
	}
}

// Check compares what came from a URL.
func (w *Want) Check(url string, got Digest) error {
	if w == nil || got == w.Digest {
		return nil
	}
	return &Error{fmt.Errorf("%s has the SHA-256 %s, and by %s it should be %s", printable.Redacted(url), got, w.from, w.Digest)}
}

// Verify checks a small file.
func (c *Checker) Verify(url string, content []byte) error {
	want, err := c.Want(url, false)
	if err != nil {
		return err
	}
	return want.Check(url, sha256.Sum256(content))
}

// Absent is the error of a file that is not there, or is empty, where the signed list
// has it: a boot program goes on with another one then, and so it would boot what
// whoever answers so wants.
func (c *Checker) Absent(url string) error {
	if c == nil || c.signed == nil {
		return nil
	}
	if digest, ok := c.signed.of(c.base, url); !ok || digest == sha256.Sum256(nil) {
		return nil
	}
	return &Error{fmt.Errorf("%s is not there, and it is in %s", printable.Redacted(url), c.signed.from)}
}

// Unused is the error of a pinned file that the boot did not ask for.
func (c *Checker) Unused() error {
	if c == nil {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(c.pins)) {
		if !c.pinned[key] {
			return &Error{fmt.Errorf("--sha256 %s: no file of this boot has that name in %s", printable.Line(key, 200), printable.Redacted(c.base))}
		}
	}
	return nil
}

// How says how the files of a boot are verified, "" for not at all.
func (c *Checker) How() string {
	var how []string
	if c.by != "" {
		how = append(how, c.by)
	}
	if c.policy.Sums != nil {
		how = append(how, "sums")
	}
	if len(c.pins) > 0 {
		how = append(how, "sha256")
	}
	return strings.Join(how, ", ")
}

// IsError says whether a file was not what was demanded.
func IsError(err error) bool {
	_, ok := errors.AsType[*Error](err)
	return ok
}
