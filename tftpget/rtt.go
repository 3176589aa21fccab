package tftpget

import "time"

const (
	firstWait  = 250 * time.Millisecond // before anything was measured
	leastWait  = 50 * time.Millisecond  // for an answer; servers read disks
	leastPause = 2 * time.Millisecond   // for the rest of a window
	trialPause = 10 * time.Millisecond  // the same while silence may make the window smaller
)

// rtt estimates how long an answer takes (RFC 6298, section 2).
type rtt struct {
	smooth, deviation time.Duration
	within            time.Duration // it takes no longer, before anything was measured; 0: not known
}

// bound is within what time an answer mostly comes; 0 where that is not known.
func (r *rtt) bound() time.Duration {
	if r.smooth > 0 {
		return r.smooth + r.deviation
	}
	return r.within
}

// late has an answer that came so long after the first packet of several.
func (r *rtt) late(d time.Duration) {
	if r.within == 0 || d < r.within {
		r.within = d
	}
}

func (r *rtt) sample(d time.Duration) {
	if r.smooth == 0 {
		r.smooth, r.deviation = max(d, 1), d/2
		return
	}
	r.deviation += (max(r.smooth-d, d-r.smooth) - r.deviation) / 4
	r.smooth += (d - r.smooth) / 8
}

// patience is how long to wait for an answer before asking again, when it was
// asked for that many times already. It doubles each time, up to most, or what an
// answer takes.
func (r *rtt) patience(times int, most time.Duration) time.Duration {
	wait := firstWait
	switch {
	case r.smooth > 0:
		wait = max(r.smooth+4*r.deviation, leastWait)
		most = max(most, min(r.bound(), 3*most)) // a server that is ever later is not waited for without end
	case r.within > 0: // so that one is measured
		wait = max(firstWait, min(r.within+leastWait, 2*most))
		most = max(most, wait)
	}
	for ; times > 0 && wait < most; times-- {
		wait *= 2
	}
	return min(wait, most)
}
