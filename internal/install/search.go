package install

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/arch"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/printable"
)

// Distro is a family of distributions, by the name that eliloader gives it.
type Distro string

// The families. Any means that all are looked for and none gets arguments.
const (
	Any    Distro = ""
	RedHat Distro = "rhlike"
	SUSE   Distro = "sleslike"
	Debian Distro = "debianlike"
	Pygrub Distro = "pygrub" // whatever the kernel and ramdisk say that are named
)

// ParseDistro reads the value of --distro, or of XAPI's install-distro.
func ParseDistro(s string) (Distro, error) {
	switch d := Distro(s); d {
	case Any, RedHat, SUSE, Debian, Pygrub:
		return d, nil
	}
	return Any, fmt.Errorf("distribution %q: it is one of rhlike, sleslike, debianlike, pygrub", printable.Text(s))
}

// Wanted is what to look for.
type Wanted struct {
	Kernel  string // a name below the location, or a URL; "" to search
	Ramdisk string // the same
	Distro  Distro
	Release string         // of Debian or Ubuntu, such as bookworm
	Archs   []arch.Machine // best first; nil is amd64, then i386
}

// Check refuses a release that would lead out of the location.
func (w *Wanted) Check() error {
	if strings.Trim(w.Release, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") != "" || strings.Trim(w.Release, ".") == "" && w.Release != "" {
		return fmt.Errorf("release %q: it is a name such as bookworm", printable.Text(w.Release))
	}
	return nil
}

// Part is what a file is to be.
type Part string

// The parts of what boots.
const (
	Kernel  Part = "kernel"
	Ramdisk Part = "ramdisk"
)

// A Site is how Search looks at a location.
type Site interface {
	// Has says whether a file is there that may be that part. An error of
	// fetch's that is of one file only does not end the search.
	Has(ctx context.Context, url string, of Part) (bool, error)
	// Read returns a small file, and nil when it is not there.
	Read(ctx context.Context, url string) ([]byte, error)
	// Take is told what was found, by a search or by name. With an Unfit error a
	// search goes on; any other ends it, and is Search's.
	Take(ctx context.Context, f Found) error
}

// Unfit is the error of a kernel that is none, as who has all of it can tell.
type Unfit struct{ Err error }

func (u *Unfit) Error() string { return u.Err.Error() }
func (u *Unfit) Unwrap() error { return u.Err }

// ErrNothing is the end of a search without a kernel.
var ErrNothing = errors.New("no kernel found")

// Found is what boots.
type Found struct {
	Kernel  string     // URL
	Ramdisk string     // URL; "" for none
	Args    string     // what the distribution's installer is to be told
	Tried   []plan.Try // in order
}

// Search finds the kernel and the ramdisk, and says what the installer has to
// be told. What Wanted names is not looked for, and what is named and can't be
// fetched is the download's business. Found.Tried is complete also with an
// error.
//
// The order is what .treeinfo says, then xenpvnetboot's six places, then those of
// eliloader and virt-install, and of what came later. Both files of a place have to be
// there: xenpvnetboot mixed two places' files.
func (l Location) Search(ctx context.Context, w Wanted, site Site) (Found, error) {
	s := &search{Location: l, wanted: w, site: site}
	if err := w.Check(); err != nil {
		return s.found, err
	}
	if strings.Contains(l.Base, "/dists/") {
		s.wanted.Release = "" // the location has it, as eliloader looked at it
	}
	s.found.Args = l.args(w.Distro)
	err := s.run(ctx)
	return s.found, err
}

type search struct {
	Location
	wanted  Wanted
	site    Site
	found   Found
	lonely  []string // kernels without their ramdisk, and the other way round
	refused error
	unfit   error // why the first kernel was not taken
}

func (s *search) run(ctx context.Context) (err error) {
	w := &s.wanted
	if w.Kernel != "" {
		if s.found.Kernel, err = s.File(w.Kernel); err != nil {
			return fmt.Errorf("--kernel %w", err)
		}
	}
	if w.Ramdisk != "" {
		if s.found.Ramdisk, err = s.File(w.Ramdisk); err != nil {
			return fmt.Errorf("--ramdisk %w", err)
		}
	}
	switch {
	case w.Kernel != "" && w.Ramdisk == "":
		if err := s.ramdiskOf(ctx, w.Kernel); err != nil {
			return err
		}
		return s.site.Take(ctx, s.found)
	case w.Kernel != "":
		return s.site.Take(ctx, s.found)
	case s.Base == "":
		return errors.New("there is neither a location nor a kernel's URL")
	case w.Distro == Pygrub:
		return errors.New("which kernel? With pygrub it has to be named")
	}
	first, rest := w.places()
	for _, step := range []func() (bool, error){
		func() (bool, error) { return s.tryTreeinfo(ctx) },
		func() (bool, error) { return s.tryAll(ctx, first) },
		func() (bool, error) { return s.tryAll(ctx, rest) },
	} {
		if done, err := step(); done || err != nil {
			return err
		}
	}
	return s.nothing()
}

// nothing says what was not found.
func (s *search) nothing() error {
	if s.unfit != nil {
		return s.unfit
	}
	text := fmt.Sprintf("%d names asked for, -v lists them", len(s.found.Tried))
	if len(s.lonely) > 0 {
		text += "; " + s.lonely[0]
	}
	if s.refused != nil {
		return fmt.Errorf("%w in %s (%s): %w", ErrNothing, s, text, s.refused)
	}
	return fmt.Errorf("%w in %s (%s)", ErrNothing, s, text)
}

// ramdiskOf looks for the ramdisk that belongs to a kernel which was named:
// the one of the same place. Another kernel gets none, where xenpvnetboot
// gave it the first ramdisk that it came across.
func (s *search) ramdiskOf(ctx context.Context, kernel string) error {
	if IsFullURL(kernel) {
		return nil
	}
	kernel = path.Clean(kernel)
	every := s.wanted
	every.Distro, every.Archs = Any, []arch.Machine{arch.AMD64, arch.I386, arch.ARM64} // its name decides
	first, rest := every.places()
	for _, p := range slices.Concat(first, rest) {
		above, ok := strings.CutSuffix("/"+kernel, "/"+p.kernel)
		if !ok {
			continue
		}
		url := s.join(strings.TrimPrefix(above+"/"+p.ramdisk, "/"))
		there, err := s.hasURL(ctx, url, Ramdisk)
		switch {
		case err != nil:
			return err
		case s.refused != nil: // it is there, and the kernel would miss it
			return s.refused
		case there:
			s.found.Ramdisk = url
			return nil
		}
	}
	return nil
}

func (s *search) tryAll(ctx context.Context, places []place) (bool, error) {
	for _, p := range places {
		if done, err := s.try(ctx, p); done || err != nil {
			return done, err
		}
	}
	return false, nil
}

// try takes a place when what was not named is there, and fits.
func (s *search) try(ctx context.Context, p place) (bool, error) {
	there, err := s.has(ctx, p.kernel, Kernel)
	if err != nil || !there {
		return false, err
	}
	found := s.found
	if found.Kernel, err = s.below(p.kernel); err != nil {
		return false, err
	}
	if s.wanted.Ramdisk == "" {
		if there, err = s.has(ctx, p.ramdisk, Ramdisk); err != nil {
			return false, err
		}
		if !there {
			s.lonely = append(s.lonely, fmt.Sprintf("%s is there, but not its %s", p.kernel, p.ramdisk))
			return false, nil
		}
		if found.Ramdisk, err = s.below(p.ramdisk); err != nil {
			return false, err
		}
	}
	err = s.site.Take(ctx, found)
	if unfit, ok := errors.AsType[*Unfit](err); ok {
		s.unfit = cmp.Or(s.unfit, unfit.Err)
		s.forget(found.Kernel)
		return false, nil
	}
	s.found = found
	return true, err
}

// forget has a kernel that was there be as one that is not.
func (s *search) forget(kernel string) {
	for i, t := range s.found.Tried {
		if t.URL == printable.WithoutPassword(kernel) {
			s.found.Tried[i].Result = plan.Failed
		}
	}
}

// below is a file's URL by its name, which is not one that a user wrote as a
// part of a URL.
func (s *search) below(name string) (string, error) {
	if !isLocalName(name) {
		return "", fmt.Errorf("%q is not the name of a file below the location", printable.Text(name))
	}
	return s.Base + escape(name), nil
}

func (s *search) has(ctx context.Context, name string, of Part) (bool, error) {
	url, err := s.below(name)
	if err != nil {
		return false, err
	}
	return s.hasURL(ctx, url, of)
}

// hasURL asks for a file once.
func (s *search) hasURL(ctx context.Context, url string, of Part) (bool, error) {
	shown := printable.WithoutPassword(url)
	for _, t := range s.found.Tried {
		if t.URL == shown {
			return t.Result == plan.Found, nil
		}
	}
	begin := time.Now()
	there, err := s.site.Has(ctx, url, of)
	return there, s.note(url, there, err, begin)
}

// note keeps what came of a name. It returns the error when that ends the
// search.
func (s *search) note(url string, there bool, err error, begin time.Time) error {
	result := plan.NotFound
	switch {
	case err != nil:
		result = plan.Failed
	case there:
		result = plan.Found
	}
	s.found.Tried = append(s.found.Tried, plan.Try{URL: printable.WithoutPassword(url), Result: result, Millis: plan.Millis(time.Since(begin))})
	if isOfOneFile(err) {
		s.refused = cmp.Or(s.refused, err)
		return nil
	}
	return err
}

// args is what eliloader told each installer: where its repository is. An
// image is what Red Hat's finds by itself, and SUSE's on the hard disk.
func (l Location) args(d Distro) string {
	seen := l.Base
	rest, isNFS := strings.CutPrefix(l.Base, "nfs://")
	switch d {
	case RedHat:
		if l.Image || l.Local != "" || l.Base == "" {
			return ""
		}
		if isNFS {
			host, file, _ := strings.Cut(rest, "/")
			seen = "nfs:" + host + ":/" + file
		}
		return "method=" + seen
	case SUSE:
		switch {
		case l.Base == "":
			return ""
		case l.Image, l.Local != "":
			return "install=hd"
		}
		return "install=" + seen
	}
	return ""
}
