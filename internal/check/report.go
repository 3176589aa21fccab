package check

// Report is what the facts come to.
type Report struct {
	Steps   []Step  `json:"steps"`
	Verdict Verdict `json:"verdict"`
	Notes   []Note  `json:"notes,omitempty"`
}

// Note is what one may want to know, and what neither breaks the boot nor is a
// reason to change anything.
type Note struct {
	Code    Code     `json:"code"`
	Summary string   `json:"summary"`
	Details []string `json:"details,omitempty"` // a line each
}

// Status is how a step went.
type Status string

// A step with Warn does not keep the guest from booting here and now.
const (
	OK   Status = "ok"
	Warn Status = "warn"
	Fail Status = "fail"
)

// Step is one step of the boot. Steps that were not come to are left out.
type Step struct {
	Name   string  `json:"name"` // bridge, dhcp, lease, server, config, boot, kernel, initrd, args, space, storm
	Status Status  `json:"status"`
	Detail string  `json:"detail"` // one line
	Millis float64 `json:"ms"`
	// Open says that what later steps come to may change it, while a look goes on.
	Open bool `json:"-"`
}

// Verdict is what is wrong first, in words. Hint is Advice, and then a line for
// each of the stanzas.
type Verdict struct {
	Code     Code     `json:"code"`
	Summary  string   `json:"summary"`
	Evidence string   `json:"evidence"`
	Hint     string   `json:"hint"`
	Advice   string   `json:"-"` // what to do
	Stanzas  []Stanza `json:"stanzas,omitempty"`
}

// Stanza is what to write into the configuration of one DHCP server, a line each.
type Stanza struct {
	Program string `json:"program"`
	Text    string `json:"text"`
}

// Code names a cause. Codes are added, never renamed.
type Code string

// The causes, in the order of a boot.
const (
	Fine Code = "ok"

	// The bridge.
	BridgeIsPort Code = "bridge-is-port"
	Dom0Firewall Code = "dom0-firewall"
	BridgeDown   Code = "bridge-down"
	MACInUse     Code = "mac-in-use"
	STPBlocking  Code = "stp-blocking"
	NoUplink     Code = "no-uplink"
	VLANMismatch Code = "vlan-mismatch"

	// DHCP.
	AnswerTooLate   Code = "answer-too-late"
	OfferUnreadable Code = "offer-unreadable"
	OtherArchOnly   Code = "other-arch-only"
	OnlyWithout60   Code = "only-without-option-60"
	NeedsOption60   Code = "needs-option-60"
	OnlyUnicast     Code = "only-without-broadcast-flag"
	MACNotServed    Code = "mac-not-served"
	PoolEmpty       Code = "pool-empty"
	NoServer        Code = "no-server"
	PacketLoss      Code = "packet-loss"
	ProxyOnly       Code = "proxy-only"
	ProxySilent     Code = "proxy-silent"
	WrongVLANServer Code = "wrong-vlan-server"
	RogueServer     Code = "rogue-server"
	AddressInUse    Code = "address-in-use"
	AddressUnusable Code = "address-unusable"
	Nak             Code = "nak"
	NoAck           Code = "no-ack"
	VIFAddress      Code = "vif-address"

	// What DHCP says about booting.
	NoNextServer    Code = "no-next-server"
	NoFilename      Code = "no-filename"
	FilenameGarbage Code = "filename-garbage"
	IPXENotServed   Code = "ipxe-not-served"
	IPXELoop        Code = "ipxe-loop"

	// The way to the TFTP server, and the server.
	NextServerUnreachable Code = "next-server-unreachable"
	NextServerWrong       Code = "next-server-wrong"
	FirewallRejects       Code = "firewall-rejects"
	TFTPNotRunning        Code = "tftp-not-running"
	TFTPOtherAddress      Code = "tftp-other-address"
	TFTPSilent            Code = "tftp-silent"
	TFTPDataBlocked       Code = "tftp-data-blocked"
	TFTPNoOACK            Code = "tftp-no-oack"
	DuplicateAddress      Code = "duplicate-address"
	TFTPRefused           Code = "tftp-refused"

	// The configuration.
	ConfigEmpty      Code = "config-empty"
	ConfigMisnamed   Code = "config-misnamed"
	ConfigUnreadable Code = "config-unreadable"
	NoConfig         Code = "no-config"
	NoDefault        Code = "no-default"
	LabelMissing     Code = "label-missing"
	COM32Only        Code = "com32-only"
	BootProgram      Code = "boot-program"
	NotBootable      Code = "not-bootable"
	WaitsForever     Code = "waits-for-ever"
	ConfigProblems   Code = "config-problems"
	OtherGuests      Code = "other-guests"
	IncludeMissing   Code = "include-missing"

	// The files.
	TFTPLargeBlocks Code = "tftp-large-blocks"
	KernelMissing   Code = "kernel-missing"
	InitrdMissing   Code = "initrd-missing"
	FileUnreadable  Code = "file-unreadable"
	FileUnreachable Code = "file-unreachable"
	FileTooLarge    Code = "file-too-large"
	FileTruncated   Code = "file-truncated"
	NoDNS           Code = "no-dns"
	DNSSilent       Code = "dns-silent"
	DNSNoAddress    Code = "dns-no-address"
	TLSExpired      Code = "tls-expired"
	TLSUnknownCA    Code = "tls-unknown-ca"
	TLSWrongName    Code = "tls-wrong-name"
	HTTPRefused     Code = "http-refused"
	KernelNotLinux  Code = "kernel-not-linux"
	KernelWrongArch Code = "kernel-wrong-arch"
	KernelNoXen     Code = "kernel-no-xen"
	KernelPacking   Code = "kernel-packing"
	KernelDamaged   Code = "kernel-damaged"
	InitrdWrong     Code = "initrd-wrong"
	ArgsTooLong     Code = "args-too-long"
	NoSpace         Code = "no-space"
	TooSlow         Code = "too-slow"
	StormLoss       Code = "storm-loss"
)

// Status is that of the worst step.
func (r Report) Status() Status {
	worst := OK
	for _, s := range r.Steps {
		switch {
		case s.Status == Fail:
			return Fail
		case s.Status == Warn:
			worst = Warn
		}
	}
	return worst
}

// ExitCode is the process's, by the convention of monitoring plugins: 0 for
// ok, 1 for a warning, 2 for broken. 3, could not look, is not for a Report.
func (r Report) ExitCode() int {
	switch r.Status() {
	case Fail:
		return 2
	case Warn:
		return 1
	}
	return 0
}
