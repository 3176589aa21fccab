package boot

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/check/probe"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/fetch"
	"github.com/gopxeboot/gopxeboot/internal/grub"
	"github.com/gopxeboot/gopxeboot/internal/ipxe"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/printable"
	"github.com/gopxeboot/gopxeboot/internal/program"
	"github.com/gopxeboot/gopxeboot/pxelinux"
	"golang.org/x/sys/unix"
)

// decide finds the configuration and what boots from it.
func (p *pipeline) decide(ctx context.Context, m program.Machine) (*program.Decision, error) {
	begin := time.Now()
	d, err := program.Decide(ctx, m, p.open)
	p.Plan.Config, p.Plan.Boot = d.Config, d.Boot
	p.lint = d.Lint
	failed, _ := errors.AsType[*program.Error](err)
	if failed != nil && failed.Stage == plan.StageConfig {
		return d, p.noConfig(ctx, &m.Lease, failed.Err)
	}
	p.say.Stage("config: %s (after %s, %s)", d.Config.URL, console.Count(len(d.Config.Tried), "name"), took(begin))
	return d, p.boots(ctx, d, failed)
}

// boots says what boots, or why nothing does.
func (p *pipeline) boots(ctx context.Context, d *program.Decision, failed *program.Error) error {
	p.Plan.Config, p.Plan.Boot, p.lint = d.Config, d.Boot, d.Lint
	if failed != nil && failed.Wanted {
		return fault.New(fault.Usage, failed.Stage, failed.Err, "")
	}
	if d.Boot.Outcome != "" || failed != nil {
		for _, w := range d.Boot.Warnings {
			p.say.Warn(w)
		}
	}
	if failed != nil {
		v := check.Advise(p.linted(ctx), nil, nil)
		p.misread(v)
		return fault.In(ctx, fault.NotBootable, failed.Stage, failed.Err, adviceOf(v))
	}
	what := d.Boot.Args
	if d.Boot.Outcome == pxelinux.LocalBoot {
		what = "from the guest's own disk"
	}
	p.say.Stage("boot: %s%s", plan.LabelText(d.Boot.Label), what)
	return nil
}

// linted is the plan with lint's findings.
func (p *pipeline) linted(ctx context.Context) *plan.Plan {
	p.linting.Lock()
	defer p.linting.Unlock()
	if p.lint != nil {
		p.Plan.Config, p.lint = p.lint(ctx), nil
	}
	return p.Plan
}

// misread warns of lines that are passed over, where what they may have said is
// missed.
func (p *pipeline) misread(v *check.Verdict) {
	if v == nil || v.Code != check.NoDefault && v.Code != check.LabelMissing {
		return
	}
	const most = 3
	told := 0
	for _, f := range p.Plan.Config.Findings {
		if (f.Code == pxelinux.UnknownDirective || f.Code == pxelinux.NoConfiguration) && told < most {
			p.say.Warn(f.String())
			told++
		}
	}
}

// adviceOf is what to do about a cause; "" where none is known.
func adviceOf(v *check.Verdict) string {
	if v == nil {
		return ""
	}
	return v.Advice
}

// noConfig says why no configuration was found. A server that says no to
// every name is one thing, a server that says nothing another.
func (p *pipeline) noConfig(ctx context.Context, lease *dhcpclient.Lease, err error) error {
	tried := probe.Search(p.Plan.Config.Tried, func(link string) plan.Try {
		told, _ := p.asked.Load(link)
		try, _ := told.(plan.Try)
		return try
	})
	last := new(plan.Try)
	if n := len(tried); n > 0 {
		last = &tried[n-1]
	}
	if _, ours := p.asked.Load(last.URL); ours { // a look asks by itself
		if reason, says := p.whyStopped(ctx, last.URL, err); reason != "" {
			last.Reason, last.Message = reason, says
			err = fmt.Errorf("%s: %s", printable.WithoutPassword(last.URL), says)
		}
	}
	server := p.silentServer(ctx, lease, last, err)
	v := check.Advise(p.linted(ctx), tried, server)
	if last.Result != plan.NotFound && !strings.Contains(err.Error(), last.URL) { // a script's
		err = fmt.Errorf("%s: %w", printable.WithoutPassword(last.URL), err)
	}
	told := false // by the server, why it gives none
	if v != nil && errors.Is(err, pxelinux.ErrNoConfig) {
		switch v.Code {
		case check.TFTPRefused:
			told, err = true, fmt.Errorf("%w: the server refuses to give it: %s", pxelinux.ErrNoConfig, v.Evidence)
		case check.ConfigEmpty:
			told, err = true, fmt.Errorf("%w: %s", pxelinux.ErrNoConfig, v.Evidence)
		}
	}
	try := adviceOf(v)
	switch none := errors.Is(err, pxelinux.ErrNoConfig) || errors.Is(err, grub.ErrNoConfig); {
	case !none:
		if v != nil && v.Code == check.NextServerUnreachable {
			err = fmt.Errorf("%w: t%s", err, strings.TrimSuffix(strings.TrimPrefix(v.Summary, "T"), "."))
		}
		if server == nil || v == nil {
			try = p.reachAdvice(lease, last, err, try)
		}
	case !told && len(tried) > 0:
		if try != "" {
			try = "; " + try
		}
		try = fmt.Sprintf("the first name asked for was %s, the last %s%s", tried[0].URL, last.URL, try)
	}
	try += otherServer(lease, last.URL)
	if p.unresolved != nil {
		try = fmt.Sprintf("DHCP names a next-server that can't be looked up (%v): name its address, or a DNS server that knows it", p.unresolved)
	}
	return fault.In(ctx, fault.NoConfig, "config", err, try)
}

// silentServer looks at the TFTP server of the last name, where it does not say yes or
// no, nothing is known of why, and there is time for that; else nil.
func (p *pipeline) silentServer(ctx context.Context, lease *dhcpclient.Lease, last *plan.Try, err error) *check.Station {
	_, ours := p.asked.Load(last.URL)
	gone := isSilent(err) || last.Result == plan.Unreachable || last.Result == plan.Failed
	if !ours || !gone || !p.child.OwnNet || !lease.Router.IsValid() && errors.Is(err, unix.ENETUNREACH) ||
		last.Reason != "" || !strings.HasPrefix(last.URL, "tftp:") || !timeFor(ctx, probe.ServerTime) {
		return nil
	}
	return probe.Server(ctx, lease, last.URL)
}

// timeFor says whether there is time for a look that takes so long.
func timeFor(ctx context.Context, look time.Duration) bool {
	end, bounded := ctx.Deadline()
	return !bounded || time.Until(end) >= look+time.Second
}

// reachAdvice is what to do where the server of the last name that was asked for can't
// be had; known is what check knows to do.
func (p *pipeline) reachAdvice(lease *dhcpclient.Lease, last *plan.Try, err error, known string) string {
	u, _ := url.Parse(last.URL)
	web := u == nil || u.Scheme != "tftp"
	switch {
	case errors.Is(err, unix.ENETUNREACH) && p.child.OwnNet && !lease.ServerID.IsValid():
		return fmt.Sprintf("--router ADDRESS names the way there: the server is not in %s", lease.Address.Masked())
	case errors.Is(err, unix.ENETUNREACH) && p.child.OwnNet:
		return fmt.Sprintf("DHCP names no router (option 3), and the server is not in %s", lease.Address.Masked())
	case errors.Is(err, unix.ENETUNREACH):
		return "dom0 has no route there: --net guest needs none"
	case known != "" && (last.Reason != "" || web || !isSilent(err)):
		return known
	case web && u != nil && u.Host != "":
		return fmt.Sprintf("see that the server of %s is up and can be reached from %s", printable.Text(last.URL), plan.Text(lease.Address))
	}
	return fmt.Sprintf("see that a TFTP server runs on %s and can be reached from %s", plan.Text(lease.NextServer), plan.Text(lease.Address))
}

// otherServer ends advice where DHCP names another server, which no ROM asks; "" where
// it names none, or next-server was not asked.
func otherServer(lease *dhcpclient.Lease, asked string) string {
	other := lease.Option66
	u, _ := url.Parse(asked)
	if other == "" || u == nil || u.Hostname() != lease.NextServer.String() {
		return ""
	}
	text := fmt.Sprintf("; DHCP names %s in option 66, where no ROM asks: if the files are there, name it as next-server", other)
	if _, err := netip.ParseAddr(other); err == nil {
		text += ", or say --server " + other
	}
	return text
}

// isSilent says whether an error is that of a server from which nothing came.
func isSilent(err error) bool {
	return errors.Is(err, fetch.ErrTimeout) || errors.Is(err, fetch.ErrNoServer)
}

// whyStopped looks at a transfer by TFTP that stopped, where there is time for that.
func (p *pipeline) whyStopped(ctx context.Context, link string, err error) (plan.Reason, string) {
	if p.child == nil || !errors.Is(err, fetch.ErrTimeout) || errors.Is(err, fetch.ErrUnheard) || !strings.HasPrefix(link, "tftp:") || !timeFor(ctx, probe.StoppedTime) {
		return "", ""
	}
	return probe.WhyStopped(ctx, link)
}

// openURL is how the package pxelinux reads what it asks for. Whatever the
// server answers instead of a file means "not there" (PXELINUX, tftp_open and
// http_open); no answer at all is something else.
func (p *pipeline) openURL(ctx context.Context, url string) (io.ReadCloser, error) {
	began := time.Now()
	content, err := p.files.ReadAll(ctx, url, program.MaxConfig)
	if err != nil {
		return nil, p.notOpened(url, err, began)
	}
	return io.NopCloser(bytes.NewReader(content)), nil
}

// notOpened is the error for a boot program.
func (p *pipeline) notOpened(url string, err error, began time.Time) error {
	p.asked.Store(url, probe.Asked(url, err, time.Since(began)))
	if errors.Is(err, fetch.ErrNotFound) || errors.Is(err, fetch.ErrRefused) {
		p.say.Detail("config: %v", err)
		return fmt.Errorf("%w: %w", pxelinux.ErrNotFound, err)
	}
	e, ok := errors.AsType[*fetch.Error](err)
	if ok && errors.Is(err, fetch.ErrTooBig) {
		return fmt.Errorf("%w: %w", pxelinux.ErrTooLarge, e.Err)
	}
	if ok {
		return e.Err // package pxelinux names the URL itself
	}
	return err
}

// openHead is openURL for iPXE, which looks at what boots as well: of a file
// that is no text its first bytes are enough, and where it boots the rest follows.
func (p *pipeline) openHead(ctx context.Context, url string) (io.ReadCloser, error) {
	return p.post(ctx, url, "")
}

// post is openHead with a form; "" is none.
func (p *pipeline) post(ctx context.Context, url, form string) (io.ReadCloser, error) {
	files := p.files
	files.Form, files.UserAgent, files.SysAppend = form, agentOfIPXE, nil
	began := time.Now()
	content, at, err := p.held.ReadHead(ctx, &files, url, ipxe.HeadSize, program.IsText, program.MaxConfig, func(content []byte) bool {
		return form == "" && !ipxe.IsScript(content)
	})
	if err != nil {
		return nil, p.notOpened(url, err, began)
	}
	return program.NewFile(content, at), nil
}

func took(begin time.Time) string { return console.Took(plan.Millis(time.Since(begin))) }
