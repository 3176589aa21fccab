package probe

import (
	"context"
	"net/netip"
	"time"

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
	request := wire.Datagram{
		Source: netip.AddrPortFrom(own, wire.PortDHCPClient), Destination: netip.AddrPortFrom(s.Address, wire.PortTFTP),
		Payload: []byte("\x00\x01" + s.Asked + "\x00octet\x00"),
	}.Frame(o.task.Machine.MAC, mac)
	began, frame := time.Now(), make([]byte, 2048)
	answered := false
	for try := 0; try < 3 && !answered && ctx.Err() == nil; try++ {
		if _, err := conn.Write(request); err != nil {
			return false
		}
		conn.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
		for !answered {
			n, err := conn.Read(frame)
			if err != nil {
				break
			}
			f, _ := wire.ParseFrame(frame[:n])
			d, ok := wire.ParseDatagram(f)
			answered = ok && d.Source.Addr() == s.Address && d.Source.Port() != wire.PortDHCPServer && d.Destination == netip.AddrPortFrom(own, wire.PortDHCPClient)
		}
	}
	what := "no answer to dom0 either"
	if answered {
		what = "answers when dom0 asks in the guest's place"
	}
	o.event(began, "RRQ", s.Address.String(), s.Asked+": "+what, !answered)
	return answered
}
