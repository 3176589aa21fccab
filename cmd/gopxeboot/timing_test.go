package main

import (
	"io"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/internal/boot"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/xenout"
	"github.com/urfave/cli/v2"
)

func TestTiming(t *testing.T) {
	standard := func(change func(*boot.Timing)) boot.Timing {
		t := boot.Timing{Patience: time.Minute, ProxyWait: 2 * time.Second, ProbeWait: 20 * time.Millisecond,
			Retransmit: []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second}}
		change(&t)
		return t
	}
	for _, c := range []struct {
		args []string
		want boot.Timing
		err  string
	}{
		{args: nil, want: standard(func(*boot.Timing) {})},
		{args: []string{"--dhcp-timeout", "5", "--retransmit=100ms,2,4s"},
			want: standard(func(t *boot.Timing) {
				t.Patience, t.Retransmit = 5*time.Second, []time.Duration{100 * time.Millisecond, 2 * time.Second, 4 * time.Second}
			})},
		{args: []string{"--proxy-wait", "0", "--arp-probe", "0s"}, want: standard(func(t *boot.Timing) { t.ProxyWait, t.ProbeWait = -1, -1 })},
		{args: []string{"--proxy-wait", "4s", "--arp-probe", "50ms"}, want: standard(func(t *boot.Timing) { t.ProxyWait, t.ProbeWait = 4*time.Second, 50*time.Millisecond })},
		{args: []string{"--retransmit", "1s,2s", "--retransmit", "3s"}, want: standard(func(t *boot.Timing) { t.Retransmit = []time.Duration{3 * time.Second} })},
		{args: []string{"--dhcp-timeout", "0"}, err: `invalid value "0" for flag -dhcp-timeout: "0" is no time that can be waited: write 2s, 500ms or seconds`},
		{args: []string{"--proxy-wait", "-1s"}, err: `invalid value "-1s" for flag -proxy-wait: "-1s" is no time that can be waited: write 2s, 500ms or seconds`},
		{args: []string{"--retransmit", "1s,,2s"}, err: `invalid value "1s,,2s" for flag -retransmit: "1s,,2s" is no list of times to wait: write 1s,2s,4s, none below 10ms`},
		{args: []string{"--retransmit", "1ms"}, err: `invalid value "1ms" for flag -retransmit: "1ms" is no list of times to wait: write 1s,2s,4s, none below 10ms`},
	} {
		var got boot.Timing
		app := &cli.App{Flags: guestFlags(), HideHelp: true, OnUsageError: func(_ *cli.Context, err error, _ bool) error { return err },
			Action: func(c *cli.Context) error {
				r, err := options(c, &xenout.Call{}, console.New(io.Discard, console.Quiet))
				got = r.Timing
				return err
			}}
		said := ""
		if err := app.Run(append([]string{"gopxeboot"}, c.args...)); err != nil {
			said = err.Error()
		}
		if said != c.err {
			t.Errorf("%q: %s, want %s", c.args, said, c.err)
		} else if diff := cmp.Diff(c.want, got); c.err == "" && diff != "" {
			t.Errorf("%q (-want +got):\n%s", c.args, diff)
		}
	}
}
