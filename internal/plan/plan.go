// Package plan is the one record of a boot: what DHCP said, which names were
// asked for, what was found, and what boots. Who finds something out writes it
// here; `plan --json` and `check --json` print it. It decides nothing.
package plan

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/pxelinux"
	"github.com/gopxeboot/gopxeboot/xenout"
)

// Plan is what would boot, and how that was found out: what `plan --json`
// prints. Keys are added, never renamed. It is filled stage by stage, so that
// after a failure it holds what is known by then.
type Plan struct {
	MAC       string           `json:"mac"`
	UUID      string           `json:"uuid"`
	GuestType xenout.GuestType `json:"guest_type"` // "" when not known
	Net       string           `json:"net"`
	Lease     Lease            `json:"lease"`
	Config    Config           `json:"config"`
	Boot

	Verified string `json:"verified"`           // by whose signature or which list all of it is; "" when nothing was to be verified
	Location string `json:"location,omitempty"` // instead of a configuration; config.tried are the names there
}

// Lease is the part of a DHCP lease that decides what boots. An address that is
// not known is the zero one, in JSON "". In JSON the boot file has two keys,
// as `plan` and `check` once called it.
type Lease struct {
	Address    netip.Prefix `json:"address"`
	Router     netip.Addr   `json:"router"`
	DNS        []netip.Addr `json:"dns,omitzero"`
	ServerID   netip.Addr   `json:"server_id"`
	NextServer netip.Addr   `json:"next_server"`
	BootFile   string       `json:"bootfile"`
	PathPrefix string       `json:"path_prefix"`
	// ROMBootFile is the iPXE program that the ROM was given, where BootFile is what
	// DHCP answered to that.
	ROMBootFile string `json:"rom_boot_file,omitempty"`
	ConfigFile  string `json:"config_file"`
	Offers      int    `json:"offers"`
	LocalBoot   bool   `json:"local_boot"` // a PXE menu says: from the disk
	InUseBy     string `json:"in_use_by"`  // the MAC of another station that has the address; "" is none
}

// MarshalJSON writes the boot file under both of its keys.
func (l Lease) MarshalJSON() ([]byte, error) {
	type plain Lease
	return json.Marshal(struct {
		plain
		BootFile string `json:"boot_file"`
	}{plain(l), l.BootFile})
}

// NewLease is the record of a lease.
func NewLease(l *dhcpclient.Lease) Lease {
	return Lease{
		Address: l.Address, Router: l.Router, DNS: append([]netip.Addr{}, l.DNS...), ServerID: l.ServerID, NextServer: l.NextServer,
		BootFile: l.BootFile, PathPrefix: l.PathPrefix, ConfigFile: l.ConfigFile, Offers: l.Offers, LocalBoot: l.LocalBoot,
	}
}

// NamesBoot says whether a lease names anything to boot from a server.
func (l *Lease) NamesBoot() bool {
	return l.BootFile != "" || l.PathPrefix != "" || l.ConfigFile != ""
}

// Program is a boot program.
type Program string

// The programs whose configurations are read.
const (
	PXELINUX Program = "pxelinux"
	GRUB     Program = "grub"
	IPXE     Program = "ipxe"
)

// Stage is a part of a boot, as messages name it.
type Stage string

// The stages that are decided on.
const (
	StageDHCP   Stage = "dhcp"
	StageConfig Stage = "config"
	StageBoot   Stage = "boot"
	StagePcap   Stage = "pcap"
)

// Result is what came of asking for a file. A boot program knows Found,
// NotFound, Empty and Failed; the others tell more of a failure.
type Result string

// What a server does.
const (
	Found       Result = "found"
	NotFound    Result = "not found"
	Empty       Result = "empty"       // no bytes, which boot programs take for not found
	Refused     Result = "refused"     // it answers, and does not give it
	Silent      Result = "silent"      // no answer, or no more of it
	Unreachable Result = "unreachable" // the network says so
	Short       Result = "short"       // less of it than was announced
	TooLarge    Result = "too large"   // more than is read of such a file
	Failed      Result = "error"       // anything else
)

// Missing says whether boot programs go on as if there were no such file.
func (r Result) Missing() bool { return r == NotFound || r == Empty }

// Reason tells more of a Result: why a server could not be had.
type Reason string

// The reasons that are told apart.
const (
	PortClosed  Reason = "port closed"         // of a TCP server
	CertExpired Reason = "certificate expired" // or not valid yet
	UnknownCA   Reason = "unknown authority"
	CertName    Reason = "certificate of another server"
	NoTLS       Reason = "no TLS"
	NoLogin     Reason = "login refused"
	Fails       Reason = "fails"            // of a web server that is at fault itself (5xx)
	Redirect    Reason = "redirect"         // one that is not followed
	Encoding    Reason = "content encoding" // one that can't be undone
	Hangs       Reason = "says nothing"     // of a server that takes a connection
	DataBlocked Reason = "data blocked"     // TFTP's, behind the answer to the request
	Lossy       Reason = "packets get lost" // and the time does not do
	NoOACK      Reason = "no OACK"          // TFTP blocks of a size that was not agreed to
)

// Try is one name that was asked for.
type Try struct {
	URL     string  `json:"url"`
	Result  Result  `json:"result"`
	Reason  Reason  `json:"reason,omitempty"`
	Message string  `json:"message"`      // the server's own words, or what went wrong
	At      string  `json:"at,omitempty"` // the URL to which a redirect leads, where that went wrong
	Millis  float64 `json:"ms"`
	// Meant says that the boot program does not ask for this name, but that
	// somebody may have thought so, and why: "upper case", "without 01-", ...
	Meant string `json:"meant"`
	// Blocks are TFTP block sizes, tried when the file stopped coming.
	Blocks []Block `json:"blocks,omitempty"`
	// Rejected is what the network said in the server's place.
	Rejected *Rejected `json:"rejected,omitempty"`
	// There is what may be meant where it is not there.
	There *There `json:"there,omitempty"`
}

// There is a file that is there, under another name than the one that was asked for.
type There struct {
	URL  string `json:"url"`
	Name string `json:"name"` // as it is to be written
}

// Block is a TFTP block size, in bytes, and whether blocks of it arrive: one in a
// few questions is enough.
type Block struct {
	Size    int  `json:"size"`
	Arrives bool `json:"arrives"`
	Asked   int  `json:"asked,omitempty"` // how often one was asked for; 0 when not counted
	Lost    int  `json:"lost,omitempty"`  // how often none came
	All     bool `json:"all,omitempty"`   // one answer was all: the last block, or that there is no such file
}

// Rejected is an ICMP message in place of an answer: "destination unreachable" (RFC
// 792, RFC 1812 §5.2.7.1).
type Rejected struct {
	By   netip.Addr `json:"by"` // who sent it: the machine itself, or a router on the way
	To   netip.Addr `json:"to"` // who was asked
	Code uint8      `json:"code"`
}

// Filtered says whether it is a firewall that says so. A port is closed where its
// own machine says so, and firewalls say that of others.
func (r *Rejected) Filtered() bool {
	return r != nil && (slices.Contains([]uint8{9, 10, 13}, r.Code) || r.Code == 3 && r.By != r.To)
}

func (r *Rejected) String() string {
	what := map[uint8]string{0: "network", 1: "host", 3: "port", 9: "network administratively prohibited,", 10: "host administratively prohibited,", 13: "administratively prohibited,"}[r.Code]
	return strings.TrimLeft(what+" unreachable", " ") + fmt.Sprintf(" (ICMP type 3, code %d)", r.Code)
}

// Config is the configuration: where it was found, where it was looked for, and
// what stands in it.
type Config struct {
	URL       string    `json:"url"`
	Tried     []Try     `json:"tried,omitzero"` // in order, up to and with the one that was found
	Bytes     int64     `json:"bytes"`
	Lines     int       `json:"lines"`
	Labels    []string  `json:"labels,omitempty"`     // names of the first entries, MaxLabels at most
	Default   string    `json:"default"`              // what DEFAULT or UI says; "" when there is neither
	DefaultAt string    `json:"default_at,omitempty"` // the line that it is from, as URL:LINE
	Problems  []string  `json:"problems,omitempty"`   // of lint, as FILE:LINE: TEXT
	Findings  []Finding `json:"findings,omitempty"`   // the same, MaxFindings at most
	Error     string    `json:"error"`                // why it could not be read to its end
}

// How much of a configuration is recorded with its entries.
const (
	MaxLabels   = 200
	MaxFindings = 50
)

// InitrdFile is the name that iPXE gives an initrd with arguments, and GRUB one
// with newc:, by the header of a cpio archive before it; "" for none.
type InitrdFile struct {
	Path string `json:"path"`
	Mode uint32 `json:"mode"` // as in a cpio archive
	// Parents is how many directories of Path are made, iPXE's mkdir=; -1 for all.
	Parents int32 `json:"parents,omitempty"`
	// Gunzip says that it is unpacked, by iPXE's imgextract.
	Gunzip bool `json:"gunzip,omitempty"`
}

// Boot is what boots by the configuration.
type Boot struct {
	Program Program `json:"program"` // "" where no configuration was found
	Outcome Outcome `json:"outcome"`
	Label   string  `json:"label"`
	Named   string  `json:"named"` // the label that --label asks for
	Waits   bool    `json:"waits"` // a real machine would wait for a user without limit
	Kernel  string  `json:"kernel"`
	// KernelGunzip says that the kernel is unpacked, by iPXE's imgextract.
	KernelGunzip bool     `json:"kernel_gunzip,omitempty"`
	Initrds      []string `json:"initrds"`
	// InitrdFiles is set for iPXE, where each of Initrds then begins at a multiple
	// of 4096, and for GRUB where one of them has a name; one for each of Initrds.
	InitrdFiles []InitrdFile `json:"initrd_files,omitempty"`
	Args        string       `json:"args"`                  // the boot program's own command line, byte for byte
	Args64      []byte       `json:"args_base64,omitempty"` // the same, where JSON can't hold it
	Modules     []Module     `json:"modules,omitzero"`
	Labels      []Label      `json:"labels,omitzero"`
	Warnings    []string     `json:"warnings"`
	// Findings are those of Warnings that are about a line.
	Findings []Finding `json:"-"`
	Error    string    `json:"error"` // why nothing can boot
	// Instead is what boots when the server does not have the kernel: the label
	// or the file that ONERROR and its like lead to; "" for nothing.
	Instead string `json:"instead"`
}

// What boot programs' configurations are made of has the types of package
// pxelinux, which was there first; its Outcome's constants are used as well.
type (
	Outcome = pxelinux.Outcome
	Label   = pxelinux.Label  // one entry as the configuration has it
	Module  = pxelinux.Module // one file of a multiboot entry
	Finding = pxelinux.Finding
)

// New has no null in its JSON: a reader can always range over a list.
func New() *Plan {
	return &Plan{
		Lease:  Lease{DNS: []netip.Addr{}},
		Config: Config{Tried: []Try{}},
		Boot:   Boot{Initrds: []string{}, Modules: []Module{}, Labels: []Label{}, Warnings: []string{}},
	}
}

// Brief is what boots, without how it was found.
func (p *Plan) Brief() *Plan {
	b := New()
	b.Outcome, b.Kernel, b.Initrds, b.Args, b.Config.URL = p.Outcome, p.Kernel, p.Initrds, p.Args, p.Config.URL
	return b
}

// SetArgs records a command line.
func (b *Boot) SetArgs(args string) {
	b.Args, b.Args64 = args, nil
	if !utf8.ValidString(args) {
		b.Args64 = []byte(args)
	}
}

// Millis is a duration in milliseconds, to a hundredth.
func Millis(d time.Duration) float64 {
	return float64(d.Round(10*time.Microsecond)) / float64(time.Millisecond)
}

// LabelText begins a line about an entry: "label NAME: ", or nothing for a
// command that is no label.
func LabelText(label string) string {
	if label == "" {
		return ""
	}
	return "label " + label + ": "
}

// Text is an address, or nothing for the zero one.
func Text[A interface {
	netip.Addr | netip.Prefix
	IsValid() bool
	String() string
}](a A) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
