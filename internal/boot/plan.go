package boot

import (
	"net/netip"
	"time"
	"unicode/utf8"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/pxelinux"
)

// Plan is what would boot, and how that was found out: what `plan --json`
// prints. Keys are added, never renamed. It is filled stage by stage, so that
// after a failure it holds what is known by then.
type Plan struct {
	MAC      string   `json:"mac"`
	UUID     string   `json:"uuid"`
	Net      string   `json:"net"`
	Lease    Lease    `json:"lease"`
	Config   Config   `json:"config"`
	Outcome  string   `json:"outcome"`
	Label    string   `json:"label"`
	Waits    bool     `json:"waits"`
	Kernel   string   `json:"kernel"`
	Initrds  []string `json:"initrds"`
	Args     string   `json:"args"`                  // PXELINUX's own command line, byte for byte
	Args64   []byte   `json:"args_base64,omitempty"` // the same, where JSON can't hold it
	Modules  []Module `json:"modules"`
	Labels   []Label  `json:"labels"`
	Warnings []string `json:"warnings"`

	Location  string     `json:"location,omitempty"`  // instead of a configuration; config.tried are the names there
	Downloads []Download `json:"downloads,omitempty"` // of Get

	Facts *check.Facts `json:"facts,omitempty"` // of Check
}

// Lease is the part of a DHCP lease that decides what boots.
type Lease struct {
	Address    string   `json:"address"`
	Router     string   `json:"router"`
	DNS        []string `json:"dns"`
	ServerID   string   `json:"server_id"`
	NextServer string   `json:"next_server"`
	BootFile   string   `json:"bootfile"`
	PathPrefix string   `json:"path_prefix"`
	ConfigFile string   `json:"config_file"`
	Offers     int      `json:"offers"`
}

// Config is where the configuration was found, and where it was looked for.
type Config struct {
	URL   string `json:"url"`
	Tried []Try  `json:"tried"`
}

// Try is one name of the search path.
type Try struct {
	URL    string  `json:"url"`
	Result string  `json:"result"` // found, not found, empty, error
	Millis float64 `json:"ms"`
}

// Module is one file of a multiboot entry.
type Module struct {
	URL  string `json:"url"`
	Args string `json:"args"`
}

// Label is one entry as the configuration has it.
type Label struct {
	Name    string   `json:"name"`
	Display string   `json:"display"`
	Type    string   `json:"type"`
	Kernel  string   `json:"kernel"`
	Initrds []string `json:"initrds"`
	Append  string   `json:"append"`
}

// newPlan has no null in its JSON: a reader can always range over a list.
func newPlan() *Plan {
	return &Plan{
		Lease:   Lease{DNS: []string{}},
		Config:  Config{Tried: []Try{}},
		Initrds: []string{}, Modules: []Module{}, Labels: []Label{}, Warnings: []string{},
	}
}

func (p *Plan) setLease(l *dhcpclient.Lease) {
	p.Lease = Lease{
		Address:    text(l.Address),
		Router:     text(l.Router),
		DNS:        []string{},
		ServerID:   text(l.ServerID),
		NextServer: text(l.NextServer),
		BootFile:   l.BootFile,
		PathPrefix: l.PathPrefix,
		ConfigFile: l.ConfigFile,
		Offers:     l.Offers,
	}
	for _, a := range l.DNS {
		p.Lease.DNS = append(p.Lease.DNS, a.String())
	}
}

func (p *Plan) setConfig(c *pxelinux.Config) {
	p.Config = Config{URL: c.URL, Tried: []Try{}}
	p.Labels, p.Warnings = []Label{}, append([]string{}, c.Warnings...)
	for _, t := range c.Tried {
		p.Config.Tried = append(p.Config.Tried, Try{t.URL, t.Result, float64(t.Took.Round(10*time.Microsecond)) / float64(time.Millisecond)})
	}
	for _, l := range c.Labels {
		p.Labels = append(p.Labels, Label{l.Name, l.Display, string(l.Type), l.Kernel, append([]string{}, l.Initrds...), l.Append})
	}
}

func (p *Plan) setBoot(b *pxelinux.Boot) {
	p.Outcome, p.Label, p.Waits = string(b.Outcome), b.Label, b.Waits
	p.Kernel = b.Kernel
	p.setArgs(b.Args)
	p.Initrds = append([]string{}, b.Initrds...)
	p.Modules = []Module{}
	for _, m := range b.Modules {
		p.Modules = append(p.Modules, Module{m.URL, m.Args})
	}
}

// brief is what boots, without how it was found.
func (p *Plan) brief() *Plan {
	b := newPlan()
	b.Outcome, b.Kernel, b.Initrds, b.Args, b.Config.URL = p.Outcome, p.Kernel, p.Initrds, p.Args, p.Config.URL
	return b
}

func (p *Plan) setArgs(args string) {
	p.Args, p.Args64 = args, nil
	if !utf8.ValidString(args) {
		p.Args64 = []byte(args)
	}
}

// text is the address, or nothing for the zero address.
func text[A interface {
	netip.Addr | netip.Prefix
	IsValid() bool
	String() string
}](a A) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
