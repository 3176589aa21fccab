package probe

import (
	"context"
	"net"
	"net/netip"
	"time"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
	"github.com/gopxeboot/gopxeboot/dhcpclient/survey"
	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/wire"
)

// fromDom0 says whether a machine that does not answer does so when dom0 asks the
// same by frames with the guest's addresses. Those are not forwarded by the bridge,
// nor do they go through dom0's IP, and so nothing of dom0's that filters drops them.
func (o *observer) fromDom0(ctx context.Context, s *check.Station) bool {
	conn, own, hop := o.task.Bridge, o.lease.Address.Addr(), s.Address
	if s.Route == check.RouteRouter {
		hop = o.lease.Router
	}
	if conn == nil || s.Route == check.RouteNone || s.MAC != "" && (s.TFTP != check.PortSilent || s.AnswersFrom.IsValid()) {
		return false
	}
	mac := survey.Holder(ctx, conn, o.task.Machine.MAC, own, hop)
	if mac == nil || s.MAC == "" {
		return mac != nil
	}
	began := time.Now()
	answered := o.askByFrames(ctx, conn, s, mac, s.Asked)
	what := "no answer to dom0 either"
	if answered {
		what = "answers when dom0 asks in the guest's place"
	}
	o.event(began, "RRQ", s.Address.String(), s.Asked+": "+what, !answered)
	return answered
}

// byFrames says whether a machine that did not answer the guest does so when that asks
// by frames through the machine with that address, longer and more often than dom0.
// One that did not answer ARP has done so then.
func (o *observer) byFrames(ctx context.Context, s *check.Station, hop netip.Addr) bool {
	if !o.task.OwnNet {
		return false
	}
	mac := o.arp(ctx, o.lease.Address.Addr(), hop)
	for again := 0; again < 2 && mac == nil && hop == o.hop(s.Address); again++ {
		mac = o.arp(ctx, o.lease.Address.Addr(), hop)
	}
	if mac == nil || s.MAC == "" && hop == o.hop(s.Address) {
		return mac != nil
	}
	end := o.conn.end(nil)
	defer end.stop()
	return o.askByFrames(ctx, end, s, mac, "")
}

// askByFrames asks for a file from the DHCP client's port, whose answers pass the
// filters of packet sockets, and says whether the server answers. Without a name it is
// one that no server has, and only an ERROR counts: a server that has answered dom0
// sends that again and again, and the bridge may bring it to the guest.
func (o *observer) askByFrames(ctx context.Context, conn dhcpclient.FrameConn, s *check.Station, to net.HardwareAddr, name string) bool {
	times, isAnswer := 3, isTFTP
	if name == "" {
		times, isAnswer = 6, func(p []byte) bool { return len(p) > 1 && p[1] == wire.TFTPError }
		name = "no-file-of-this-name"
	}
	own := netip.AddrPortFrom(o.lease.Address.Addr(), wire.PortDHCPClient)
	request := wire.Datagram{
		Source: own, Destination: netip.AddrPortFrom(s.Address, wire.PortTFTP), Payload: readRequest(name),
	}.Frame(o.task.Machine.MAC, to)
	frame := make([]byte, 2048)
	for try := 0; try < times && ctx.Err() == nil; try++ {
		if _, err := conn.Write(request); err != nil {
			return false
		}
		conn.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
		for {
			n, err := conn.Read(frame)
			if err != nil {
				break
			}
			f, _ := wire.ParseFrame(frame[:n])
			d, ok := wire.ParseDatagram(f)
			if ok && d.Source.Addr() == s.Address && d.Source.Port() != wire.PortDHCPServer && d.Destination == own && isAnswer(d.Payload) {
				return true
			}
		}
	}
	return false
}
