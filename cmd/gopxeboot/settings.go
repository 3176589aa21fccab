package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/boot"
	"github.com/gopxeboot/gopxeboot/internal/conf"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/domain"
	"github.com/gopxeboot/gopxeboot/xenout"
	"github.com/urfave/cli/v2"
)

// confFlag is for every command that /etc/gopxeboot.conf counts for.
func confFlag() cli.Flag {
	return &cli.StringFlag{Name: "conf", Value: conf.Name, Usage: "take options that are not said from this `FILE`"}
}

// notInConf are the options that can't stand there: the toolstack says them, or
// they boot nothing.
var notInConf = strings.Fields("output output-format output-directory vm domid runas conf apply unapply again l n version help isconfig udhcpc")

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
	known := firstNames(bootFlags())
	for _, o := range s.file.All() {
		first, ok := known[o.Name]
		switch {
		case s.err != nil:
		case !ok:
			s.err = s.wrong(o, fmt.Errorf("there is no such option%s", didYouMean(o.Name, slices.Sorted(maps.Keys(known)))))
		case slices.Contains(notInConf, first):
			s.err = s.wrong(o, errors.New("this one is said by whoever calls"))
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
func (s *settings) apply(c *cli.Context, sections func() []string) error {
	if s.err != nil {
		return usage(s.err, "")
	}
	var own []string
	if slices.ContainsFunc(s.file.All(), func(o conf.Option) bool { return o.Section != "" }) {
		own = sections()
	}
	flags := c.Command.Flags
	if len(flags) == 0 {
		flags = c.App.Flags
	}
	known := firstNames(flags)
	said := func(name string) bool { return c.IsSet(name) }
	var set []conf.Option
	for _, o := range s.file.For(own...) {
		if first, ok := known[o.Name]; ok && !said(first) {
			o.Name = first
			set = append(set, o)
		}
	}
	for _, o := range set {
		for _, value := range o.Values {
			if err := c.Set(o.Name, value); err != nil {
				return usage(s.wrong(o, err), "")
			}
		}
	}
	return nil
}

// sectionsOfCall are those of the guest that the toolstack calls for.
func sectionsOfCall(c *cli.Context, toolstack xenout.Toolstack, vif xenout.VIF, disk string) []string {
	invocation, err := invocationOf(c, toolstack, vif, disk)
	if err != nil {
		return nil // it is said in a moment
	}
	// Without an answer there is no section; whether the boot can do without one,
	// it says itself.
	guest, _ := domain.ThisHost().Find(c.Context, invocation)
	if toolstack == xenout.XAPI {
		guest.Name = "" // VM administrators write it
	}
	if vif.Bridge == "" && invocation.Interface < len(guest.VIFs) {
		vif.Bridge = guest.VIFs[invocation.Interface].Bridge
	}
	return sectionsOf(c, guest, vif.Bridge)
}

// sectionsOf are a guest's sections, the first of which counts most.
func sectionsOf(c *cli.Context, guest domain.Info, bridge string) []string {
	all := []string{strings.ToLower(cmp.Or(c.String("uuid"), guest.UUID)), guest.Name, cmp.Or(c.String("bridge"), bridge)}
	return slices.DeleteFunc(all, func(s string) bool { return s == "" })
}

// calledGuest is the guest that a word on the command line calls by its name, its
// uuid or its domain id, with the vif to boot by; nil where none does. Words with
// a slash are a bootloader's disk.
func calledGuest(c *cli.Context, vif xenout.VIF, disk string, unknown []string) (*domain.Info, int, error) {
	wanted, err := vifNumber(c, vif.MAC)
	switch {
	case err != nil || disk == "" || strings.Contains(disk, "/"):
		return nil, 0, err
	case len(unknown) > 0:
		return nil, 0, usage(fmt.Errorf("one guest at a time: %s, %s", strings.Join(unknown, ", "), disk), "")
	case vif.MAC != nil || c.String("mac") != "":
		return nil, 0, usage(fmt.Errorf("%q would be a guest, and a MAC is written down", disk), "leave one of the two away")
	}
	guest, err := domain.ThisHost().Named(c.Context, disk, wanted)
	if err != nil {
		return nil, 0, usage(err, "")
	}
	return &guest, wanted, nil
}

// optionsOf are the options of plan and check: those that the command line says,
// of the file, and of the guest that it calls.
func optionsOf(c *cli.Context, vif xenout.VIF, disk string, unknown []string) (boot.Options, error) {
	guest, wanted, err := calledGuest(c, vif, disk, unknown)
	if err != nil {
		return boot.Options{}, err
	}
	if c.String("tree") == "" && c.String("replay") == "" { // which are of no network of this host's
		err = readSettings(c.String("conf")).apply(c, func() []string {
			if guest == nil {
				return sectionsOf(c, domain.Info{}, vif.Bridge)
			}
			return sectionsOf(c, *guest, guest.VIFs[wanted].Bridge)
		})
	}
	if err != nil {
		return boot.Options{}, err
	}
	o, err := request(c, vif)
	if err == nil && guest != nil {
		o.Take(*guest, wanted, console.New(c.App.ErrWriter, level(c)))
	}
	return o, err
}
