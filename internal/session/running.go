package session

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/domain"
	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/guest"
)

const (
	// vifPatience is how long a boot waits for the vif of a domain that is
	// going: the backend and the hotplug script let go of it after the domain
	// is gone, and a guest that reboots is created anew meanwhile.
	vifPatience = 10 * time.Second
	vifInterval = 250 * time.Millisecond
)

// settle decides for --net auto whether the guest runs already, by what dom0
// knows of its domains: what a frame can write, as the bridge's forwarding
// table, decides nothing. A boot waits until the vif is gone, or fails. Who only
// looks must not have a second port with the guest's MAC, which would take its
// traffic, and has dom0's network; why says so.
func (s *Spec) settle(ctx context.Context, con *console.Console) (network guest.Net, runs *domain.Vif, err error) {
	if s.Net != guest.Auto || s.Host == nil || s.MAC == nil || !s.Leases {
		return s.Net, nil, nil
	}
	said := false
	for deadline := time.Now().Add(vifPatience); ; {
		vif, err := s.runningVif(ctx)
		if err != nil {
			con.Warn(fmt.Sprintf("network: whether the guest runs is not known: %v", err))
			return s.Net, nil, nil
		}
		if vif == nil {
			return s.Net, nil, nil
		}
		if s.Leave == nil {
			return guest.Dom0, vif, nil
		}
		who := whoHas(vif)
		if !said {
			con.Detail("network: " + who + ": waiting until it is gone")
			said = true
		}
		if time.Now().After(deadline) {
			return "", nil, fault.New(fault.Own, "network", fmt.Errorf("%s, and keeps it", who),
				fmt.Sprintf("end domain %d (xl destroy %d), or give one of the two guests another mac", vif.Domid, vif.Domid))
		}
		select {
		case <-ctx.Done():
			return "", nil, fault.In(ctx, fault.Own, "network", errors.New(who), "")
		case <-time.After(vifInterval):
		}
	}
}

// whoHas says which domain has the guest's MAC.
func whoHas(vif *domain.Vif) string {
	return fmt.Sprintf("domain %d has %s on %s (%s)", vif.Domid, vif.MAC, vif.Bridge, vif.Interface)
}

// runningVif is the interface with the guest's MAC, on its bridge, of another
// domain than the one that is being created; nil for none.
func (s *Spec) runningVif(ctx context.Context) (*domain.Vif, error) {
	vifs, err := s.Host.Vifs(ctx)
	if err != nil {
		return nil, err
	}
	bridge, _, err := guest.FindBridge(s.Bridge, s.VLAN)
	if err != nil {
		return nil, nil // guest.Start says so
	}
	for _, v := range vifs {
		if v.Domid == s.Domid || !bytes.Equal(v.MAC, s.MAC) {
			continue
		}
		// Not by VLAN: on most bridges a MAC is in one place only, whatever
		// the VLAN. Where a toolstack wrote no bridge, this one has to do.
		if on, _, err := guest.FindBridge(v.Bridge, 0); v.Bridge != "" && v.Bridge != bridge && (err != nil || on != bridge) {
			continue
		}
		if _, err := net.InterfaceByName(v.Interface); err != nil && v.Closed {
			continue // what is left in xenstore of one that is gone
		}
		if v.Bridge == "" {
			v.Bridge = bridge
		}
		return &v, nil
	}
	return nil, nil
}
