package boot

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/check/probe"
	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/install"
	"github.com/gopxeboot/gopxeboot/internal/kernel"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/printable"
)

// gate is what may be handed over.
type gate struct {
	Guest kernel.Guest // who is to boot it
	Force bool         // also what that one can't boot
}

// gate is that for the guest.
func (o *Options) gate() gate {
	return gate{kernel.Guest{Type: o.Type, Host: kernel.ThisHost(), Xen: probe.XenRelease(), Direct: o.Format.Direct()}, o.Force}
}

// lookTime is how much longer a boot may take because its kernel is looked
// into: xz unpacks 20 MB a second. What is not known by then is not refused.
const lookTime = 100 * time.Millisecond

// lookAtKernel refuses a kernel that this guest can't boot, and warns of what
// may keep it from that. Rest returns when all else is downloaded.
func (p *pipeline) lookAtKernel(ctx context.Context, url string, file *os.File, rest func()) error {
	stat, err := file.Stat()
	if err != nil {
		return nil // not a word about the kernel
	}
	url = printable.WithoutPassword(url)
	if misfit := p.gate.Guest.Refuses(file, stat.Size()); misfit != nil {
		return p.refuse("kernel", url, misfit)
	}
	debug.SetMemoryLimit(256 << 20) // what unpacks a kernel
	type look struct {
		misfit   *kernel.Misfit
		warnings []string
	}
	looked, waited := make(chan look, 1), make(chan struct{})
	go func() {
		var l look
		l.misfit, l.warnings = p.gate.Guest.Looks(file, stat.Size())
		looked <- l
	}()
	go func() {
		rest()
		select {
		case <-ctx.Done():
		case <-time.After(lookTime):
		}
		close(waited)
	}()
	select {
	case l := <-looked:
		for _, text := range l.warnings {
			p.say.Warn(fmt.Sprintf("kernel: %s: %s", url, text))
		}
		if l.misfit != nil {
			return p.refuse("kernel", url, l.misfit)
		}
	case <-waited:
		p.say.Detail("kernel: %s is not looked into, as it takes longer than the download", url)
	}
	return nil
}

// lookAtInitrd refuses an initrd that is something else.
func (p *pipeline) lookAtInitrd(url string, file io.Reader) error {
	head := make([]byte, kernel.InitrdHead)
	n, err := io.ReadFull(file, head)
	if err != nil && n == 0 {
		return nil
	}
	if _, misfit := kernel.InspectInitrd(head[:n]); misfit != nil {
		return p.refuse("initrd", url, misfit)
	}
	return nil
}

// lookFirst says by a file's first bytes whether the search at a location is to
// go on, which it is not for who uses --force.
func (p *pipeline) lookFirst(head []byte, size int64, of install.Part) error {
	if p.gate.Force {
		return nil
	}
	if of == install.Kernel {
		if misfit := p.gate.Guest.Refuses(bytes.NewReader(head), size); misfit != nil {
			return misfit
		}
		return nil
	}
	info, misfit := kernel.InspectInitrd(head)
	if misfit != nil || strings.HasPrefix(info.Line, "{") { // JSON, which no distribution has there
		return fmt.Errorf("%s, and no initrd", info.What())
	}
	return nil
}

// refuse is the error of a file that is not what it should be; a warning where
// somebody knows better.
func (p *pipeline) refuse(stage plan.Stage, url string, m *kernel.Misfit) error {
	err := fmt.Errorf("%s: %w", url, m)
	if p.gate.Force {
		p.say.Warn(fmt.Sprintf("%s: %v; handed over by --force", stage, err))
		return nil
	}
	code := fault.NotBootable
	if m.Download {
		code = fault.NotFetched
	}
	return fault.New(code, stage, err, m.Try+"; --force hands it over all the same")
}
