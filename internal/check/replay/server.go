package replay

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/printable"
)

// finish says what is known at the end of the capture only.
func (w *watch) finish() {
	w.responses()
	f := w.facts
	for _, t := range w.transfers {
		if t.event >= 0 {
			e := &f.Events[t.event]
			e.Took = plan.Millis(t.last.Sub(w.began(e)))
			what := printable.Text(t.name) + ": " + console.Size(t.bytes)
			switch {
			case t.aborted:
				what += ", stopped by the guest"
			case !t.whole && t.size >= 0:
				what += fmt.Sprintf(" of %s, and then no more", console.Size(t.size))
			}
			e.Summary = what
			if t.repeated > 0 {
				e.Detail = append(e.Detail, console.Count(t.repeated, "block")+" sent again")
			}
		}
		if r := w.result(t); r == plan.Silent && t.scheme == schemeTFTP {
			w.addEvent(check.Event{Millis: f.Since(t.last), From: t.server.String(), To: check.EventGuest, Kind: "RRQ", Summary: "no answer for " + printable.Text(t.name), Failed: true})
		}
	}
	if n := len(w.fragments); n > 0 {
		f.Errors = append(f.Errors, console.Count(n, "packet")+" of which fragments are missing")
	}
	w.stations()
}

// began is an event's time.
func (w *watch) began(e *check.Event) time.Time {
	return w.facts.Began.Add(time.Duration(e.Millis * float64(time.Millisecond)))
}

// result is what became of a transfer, as File has it; "" where the capture
// does not tell.
func (w *watch) result(t *transfer) plan.Result {
	waited := w.end.Sub(t.last) >= patience
	switch {
	case t.accepted && t.bytes == 0 && (t.whole || t.size == 0 && !t.aborted && waited):
		return plan.Empty
	case t.accepted && t.whole && t.size > 0 && t.bytes < t.size, t.accepted && t.refusal != "":
		return plan.Short
	case t.stuck() && (t.aborted || w.end.Sub(t.firstAnswer) >= patience):
		return plan.Silent
	case t.accepted && !t.whole && !t.aborted && waited && t.scheme == schemeTFTP:
		return plan.Short
	case t.accepted:
		return plan.Found
	case t.refusal != "" && (t.scheme == schemeTFTP && t.code == 1 || t.scheme == schemeHTTP && (t.code == 404 || t.code == 410)):
		return plan.NotFound
	case t.refusal != "" && (t.scheme == schemeTFTP || t.code == 401 || t.code == 403):
		return plan.Refused
	case t.refusal != "":
		return plan.Failed
	case t.unreachable != "":
		return plan.Unreachable
	case !t.answered() && (t.asked > 1 || waited):
		return plan.Silent
	}
	return ""
}

// stuck says that the server sends, and nothing gets to the guest.
func (t *transfer) stuck() bool {
	if t.scheme != schemeTFTP || !t.accepted || t.acked || t.whole {
		return false
	}
	// A guest that wants to know the size only stops at once.
	return !t.aborted || t.last.Sub(t.firstAnswer) > time.Second
}

// message is what a user should know of a result.
func (t *transfer) message() string {
	switch {
	case t.refusal != "":
		return t.refusal
	case t.unreachable == check.PortClosed:
		return "nothing listens on its port 69"
	case t.unreachable != "":
		return fmt.Sprintf("%s says: %s", t.rejected.By, t.rejected)
	case t.stuck() && t.size >= 0:
		return "the server agrees to send it, and no DATA arrives"
	}
	return ""
}

// stations says how the servers could be reached.
func (w *watch) stations() {
	f := w.facts
	next := f.Lease.NextServer
	if next.IsValid() {
		f.NextServer = w.station(next, "next-server")
	}
	for _, t := range w.transfers {
		known := func(s check.Station) bool { return s.Address == t.server }
		if t.scheme != schemeTFTP || t.server == next || slices.ContainsFunc(f.Others, known) {
			continue
		}
		if s := w.station(t.server, "asked by the guest"); s != nil {
			f.Others = append(f.Others, *s)
		}
	}
}

// station is what the capture shows of a server; nil when the guest did not
// turn to it.
func (w *watch) station(a netip.Addr, why string) *check.Station {
	lease := w.facts.Lease
	s := &check.Station{Address: a, Why: why, Route: check.RouteNone}
	hop := a
	switch {
	case lease.Address.Contains(a):
		s.Route = check.RouteDirect
	case lease.Router.IsValid():
		s.Route, hop = check.RouteRouter, lease.Router
	}
	talk := w.arp[hop]
	if talk != nil && talk.mac != "" {
		s.MAC, s.ARPMs = talk.mac, plan.Millis(talk.answered.Sub(talk.asked))
	}
	turned := talk != nil && (talk.mac != "" || w.end.Sub(talk.asked) >= patience)
	for _, t := range w.transfers {
		if t.server != a {
			continue
		}
		turned = true
		// Who sends to a MAC knows it, also where no question is captured.
		s.MAC = cmp.Or(s.MAC, t.serverMAC)
		s.MACUnknown = s.MAC == ""
		if s.Route == check.RouteNone {
			s.Route = check.RouteRouter
		}
		if t.scheme != schemeTFTP {
			continue
		}
		ours := t.name == lease.BootFile
		switch result := w.result(t); {
		case t.answered() && t.unreachable == "":
			if s.TFTP != check.PortAnswers {
				s.TFTP, s.TFTPMs = check.PortAnswers, plan.Millis(t.firstAnswer.Sub(t.began))
			}
			if ours {
				s.Asked, s.HasFile = t.name, s.HasFile || t.accepted
			}
		case s.TFTP == "" && (t.unreachable != "" || result == plan.Silent):
			s.TFTP, s.Asked, s.Rejected = cmp.Or(t.unreachable, check.PortSilent), printable.Text(t.name), t.rejected
			s.TFTPMs = plan.Millis(cmp.Or(t.firstAnswer, t.last).Sub(t.began))
		}
	}
	if !turned {
		return nil
	}
	return s
}
