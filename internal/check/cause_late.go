package check

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// late is the first offer that says what to boot and that the guest does not wait
// for; nil for none.
func (f *Facts) late() *Offer {
	i := slices.IndexFunc(f.Offers, func(o Offer) bool {
		return f.Waited > 0 && o.After > f.Waited && (o.boots() || o.Value(ValueMenu) != "")
	})
	if i < 0 {
		return nil
	}
	return &f.Offers[i]
}

// TooLate says that the guest would know what to boot if it waited longer.
func (f *Facts) TooLate() bool { return f.bootless() && f.late() != nil }

// answerTooLate: a ROM takes the first offer with a boot file, and one without a
// few seconds after it came.
func answerTooLate(f *Facts) *finding {
	if !f.TooLate() {
		return nil
	}
	o, taken := f.late(), chosen(f.addressOffers())
	what := "boot file " + o.Value(ValueBootFile)
	if o.Value(ValueBootFile) == "" {
		what = cmp.Or(o.Value(ValueMenu), o.Value(ValueConfigFile), o.Value(ValuePathPrefix))
	}
	seconds := func(ms float64) string {
		if ms < 100 {
			return fmt.Sprintf("%.0f ms", math.Ceil(ms))
		}
		return fmt.Sprintf("%.1f s", ms/1000)
	}
	began := "at once"
	if taken.After >= 100 {
		began = "after " + seconds(taken.After)
	}
	d := broken(fmt.Sprintf("The DHCP server %s says what to boot, but too late.", o.Server),
		fmt.Sprintf("%s says %s %s after the guest asked; %s offers an address and nothing to boot %s, and that is taken after %s",
			o.Server, what, seconds(o.After), taken.Server, began, seconds(f.Waited)),
		fmt.Sprintf("wait for it with --proxy-wait %ds in bootloader_args; for all machines, ", max(5, int(math.Ceil(o.After/1000+1)))))
	if o.Proxy {
		d.summary = fmt.Sprintf("The proxyDHCP server %s says what to boot, but too late.", o.Server)
		d.hint += fmt.Sprintf("see what keeps %s (MAC %s) so long, or let %s name the boot file, too", o.Server, cmp.Or(o.ServerMAC, "none"), taken.Server)
		return d
	}
	d.hint += fmt.Sprintf("let %s answer at once, without a ping before it, and switch %s (MAC %s) off where it does not belong here",
		o.Server, taken.Server, cmp.Or(taken.ServerMAC, "none"))
	d.stanzas = []Stanza{{"dnsmasq", "no-ping"}, {"ISC dhcpd", "ping-check false;"}}
	return d
}
