package replay

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/dhcpclient/survey"
	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/program"
)

// round is an exchange in which the guest asks as iPXE, after its ROM has asked.
type round struct {
	class  string // the user class
	xid    uint32
	frames []dhcpclient.Frame
}

// asIPXE takes those exchanges out of a guest's frames.
func asIPXE(frames []dhcpclient.Frame, guest net.HardwareAddr) (rom []dhcpclient.Frame, rounds []*round) {
	asked := false
	for _, frame := range frames {
		m, err := survey.Decode(frame.Data)
		if err != nil || !bytes.Equal(m.CHAddr, guest) {
			rom = append(rom, frame)
			continue
		}
		i := slices.IndexFunc(rounds, func(r *round) bool { return r.xid == m.XID })
		if m.Type() == survey.TypeDiscover && i < 0 {
			class := string(m.Option(77))
			switch ipxe := class == "iPXE" || class == "Tinkerbell" || len(m.Option(175)) > 0; {
			case ipxe && !asked:
				return frames, nil // the ROM is one itself
			case ipxe && len(rounds) < 16:
				i, rounds = len(rounds), append(rounds, &round{class: class, xid: m.XID})
			}
			asked = true
		}
		if i < 0 {
			rom = append(rom, frame)
		} else {
			rounds[i].frames = append(rounds[i].frames, frame)
		}
	}
	return rom, rounds
}

// again takes what DHCP answers to the iPXE that the ROM is given.
func (r *reading) again(f *check.Facts, rounds []*round, end time.Time) {
	if !program.IsIPXE(r.machine.Lease.BootFile) {
		return
	}
	var origins *dhcpclient.Origins
	lease, err := program.AsIPXE(&r.machine.Lease, func(class string) (*dhcpclient.Lease, error) {
		for _, round := range rounds {
			s, err := survey.Replay(r.machine.MAC, round.frames)
			if err != nil || round.class != class && (class != "iPXE" || round.class == "Tinkerbell") {
				continue
			}
			waited := end.Sub(s.Begin)
			if s.Lease == nil && waited < patience {
				continue // the capture ends before there is an answer
			}
			f.AddIPXE(class, s, waited)
			if s.Lease != nil {
				origins = &s.Origins
				return s.Lease, nil
			}
		}
		return nil, dhcpclient.ErrNoOffer
	})
	if err != nil {
		return
	}
	first := r.machine.Lease
	r.machine.First, r.machine.Lease = &first, *lease
	f.SetIPXE(lease, origins)
}

// findIPXE is find for a guest that iPXE boots. It is false where the guest has gone
// on to PXELINUX's search, and has found something there.
func (r *reading) findIPXE() bool {
	if !r.machine.RunsIPXE() {
		return false
	}
	own := r.machine
	r.machine.Program, r.open = plan.IPXE, r.openForIPXE
	d, err := program.Decide(context.Background(), r.machine, r.open)
	isPXELINUX := func(t *transfer) bool { return t.accepted && strings.Contains(t.name, r.configDir()) }
	if err != nil && slices.ContainsFunc(r.transfers, isPXELINUX) {
		r.machine, r.unasked = own, ""
		return false
	}
	r.tried(d)
	if d.Config.URL != "" {
		r.config(r.seen(d.Config.URL), d.Config.URL)
	}
	return true
}

// openForIPXE is opener for a program that looks at what boots: the beginning is
// enough. What the guest did not ask for is not known.
func (r *reading) openForIPXE(ctx context.Context, link string) (io.ReadCloser, error) {
	t := r.seen(link)
	if t == nil {
		r.unasked = link
		return r.opener(ctx, link)
	}
	switch result := r.result(t); {
	case t.accepted && !program.IsText(t.data):
		return io.NopCloser(bytes.NewReader(t.data)), nil
	case result == plan.Silent, result == plan.Unreachable:
		return nil, errors.New(string(result))
	}
	return r.opener(ctx, link)
}
