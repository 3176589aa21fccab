package check

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/kernel"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/program"
	"github.com/gopxeboot/gopxeboot/pxelinux"
	"github.com/gopxeboot/gopxeboot/xenout"
)

// Facts is everything that was seen of a lab from one guest's place: live, or
// in a capture. It is plain data, without judgement; Diagnose judges. What was
// not looked at is nil, empty or zero. Times are in milliseconds since Began.
// An address that is not known is the zero one, in JSON "". MACs are text in
// the form 00:16:3e:01:02:03.
type Facts struct {
	Guests  []Guest   `json:"guests,omitempty"` // who asks for a lease in a capture
	Made    *Made     `json:"made,omitempty"`   // by what; nil when not known
	Began   time.Time `json:"began"`
	Millis  float64   `json:"ms"`      // how long the look took
	Capture string    `json:"capture"` // the file that this was read from; "" when it is live
	Subject Subject   `json:"subject"`

	Bridge *Bridge `json:"bridge,omitempty"` // nil from a capture
	Events []Event `json:"events,omitempty"`
	Offers []Offer `json:"offers,omitempty"` // in the order of their arrival
	// ARPForAll says that who has the guest's address answers ARP for any.
	ARPForAll bool       `json:"arp_for_all,omitempty"`
	Waited    float64    `json:"waited"` // when the guest takes an offer, since the first DISCOVER: it does not see later ones
	Variants  []Variant  `json:"variants,omitempty"`
	Unsteady  bool       `json:"unsteady"`         // no server answered the guest until it asked again, after the variants
	Merged    []Value    `json:"merged,omitempty"` // what the guest would go by
	Lease     plan.Lease `json:"lease"`            // the same, as addresses
	Request   *Request   `json:"request,omitempty"`

	SilentProxies []netip.Addr `json:"silent_proxies,omitempty"` // proxyDHCP and boot servers that were asked on port 4011 and did not answer

	Heard      []Heard      `json:"heard,omitempty"`      // DHCP servers of other VLANs that were heard
	Unreadable []Unreadable `json:"unreadable,omitempty"` // what a DHCP server said to the guest that no client can read

	NextServer *Station  `json:"next_server,omitempty"`
	Others     []Station `json:"others,omitempty"` // who else could be meant by next-server

	// Search are the names of the configuration that the guest asked for, with
	// what the server did, and then those that somebody may have meant.
	Search []plan.Try `json:"search,omitempty"`
	// Names are those that were looked up.
	Names  []Name       `json:"names,omitempty"`
	Config *plan.Config `json:"config,omitempty"` // nil when there is none
	Boot   *plan.Boot   `json:"boot,omitempty"`   // nil when Config can't be read
	Files  []File       `json:"files,omitempty"`  // the kernel first, then initrds in order
	Args   *Args        `json:"args,omitempty"`
	Space  *Space       `json:"space,omitempty"`
	Storm  *Storm       `json:"storm,omitempty"`
	Limits *Limits      `json:"limits,omitempty"`
	Errors []string     `json:"errors,omitempty"` // what could not be looked at, and why
}

// Guest is a machine that asks for a lease in a capture.
type Guest struct {
	MAC string `json:"mac"`
	PXE bool   `json:"pxe"` // as a PXE client
}

// MaxGuests is how many of a capture are recorded.
const MaxGuests = 100

// GuestList says who boots in a capture, those that do so by PXE first.
func (f *Facts) GuestList() string {
	var pxe, others []string
	for _, g := range f.Guests {
		if g.PXE {
			pxe = append(pxe, g.MAC+" (PXE)")
		} else {
			others = append(others, g.MAC)
		}
	}
	return strings.Join(short(append(pxe, others...)), ", ")
}

// Made is what a report was made by.
type Made struct {
	Version string `json:"version"`
	Host    string `json:"host"`
	Command string `json:"command"` // as in a shell, without passwords
}

// Decided takes what the boot program decided, which is a part of the plan. Its
// names are in Search, and its labels in Config. What it warns of a line is
// among Config's findings, once: lint has most of it, but not a menu's own file.
func (f *Facts) Decided(p *plan.Plan) {
	if p.Config.URL == "" {
		return
	}
	config, boot := p.Config, p.Boot
	config.Tried, boot.Labels, boot.Findings = nil, nil, nil
	config.Findings, boot.Warnings = slices.Clone(config.Findings), slices.Clone(boot.Warnings)
	for _, b := range p.Boot.Findings {
		boot.Warnings = slices.DeleteFunc(boot.Warnings, func(w string) bool { return w == b.String() })
		if !slices.ContainsFunc(config.Findings, func(a plan.Finding) bool {
			return a.Line == b.Line && a.Code == b.Code && strings.HasSuffix(b.File, a.File)
		}) {
			config.Findings = append(config.Findings, b)
		}
	}
	f.Config = &config
	if config.Error != "" {
		return
	}
	if boot.Outcome == "" {
		boot.Outcome = pxelinux.Error
	}
	f.Boot = &boot
}

// Instead says what would boot because the server lacks a file.
func (f *Facts) Instead(ctx context.Context, d *program.Decision) {
	missing := slices.IndexFunc(f.Files, func(file File) bool { return file.Result.Missing() })
	if missing < 0 {
		return
	}
	if next, err := d.NotFound(ctx, f.Files[missing].URL); err == nil && next.Boot.Kernel != "" && next.Boot.Kernel != d.Boot.Kernel {
		f.Boot.Instead = cmp.Or(next.Boot.Label, next.Boot.Kernel)
	}
}

// Subject is the guest in whose place we look.
type Subject struct {
	MAC         string `json:"mac"`
	UUID        string `json:"uuid"`
	Arch        uint16 `json:"arch"`         // option 93, RFC 4578: 0 is BIOS, 7 and 9 UEFI x86-64, 11 UEFI arm64
	VendorClass string `json:"vendor_class"` // option 60 as sent; "" when none was
	VLAN        uint16 `json:"vlan"`         // 0 is none
	Machine     string `json:"machine"`      // what this host's guests are: x86_64 or arm64; "" when not known
	Xen         string `json:"xen"`          // this host's, as 4.17; "" when there is none or it is not known
	Net         string `json:"net"`          // from where: guest or dom0, as --net; "" from a capture
	Random      bool   `json:"random"`       // the MAC is made up for this look
	IP          string `json:"ip"`           // the vif's ip=, which is no lease; "" when there is none

	// Kernel and Ramdisk are what the options of these names have in the place of the
	// configuration's; "" for none.
	Kernel  string `json:"kernel,omitempty"`
	Ramdisk string `json:"ramdisk,omitempty"`

	GuestType xenout.GuestType `json:"guest_type"` // "" when not known
}

// Bridge is the guest's bridge in dom0.
type Bridge struct {
	Name         string  `json:"name"`
	Kind         string  `json:"kind"` // bridge, openvswitch, or what the device is instead
	Up           bool    `json:"up"`
	MTU          int     `json:"mtu"`
	STP          bool    `json:"stp"`
	ForwardDelay float64 `json:"forward_delay"` // seconds that a new port listens, and then learns
	Filters      bool    `json:"filters"`       // vlan_filtering
	PVID         uint16  `json:"pvid"`          // default_pvid: the VLAN of a new port, where the bridge filters
	Ports        []Port  `json:"ports,omitempty"`
	MACOn        string  `json:"mac_on"` // the port behind which the guest's MAC is live now; "" for none
	// CallsIPTables says that what it forwards goes through iptables (br_netfilter).
	CallsIPTables bool `json:"calls_iptables"`
	// CallsHere says that this is the bridge's own setting, and not that of all.
	CallsHere bool `json:"calls_here,omitempty"`
	// Tables are those of dom0's that may drop what the bridge forwards.
	Tables []Table `json:"tables,omitempty"`
	// Running is the guest, where it runs already by what dom0 knows; nil for not.
	Running *Running `json:"running,omitempty"`
	PortOf  string   `json:"port_of"` // what it is a port of, where it is no bridge; "" for nothing
	Instead string   `json:"instead"` // what to name then, in words
	// Networks are dom0's own addresses, on all its interfaces.
	Networks []Network `json:"networks,omitempty"`
}

// Table is one of dom0's firewall, in which something is dropped or rejected.
type Table struct {
	Name string `json:"name"`  // "table ip filter", "ebtables-legacy", ...
	OfIP bool   `json:"of_ip"` // it sees what a bridge forwards only where CallsIPTables
}

// Running is a domain with the guest's MAC.
type Running struct {
	Domid     int    `json:"domid"`
	Interface string `json:"interface"`
}

// Port is one port of the bridge.
type Port struct {
	Name    string   `json:"name"`
	Uplink  bool     `json:"uplink"`          // leads out of this host: it is no vif, tap or other guest's
	Carrier bool     `json:"carrier"`         // the cable is in
	State   string   `json:"state"`           // of STP: disabled, blocking, listening, learning or forwarding
	VLANs   []uint16 `json:"vlans,omitempty"` // that it lets through, where the bridge filters
	PVID    uint16   `json:"pvid"`            // the VLAN of untagged frames there; 0 is none
	MTU     int      `json:"mtu"`
}

// Network is an address that dom0 itself has.
type Network struct {
	Interface string       `json:"interface"`
	Address   netip.Prefix `json:"address"`
}

// Event is one frame or request that was sent or received, for a ladder
// diagram. Who sends is EventGuest, and to all is EventBroadcast; anybody else
// is an IPv4 address or, where none is known, a MAC.
type Event struct {
	Millis  float64  `json:"ms"`
	Took    float64  `json:"took"` // milliseconds until its end, for a download; else 0
	From    string   `json:"from"`
	To      string   `json:"to"`
	PeerMAC string   `json:"peer_mac"`         // of who is not the guest; "" when not known
	Kind    string   `json:"kind"`             // DISCOVER, OFFER, REQUEST, ACK, NAK, RELEASE, INFORM, ARP, RRQ, OACK, DATA, ERROR, HTTP, FTP, ICMP
	Summary string   `json:"summary"`          // one line: "offers 192.0.2.9, boot file pxelinux.0"
	Detail  []string `json:"detail,omitempty"` // a line for each option or field
	Failed  bool     `json:"failed"`           // an error, a NAK, or silence
}

// Who sends, and to whom, that has no address.
const (
	EventGuest     = "guest"
	EventBroadcast = "broadcast"
)

// Offer is one server's answer to DISCOVER.
type Offer struct {
	Millis    float64      `json:"ms"`                // when it came
	Took      float64      `json:"took"`              // milliseconds since the DISCOVER before it
	After     float64      `json:"after"`             // since the first DISCOVER, when this server first answered
	Server    netip.Addr   `json:"server"`            // option 54, else siaddr, else where it came from
	From      netip.Addr   `json:"from"`              // where the packet came from
	ServerMAC string       `json:"server_mac"`        // of the last hop: the server or a relay
	Relay     netip.Addr   `json:"relay"`             // giaddr
	SIAddr    netip.Addr   `json:"siaddr,omitzero"`   // as sent, where it is no other machine's: 127.0.0.1
	VLAN      uint16       `json:"vlan"`              // of the frame; 0 for none
	Proxy     bool         `json:"proxy"`             // knows PXE clients and gives no address
	Address   netip.Prefix `json:"address"`           // yiaddr and the netmask; zero from a proxy
	Chosen    bool         `json:"chosen"`            // the guest takes the address, or the boot file, of this one
	Values    []Value      `json:"values,omitempty"`  // what it says about booting and the network
	Options   []Option     `json:"options,omitempty"` // all of them, in the order in which they came

	BootServers []BootServer `json:"boot_servers,omitempty"` // that it names in other places than siaddr
}

// Value is one thing that decides what boots, and who says so where.
type Value struct {
	Name   ValueName  `json:"name"`
	Value  string     `json:"value"` // as it is used, printable
	Origin Origin     `json:"origin"`
	From   netip.Addr `json:"from"` // which server says so
	Raw    string     `json:"raw"`  // as it came, quoted as in Go, where that is not the value itself
	// Passed are the values of the same name that lost against this one.
	Passed []Value `json:"passed,omitempty"`
}

// ValueName is what a Value is.
type ValueName string

// The values, in the order of Facts.Merged.
const (
	ValueAddress    ValueName = "address"
	ValueRouter     ValueName = "router"
	ValueDNS        ValueName = "DNS"
	ValueDomain     ValueName = "domain"
	ValueNextServer ValueName = "next-server"
	ValueServerName ValueName = "next-server's name"
	ValueBootFile   ValueName = "boot file"
	ValueConfigFile ValueName = "config file"
	ValuePathPrefix ValueName = "path prefix"
	ValueMenu       ValueName = "menu"
)

// Option is one DHCP option for people.
type Option struct {
	Code  uint8  `json:"code"`
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Variant is the same question asked in another way, to learn what the server
// wants.
type Variant struct {
	Name     string       `json:"name"` // one of the Asked constants
	Arch     uint16       `json:"arch"` // for AskedArch
	VLAN     uint16       `json:"vlan"` // for AskedVLAN
	Millis   float64      `json:"ms"`   // until the first answer, or how long it was waited for
	Answered bool         `json:"answered"`
	Server   netip.Addr   `json:"server"` // who answered first
	Address  netip.Prefix `json:"address"`
	BootFile string       `json:"boot_file"` // that a machine would go by

	BootFrom   netip.Addr `json:"boot_from"`   // who names it
	NextServer netip.Addr `json:"next_server"` // beside it
	Proxy      bool       `json:"proxy"`       // that is a proxyDHCP server
}

// The ways to ask.
const (
	AskedArch        = "arch"              // as another architecture
	AskedWithout60   = "without option 60" // not as a PXE client
	AskedWith60      = "with option 60"    // as one, when the question was not
	AskedNoBroadcast = "broadcast flag 0"  // with the answer to the guest's MAC
	AskedFromDom0    = "from dom0"         // by dom0's end of the bridge, with the guest's MAC
	AskedOtherMAC    = "another MAC"       // as a guest that no server knows
	AskedVLAN        = "VLAN"              // in another VLAN
	AskedInform      = "INFORM"            // not for an address
	AskedIPXE        = "as iPXE"           // as the iPXE that the ROM is given; then "as Tinkerbell"
)

// Request is what became of taking the offer, with --request.
type Request struct {
	Result   Taken   `json:"result"`
	Message  string  `json:"message"` // the server's own words (option 56)
	Millis   float64 `json:"ms"`
	Released bool    `json:"released"` // given back at the end
	// Declined is the address that was offered first and that Holder has; the
	// lease is another one then.
	Declined netip.Addr `json:"declined,omitzero"`
	Holder   string     `json:"holder,omitempty"` // a MAC
}

// Taken is what became of a REQUEST.
type Taken string

// What a server and the network say to it.
const (
	Acked      Taken = "ack"
	Nakked     Taken = "nak"
	Unanswered Taken = "no answer"
	InUse      Taken = "in use" // another station has the address
)

// Route is how a machine is reached.
type Route string

// The ways there.
const (
	RouteDirect Route = "direct" // in the guest's own network
	RouteRouter Route = "router" // through Lease.Router
	RouteNone   Route = "none"   // it is elsewhere, and there is no router
)

// TFTPState is what a machine says on port 69; "" when it was not asked.
type TFTPState string

// What comes back.
const (
	PortAnswers     TFTPState = "answers"
	PortClosed      TFTPState = "closed"      // its kernel says that no process listens
	PortUnreachable TFTPState = "unreachable" // a router or our own kernel says so
	PortSilent      TFTPState = "silent"
)

// Station is a machine that files may be asked of, and how it can be reached.
type Station struct {
	Address netip.Addr `json:"address"`
	Why     string     `json:"why"` // "next-server", "DHCP server", "option 66", "router", ...
	Route   Route      `json:"route"`
	MAC     string     `json:"mac"` // of it, or of the router on the way; "" when ARP was not answered, or MACUnknown
	// MACUnknown says that a machine does answer ARP, and that it is not known which:
	// frames go there in a capture without their MACs.
	MACUnknown bool `json:"mac_unknown,omitempty"`
	// FromDom0 says that it does not answer the guest, but the same question when
	// dom0 sends that with the guest's addresses.
	FromDom0 bool `json:"from_dom0,omitempty"`
	// ByRouter says that it does not answer ARP, though the netmask has it in the
	// guest's network, and that it answers by way of the router.
	ByRouter bool `json:"by_router,omitempty"`
	// OtherMAC is of a second machine that answers ARP for the address, or for the
	// router's.
	OtherMAC string    `json:"other_mac,omitempty"`
	ARPMs    float64   `json:"arp_ms"` // how long that took
	TFTP     TFTPState `json:"tftp"`
	TFTPMs   float64   `json:"tftp_ms"`
	Asked    string    `json:"asked"`    // the file that it was asked for
	HasFile  bool      `json:"has_file"` // and it has it
	// Rejected is what the network says to a request; nil for nothing.
	Rejected *plan.Rejected `json:"rejected,omitempty"`
	// AnswersFrom is another address than its own, from which it answers.
	AnswersFrom netip.Addr `json:"answers_from"`
	// NoTFTP is what it answers that is no TFTP, quoted as in Go; "" for nothing.
	NoTFTP string `json:"no_tftp,omitempty"`
}

// there says whether it, or the router on the way, answers ARP.
func (s *Station) there() bool { return s.MAC != "" || s.MACUnknown }

// MeantRoot is plan.Try.Meant where the boot file's directory is wrong.
const MeantRoot = "in the root, not in the boot file's directory"

// Name is a server's name that was looked up.
type Name struct {
	Name    string       `json:"name"`
	Address netip.Addr   `json:"address"` // zero when none was found
	Failed  []NameServer `json:"failed,omitempty"`
	Millis  float64      `json:"ms"`
}

// NameServer is one that gave no address.
type NameServer struct {
	Address netip.Addr `json:"address"`
	Silent  bool       `json:"silent"` // or no DNS server
	Message string     `json:"message"`
}

// File is one file that the guest needs.
type File struct {
	Role   string      `json:"role"` // kernel or initrd
	URL    string      `json:"url"`
	At     string      `json:"at,omitempty"` // the URL to which a redirect leads, where that went wrong
	Result plan.Result `json:"result"`
	Reason plan.Reason `json:"reason,omitempty"`
	Bytes  int64       `json:"bytes"` // as announced; -1 when the server does not say
	Read   int64       `json:"read"`  // how much of it was read
	Millis float64     `json:"ms"`    // until the server said yes or no
	// Rate is what was measured, in bytes a second, and Seconds the estimate for
	// the whole file; 0 when not known.
	Rate    float64 `json:"rate"`
	Seconds float64 `json:"seconds"`
	// Packets is how many were needed by TFTP for what was read, and Lost how
	// often one was asked for again; 0 when not counted.
	Packets int    `json:"packets"`
	Lost    int    `json:"lost"`
	Message string `json:"message"` // the server's own words, or what went wrong
	// Rejected is what the network said.
	Rejected *plan.Rejected `json:"rejected,omitempty"`
	There    *plan.There    `json:"there,omitempty"`  // what may be meant, where it is not there
	Blocks   []plan.Block   `json:"blocks,omitempty"` // TFTP block sizes, tried one after the other
	Kernel   *Kernel        `json:"kernel,omitempty"` // what is in it; nil when not looked at
	Kind     string         `json:"kind,omitempty"`   // what an initrd is, by its first bytes
	Misfit   *Misfit        `json:"misfit,omitempty"` // nil where a boot would hand it over
}

// Misfit is why a boot refuses a file.
type Misfit struct {
	Text string `json:"text"`
	Try  string `json:"try"`
}

// NewMisfit is what the gate of a boot says; nil for nil.
func NewMisfit(m *kernel.Misfit) *Misfit {
	if m == nil {
		return nil
	}
	return &Misfit{m.Text, m.Try}
}

// Kernel is what a kernel's file is.
type Kernel struct {
	Format  string `json:"format"` // bzImage, ELF, gzip, HTML, script, ... in words
	Linux   bool   `json:"linux"`  // it is a Linux kernel, or another one for Xen
	Arch    string `json:"arch"`   // x86_64, i386, arm64; "" when not known
	Version string `json:"version"`
	// Looked says that the notes were looked for: PV and PVH mean something.
	Looked bool  `json:"looked"`
	PV     bool  `json:"pv"`    // has an entry for Xen PV
	PVH    bool  `json:"pvh"`   // has an entry for Xen PVH
	Wants  int64 `json:"wants"` // bytes that the file must have by its own header; 0 when it does not say
	// Packing is how it is compressed, and NeedsXen the first release of Xen whose
	// tools unpack that, as 4.15; "" when all in use do.
	Packing  string `json:"packing"`
	NeedsXen string `json:"needs_xen"`
}

// Args is the kernel's command line.
type Args struct {
	Bytes int `json:"bytes"`
	Limit int `json:"limit"` // what the guest gets whole
	// Shortened is its length without BOOT_IMAGE= and initrd=, where it is too
	// long and fits without them; else Bytes.
	Shortened int `json:"shortened"`
}

// NewArgs measures a command line for a guest of this type that gets an answer
// in this format.
func NewArgs(f xenout.Format, t xenout.GuestType, args string) *Args {
	a := &Args{Bytes: len(args), Limit: t.MaxArgs(f), Shortened: len(args)}
	if fitted, dropped, err := xenout.FitArgs(f, t, args); err == nil && dropped {
		a.Shortened = len(fitted)
	}
	return a
}

// Space is the output directory's.
type Space struct {
	Directory string `json:"directory"`
	Needed    int64  `json:"needed"` // bytes
	Free      int64  `json:"free"`   // bytes, without the reserve that a boot keeps
	ReadOnly  bool   `json:"read_only"`
}

// Limits are those of a boot with the same options; 0 is none.
type Limits struct {
	Kernel  int64   `json:"kernel"`  // bytes
	Initrd  int64   `json:"initrd"`  // bytes, of all of them
	Seconds float64 `json:"seconds"` // for everything
}

// Storm is what many guests at once do to the server.
type Storm struct {
	Count    int     `json:"count"`
	PerSec   float64 `json:"rate"` // DISCOVERs a second
	Answered int     `json:"answered"`
	MedianMs float64 `json:"median_ms"`
	P99Ms    float64 `json:"p99_ms"`
	MaxMs    float64 `json:"max_ms"`
	Lost     int     `json:"lost"`
}

// maxList is longer than any list that a look makes: a thousand events are the
// most.
const maxList = 4096

// Bounded says what is wrong with facts that no look made: a list so long that
// the search for a cause, which compares offers with each other, would not end.
func (f *Facts) Bounded() error {
	v := reflect.ValueOf(*f)
	for i := range v.NumField() {
		if list := v.Field(i); list.Kind() == reflect.Slice && list.Len() > maxList {
			return fmt.Errorf("%d %s, and no look has more than %d", list.Len(), strings.ToLower(v.Type().Field(i).Name), maxList)
		}
	}
	return nil
}
