package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/boot"
	"github.com/urfave/cli/v2"
)

// timingOf is how long DHCP is to wait, as the flags say.
func timingOf(c *cli.Context) boot.Timing {
	wait := func(name string) time.Duration { return c.Generic(name).(*waitTime).value }
	return boot.Timing{
		Patience:   wait("dhcp-timeout"),
		ProxyWait:  wait("proxy-wait"),
		ProbeWait:  wait("arp-probe"),
		Retransmit: *c.Generic("retransmit").(*waitTimes),
	}
}

// waitTime is a time that a flag may set to 0, which is not at all; that is
// negative here, as 0 is what was not said.
type waitTime struct {
	value     time.Duration
	otherwise string // what is done when it was not said
	least     time.Duration
}

func (w *waitTime) String() string {
	if w.value == 0 {
		return w.otherwise
	}
	return max(w.value, 0).String()
}

func (w *waitTime) Set(text string) error {
	value, err := parseDuration(text)
	if err != nil || value < w.least {
		return fmt.Errorf("%q is no time that can be waited: write 2s, 500ms or seconds", text)
	}
	if w.value = value; value == 0 {
		w.value = -1
	}
	return nil
}

// waitTimes is a list of times, one after the other.
type waitTimes []time.Duration

func (w *waitTimes) String() string {
	if len(*w) == 0 {
		return "1s,2s,4s,8s,16s"
	}
	var words []string
	for _, d := range *w {
		words = append(words, d.String())
	}
	return strings.Join(words, ",")
}

func (w *waitTimes) Set(text string) error {
	*w = nil
	for _, word := range strings.Split(text, ",") {
		d, err := parseDuration(word)
		// Faster than this is a flood, of which nobody has anything.
		if err != nil || d < 10*time.Millisecond || len(*w) == 16 {
			return fmt.Errorf("%q is no list of times to wait: write 1s,2s,4s, none below 10ms", text)
		}
		*w = append(*w, d)
	}
	return nil
}
