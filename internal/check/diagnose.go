package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/pxelinux"
)

// finding is one cause that the facts show.
type finding struct {
	status   Status // OK is a note
	code     Code   // where it is not the cause's
	step     string // in which it shows, where that is not the cause's: one that had ended well stays so
	summary  string // one line: what is wrong
	evidence string // what was seen of it
	hint     string // what to change
	stanzas  []Stanza
	details  []string // of a note
	raised   bool     // it was a warning, until a later step went wrong
}

func broken(summary, evidence, hint string, write ...Stanza) *finding {
	return &finding{status: Fail, summary: summary, evidence: evidence, hint: hint, stanzas: write}
}

func warning(summary, evidence, hint string) *finding {
	return &finding{status: Warn, summary: summary, evidence: evidence, hint: hint}
}

func note(summary string, details ...string) *finding {
	return &finding{status: OK, summary: summary, details: details}
}

// raise is a warning because of which a later step goes wrong. That step says so: the
// own one has been shown by then, and stays a warning.
func (d *finding) raise() *finding {
	d.status, d.raised = Fail, true
	return d
}

// at is the finding in another step.
func (d *finding) at(step string) *finding {
	d.step = step
	return d
}

func (d *finding) verdict(code Code) *Verdict {
	return &Verdict{code, d.summary, d.evidence, d.hint + stanzaText(d.stanzas), d.hint, d.stanzas}
}

// cause is one thing that may be wrong, and how to see it.
type cause struct {
	code Code
	step string
	find func(*Facts) *finding // nil when that is not it
}

// causes are in the order of a boot, so that the first one found is not the
// consequence of another. Where two could be told from the same facts, the more
// special one stands first.
var causes = []cause{
	{BridgeIsPort, "bridge", bridgeIsPort},
	{BridgeDown, "bridge", bridgeDown},
	{MACInUse, "bridge", guestRuns},
	{MACInUse, "bridge", macInUse},
	{STPBlocking, "bridge", stpBlocking},
	{STPBlocking, "bridge", stpWaits},
	{NoUplink, "bridge", noUplink},
	{VLANMismatch, "bridge", vlanMismatch},
	{Dom0Firewall, "bridge", dom0Firewall},

	{AnswerTooLate, "dhcp", answerTooLate},
	{OfferUnreadable, "dhcp", offerUnreadable},
	{NeedsOption60, "dhcp", onlyAsked(AskedWith60, "The DHCP server answers this guest only as a PXE client (option 60).",
		"leave out --vendor-class and --option 60")},
	{OtherArchOnly, "dhcp", otherArchOnly},
	{OnlyWithout60, "dhcp", onlyAsked(AskedWithout60, "A DHCP server answers this guest only when it does not say that it is a PXE client.",
		"look for a rule on the vendor class (option 60, PXEClient) that ignores or denies, and remove it")},
	{OnlyUnicast, "dhcp", onlyAsked(AskedNoBroadcast, "The DHCP server's broadcast does not get here; its answer to the guest's own MAC does.",
		"see what drops broadcast frames between server and bridge: storm control, ebtables, a relay that answers by unicast only")},
	{MACNotServed, "dhcp", onlyAsked(AskedOtherMAC, "The DHCP server does not answer this MAC, but answers others.",
		"look for the MAC in the server's configuration: a host entry that is denied or ignored, a MAC filter, a class that it is not in")},
	{PoolEmpty, "dhcp", poolEmpty},
	{NoServer, "dhcp", noServer},
	// What gets lost for a reason that is known is no packet loss.
	{TFTPDataBlocked, "server", tftpDataBlocked},
	{TFTPNoOACK, "server", tftpNoOACK},
	{TFTPLargeBlocks, "server", tftpLargeBlocks},
	{PacketLoss, "dhcp", packetLoss},
	{ProxyOnly, "dhcp", proxyOnly},
	{ProxySilent, "dhcp", proxySilent},
	{WrongVLANServer, "dhcp", wrongVLANServer},
	{RogueServer, "dhcp", rogueServer},
	{WrongVLANServer, "dhcp", otherVLANHeard},
	{AddressUnusable, "dhcp", addressUnusable},
	{AddressInUse, "lease", addressInUse},
	{Nak, "lease", nak},
	{NoAck, "lease", noAck},

	{NoNextServer, "dhcp", withNames(noNextServer)},
	{NoFilename, "dhcp", noFilename},
	{FilenameGarbage, "dhcp", filenameGarbage},
	{IPXENotServed, "dhcp", ipxeNotServed},
	{IPXELoop, "dhcp", ipxeLoop},

	{DuplicateAddress, "server", duplicateAddress},
	{FirewallRejects, "server", serverRejects},
	{NextServerUnreachable, "server", withNames(byOptions(nextServerUnreachable))},
	{NextServerWrong, "server", nextServerWrong},
	{TFTPNotRunning, "server", withNames(tftpNotRunning)},
	{TFTPOtherAddress, "server", tftpOtherAddress},
	{TFTPSilent, "server", withNames(tftpSilent)},
	{TFTPRefused, "config", tftpRefused},

	{DNSSilent, "config", unresolved("config")},
	{ConfigEmpty, "config", configEmpty},
	{ConfigMisnamed, "config", configMisnamed},
	{FirewallRejects, "config", rejects("config")},
	{ConfigUnreadable, "config", configNotServed},
	{ConfigUnreadable, "config", configUnreadable},
	{NoConfig, "config", noScript},
	{NoConfig, "config", noConfig},
	{NoDefault, "boot", noDefault},
	{LabelMissing, "boot", labelMissing},
	{COM32Only, "boot", com32Only},
	{BootProgram, "boot", bootProgram},
	{NotBootable, "boot", notBootable},

	{DNSSilent, "kernel", unresolved("kernel")},
	{DNSSilent, "initrd", unresolved("initrd")},
	{KernelMissing, "kernel", missing("kernel")},
	{InitrdMissing, "initrd", missing("initrd")},
	{FileUnreadable, "kernel", refused("kernel")},
	{FileUnreadable, "initrd", refused("initrd")},
	{FirewallRejects, "kernel", rejects("kernel")},
	{FirewallRejects, "initrd", rejects("initrd")},
	{FileUnreachable, "kernel", notServed("kernel")},
	{FileUnreachable, "initrd", notServed("initrd")},
	{FileUnreachable, "kernel", unreachable("kernel")},
	{FileUnreachable, "initrd", unreachable("initrd")},
	{FileTooLarge, "kernel", tooLarge("kernel")},
	{FileTooLarge, "initrd", tooLarge("initrd")},
	{FileTruncated, "kernel", truncated("kernel")},
	{FileTruncated, "initrd", truncated("initrd")},
	{KernelNotLinux, "kernel", kernelNotLinux},
	{KernelWrongArch, "kernel", kernelWrongArch},
	{KernelNoXen, "kernel", kernelNoXen},
	{KernelPacking, "kernel", kernelPacking},
	{KernelDamaged, "kernel", kernelDamaged},
	{InitrdWrong, "initrd", initrdWrong},
	{ArgsTooLong, "args", argsTooLong},
	{NoSpace, "space", noSpace},

	// What no boot fails of stands at the end.
	{VIFAddress, "dhcp", vifAddress},
	{TooSlow, "initrd", tooSlow},
	{StormLoss, "storm", stormLoss},
	{WaitsForever, "boot", waitsForever},
	{ConfigProblems, "config", configProblems},
	{IncludeMissing, "config", includeMissing},
	{OtherGuests, "dhcp", otherGuests},
}

// Diagnose judges the facts: it names the first cause that keeps the guest from
// booting or, when nothing does, the first that one should know of.
func Diagnose(f Facts) Report {
	var first, firstWarning *Verdict
	var notes []Note
	found := map[string][]*finding{}
	var raised []*finding
	fails := false
	for _, c := range causes {
		d := c.find(&f)
		if d == nil {
			continue
		}
		if d.status == OK {
			notes = append(notes, Note{cmp.Or(d.code, c.code), d.summary, d.details})
			continue
		}
		step := cmp.Or(d.step, c.step)
		d.code = cmp.Or(d.code, c.code)
		found[step] = append(found[step], d)
		v := d.verdict(d.code)
		fails = fails || d.status == Fail && !d.raised
		if d.raised {
			raised = append(raised, d)
		}
		if d.status == Fail && first == nil {
			first = v
		}
		if d.status == Warn && firstWarning == nil {
			firstWarning = v
		}
	}
	for _, d := range raised {
		if fails {
			d.status = Warn
		}
	}
	verdict := cmp.Or(first, firstWarning)
	if verdict == nil {
		verdict = f.fine()
	}
	return Report{f.steps(found), *verdict, notes}
}

// settled are the causes of warnings that stay what they are, whatever later steps come
// to: all that they go by is known when their step ends, or they are raised.
var settled = []Code{
	VIFAddress, AddressInUse, ConfigEmpty, ConfigMisnamed, TFTPRefused, DNSSilent, DNSNoAddress, NoDNS, ConfigProblems,
	MACInUse, STPBlocking, RogueServer, ProxySilent, WrongVLANServer, OfferUnreadable, FilenameGarbage, PacketLoss,
}

// open says that what later steps come to may change a finding.
func (f *Facts) open(d *finding) bool {
	switch d.code {
	case DuplicateAddress:
		return f.found() == nil
	case IPXELoop, IPXENotServed:
		return f.Boot == nil
	case NoNextServer:
		return f.NextServer == nil
	}
	return !slices.Contains(settled, d.code)
}

// Advise is the cause for which a configuration is not to be had, or boots nothing, by
// a plan and what servers did in its search; nil where none is known. server is the TFTP
// server that gives nothing, where it was looked at.
func Advise(p *plan.Plan, search []plan.Try, server *Station) *Verdict {
	return advise(&Facts{Lease: p.Lease, Search: search, NextServer: server}, p, "server", "config", "boot")
}

// AdviseFile is the cause for which a file of what boots by a configuration is not to
// be had, by what came of asking for it; nil where none is known. names are those that
// were looked up for it. Where there is no configuration, only the way there is judged.
func AdviseFile(p *plan.Plan, role string, asked plan.Try, names ...Name) *Verdict {
	steps := []string{"boot", role}
	switch {
	case p == nil || !p.Lease.Address.IsValid():
		return nil
	case p.Config.URL == "":
		steps = nil
	}
	return advise(&Facts{Lease: p.Lease, Files: []File{fileOf(role, asked)}, Names: names}, p, steps...)
}

// advise looks for the cause among those of some steps; a transfer that stopped is of
// the server's step, whatever was asked for, and that iPXE has no script of DHCP's.
func advise(f *Facts, p *plan.Plan, steps ...string) *Verdict {
	f.Decided(p)
	f.Subject.Net = p.Net
	for _, c := range causes {
		if !slices.Contains(steps, c.step) && c.code != TFTPDataBlocked && c.code != TFTPNoOACK && (c.code != IPXELoop || p.Config.URL != "") {
			continue
		}
		if d := c.find(f); d != nil && d.status == Fail {
			return d.verdict(cmp.Or(d.code, c.code))
		}
	}
	return nil
}

// steps are those that were come to, with what is wrong in them.
func (f *Facts) steps(found map[string][]*finding) []Step {
	var list []Step
	for _, s := range []struct {
		name string
		ok   func() (detail string, ms float64)
	}{
		{"bridge", f.bridgeStep},
		{"dhcp", f.dhcpStep},
		{"lease", f.leaseStep},
		{"server", f.serverStep},
		{"config", f.configStep},
		{"boot", f.bootStep},
		{"kernel", func() (string, float64) { return f.fileStep("kernel") }},
		{"initrd", func() (string, float64) { return f.fileStep("initrd") }},
		{"args", f.argsStep},
		{"space", f.spaceStep},
		{"storm", f.stormStep},
	} {
		detail, ms := s.ok()
		step := Step{Name: s.name, Status: OK, Detail: detail, Millis: ms}
		var wrong []string
		for _, d := range found[s.name] {
			step.Open = step.Open || f.open(d)
			if d.status == Fail { // what else is wrong here comes of it
				step.Status, wrong = Fail, []string{strings.TrimSuffix(d.summary, ".")}
				break
			}
			step.Status = d.status
			wrong = append(wrong, strings.TrimSuffix(d.summary, "."))
		}
		if len(wrong) > 0 {
			step.Detail = strings.Join(wrong, "; ")
		}
		if step.Detail != "" {
			list = append(list, step)
		}
	}
	return list
}

// fine is the verdict when nothing is wrong.
func (f *Facts) fine() *Verdict {
	v := &Verdict{Code: Fine, Summary: "The guest would boot " + f.boots() + "."}
	switch {
	case f.Storm != nil && f.Boot == nil:
		v.Summary = fmt.Sprintf("The DHCP server answered all of %d guests.", f.Storm.Count)
	case f.Boot == nil && f.Capture != "":
		v.Summary = "Nothing is wrong in what the capture shows."
	}
	if s := f.seconds(); s > 0 {
		v.Evidence = fmt.Sprintf("its files are about %s, which takes about %s", console.Size(f.size()), secondsText(s))
	}
	return v
}

// boots says what boots in a few words.
func (f *Facts) boots() string {
	switch {
	case f.Lease.LocalBoot || f.Boot != nil && f.Boot.Outcome == pxelinux.LocalBoot:
		return "from its own disk"
	case f.Boot == nil:
		return "as far as was looked"
	case f.Boot.Label != "":
		return "label " + f.Boot.Label
	}
	return f.Boot.Kernel
}
