package replay

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/wire"
)

// portHTTP is that of a URL without one.
const portHTTP = 80

// sameTime is how long after a frame the same one may be seen again on another
// interface or a mirrored port, and none that was sent again.
const sameTime = 10 * time.Millisecond

// doubles knows frames that were captured more than once: tcpdump -i any has
// one from the guest's vif, the bridge and the network card.
type doubles struct {
	seed maphash.Seed
	seen map[uint64]time.Time
}

func newDoubles() *doubles {
	return &doubles{maphash.MakeSeed(), make(map[uint64]time.Time)}
}

// key is the same for all copies of a frame: also where a tag was taken off, and
// where the checksum of UDP or TCP, which is left to the network card, is not in
// it yet.
func (d *doubles) key(f wire.Frame) uint64 {
	var h maphash.Hash
	h.SetSeed(d.seed)
	payload := f.Payload
	if sum := checksumAt(f); sum > 0 {
		h.Write(payload[:sum])
		payload = payload[sum+2:]
	}
	h.Write(payload)
	return h.Sum64()
}

// checksumAt is where the packet of a frame has the checksum of UDP or TCP; 0 for
// none.
func checksumAt(f wire.Frame) int {
	p, ok := wire.ParseIPv4(f)
	at := p.Header
	switch {
	case !ok || p.Offset != 0:
		return 0
	case p.Protocol == wire.ProtocolUDP:
		at += 6
	case p.Protocol == wire.ProtocolTCP:
		at += 16
	default:
		return 0
	}
	if len(f.Payload) < at+2 {
		return 0
	}
	return at
}

// again says whether a frame was there just before.
func (d *doubles) again(at time.Time, key uint64) bool {
	const most = 4096
	if len(d.seen) >= most {
		clear(d.seen)
	}
	before, ok := d.seen[key]
	if ok && at.Sub(before).Abs() < sameTime {
		return true
	}
	d.seen[key] = at
	return false
}

// wirePacket is a whole IPv4 packet of the guest's, or to it.
type wirePacket struct {
	at       time.Time
	sent     bool // by the guest
	peer     netip.Addr
	peerMAC  string // "" where the capture does not tell it
	protocol uint8
	from, to uint16 // ports, of UDP and TCP
	data     []byte // of UDP or ICMP: the payload; of TCP: with its header
	length   int    // of data on the wire, which may be more
}

// watch follows what the guest says after DHCP.
type watch struct {
	facts     *check.Facts
	mac       net.HardwareAddr
	addresses []netip.Addr // that the guest has, or may have
	end       time.Time    // of the capture

	doubles   *doubles
	fragments map[fragmentKey]*fragments
	arp       map[netip.Addr]*arpTalk
	transfers []*transfer
	open      map[uint16]*transfer // TFTP transfers by the guest's port
	streams   []*stream
	flows     map[tcpKey]*stream
	kept      int // bytes of files
}

// arpTalk is a question of the guest's, and the answer.
type arpTalk struct {
	asked    time.Time
	mac      string
	answered time.Time
}

func (w *watch) isGuest(mac net.HardwareAddr, a netip.Addr) bool {
	return bytes.Equal(mac, w.mac) || bytes.Equal(mac, wire.NoMAC) && slices.Contains(w.addresses, a)
}

// frame looks at one frame.
func (w *watch) frame(at time.Time, frame []byte, length int) {
	f, ok := wire.ParseFrame(frame)
	if !ok || f.Type != wire.TypeARP && f.Type != wire.TypeIPv4 || w.doubles.again(at, w.doubles.key(f)) {
		return
	}
	w.end = at
	if arp, ok := wire.ParseARP(f); ok {
		w.arpPacket(at, arp)
		return
	}
	ip, ok := wire.ParseIPv4(f)
	if !ok {
		return
	}
	to, from, source, destination := f.To, f.From, ip.Source, ip.Destination
	p := wirePacket{at: at, protocol: ip.Protocol}
	mac := from
	switch {
	// By its address alone where a router is between the guest and the capture.
	case w.isGuest(from, source) || slices.Contains(w.addresses, source):
		p.sent, p.peer, mac = true, destination, to
	case w.isGuest(to, destination) || slices.Contains(w.addresses, destination):
		p.peer = source
	default:
		return
	}
	if !bytes.Equal(mac, wire.NoMAC) && !bytes.Equal(mac, w.mac) {
		p.peerMAC = mac.String()
	}
	total := ip.Total
	if total == 0 { // left to the network card (TCP segmentation offload)
		total = length - (len(frame) - len(f.Payload))
	}
	if total < ip.Header {
		return
	}
	p.data, p.length = ip.Payload, total-ip.Header
	p.from, p.to = ip.Ports()
	if ip.More || ip.Offset != 0 {
		key := fragmentKey{source, destination, ip.ID, p.protocol}
		whole := w.fragment(key, ip.Offset, ip.More, p.data)
		if whole == nil {
			return
		}
		p.data, p.length = whole, len(whole)
		p.from, p.to = wire.IPv4{Payload: whole}.Ports()
	}
	w.packet(p)
}

// packet hands a packet to who understands it.
func (w *watch) packet(p wirePacket) {
	const tcpHeader = 20
	switch {
	case p.protocol == wire.ProtocolICMP:
		w.icmp(p)
	case p.protocol == wire.ProtocolUDP:
		var ok bool
		if p.data, p.length, ok = wire.ParseUDP(p.data, p.length); ok {
			w.tftp(p)
		}
	case p.protocol == wire.ProtocolTCP && len(p.data) >= tcpHeader:
		w.tcp(p)
	}
}

// event adds to the ladder; peer is who is not the guest.
func (w *watch) event(p wirePacket, kind, summary string) *check.Event {
	e := check.Event{Millis: w.facts.Since(p.at), From: p.peer.String(), To: check.EventGuest, PeerMAC: p.peerMAC, Kind: kind, Summary: summary}
	if p.sent {
		e.From, e.To = e.To, e.From
	}
	return w.addEvent(e)
}

// maxEvents bounds a ladder that a user is to read.
const maxEvents = 1000

// addEvent adds an event, unless there are too many; what it returns may be
// changed until the next one.
func (w *watch) addEvent(e check.Event) *check.Event {
	f := w.facts
	if len(f.Events) >= maxEvents {
		return &check.Event{}
	}
	f.Events = append(f.Events, e)
	return &f.Events[len(f.Events)-1]
}

// arpPacket records whom the guest looks for (RFC 826).
func (w *watch) arpPacket(at time.Time, arp wire.ARP) {
	sender, target, mac := arp.Sender, arp.Target, arp.SenderMAC
	p := wirePacket{at: at, peer: sender, peerMAC: mac.String()}
	switch {
	case arp.Operation == wire.ARPRequest && bytes.Equal(mac, w.mac):
		if w.arp[target] == nil && len(w.arp) < maxEvents {
			w.arp[target] = &arpTalk{asked: at}
			text := fmt.Sprintf("who has %s?", target)
			if sender == target { // RFC 5227 §2.3
				text = "has " + target.String()
			}
			e := w.event(p, "ARP", text)
			e.From, e.To, e.PeerMAC = check.EventGuest, check.EventBroadcast, ""
		}
	case arp.Operation == wire.ARPReply && !bytes.Equal(mac, w.mac):
		talk := w.arp[sender]
		if talk == nil || talk.mac != "" {
			return
		}
		talk.mac, talk.answered = mac.String(), at
		e := w.event(p, "ARP", fmt.Sprintf("%s is at %s", sender, mac))
		if sender == w.facts.Lease.Address.Addr() {
			e.Failed = true
			w.facts.Lease.InUseBy = mac.String()
		}
	}
}

// icmp records who says that a host can't be reached (RFC 792).
func (w *watch) icmp(p wirePacket) {
	const unreachable, portUnreachable, tooLarge = 3, 3, 4
	const header, ipHeader = 8, 20
	if p.sent || len(p.data) < header+ipHeader || p.data[0] != unreachable {
		return
	}
	about := p.data[header:]
	ports := int(about[0]&0xf) * 4
	if len(about) < ports+4 || ports < ipHeader || about[9] != wire.ProtocolUDP && about[9] != wire.ProtocolTCP {
		return
	}
	own, port := binary.BigEndian.Uint16(about[ports:]), binary.BigEndian.Uint16(about[ports+2:])
	to := netip.AddrFrom4([4]byte(about[16:20]))
	r := &plan.Rejected{By: p.peer, To: to, Code: p.data[1]}
	text, result := fmt.Sprintf("no route to %s", to), check.PortUnreachable
	switch {
	case r.Code == tooLarge:
		text, result = "too large for a link on the way", ""
	case r.Filtered():
		text = fmt.Sprintf("a filter forbids the way to %s", to)
	case r.Code == portUnreachable:
		text, result = fmt.Sprintf("nothing listens on port %d", port), check.PortClosed
	}
	w.event(p, "ICMP", text).Failed = true
	switch t := w.open[own]; {
	case result == "":
	case about[9] == wire.ProtocolTCP:
		if s := w.flows[tcpKey{netip.AddrPortFrom(to, port), own}]; s != nil && !s.down.begun {
			s.rejected = r
		}
	case t != nil && t.server == to && !t.answered() && port == wire.PortTFTP:
		t.unreachable, t.rejected, t.firstAnswer = result, r, p.at
	}
}

// fragmentKey says which fragments belong together (RFC 791 §3.2).
type fragmentKey struct {
	from, to netip.Addr
	id       uint16
	protocol uint8
}

// fragments are what came of a packet.
type fragments struct {
	data  []byte
	got   []span
	total int // 0 as long as the last one has not come
}

// span is a part of a packet: from a byte up to another.
type span struct{ from, to int }

// maxFragmented is how many packets may lack fragments at a time.
const maxFragmented = 64

// fragment adds a fragment, and returns the packet when it is whole.
func (w *watch) fragment(key fragmentKey, offset int, more bool, data []byte) []byte {
	f := w.fragments[key]
	if f == nil {
		if len(w.fragments) == maxFragmented {
			clear(w.fragments) // of a flood
		}
		f = &fragments{}
		w.fragments[key] = f
	}
	end := offset + len(data)
	if end > 1<<16 || len(f.got) > 1<<10 {
		return nil
	}
	if len(f.data) < end {
		f.data = append(f.data, make([]byte, end-len(f.data))...)
	}
	copy(f.data[offset:], data)
	f.got = append(f.got, span{offset, end})
	if !more {
		f.total = end
	}
	slices.SortFunc(f.got, func(a, b span) int { return a.from - b.from })
	reached := 0
	for _, s := range f.got {
		if s.from > reached {
			return nil
		}
		reached = max(reached, s.to)
	}
	if f.total == 0 || reached < f.total {
		return nil
	}
	delete(w.fragments, key)
	return f.data[:f.total]
}
