package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/boot"
	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/check/probe"
	"github.com/gopxeboot/gopxeboot/internal/check/render"
	"github.com/gopxeboot/gopxeboot/internal/check/replay"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/gopxeboot/gopxeboot/internal/kernel"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/printable"
	"github.com/gopxeboot/gopxeboot/internal/wire"
	"github.com/gopxeboot/gopxeboot/xenout"
	"github.com/urfave/cli/v2"
)

// randomMAC is the --mac that has check make one up.
const randomMAC = "random"

func checkCommand() *cli.Command {
	return withHelp(&cli.Command{
		Name:      "check",
		Usage:     "why a lab does not boot a guest: one verdict, and what to change",
		UsageText: "gopxeboot check [OPTIONS] [VIF|GUEST]\ngopxeboot check --replay FILE [OPTIONS] [VIF]",
		Description: "Goes through a guest's boot without taking anything, prints a line a step, and ends with one verdict: " +
			"what is wrong first, how that shows, and what to change. GUEST is a guest's name, uuid or domain id. With neither GUEST nor a MAC, it asks as a guest that the lab does not know.",
		Flags: append(slices.Concat(guestFlags(), leaseFlags(), programFlags(), imageFlags("the lab"), transferFlags(), limitFlags()),
			typeFlag(""), vifFlag(), confFlag(),
			&cli.BoolFlag{Name: "json", Usage: "print JSON: steps, verdict, and what plan prints"},
			&cli.BoolFlag{Name: "watch", Usage: "look again and again until interrupted, and say when the verdict changes"},
			&cli.BoolFlag{Name: "request", Usage: "take the lease that is offered, and release it at the end"},
			&cli.BoolFlag{Name: "quick", Usage: "do not read the kernel"},
			&cli.GenericFlag{Name: "wait", Value: &duration{5 * time.Second}, Usage: "listen to DHCP servers for this `TIME`"},
			&cli.IntFlag{Name: "count", Usage: "let `N` guests with made-up MACs ask DHCP, and look at nothing else"},
			&cli.Float64Flag{Name: "rate", Value: 50, Usage: "let `N` of them ask each second"},
			&cli.StringFlag{Name: "report", Usage: "write the whole exchange and the verdict to this `FILE` as a page of HTML"},
			&cli.StringFlag{Name: "replay", Usage: "ask no network: judge the packet capture in this `FILE`; --mac names the guest"},
			&cli.StringFlag{Name: "output-directory", Usage: "the `DIRECTORY` where a boot would put the kernel and the initrd", DefaultText: xenout.Xen.DefaultDirectory()},
		),
		Action: checkAction,
		OnUsageError: func(c *cli.Context, err error, _ bool) error {
			return couldNotLook(c.App.ErrWriter, usage(plainly(err), "see gopxeboot help check"))
		},
	}, example("gopxeboot check mac=00:16:3e:72:79:e3,bridge=xenbr0\n"+
		"gopxeboot check --report page.html mac=00:16:3e:72:79:e3,bridge=xenbr0"),
		"Exit status:\n  0  ok\n  1  warning\n  2  broken\n  3  could not look")
}

// couldNotLook says why, with the status that a monitoring plugin calls
// unknown. Usage errors are among it: their usual status means broken there.
func couldNotLook(w io.Writer, err error) error {
	console.New(w, console.Normal).Error(err)
	return exitStatus(3)
}

func checkAction(c *cli.Context) error {
	status, err := checkOnce(c)
	switch {
	case err != nil:
		return couldNotLook(c.App.ErrWriter, err)
	case status != 0:
		return exitStatus(status)
	}
	return nil
}

// checkOnce is checkAction, and returns the status of a check that could look.
func checkOnce(c *cli.Context) (status int, err error) {
	if err := checkUse(c); err != nil {
		return 0, err
	}
	look := probe.Look{
		Take: c.Bool("request"), Quick: c.Bool("quick"), Wait: c.Generic("wait").(*duration).value,
		Count: c.Int("count"), Rate: c.Float64("rate"),
	}
	const most = 10000
	if look.Count < 0 || look.Count > most || look.Rate <= 0 {
		return 0, usage(fmt.Errorf("--count %d --rate %g: want up to %d guests, and a rate above 0", look.Count, look.Rate, most), "")
	}
	call, err := callOf(c)
	if err != nil {
		return 0, err
	}
	call.Location = "" // it looks at a lab
	o, err := namedOptions(c, call)
	if err != nil {
		return 0, err
	}
	if asks := c.String("replay") == "" && o.Lease == nil; asks && o.Timeout > 0 && o.Timeout <= look.Wait {
		return 0, usage(fmt.Errorf("--timeout %v is over before DHCP servers were listened to for --wait %v", o.Timeout, look.Wait), "raise --timeout, or name a shorter --wait")
	}
	con := console.New(c.App.ErrWriter, level(c))
	if c.String("mac") == randomMAC {
		o.MAC = nil
	}
	page, err := openPage(c.String("report"))
	if err != nil {
		return 0, usage(fmt.Errorf("--report: %w", err), "")
	}
	live := render.NewLive(c.App.Writer)
	var seen func(check.Facts)
	if !c.Bool("json") && !c.Bool("watch") && look.Count == 0 {
		seen = func(f check.Facts) {
			con.Waits("")
			_ = live.Seen(check.Diagnose(f)) // End says what is wrong with it
			con.Waits(f.Waiting())
		}
	}
	made := madeBy(c, call)
	see := func() (*check.Facts, *plan.Plan, error) { return boot.Check(c.Context, o, look, seen, con) }
	switch name := c.String("replay"); {
	case name != "" && c.Bool("watch"):
		return 0, usage(errors.New("--watch looks at a network, and --replay asks none"), "")
	case name != "":
		see = func() (*check.Facts, *plan.Plan, error) { return replayed(name, o) }
	case o.MAC == nil:
		o.MAC, look.Random = probe.RandomMAC(), true
	}
	looked := see
	see = func() (*check.Facts, *plan.Plan, error) {
		facts, p, err := looked()
		if facts != nil {
			facts.Made = made
		}
		return facts, p, err
	}
	if c.Bool("watch") {
		return watch(c, see, page)
	}
	facts, p, err := see()
	con.Waits("")
	if err != nil {
		return 0, err
	}
	report := check.Diagnose(*facts)
	if c.Bool("json") {
		err = render.JSON(c.App.Writer, report, p, facts)
	} else {
		err = live.End(report, c.Bool("v"))
	}
	return report.ExitCode(), errors.Join(err, page.write(facts, report))
}

// madeBy is what a report says of its own making.
func madeBy(c *cli.Context, call *xenout.Call) *check.Made {
	host, _ := os.Hostname()
	words := []string{"gopxeboot", "check"}
	for _, word := range call.Words {
		words = append(words, shellWord(word))
	}
	return &check.Made{Version: c.App.Version, Host: host, Command: printable.Redacted(strings.Join(words, " "))}
}

// checkUse is the error of an option that has no effect.
func checkUse(c *cli.Context) error {
	switch {
	case c.IsSet("replay"):
		return onlyThese(c, "with --replay", "replay mac config-dir label guest-type watch json report v q")
	case c.IsSet("count"):
		return notThese(c, "with --count", "request quick address router bootfile config-dir label program set kernel ramdisk server ca proxy output-directory max-kernel max-initrd")
	case c.IsSet("address"):
		return notThese(c, "with --address", "request wait rate dhcp-timeout retransmit proxy-wait arp-probe")
	}
	return notThese(c, "without --count", "rate")
}

// replayed looks at a capture. It is somebody else's bytes, like those from the
// network: nothing is left to this process but the files that it has open.
func replayed(name string, o boot.Options) (*check.Facts, *plan.Plan, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, nil, usage(err, "")
	}
	defer file.Close()
	if err := guest.Seal(); err != nil {
		return nil, nil, fmt.Errorf("--replay: %w", err)
	}
	facts, p, err := replay.Read(wire.ReadCapture(file), replay.Options{
		Name: filepath.Base(name), MAC: o.MAC, ConfigDir: o.ConfigDir, Label: o.Label, Machine: string(kernel.ThisHost()), GuestType: o.Type,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("--replay %s: %w", name, err)
	}
	return &facts, p, nil
}

// page is the file of --report; nil for none. It is open from the beginning,
// as a replay can open nothing any more when it knows what to write.
type page struct{ file *os.File }

func openPage(name string) (*page, error) {
	if name == "" {
		return nil, nil
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o644)
	return &page{file}, err
}

// write writes the page, in the place of the one that was there.
func (p *page) write(facts *check.Facts, report check.Report) error {
	if p == nil {
		return nil
	}
	var content bytes.Buffer
	err := render.HTML(&content, *facts, report)
	if err == nil {
		_ = p.file.Truncate(0) // a pipe or a terminal has no beginning
		_, _ = p.file.Seek(0, io.SeekStart)
		_, err = p.file.Write(content.Bytes())
	}
	if err != nil {
		return fmt.Errorf("--report: %w", err)
	}
	return nil
}

// pause is how long watch rests between two looks.
const pause = 2 * time.Second

// watch looks again and again, and says what has changed. Its status is that of
// the last look. Who mends a lab takes its bridge away, too, at times: only the
// first look has to succeed.
func watch(c *cli.Context, see func() (*check.Facts, *plan.Plan, error), page *page) (status int, err error) {
	var last check.Verdict
	for {
		facts, p, err := see()
		if c.Context.Err() != nil {
			return status, nil
		}
		if err != nil && last.Code == "" {
			return 0, err
		}
		if err != nil {
			if text := err.Error(); text != last.Summary {
				last = check.Verdict{Code: "unknown", Summary: text}
				console.New(c.App.ErrWriter, console.Normal).Error(err)
			}
			if status = 3; !rest(c) {
				return status, nil
			}
			continue
		}
		report := check.Diagnose(*facts)
		status = report.ExitCode()
		if err := page.write(facts, report); err != nil {
			return 0, err
		}
		if v := report.Verdict; v.Code != last.Code || v.Summary != last.Summary {
			last = v
			if c.Bool("json") {
				err = render.JSON(c.App.Writer, report, p, facts)
			} else {
				_, err = fmt.Fprintf(c.App.Writer, "%s  %s", time.Now().Format(time.TimeOnly), render.Verdict(v))
			}
			if err != nil {
				return 0, err
			}
		}
		if !rest(c) {
			return status, nil
		}
	}
}

// rest waits until it is time for the next look, and says whether there is one.
func rest(c *cli.Context) bool {
	select {
	case <-c.Context.Done():
		return false
	case <-time.After(pause):
		return true
	}
}
