package probe

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/dhcpclient/survey"
	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/wire"
)

// variants asks in other ways than the guest's, all at once, to learn what the
// server wants.
func (o *observer) variants(ctx context.Context) {
	r := o.task
	type question struct {
		check.Variant
		mac net.HardwareAddr
		rom dhcpclient.ROM
		on  dhcpclient.FrameConn
	}
	var questions []question
	ask := func(v check.Variant, change func(*question)) {
		q := question{v, r.Machine.MAC, r.Client.ROM, nil}
		q.rom.Options = maps.Clone(r.Client.ROM.Options)
		change(&q)
		questions = append(questions, q)
	}
	for _, arch := range []uint16{0, 7, 9, 11, 16} {
		if arch != r.Client.ROM.Arch {
			ask(check.Variant{Name: check.AskedArch, Arch: arch}, func(q *question) { q.rom.Arch, q.rom.VendorClass = arch, "" })
		}
	}
	if o.lease == nil {
		if vendorClass(r.Client.ROM) != "" {
			ask(check.Variant{Name: check.AskedWithout60}, func(q *question) {
				if q.rom.Options == nil {
					q.rom.Options = map[uint8][]byte{}
				}
				for _, code := range []uint8{60, 93, 94} { // as no PXE client at all
					q.rom.Options[code] = nil
				}
			})
		}
		if !strings.HasPrefix(vendorClass(r.Client.ROM), "PXEClient") {
			ask(check.Variant{Name: check.AskedWith60}, func(q *question) {
				q.rom.VendorClass = ""
				delete(q.rom.Options, 60)
			})
		}
		if !r.Client.ROM.Unicast {
			ask(check.Variant{Name: check.AskedNoBroadcast}, func(q *question) { q.rom.Unicast = true })
		}
		ask(check.Variant{Name: check.AskedOtherMAC}, func(q *question) { q.mac = o.task.MACs[0]; q.rom.ClientID = nil })
		if r.Bridge != nil && r.OwnNet {
			ask(check.Variant{Name: check.AskedFromDom0}, func(q *question) { q.on = r.Bridge })
		}
		for _, vlan := range slices.Sorted(maps.Keys(o.task.VLANs)) {
			ask(check.Variant{Name: check.AskedVLAN, VLAN: vlan}, func(q *question) { q.on = o.task.VLANs[vlan] })
		}
	}
	done := make([]check.Variant, len(questions))
	var all sync.WaitGroup
	for i, q := range questions {
		all.Go(func() {
			if q.on == nil {
				end := o.conn.end(forMAC(q.mac))
				defer end.stop()
				q.on = end
			}
			done[i] = o.variant(ctx, &dhcpclient.Client{Conn: q.on, MAC: q.mac, UUID: r.Machine.UUID, ROM: q.rom}, q.Variant)
		})
	}
	informed := check.Variant{Name: check.AskedInform}
	if o.lease == nil {
		all.Go(func() { o.inform(ctx, &informed) })
	}
	all.Wait()
	o.facts.Variants = append(o.facts.Variants, done...)
	if o.lease == nil {
		o.facts.Variants = append(o.facts.Variants, informed)
	}
}

// variant asks one question.
func (o *observer) variant(ctx context.Context, c *dhcpclient.Client, v check.Variant) check.Variant {
	c.ProbeWait = -1
	s, err := survey.Run(ctx, c, survey.Config{Wait: o.task.Wait})
	if err != nil && !errors.Is(err, ctx.Err()) {
		return v
	}
	v.Millis = plan.Millis(o.task.Wait)
	v.Take(s)
	return v
}

// inform looks for a server that has no address to offer.
func (o *observer) inform(ctx context.Context, v *check.Variant) {
	end := o.conn.end(nil)
	defer end.stop()
	server, took := survey.Inform(ctx, end, o.task.Machine.MAC, o.task.Idle, o.task.Wait)
	v.Answered, v.Server, v.Millis = server.IsValid(), server, plan.Millis(took)
}

// storm lets many guests ask at once.
func (o *observer) storm(ctx context.Context) {
	count, gap := o.task.Count, time.Duration(float64(time.Second)/o.task.Rate)
	took := make([]time.Duration, count)
	var all sync.WaitGroup
	ticker := time.NewTicker(max(gap, time.Microsecond))
	defer ticker.Stop()
	for i := 0; i < count && ctx.Err() == nil; i++ {
		all.Go(func() { took[i] = o.oneOfMany(ctx, o.task.MACs[i]) })
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
	}
	all.Wait()
	took = slices.DeleteFunc(took, func(d time.Duration) bool { return d == 0 })
	slices.Sort(took)
	s := &check.Storm{Count: count, PerSec: o.task.Rate, Answered: len(took), Lost: count - len(took)}
	if n := len(took); n > 0 {
		s.MedianMs, s.P99Ms, s.MaxMs = plan.Millis(took[n/2]), plan.Millis(took[n*99/100]), plan.Millis(took[n-1])
	}
	o.facts.Storm = s
}

// oneOfMany is how long a guest waits for an offer; 0 is without one.
func (o *observer) oneOfMany(ctx context.Context, mac net.HardwareAddr) (took time.Duration) {
	end := o.conn.end(forMAC(mac))
	defer end.stop()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := &dhcpclient.Client{
		Conn: end, MAC: mac, ROM: o.task.Client.ROM, ProbeWait: -1,
		Retransmit: []time.Duration{2 * o.task.Wait}, // one DISCOVER each
		Offered: func(offer dhcpclient.Offer) {
			if offer.Address.IsValid() && took == 0 {
				took = offer.After
				cancel()
			}
		},
	}
	_, _ = c.Try(ctx, o.task.Wait) // ends by cancel, or by its time
	return took
}

// RandomMAC is a MAC of Xen's that most likely no machine has.
func RandomMAC() net.HardwareAddr {
	n := rand.Uint32()
	return net.HardwareAddr{0x00, 0x16, 0x3e, byte(n>>16) & 0x7f, byte(n >> 8), byte(n)}
}

// forMAC lets through what a DHCP server says to that guest, and ARP.
func forMAC(mac net.HardwareAddr) func([]byte) bool {
	return func(frame []byte) bool {
		f, _ := wire.ParseFrame(frame)
		if f.Type == wire.TypeARP {
			return true
		}
		d, _ := wire.ParseDatagram(f)
		m, ok := wire.ParseDHCP(d.Payload)
		return ok && bytes.Equal(m.CHAddr, mac)
	}
}

func isARP(frame []byte) bool {
	f, _ := wire.ParseFrame(frame)
	return f.Type == wire.TypeARP
}
