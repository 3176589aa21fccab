package check

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/pxelinux"
)

// What a step says when nothing is wrong in it; "" when it was not come to.

func (f *Facts) bridgeStep() (string, float64) {
	b := f.Bridge
	if b == nil {
		return "", 0
	}
	text := b.Name
	if f.Subject.VLAN != 0 {
		text += fmt.Sprintf(", VLAN %d", f.Subject.VLAN)
	}
	if up := b.uplinks(); len(up) > 0 {
		var names []string
		for _, p := range up {
			names = append(names, p.Name)
		}
		text += ", uplink " + strings.Join(names, " and ")
	} else if len(b.Ports) > 0 {
		text += ", no uplink"
	}
	if f.Subject.Net != "" {
		text += ", as " + map[string]string{"guest": "the guest with a port of its own", "dom0": "the guest's MAC from dom0"}[f.Subject.Net]
	}
	if f.Subject.Random {
		text += ", with the made-up MAC " + f.Subject.MAC
	}
	return text, 0
}

func (f *Facts) dhcpStep() (string, float64) {
	if !f.discovered() {
		return "", 0
	}
	l := f.Lease
	if !l.Address.IsValid() {
		return "nothing", 0
	}
	ms := 0.0
	for _, o := range f.Offers {
		if o.Chosen {
			ms = max(ms, o.Took)
		}
	}
	boot := cmp.Or(l.BootFile, "none") + f.origin(ValueBootFile)
	if l.ROMBootFile != "" {
		boot = fmt.Sprintf("%s, and to iPXE %s", l.ROMBootFile, boot)
	}
	return fmt.Sprintf("%s offers %s, next-server %s%s, boot file %s%s", l.ServerID, l.Address,
		cmp.Or(plan.Text(l.NextServer), "none"), f.origin(ValueNextServer), boot, f.offerCount()), ms
}

// origin is where a value comes from, in brackets.
func (f *Facts) origin(name ValueName) string {
	v := f.merged(name)
	if v == nil || v.Origin == (Origin{}) {
		return ""
	}
	return " (" + v.Origin.Label() + ")"
}

func (f *Facts) offerCount() string {
	addresses, proxies := 0, 0
	for _, o := range f.Offers {
		if o.Proxy {
			proxies++
		} else {
			addresses++
		}
	}
	switch {
	case addresses < 2 && proxies == 0:
		return ""
	case proxies == 0:
		return fmt.Sprintf("; %d servers offer", addresses)
	}
	return fmt.Sprintf("; %d offers, %d proxyDHCP", addresses, proxies)
}

func (f *Facts) leaseStep() (string, float64) {
	r, l := f.Request, f.Lease
	if f.given() {
		return fmt.Sprintf("%s, as --address says, next-server %s, boot file %s", l.Address, cmp.Or(plan.Text(l.NextServer), "none"), cmp.Or(l.BootFile, "none")), 0
	}
	if r == nil {
		return "", 0
	}
	return fmt.Sprintf("%s leased, for this look", l.Address), r.Millis
}

func (f *Facts) serverStep() (string, float64) {
	s := f.NextServer
	if s == nil {
		return "", 0
	}
	way := ""
	switch s.Route {
	case RouteDirect:
		way = ", in the guest's network"
	case RouteRouter:
		way = ", through router " + f.Lease.Router.String()
	}
	if s.TFTP == "" {
		return s.Address.String() + way, s.ARPMs
	}
	return fmt.Sprintf("TFTP at %s %s%s", s.Address, s.TFTP, way), s.TFTPMs
}

func (f *Facts) configStep() (string, float64) {
	ms := 0.0
	asked := 0
	for _, t := range f.Search {
		if t.Meant == "" {
			ms += t.Millis
			asked++
		}
	}
	if f.Config == nil {
		if asked == 0 {
			return "", 0
		}
		return "none", ms
	}
	return fmt.Sprintf("%s (%s, %s, after %s)", f.Config.URL, console.Size(f.Config.Bytes), console.Count(len(f.Config.Labels), "label"), console.Count(asked, "name")), ms
}

func (f *Facts) bootStep() (string, float64) {
	b := f.Boot
	switch {
	case f.Lease.LocalBoot:
		return "from the guest's own disk, as the PXE boot menu says", 0
	case b == nil:
		return "", 0
	case b.Outcome == pxelinux.LocalBoot:
		return plan.LabelText(b.Label) + "from the guest's own disk", 0
	}
	return plan.LabelText(b.Label) + b.Kernel, 0
}

func (f *Facts) fileStep(role string) (string, float64) {
	var text []string
	ms := 0.0
	for _, file := range f.Files {
		if file.Role != role {
			continue
		}
		ms += file.Millis
		line := file.URL
		if file.Bytes >= 0 && file.Result == plan.Found {
			line += ", " + console.Size(file.Bytes)
		}
		if k := file.Kernel; k != nil {
			line += ", " + kernelText(k)
		}
		if role == "initrd" && file.Result == plan.Found && f.Capture == "" {
			line += initrdText(file)
		}
		if file.Seconds > 0 {
			line += ", about " + secondsText(file.Seconds)
		}
		text = append(text, line)
	}
	return strings.Join(text, "; "), ms
}

// initrdText is what is known of an initrd, of which the beginning was read.
func initrdText(f File) string {
	text := ""
	if f.Kind != "" {
		text = ", " + f.Kind
	}
	if f.Read < f.Bytes || f.Bytes < 0 {
		text += ", not verified to the end"
	}
	return text
}

func kernelText(k *Kernel) string {
	text := strings.Join(strings.Fields(k.Format+" "+k.Version+" "+k.Arch), " ")
	if k.NeedsXen != "" {
		text += fmt.Sprintf(" (%s, from Xen %s on)", k.Packing, k.NeedsXen)
	}
	switch {
	case k.PV && k.PVH:
		text += " for Xen PV and PVH"
	case k.PV:
		text += " for Xen PV"
	case k.PVH:
		text += " for Xen PVH"
	case k.Looked:
		text += ", not for Xen"
	}
	return text
}

func (f *Facts) argsStep() (string, float64) {
	if f.Args == nil {
		return "", 0
	}
	return fmt.Sprintf("%d bytes of %d", f.Args.Bytes, f.Args.Limit), 0
}

func (f *Facts) spaceStep() (string, float64) {
	s := f.Space
	if s == nil {
		return "", 0
	}
	return fmt.Sprintf("%s needed in %s, %s free", console.Size(s.Needed), s.Directory, console.Size(s.Free)), 0
}

func (f *Facts) stormStep() (string, float64) {
	s := f.Storm
	if s == nil {
		return "", 0
	}
	return fmt.Sprintf("%d of %d answered at %g a second, median %s, p99 %s", s.Answered, s.Count, s.PerSec, console.Took(s.MedianMs), console.Took(s.P99Ms)), s.MaxMs
}

// Waiting is what a look does next, by what it knows so far.
func (f *Facts) Waiting() string {
	switch {
	case f.Storm != nil:
		return ""
	case !f.discovered() && !f.given():
		return "dhcp: listens to the servers that answer " + f.Subject.MAC
	case f.NextServer == nil && f.Config == nil:
		return "server: asks " + cmp.Or(plan.Text(f.Lease.NextServer), "the server") + " for " + cmp.Or(f.Lease.BootFile, "a file")
	case f.Config == nil:
		return "config: looks for the configuration"
	case f.Boot != nil && f.file("kernel") == nil:
		return "kernel: reads " + f.Boot.Kernel
	}
	return "initrd: asks for it"
}
