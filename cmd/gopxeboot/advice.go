package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/boot"
	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/xenout"
	"github.com/urfave/cli/v2"
)

// adviceKey is where the command that tells more of a failure is kept, in the
// application's metadata.
const adviceKey = "advice"

// advise keeps the check that looks at the same guest in the same lab.
func advise(c *cli.Context, call *xenout.Call, o *boot.Options) {
	if o.MAC == nil || o.LocalBoot {
		return
	}
	c.App.Metadata[adviceKey] = &advice{call, *o}
}

// advice is what makes a command, which is only made of a boot that fails.
type advice struct {
	call    *xenout.Call
	options boot.Options
}

// labStages are those in which a lab can be at fault.
var labStages = []plan.Stage{plan.StageDHCP, plan.StageConfig, plan.StageBoot, "kernel", "initrd"}

// of is the command for a failure; "" where a check would tell nothing of it.
func (a *advice) of(err error) string {
	e, ok := errors.AsType[*fault.Error](err)
	if a == nil || !ok {
		return ""
	}
	if _, down := errors.AsType[*guest.DownError](err); down || errors.Is(err, guest.ErrNoBridge) {
		return a.ofBridge(err)
	}
	if !slices.Contains(labStages, e.Stage) {
		return ""
	}
	if a.options.Repository != nil && e.Stage != plan.StageDHCP { // a check does not go through a location
		return ""
	}
	switch e.Code {
	case fault.NoLease, fault.NoConfig, fault.NotBootable, fault.NotFetched, fault.OutOfTime:
		return checkOf(a.call, &a.options)
	}
	return ""
}

// ofBridge is the command for a guest that is on no bridge, or on one that is down: a
// look at the default one says more than that there is none of the name.
func (a *advice) ofBridge(err error) string {
	o := a.options
	if _, port := errors.AsType[*guest.PortError](err); !port && errors.Is(err, guest.ErrNoBridge) {
		o.Bridge = ""
	}
	return checkOf(a.call, &o)
}

// checkOf is the command line of a check for the guest of a call, with the options
// of the call that check has, too.
func checkOf(call *xenout.Call, o *boot.Options) string {
	vif := "mac=" + o.MAC.String()
	if o.Bridge != "" {
		vif += ",bridge=" + o.Bridge
	}
	if o.VLAN != 0 {
		vif += fmt.Sprintf(",vlan=%d", o.VLAN)
	}
	if o.IP != "" {
		vif += ",ip=" + o.IP
	}
	words := []string{"gopxeboot", "check"}
	// The vif has them; or they are no matter of the lab's.
	not := strings.Fields("mac bridge vlan vif pcap timeout runas output-directory v q json")
	if o.Lease != nil {
		not = append(not, strings.Fields("dhcp-timeout retransmit proxy-wait arp-probe")...)
	}
	known := firstNames(checkCommand().Flags)
	for _, word := range call.Words {
		if word == "--" || !strings.HasPrefix(word, "-") {
			break
		}
		name, value, hasValue := strings.Cut(strings.TrimLeft(word, "-"), "=")
		first, ok := known[name]
		if !ok || slices.Contains(not, first) {
			continue
		}
		if word = dashed(first); hasValue {
			word += "=" + value
		}
		words = append(words, shellWord(word))
	}
	return strings.Join(append(words, shellWord(vif)), " ")
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// shellWord is a word as a shell reads it.
func shellWord(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
