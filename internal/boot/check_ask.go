package boot

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/insomniacslk/dhcp/dhcpv4"
)

// variants asks in other ways than the guest's, all at once, to learn what the
// server wants to hear.
func (o *onlooker) variants(ctx context.Context) {
	r := &o.task.Request
	type question struct {
		check.Variant
		mac net.HardwareAddr
		rom dhcpclient.ROM
		on  dhcpclient.FrameConn
	}
	var questions []question
	ask := func(v check.Variant, change func(*question)) {
		q := question{v, r.MAC, r.ROM, nil}
		q.rom.Options = maps.Clone(r.ROM.Options)
		change(&q)
		questions = append(questions, q)
	}
	for _, arch := range []uint16{0, 7, 9, 11, 16} {
		if arch != r.ROM.Arch {
			ask(check.Variant{Name: check.AskedArch, Arch: arch}, func(q *question) { q.rom.Arch, q.rom.VendorClass = arch, "" })
		}
	}
	if o.lease == nil {
		if vendorClass(r.ROM) != "" {
			ask(check.Variant{Name: check.AskedWithout60}, func(q *question) {
				if q.rom.Options == nil {
					q.rom.Options = map[uint8][]byte{}
				}
				for _, code := range []uint8{60, 93, 94} { // as no PXE client at all
					q.rom.Options[code] = nil
				}
			})
		}
		if !strings.HasPrefix(vendorClass(r.ROM), "PXEClient") {
			ask(check.Variant{Name: check.AskedWith60}, func(q *question) {
				q.rom.VendorClass = ""
				delete(q.rom.Options, 60)
			})
		}
		if !r.ROM.Unicast {
			ask(check.Variant{Name: check.AskedNoBroadcast}, func(q *question) { q.rom.Unicast = true })
		}
		ask(check.Variant{Name: check.AskedOtherMAC}, func(q *question) { q.mac = o.want.MACs[0]; q.rom.ClientID = nil })
		for _, vlan := range slices.Sorted(maps.Keys(o.vlans)) {
			ask(check.Variant{Name: check.AskedVLAN, VLAN: vlan}, func(q *question) { q.on = o.vlans[vlan] })
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
			done[i] = o.variant(ctx, &dhcpclient.Client{Conn: q.on, MAC: q.mac, UUID: r.UUID, ROM: q.rom}, q.Variant)
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
func (o *onlooker) variant(ctx context.Context, c *dhcpclient.Client, v check.Variant) check.Variant {
	c.ProbeWait = -1
	survey, err := c.Survey(ctx, o.want.Wait)
	if err != nil && !errors.Is(err, ctx.Err()) {
		return v
	}
	v.Millis = ms(o.want.Wait)
	for _, m := range survey.Offers() {
		if m.Offer.Address.IsValid() && !v.Answered {
			v.Answered, v.Server, v.Millis = true, m.Offer.Server, ms(m.Delay)
			v.Address = netip.PrefixFrom(m.Offer.Address, 32)
		}
		if v.BootFile == "" {
			v.BootFile = m.Offer.BootFile
		}
	}
	return v
}

// inform asks for something else than an address: what a server tells a machine
// that has one (INFORM), and whether it minds an address of nowhere (REQUEST,
// which an authoritative server answers with NAK). A server that has nothing to
// offer still answers that.
func (o *onlooker) inform(ctx context.Context, v *check.Variant) {
	mac := o.task.Request.MAC
	end := o.conn.end(nil)
	defer end.stop()
	idle := o.want.Idle
	if idle.IsValid() && askARP(ctx, end, mac, netip.IPv4Unspecified(), idle) != nil {
		idle = netip.Addr{} // somebody has it
	}
	xid := rand.Uint32()
	// RFC 5737's addresses are nobody's.
	frames := [][]byte{dhcpFrame(mac, xid, dhcpv4.MessageTypeRequest, netip.Addr{}, netip.AddrFrom4([4]byte{203, 0, 113, 254}))}
	if idle.IsValid() {
		frames = append(frames, dhcpFrame(mac, xid, dhcpv4.MessageTypeInform, idle, netip.Addr{}))
	}
	began := time.Now()
	over := began.Add(o.want.Wait)
	for try := 0; try < 2 && !v.Answered && ctx.Err() == nil; try++ {
		for _, frame := range frames {
			if _, err := end.Write(frame); err != nil {
				return
			}
		}
		end.SetReadDeadline(began.Add(o.want.Wait * time.Duration(try+1) / 2))
		buffer := make([]byte, 2048)
		for time.Now().Before(over) {
			n, err := end.Read(buffer)
			if err != nil {
				break
			}
			if question, ok := arpQuestion(buffer[:n]); ok && question.target == idle {
				end.Write(arpFrame(2, mac, question.mac, idle, question.sender))
			}
			m, err := dhcpclient.Decode(buffer[:n])
			if err != nil || m.XID != xid || m.Op != uint8(dhcpv4.OpcodeBootReply) || !bytes.Equal(m.CHAddr, mac) {
				continue
			}
			v.Answered, v.Server, v.Millis = true, m.From.Addr(), ms(time.Since(began))
			if id := m.Option(54); len(id) == 4 {
				v.Server = netip.AddrFrom4([4]byte(id))
			}
			return
		}
	}
	v.Millis = ms(time.Since(began))
}

// storm lets many guests ask at once.
func (o *onlooker) storm(ctx context.Context) {
	count, gap := o.want.Count, time.Duration(float64(time.Second)/o.want.Rate)
	took := make([]time.Duration, count)
	var all sync.WaitGroup
	ticker := time.NewTicker(max(gap, time.Microsecond))
	defer ticker.Stop()
	for i := range count {
		if ctx.Err() != nil {
			break
		}
		all.Go(func() { took[i] = o.oneOfMany(ctx, o.want.MACs[i]) })
		<-ticker.C
	}
	all.Wait()
	took = slices.DeleteFunc(took, func(d time.Duration) bool { return d == 0 })
	slices.Sort(took)
	s := &check.Storm{Count: count, PerSec: o.want.Rate, Answered: len(took), Lost: count - len(took)}
	if n := len(took); n > 0 {
		s.MedianMs, s.P99Ms, s.MaxMs = ms(took[n/2]), ms(took[n*99/100]), ms(took[n-1])
	}
	o.facts.Storm = s
}

// oneOfMany is how long a guest waits for an offer; 0 is in vain.
func (o *onlooker) oneOfMany(ctx context.Context, mac net.HardwareAddr) (took time.Duration) {
	end := o.conn.end(forMAC(mac))
	defer end.stop()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c := &dhcpclient.Client{
		Conn: end, MAC: mac, ROM: o.task.Request.ROM, ProbeWait: -1,
		Retransmit: []time.Duration{2 * o.want.Wait}, // one DISCOVER each
		Offered: func(offer dhcpclient.Offer) {
			if offer.Address.IsValid() && took == 0 {
				took = offer.After
				cancel()
			}
		},
	}
	_, _ = c.Survey(ctx, o.want.Wait) // ends by cancel, or by its time
	return took
}

// RandomMAC is a MAC of Xen's that is most likely nobody's.
func RandomMAC() net.HardwareAddr {
	n := rand.Uint32()
	return net.HardwareAddr{0x00, 0x16, 0x3e, byte(n>>16) & 0x7f, byte(n >> 8), byte(n)}
}

// forMAC lets through what a DHCP server says to that guest, and ARP.
func forMAC(mac net.HardwareAddr) func([]byte) bool {
	return func(frame []byte) bool {
		// Ethernet, IPv4 without options, UDP; then chaddr at 28.
		const chaddr = 14 + 20 + 8 + 28
		return isARP(frame) || len(frame) >= chaddr+6 && (bytes.Equal(frame[chaddr:chaddr+6], mac) || frame[14] != 0x45)
	}
}

func isARP(frame []byte) bool {
	return len(frame) >= 42 && binary.BigEndian.Uint16(frame[12:]) == 0x0806
}

// askARP asks who has an address until somebody says so, for a second at most.
func askARP(ctx context.Context, conn dhcpclient.FrameConn, mac net.HardwareAddr, own, target netip.Addr) net.HardwareAddr {
	question := arpFrame(1, mac, make(net.HardwareAddr, 6), own, target)
	buffer := make([]byte, 2048)
	for try := 0; try < 4 && ctx.Err() == nil; try++ {
		if _, err := conn.Write(question); err != nil {
			return nil
		}
		conn.SetReadDeadline(time.Now().Add(250 * time.Millisecond))
		for {
			n, err := conn.Read(buffer)
			if err != nil {
				break
			}
			if isARP(buffer[:n]) && netip.AddrFrom4([4]byte(buffer[28:32])) == target && !bytes.Equal(buffer[22:28], mac) {
				return net.HardwareAddr(bytes.Clone(buffer[22:28]))
			}
		}
	}
	return nil
}

// arpAsked is somebody's question.
type arpAsked struct {
	mac            net.HardwareAddr
	sender, target netip.Addr
}

func arpQuestion(frame []byte) (q arpAsked, ok bool) {
	if !isARP(frame) || binary.BigEndian.Uint16(frame[20:]) != 1 {
		return q, false
	}
	return arpAsked{bytes.Clone(frame[22:28]), netip.AddrFrom4([4]byte(frame[28:32])), netip.AddrFrom4([4]byte(frame[38:42]))}, true
}

// arpFrame is an ARP packet (RFC 826): operation 1 asks everybody, 2 answers.
func arpFrame(operation uint16, from, to net.HardwareAddr, sender, target netip.Addr) []byte {
	b := make([]byte, 0, 42)
	if operation == 1 {
		b = append(b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)
	} else {
		b = append(b, to...)
	}
	b = append(b, from...)
	b = append(b, 0x08, 0x06, 0, 1, 8, 0, 6, 4)
	b = binary.BigEndian.AppendUint16(b, operation)
	b = append(append(b, from...), sender.AsSlice()...)
	return append(append(b, to...), target.AsSlice()...)
}

// dhcpFrame is a broadcast to DHCP servers: from a machine that has an address,
// or one that wants that one.
func dhcpFrame(mac net.HardwareAddr, xid uint32, kind dhcpv4.MessageType, has, wants netip.Addr) []byte {
	m := dhcpv4.DHCPv4{
		OpCode: dhcpv4.OpcodeBootRequest, HWType: 1, ClientHWAddr: mac, Options: dhcpv4.Options{},
		ClientIPAddr: net.IPv4zero, YourIPAddr: net.IPv4zero, ServerIPAddr: net.IPv4zero, GatewayIPAddr: net.IPv4zero,
	}
	binary.BigEndian.PutUint32(m.TransactionID[:], xid)
	m.UpdateOption(dhcpv4.OptMessageType(kind))
	source := netip.IPv4Unspecified()
	if has.IsValid() {
		source, m.ClientIPAddr = has, has.AsSlice()
	} else {
		m.SetBroadcast()
	}
	if wants.IsValid() {
		m.UpdateOption(dhcpv4.OptRequestedIPAddress(wants.AsSlice()))
	}
	m.UpdateOption(dhcpv4.OptParameterRequestList(dhcpv4.OptionSubnetMask, dhcpv4.OptionRouter, dhcpv4.OptionBootfileName))
	payload := m.ToBytes()

	b := append([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, mac...)
	b = append(b, 0x08, 0x00)
	ip := []byte{0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0}
	binary.BigEndian.PutUint16(ip[2:], uint16(28+len(payload)))
	ip = append(append(ip, source.AsSlice()...), 255, 255, 255, 255)
	sum := uint32(0)
	for i := 0; i < len(ip); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(ip[i:]))
	}
	sum = sum&0xffff + sum>>16
	binary.BigEndian.PutUint16(ip[10:], ^uint16(sum&0xffff+sum>>16))
	b = append(b, ip...)
	// UDP without a checksum, which IPv4 allows (RFC 768).
	b = binary.BigEndian.AppendUint16(b, 68)
	b = binary.BigEndian.AppendUint16(b, 67)
	b = binary.BigEndian.AppendUint16(b, uint16(8+len(payload)))
	b = append(b, 0, 0)
	return append(b, payload...)
}
