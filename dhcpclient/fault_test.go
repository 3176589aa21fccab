package dhcpclient

import (
	"bytes"
	"context"
	"fmt"
	"github.com/gopxeboot/gopxeboot/dhcpclient/internal/lan"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/wire"
)

// faultCase is something that a network does to one frame: what arrives of it,
// and how late.
type faultCase struct {
	frames [][]byte
	late   time.Duration
}

// faults are the ways in which a frame can suffer, and all their cases.
func faults(frame []byte) map[string][]faultCase {
	one := func(b []byte) faultCase { return faultCase{frames: [][]byte{b}} }
	all := map[string][]faultCase{
		"dropped":       {{}},
		"duplicated":    {{frames: [][]byte{frame, bytes.Clone(frame)}}},
		"500 ms late":   {{frames: [][]byte{frame}, late: 500 * time.Millisecond}},
		"5 s late":      {{frames: [][]byte{frame}, late: 5 * time.Second}},
		"a minute late": {{frames: [][]byte{frame}, late: time.Minute}},
	}
	for n := range frame {
		all["cut"] = append(all["cut"], one(frame[:n:n]))
	}
	// The same with lengths in its headers that agree.
	for n := range frame[inMessage:] {
		f, _ := wire.ParseFrame(frame)
		d, _ := wire.ParseDatagram(f)
		d.Payload = d.Payload[:n]
		all["cut and mended"] = append(all["cut and mended"], one(d.Frame(frame[6:12], frame[:6])))
	}
	for bit := range 8 * len(frame) {
		flipped := bytes.Clone(frame)
		flipped[bit/8] ^= 1 << (bit % 8)
		all["a bit flipped"] = append(all["a bit flipped"], one(flipped))
	}
	return all
}

// Every message of an exchange suffers every fault once. The golden file says
// how it ended: within the time that lost messages cost, and with the lease
// that the server gave, but for what a flipped bit itself says. There is no
// checksum against that: see wire.ParseDatagram.
func TestFaults(t *testing.T) {
	type step struct {
		name     string
		toServer bool
		nth      int
	}
	// run is one exchange in which a frame suffers; what it was like before.
	run := func(s step, suffer func([]byte) faultCase) (before []byte, outcome string) {
		synctest.Test(t, func(t *testing.T) {
			w := lan.New(&server{ID: "10.0.0.1", Address: "10.0.0.42", BootFile: "pxelinux.0"})
			ctx, cancel := context.WithTimeout(t.Context(), 110*time.Second)
			defer cancel()
			n := 0
			w.Fault = func(frame []byte, toServer bool) [][]byte {
				if toServer != s.toServer {
					return [][]byte{frame}
				}
				if n++; n != s.nth {
					return [][]byte{frame}
				}
				before = bytes.Clone(frame)
				c := suffer(frame)
				if c.late == 0 {
					return c.frames
				}
				time.AfterFunc(c.late, func() {
					if s.toServer {
						w.Serve(frame)
					} else {
						w.Deliver(frame)
					}
				})
				return nil
			}
			lease, err := testClient(t, w).Lease(ctx)
			took := time.Since(w.Begin)
			switch {
			case err != nil:
				outcome = err.Error()
			case fmt.Sprintf("%s %s %s", lease.Address, lease.NextServer, lease.BootFile) == "10.0.0.42/24 10.0.0.1 pxelinux.0":
				outcome = fmt.Sprintf("the lease after %s", took)
			case lease.Address.Addr() == ipAddr("10.0.0.42"):
				outcome = fmt.Sprintf("the address, with other details, after %s", took)
			default:
				outcome = fmt.Sprintf("a lease of %s", lease.Address)
			}
			time.Sleep(time.Hour) // for what is late
		})
		return before, outcome
	}
	var table strings.Builder
	for _, s := range []step{{"DISCOVER", true, 1}, {"OFFER", false, 1}, {"REQUEST", true, 2}, {"ACK", false, 2}} {
		frame, _ := run(s, func(b []byte) faultCase { return faultCase{frames: [][]byte{b}} })
		kinds := faults(frame)
		for _, kind := range slices.Sorted(maps.Keys(kinds)) {
			outcomes := make(map[string]int)
			for _, c := range kinds[kind] {
				_, outcome := run(s, func([]byte) faultCase { return c })
				outcomes[outcome]++
			}
			fmt.Fprintf(&table, "%s %s:\n", s.name, kind)
			for _, outcome := range slices.Sorted(maps.Keys(outcomes)) {
				fmt.Fprintf(&table, "  %d of %d: %s\n", outcomes[outcome], len(kinds[kind]), outcome)
			}
		}
	}
	goldenText(t, "faults.txt", table.String())
	for line := range strings.Lines(table.String()) {
		if strings.Contains(line, "a lease of") {
			t.Errorf("another address than the server gave: %s", line)
		}
	}
}
