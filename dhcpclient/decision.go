package dhcpclient

import (
	"cmp"
	"time"
)

// decision is the wait for an offer to take.
type decision struct {
	seen      offers // up to the decision
	all       offers // also behind it, for who listens on
	giveUp    time.Time
	complete  bool // nothing better need be waited for
	proxyWait time.Duration
	listen    time.Time // until when it is listened all the same; zero is up to the decision
}

func (x *exchange) decision() *decision {
	return &decision{
		giveUp:    x.begin.Add(cmp.Or(x.Patience, DefaultPatience)),
		proxyWait: cmp.Or(x.ProxyWait, DefaultProxyWait),
		listen:    x.listen,
	}
}

// promisedShare of the wait for a boot file is for who says it at once beside a proxy
// that only promises to.
const promisedShare = 8

// made says whether it is time to decide.
func (d *decision) made(now time.Time) bool { return d.complete || !now.Before(d.giveUp) }

// over says whether no more need be listened to.
func (d *decision) over(now time.Time) bool {
	if d.listen.IsZero() {
		return d.made(now)
	}
	return !now.Before(d.listen)
}

// deadline is when it is over at the latest.
func (d *decision) deadline() time.Time {
	if d.listen.IsZero() {
		return d.giveUp
	}
	return d.listen
}

// add takes an offer into account, and says whether it is the first of its
// server.
func (d *decision) add(r *reply, now time.Time) (first bool) {
	first = d.all.add(r)
	if d.made(now) {
		return first
	}
	d.seen.add(r)
	if d.complete = d.seen.complete(); d.complete {
		d.giveUp = now
	} else if d.seen.promised() {
		// It may have nothing for this architecture, and a second proxy have it.
		d.giveUp = earlier(d.giveUp, now.Add(d.proxyWait/promisedShare))
	} else if len(d.seen.addresses) > 0 {
		d.giveUp = earlier(d.giveUp, now.Add(d.proxyWait))
	}
	return first
}
