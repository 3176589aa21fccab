package boot

import (
	"cmp"
	"context"
	"errors"
	"io"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/fetch"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/printable"
	"github.com/gopxeboot/gopxeboot/internal/verify"
)

// verifyAs makes p.check what knows how files have to be.
func (p *pipeline) verifyAs(t *Transfer) (err error) {
	if p.check, err = t.Policy.Checker(); err != nil {
		return fault.New(fault.Usage, "verify", err, "")
	}
	return nil
}

// verifyIn tells in which directory files have the names of the lists, and gets
// the signed one from there. From then on what decides what boots is verified.
func (p *pipeline) verifyIn(ctx context.Context, base string) error {
	plain := p.files
	plain.Verify = nil
	err := p.check.Load(ctx, base, plain.ReadAll, func(err error) bool {
		return errors.Is(err, fetch.ErrNotFound) || errors.Is(err, fetch.ErrRefused)
	})
	switch {
	case verify.IsError(err) && (errors.Is(err, fetch.ErrNotFound) || errors.Is(err, fetch.ErrRefused)):
		return fault.New(fault.NotBootable, "verify", err, "docs/verify.md has the command that signs the tree; its list and the signature lie in "+printable.WithoutPassword(base))
	case verify.IsError(err):
		return p.notVerified("verify", err)
	case err != nil:
		return fault.In(ctx, fault.NotFetched, "verify", err, p.hint(err))
	}
	if how := p.check.How(); how != "" {
		p.say.Stage("verify: by %s", how)
	}
	p.files.Verify = func(link string, content []byte) error {
		err := p.check.Absent(link)
		if content != nil {
			err = p.check.Verify(link, content)
		}
		if err != nil && p.unverified == nil {
			p.unverified = err
		}
		return err
	}
	return nil
}

// verified says whether all that decided what boots was what it had to be, and
// whether what boots can be. A program may go on without a file that was not.
func (p *pipeline) verified(kernel string, initrds []string) error {
	err := p.unverified
	for _, url := range append([]string{kernel}, initrds...) {
		if err == nil && url != "" {
			_, err = p.check.Want(url, true)
		}
	}
	if err == nil {
		err = p.check.Unused()
	}
	if err != nil {
		return p.notVerified("verify", err)
	}
	p.Plan.Verified = p.check.How()
	return nil
}

// notVerified is the error of a file that is not what it had to be.
func (p *pipeline) notVerified(stage plan.Stage, err error) error {
	try := "if it was you who changed it, sha256sum FILE on the server says its digest; else do not boot from there"
	if p.check.Signed() {
		try = "if it was you who changed the tree, sign it again, as docs/verify.md says; else do not boot from there: sha256sum --check SHA256SUMS on the server says what is changed"
	}
	return fault.New(fault.NotBootable, stage, err, try)
}

// writeTo downloads a file and compares it with what it has to be.
func writeTo(f io.WriterTo, to io.Writer, url string, want *verify.Want) (int64, error) {
	if want == nil {
		return f.WriteTo(to)
	}
	if c, ok := f.(*cachedFile); ok { // which compares its digest itself
		n, err := c.WriteTo(to)
		return n, cmp.Or(err, want.Check(url, c.digest))
	}
	sum := verify.NewHasher()
	n, err := f.WriteTo(io.MultiWriter(to, sum))
	if digest := sum.Sum(); err == nil {
		err = want.Check(url, digest)
	}
	return n, err
}

// directory is a URL's, with the slash at its end.
func directory(url string) string { return url[:strings.LastIndexByte(url, '/')+1] }
