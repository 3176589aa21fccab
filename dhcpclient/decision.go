package dhcpclient

import "time"

// decision is the wait for an offer to take.
type decision struct {
	seen      offers
	giveUp    time.Time
	complete  bool // nothing better need be waited for
	proxyWait time.Duration
}

func (x *exchange) decision() *decision {
	return &decision{
		giveUp:    x.begin.Add(orDefault(x.Patience, defaultPatience)),
		proxyWait: orDefault(x.ProxyWait, defaultProxyWait),
	}
}

// made says whether it is time to decide.
func (d *decision) made(now time.Time) bool { return d.complete || !now.Before(d.giveUp) }

// add takes an offer into account, and says whether it is the first of its
// server.
func (d *decision) add(r *reply, now time.Time) (first bool) {
	first = d.seen.add(r)
	d.complete = d.seen.complete()
	if len(d.seen.addresses) > 0 {
		d.giveUp = earlier(d.giveUp, now.Add(d.proxyWait))
	}
	return first
}
