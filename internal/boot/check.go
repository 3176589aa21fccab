package boot

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/bridging"
	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/xenout"
	"golang.org/x/sys/unix"
)

// Look is how Check looks at a lab.
type Look struct {
	Take  bool          // take the lease, and release it
	Quick bool          // do not read the kernel
	Wait  time.Duration // how long servers are listened to after DISCOVER
	Count int           // how many guests ask at once; 0 is to look at one guest's boot
	Rate  float64       // of them ask in a second

	Random bool // the MAC is made up
	// MACs are of other guests, made up: as many as Count, and one at least.
	MACs  []net.HardwareAddr
	VLANs []uint16 // others, which are asked when nobody answers in the guest's
	// Idle is an address of the guest's network that dom0 believes nobody has,
	// to ask DHCP servers from for other things than an address; zero is none.
	Idle netip.Addr
}

// Check goes through the guest's boot and takes nothing: no lease, unless
// look.Take says so, and no file but the kernel, which it looks into. What is
// wrong is in the facts; the error says why it could not look.
func Check(ctx context.Context, r Request, look Look, con *console.Console) (*check.Facts, *plan.Plan, error) {
	ctx, cancel := r.inTime(ctx)
	defer cancel()
	facts := &check.Facts{Began: time.Now()}
	name, vlan, err := guest.FindBridge(r.Bridge, r.VLAN)
	if err != nil {
		return facts, plan.New(), fail(ctx, Usage, "network", err, "")
	}
	// Before we speak with the guest's MAC ourselves.
	wires, idle := bridgeFacts(name, r.MAC)
	if look.VLANs = nil; wires.Kind == "bridge" {
		look.VLANs = otherVLANs(wires, vlan)
	}
	if vlan != 0 {
		look.VLANs = append(look.VLANs, 0) // untagged frames
	}
	look.Idle = idle
	for range max(look.Count, 1) {
		look.MACs = append(look.MACs, RandomMAC())
	}
	subject := check.Subject{
		MAC: r.MAC.String(), UUID: r.UUID, Arch: r.ROM.Arch, VLAN: vlan, Machine: Machine(), Xen: xenRelease(), Random: look.Random,
	}
	facts.Subject, facts.Bridge = subject, wires
	if !wires.Up {
		p := plan.New()
		p.MAC, p.UUID = subject.MAC, subject.UUID
		return facts, p, nil
	}
	r.Look = &look
	a, err := asGuest(ctx, r, con, nil)
	if a.Facts == nil {
		if err == nil {
			err = &Error{OwnFault, "check", errors.New("the guest's process has nothing to tell"), ""}
		}
		return facts, a.Plan, err
	}
	facts = a.Facts
	subject.Net, subject.VendorClass = a.Plan.Net, facts.Subject.VendorClass
	facts.Subject, facts.Bridge = subject, wires
	for _, w := range facts.Errors {
		con.Detail(w)
	}
	r.fits(facts)
	facts.Millis = float64(time.Since(facts.Began).Microseconds()) / 1000
	return facts, a.Plan, err
}

// Machine is what this host's guests are, as package kernel names it.
func Machine() string {
	return map[string]string{"amd64": "x86_64", "386": "i386", "arm64": "arm64", "arm": "arm"}[runtime.GOARCH]
}

// xenRelease is that of this host's Xen, as its kernel tells it.
func xenRelease() string {
	major, err := os.ReadFile("/sys/hypervisor/version/major")
	minor, err2 := os.ReadFile("/sys/hypervisor/version/minor")
	if err != nil || err2 != nil {
		return ""
	}
	return strings.TrimSpace(string(major)) + "." + strings.Trim(string(minor), ". \n")
}

// bridgeFacts looks at the guest's bridge, as it is before we plug in. idle is
// an address of dom0's network there that nobody has, as far as dom0 knows.
func bridgeFacts(name string, mac net.HardwareAddr) (facts *check.Bridge, idle netip.Addr) {
	facts = &check.Bridge{Name: name}
	ifi, err := net.InterfaceByName(name)
	if err != nil {
		return facts, idle
	}
	facts.Up, facts.MTU, facts.Kind = ifi.Flags&net.FlagUp != 0, ifi.MTU, bridging.Kind(name)
	facts.STP, _ = bridging.STP(ifi.Index)
	if facts.STP {
		facts.ForwardDelay, _ = bridging.ForwardDelay(ifi.Index)
	}
	if facts.Filters = bridging.Filters(ifi.Index); facts.Filters {
		facts.PVID = bridging.DefaultPVID(ifi.Index)
	}
	facts.MACOn = bridging.PortOf(ifi.Index, mac)
	if strings.HasPrefix(facts.MACOn, "gpx") {
		facts.MACOn = "" // another of ours, on its way out
	}
	ports, _ := bridging.Ports(ifi.Index)
	for _, p := range ports {
		facts.Ports = append(facts.Ports, check.Port{
			Name: p.Name, Uplink: !p.Guest(), Carrier: p.Carrier, State: p.State.String(), VLANs: p.VLANs, PVID: p.PVID, MTU: p.MTU,
		})
	}
	all, _ := net.Interfaces()
	for _, i := range all {
		addresses, _ := i.Addrs()
		for _, a := range addresses {
			p, err := netip.ParsePrefix(a.String())
			if err != nil || !usable(p.Addr()) {
				continue
			}
			facts.Networks = append(facts.Networks, check.Network{Interface: i.Name, Address: p})
			if i.Name == name && p.Bits() < 30 && !idle.IsValid() {
				idle = lastOf(p)
			}
		}
	}
	return facts, idle
}

// lastOf is the last address of a network that a machine can have, or the one
// before where that is p's own.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().As4()
	for bit := p.Bits(); bit < 32; bit++ {
		b[bit/8] |= 1 << (7 - bit%8)
	}
	a := netip.AddrFrom4(b).Prev()
	if a == p.Addr() {
		a = a.Prev()
	}
	return a
}

// otherVLANs are those that are known to be on the bridge, without the guest's.
func otherVLANs(b *check.Bridge, vlan uint16) []uint16 {
	ifi, err := net.InterfaceByName(b.Name)
	if err != nil {
		return nil
	}
	vlans := bridging.Tagged(ifi.Index)
	for _, p := range b.Ports {
		if p.Uplink {
			vlans = append(vlans, p.VLANs...)
		}
	}
	slices.Sort(vlans)
	vlans = slices.Compact(vlans)
	vlans = slices.DeleteFunc(vlans, func(v uint16) bool { return v == vlan || v == b.PVID })
	const most = 16
	return vlans[:min(len(vlans), most)]
}

// fits compares what boots with what there is room for.
func (r *Request) fits(f *check.Facts) {
	if f.Boot == nil || f.Boot.Kernel == "" {
		return
	}
	f.Args = check.NewArgs(r.Format, xenout.MergeArgs(f.Boot.Args, r.Args))
	space := &check.Space{Directory: r.OutputDirectory}
	for _, file := range f.Files {
		space.Needed += (max(file.Bytes, 0) + 3) &^ 3
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(existing(r.OutputDirectory), &fs); err == nil {
		space.Free, space.ReadOnly = max(room(&fs), 0), fs.Flags&unix.ST_RDONLY != 0
		f.Space = space
	}
}

// existing is a directory, or the nearest above it that is there.
func existing(dir string) string {
	for ; dir != "/" && dir != "."; dir = filepath.Dir(dir) {
		if _, err := os.Stat(dir); err == nil {
			break
		}
	}
	return dir
}
