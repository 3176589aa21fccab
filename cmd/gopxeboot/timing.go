package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/boot"
	"github.com/urfave/cli/v2"
)

// timingOf is how long DHCP is to wait, as the flags say. Not at all is negative
// there.
func timingOf(c *cli.Context) boot.Timing {
	wait := func(name string) time.Duration { return cmp.Or(c.Generic(name).(*waitTime).value, -1) }
	return boot.Timing{
		Patience:   wait("dhcp-timeout"),
		ProxyWait:  wait("proxy-wait"),
		ProbeWait:  wait("arp-probe"),
		Retransmit: *c.Generic("retransmit").(*waitTimes),
	}
}

// waitTime is a time of at least so much that a flag may set.
type waitTime struct{ value, least time.Duration }

func (w *waitTime) String() string { return timeText(w.value) }

func (w *waitTime) Set(text string) error {
	value, err := parseDuration(text)
	if err != nil || value < w.least {
		return fmt.Errorf("%q is no time that can be waited: write 2s, 500ms or seconds", text)
	}
	w.value = value
	return nil
}

// waitTimes is a list of times, one after the other.
type waitTimes []time.Duration

func (w *waitTimes) String() string {
	var words []string
	for _, d := range *w {
		words = append(words, timeText(d))
	}
	return strings.Join(words, ",")
}

func (w *waitTimes) Set(text string) error {
	*w = nil
	for _, word := range strings.Split(text, ",") {
		d, err := parseDuration(word)
		// Faster than this is a flood that helps no one.
		if err != nil || d < 10*time.Millisecond || len(*w) == 16 {
			return fmt.Errorf("%q is no list of times to wait: write 1s,2s,4s, none below 10ms", text)
		}
		*w = append(*w, d)
	}
	return nil
}
