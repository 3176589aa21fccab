package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"os"
	"slices"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/boot"
	"github.com/gopxeboot/gopxeboot/internal/conf"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/domain"
	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/gopxeboot/gopxeboot/xenout"
	"github.com/urfave/cli/v2"
)

// confFlag is for every command that /etc/gopxeboot.conf counts for.
func confFlag() cli.Flag {
	return &cli.StringFlag{Name: "conf", Value: conf.Name, Usage: "the `FILE` with options for all guests, or for some"}
}

// notInConf are the options that can't stand there: the toolstack says them, or
// they boot nothing.
var notInConf = strings.Fields("output output-format output-directory vm domid runas conf apply unapply again vif default_args extra_args l n version help isconfig udhcpc")

// settings are the options of /etc/gopxeboot.conf.
type settings struct {
	name string
	file conf.File
	err  error
}

// readSettings reads the file. What is wrong with it apply says: the toolstack's
// --output is opened first.
func readSettings(name string) *settings {
	s := &settings{name: name}
	s.file, s.err = conf.Read(name)
	if _, err := os.Stat(name); name != conf.Name && errors.Is(err, fs.ErrNotExist) {
		s.err = fmt.Errorf("--conf: there is no file %s", name) // it may have said --key
	}
	known := firstNames(bootFlags())
	for _, o := range s.file.All() {
		first, ok := known[o.Name]
		switch {
		case s.err != nil:
		case !ok:
			s.err = s.wrong(o, fmt.Errorf("there is no such option%s", didYouMean(o.Name, slices.Sorted(maps.Keys(known)))))
		case slices.Contains(notInConf, first):
			s.err = s.wrong(o, errors.New("only the command line may have this option"))
		}
	}
	return s
}

// wrong is the error of one of its options.
func (s *settings) wrong(o conf.Option, err error) error {
	where := o.Name
	if o.Section != "" {
		where = fmt.Sprintf("%s in [%q]", o.Name, o.Section)
	}
	return fmt.Errorf("%s: %s: %w", s.name, where, err)
}

// apply sets the options that the command line does not say, as far as the
// command has them. Only where the file has sections it asks which ones are the
// guest's.
func (s *settings) apply(c *cli.Context, call *xenout.Call, sections func() ([]string, error)) error {
	if s.err != nil {
		return usage(s.err, "")
	}
	var own []string
	if slices.ContainsFunc(s.file.All(), func(o conf.Option) bool { return o.Section != "" }) {
		var err error
		if own, err = sections(); err != nil {
			return usage(fmt.Errorf("%s: %w", s.name, err), "")
		}
	}
	flags := c.Command.Flags
	if len(flags) == 0 {
		flags = c.App.Flags
	}
	known := firstNames(flags)
	given := func(name string) bool { return c.IsSet(name) || name == "args" && call.Args != "" }
	var set []conf.Option
	for _, o := range s.file.For(own...) {
		if first, ok := known[o.Name]; ok && !given(first) {
			o.Name = first
			set = append(set, o)
		}
	}
	for _, o := range set {
		for _, value := range o.Values {
			if err := c.Set(o.Name, value); err != nil {
				return usage(s.wrong(o, err), "")
			}
			if o.Name == "args" {
				call.Args = xenout.MergeArgs(call.Args, value)
			}
		}
	}
	call.Quiet = call.Quiet || c.Bool("q")
	return nil
}

// sectionsOfCall are those of the guest that the toolstack calls for. Where the
// toolstack says which one it is, and that can't be looked up, nothing boots: its
// section may say --key.
func sectionsOfCall(c *cli.Context, call *xenout.Call) ([]string, error) {
	guest, err := domain.ThisHost().Find(c.Context, *call)
	known := c.String("uuid") != "" || guest.UUID != "" || guest.Name != "" && !guest.XAPI
	if !known && (guest.XAPI || call.Domid != 0) {
		return nil, fmt.Errorf("it has sections, and the guest is not known: %w", err)
	}
	vif := call.VIF
	if vif.Bridge == "" && call.Interface < len(guest.VIFs) {
		found := guest.VIFs[call.Interface]
		vif.Bridge, vif.VLAN = found.Bridge, cmp.Or(vif.VLAN, found.VLAN)
	}
	return sectionsOf(c, guest, vif), nil
}

// sectionsOf are a guest's sections, the first of which counts most. The name is
// none that a VM's administrators chose: they would choose a section by it.
func sectionsOf(c *cli.Context, guest domain.Info, vif xenout.VIF) []string {
	if guest.XAPI {
		guest.Name = ""
	}
	all := []string{strings.ToLower(cmp.Or(c.String("uuid"), guest.UUID)), guest.Name}
	all = append(all, bridgeSections(vif.On(c.String("bridge"), uint16(c.Uint("vlan"))))...)
	return slices.DeleteFunc(all, func(s string) bool { return s == "" })
}

// bridgeSections are those of a vif's network: BRIDGE.VLAN before BRIDGE, where
// vlan= says the VLAN. What is wrong with it the boot says.
func bridgeSections(vif xenout.VIF) []string {
	bridge, vlan, err := vif.Place()
	if err != nil {
		bridge, _, _ = strings.Cut(vif.Bridge, ":")
	}
	if bridge == "" { // the one that it will be on
		bridge, _, _ = guest.FindBridge("", 0)
	}
	if vlan == 0 || bridge == "" {
		return []string{bridge}
	}
	return []string{fmt.Sprintf("%s.%d", bridge, vlan), bridge}
}

// calledGuest is the guest that a word on the command line calls by its name, its
// uuid or its domain id; nil where none does. Words with a slash are a bootloader's
// disk.
func calledGuest(c *cli.Context, call *xenout.Call) (*domain.Info, error) {
	switch macs := writtenMACs(call); {
	case len(macs) > 1:
		return nil, usage(fmt.Errorf("one vif at a time: %s", strings.Join(macs, ", ")), "ask for each of them by a command of its own")
	case call.Disk == "" || strings.Contains(call.Disk, "/"):
		return nil, nil
	case len(call.Unknown) > 0:
		return nil, usage(fmt.Errorf("one guest at a time: %s, %s", strings.Join(call.Unknown, ", "), call.Disk), "")
	case call.VIF.MAC != nil || c.String("mac") != "":
		return nil, usage(fmt.Errorf("%q would be a guest, and a MAC is written down", call.Disk), "leave one of the two away")
	}
	guest, err := domain.ThisHost().Named(c.Context, call.Disk, call.Interface)
	if err != nil {
		return nil, usage(err, "")
	}
	return &guest, nil
}

// writtenMACs are those of the vif strings on the command line, of which a Call has
// the last.
func writtenMACs(call *xenout.Call) (macs []string) {
	for _, word := range call.Words[slices.Index(call.Words, "--")+1:] {
		for piece := range strings.SplitSeq(word, ",") {
			mac, err := net.ParseMAC(strings.TrimPrefix(strings.TrimSpace(piece), "mac="))
			if err == nil && !slices.Contains(macs, mac.String()) {
				macs = append(macs, mac.String())
			}
		}
	}
	return macs
}

// namedOptions are the options of plan and check: those that the command line says,
// of the file, and of the guest that it calls.
func namedOptions(c *cli.Context, call *xenout.Call) (boot.Options, error) {
	called, err := calledGuest(c, call)
	if err == nil && c.String("tree") == "" && c.String("replay") == "" { // those are of no network of this host's
		err = readSettings(c.String("conf")).apply(c, call, func() ([]string, error) {
			if called == nil {
				return sectionsOf(c, domain.Info{}, call.VIF), nil
			}
			return sectionsOf(c, *called, called.VIFs[call.Interface]), nil
		})
	}
	if err != nil {
		return boot.Options{}, err
	}
	con := console.New(c.App.ErrWriter, level(c))
	o, err := options(c, call, con)
	if err == nil && called != nil {
		o.Take(*called, call.Interface, con)
	}
	return o, err
}
