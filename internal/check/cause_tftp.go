package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/plan"
)

// stopped is the first file that stopped to come for this reason; nil for none.
func (f *Facts) stopped(reason plan.Reason) *File {
	files := f.downloads()
	return firstOf(files, func(file File) bool { return file.Reason == reason })
}

// tftpDataBlocked: a TFTP server answers from another port than 69 (RFC 1350,
// section 4), which a firewall that knows only that one does not let through.
func tftpDataBlocked(f *Facts) *finding {
	file := f.stopped(plan.DataBlocked)
	if file == nil {
		return nil
	}
	host := hostOf(file.URL)
	return broken(fmt.Sprintf("A firewall drops what the guest sends to the data ports of the TFTP server %s.", host), file.URL+": "+file.Message,
		fmt.Sprintf("allow UDP from %s to its high ports on %s and on the way (a server sends each file from a new port, and not from 69), or load nf_conntrack_tftp where that firewall knows connections", f.Lease.Address.Masked(), host)).at(file.Role)
}

func tftpNoOACK(f *Facts) *finding {
	file := f.stopped(plan.NoOACK)
	if file == nil {
		return nil
	}
	d := broken(fmt.Sprintf("The TFTP server %s sends larger blocks than it agreed to.", hostOf(file.URL)), file.URL+": "+file.Message,
		"update that server, or have it ignore the option (tftpd-hpa: --refuse blksize, dnsmasq: tftp-no-blocksize); until then its files come slowly, in small blocks")
	if !slices.ContainsFunc(f.Files, func(file File) bool { return file.Reason == plan.NoOACK && file.Result != plan.Found }) && f.found() != nil {
		d.status = Warn
	}
	return d.at(file.Role)
}

// duplicateAddress: whose answers are taken is chance. Between the offer and the
// answer to ARP the MAC tells two machines apart.
func duplicateAddress(f *Facts) *finding {
	s := f.NextServer
	if s == nil || s.Route == RouteNone || s.MAC == "" {
		return nil
	}
	whose, address := "the next-server's address", s.Address
	if s.Route == RouteRouter {
		whose, address = "the router's address", f.Lease.Router
	}
	first, second := s.MAC, s.OtherMAC
	how := "both answer ARP for it"
	if second == "" && s.Route == RouteRouter {
		return nil
	}
	if second == "" {
		i := slices.IndexFunc(f.Offers, func(o Offer) bool {
			return o.From == address && !o.Relay.IsValid() && o.ServerMAC != "" && o.ServerMAC != s.MAC && !VirtualMAC(o.ServerMAC)
		})
		if i < 0 || VirtualMAC(s.MAC) {
			return nil
		}
		first, second = f.Offers[i].ServerMAC, s.MAC
		how = fmt.Sprintf("the offer comes from %s, and %s answers ARP", first, second)
	}
	d := broken(fmt.Sprintf("Two machines have %s, %s.", whose, address), fmt.Sprintf("%s and %s: %s", first, second, how),
		"give one of them another address; its MAC tells the switch port (bridge fdb show, ip neigh)")
	if s.TFTP == PortAnswers && f.found() != nil {
		d.status = Warn
	}
	return d
}

// VirtualMAC says whether a MAC is one that several machines share by design: VRRP's
// and CARP's (RFC 9568), HSRP's.
func VirtualMAC(mac string) bool {
	return strings.HasPrefix(mac, "00:00:5e:00:0") || strings.HasPrefix(mac, "00:00:0c:07:ac:") || strings.HasPrefix(mac, "00:00:0c:9f:f")
}
