package replay

import (
	"bytes"
	"encoding/binary"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/dhcpclient/survey"
	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/printable"
)

// way is how a guest asks for a lease: what servers tell clients apart by.
type way struct {
	arch      uint16
	pxe       bool
	broadcast bool
}

func wayOf(m *survey.Message) way {
	const broadcast = 0x8000
	return way{arch: archOf(m), broadcast: m.Flags&broadcast != 0, pxe: strings.HasPrefix(string(m.Option(60)), "PXEClient")}
}

// archOf is option 93; 0, that of a BIOS, without one.
func archOf(m *survey.Message) uint16 {
	if arch := m.Option(93); len(arch) >= 2 {
		return binary.BigEndian.Uint16(arch)
	}
	return 0
}

// variant is what is other in this way than in the guest's own.
func (w way) variant(own way) (v check.Variant) {
	switch {
	case w.pxe != own.pxe && own.pxe:
		v.Name = check.AskedWithout60
	case w.pxe != own.pxe:
		v.Name = check.AskedWith60
	case w.arch != own.arch:
		v.Name, v.Arch = check.AskedArch, w.arch
	case w.broadcast != own.broadcast:
		v.Name = check.AskedNoBroadcast
	}
	return v
}

// question is one that was asked in another way than the guest's own.
type question struct {
	check.Variant
	xid  uint32
	mac  net.HardwareAddr
	at   time.Time
	kind survey.Type // of the answer that is waited for
}

// otherWays finds what was asked in another way than by the guest's first
// DISCOVER: by the guest, as its operating system does later or as a check
// does, or by other machines. It becomes Variants, and the frames without it
// are returned.
func otherWays(f *check.Facts, frames []dhcpclient.Frame, guest net.HardwareAddr) (own []dhcpclient.Frame) {
	var first *way
	var questions []*question
	for _, frame := range frames {
		m, err := survey.Decode(frame.Data)
		if err != nil {
			continue
		}
		const request = 1
		i := slices.IndexFunc(questions, func(q *question) bool { return q.xid == m.XID && bytes.Equal(q.mac, m.CHAddr) })
		if m.Op != request {
			if i >= 0 {
				questions[i].answer(frame.At, &m)
			}
			if i < 0 || !bytes.Equal(m.CHAddr, guest) {
				own = append(own, frame)
			}
			continue
		}
		if i >= 0 {
			continue
		}
		q := &question{xid: m.XID, mac: m.CHAddr, at: frame.At, kind: survey.TypeOffer}
		ours := bytes.Equal(m.CHAddr, guest)
		switch kind := m.Type(); {
		case kind == survey.TypeInform:
			q.Name, q.kind = check.AskedInform, survey.TypeAck
		case kind != survey.TypeDiscover || !ours && first == nil:
		case !ours:
			q.Name = check.AskedOtherMAC
		case first == nil:
			w := wayOf(&m)
			first = &w
		default:
			q.Variant = wayOf(&m).variant(*first)
		}
		if q.Name == "" {
			own = append(own, frame)
			continue
		}
		questions = append(questions, q)
	}
	for _, q := range questions {
		same := func(v check.Variant) bool { return v.Name == q.Name && v.Arch == q.Arch }
		switch i := slices.IndexFunc(f.Variants, same); {
		case i < 0:
			f.Variants = append(f.Variants, q.Variant)
		case q.Answered && !f.Variants[i].Answered:
			f.Variants[i] = q.Variant
		}
	}
	return own
}

// answer records the first answer, and the first boot file.
func (q *question) answer(at time.Time, m *survey.Message) {
	if m.Type() != q.kind {
		return
	}
	if !q.Answered {
		q.Answered, q.Server, q.Millis = true, m.From.Addr(), plan.Millis(at.Sub(q.at))
		if a := m.YIAddr; a.IsValid() && !a.IsUnspecified() {
			q.Address = check.Masked(a, m)
		}
	}
	if q.BootFile == "" {
		name := m.File
		if len(name) == 0 {
			name = m.Option(67)
		}
		if q.BootFile = printable.Text(string(name)); q.BootFile != "" {
			q.BootFrom, q.NextServer = m.From.Addr(), m.SIAddr
			q.Proxy = m.YIAddr.IsUnspecified()
		}
	}
}
