package boot

import (
	"time"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
)

// Timing is how long DHCP waits for what: the fields of dhcpclient.Client with
// these names. Zero values are its own.
type Timing struct {
	Patience, ProxyWait, ProbeWait time.Duration
	Retransmit                     []time.Duration
}

// apply sets the client's times.
func (t Timing) apply(c *dhcpclient.Client) {
	c.Patience, c.ProxyWait, c.ProbeWait, c.Retransmit = t.Patience, t.ProxyWait, t.ProbeWait, t.Retransmit
}
