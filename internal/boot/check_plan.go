package boot

import "github.com/gopxeboot/gopxeboot/internal/check"

// PlanOf is what the facts say about what would boot, as `plan` prints it: for
// those of a capture, which no pipeline has gone through.
func PlanOf(f *check.Facts) *Plan {
	p := newPlan()
	p.MAC, p.UUID, p.Net = f.Subject.MAC, f.Subject.UUID, f.Subject.Net
	l := f.Lease
	p.Lease.Address, p.Lease.Router, p.Lease.ServerID = text(l.Address), text(l.Router), text(l.ServerID)
	p.Lease.NextServer, p.Lease.BootFile = text(l.NextServer), l.BootFile
	p.Lease.PathPrefix, p.Lease.ConfigFile = l.PathPrefix, l.ConfigFile
	for _, a := range l.DNS {
		p.Lease.DNS = append(p.Lease.DNS, a.String())
	}
	for _, o := range f.Offers {
		if !o.Proxy {
			p.Lease.Offers++
		}
	}
	for _, t := range f.Search {
		if t.Meant == "" {
			p.Config.Tried = append(p.Config.Tried, Try{t.URL, t.Result, t.Millis})
		}
	}
	if f.Config != nil {
		p.Config.URL = f.Config.URL
	}
	if b := f.Boot; b != nil {
		p.Outcome, p.Label, p.Waits, p.Kernel = b.Outcome, b.Label, b.Waits, b.Kernel
		p.setArgs(b.Args)
		p.Initrds = append(p.Initrds, b.Initrds...)
		p.Warnings = append(p.Warnings, b.Warnings...)
	}
	return p
}
