package pxelinux

// A Code is the kind of a Finding. Its text is stable.
type Code string

// The kinds of findings.
const (
	UnknownDirective Code = "unknown-directive" // no directive of PXELINUX, perhaps a misspelled one
	NoConfiguration  Code = "no-configuration"  // a file of which most lines are no directives
	ForeignDirective Code = "foreign-directive" // one of U-Boot, petitboot or u-root
	EqualsSign       Code = "equals-sign"       // INITRD=x
	EmptyMenu        Code = "empty-menu"        // MENU and nothing behind it
	OutsideLabel     Code = "outside-label"     // what only means something in a label
	Repeated         Code = "repeated"          // stands twice in a label, the last one counts
	UTF16            Code = "utf-16"            // the file, of which PXELINUX reads nothing
	ByteOrderMark    Code = "byte-order-mark"   // before the first word
	NoName           Code = "no-name"           // LABEL or KERNEL without a name
	BadNumber        Code = "bad-number"        // TIMEOUT or LOCALBOOT without a number
	LongLine         Code = "long-line"         // longer than PXELINUX's buffer
	TextOpen         Code = "text-open"         // TEXT without ENDTEXT
	MenuOpen         Code = "menu-open"         // MENU BEGIN without MENU END
	NoMenu           Code = "no-menu"           // MENU GOTO or EXIT to a tag that no menu has

	LabelWords      Code = "label-words"      // more words behind a label's name
	DuplicateLabel  Code = "duplicate-label"  // the first label of a name counts
	Unreachable     Code = "unreachable"      // a label that NOESCAPE hides
	ImpliedKernel   Code = "implied-kernel"   // a label without KERNEL
	NotLinux        Code = "not-linux"        // a name that KERNEL takes for something other than Linux, or the reverse
	BootsNothing    Code = "boots-nothing"    // COMBOOT and NONE
	KernelWords     Code = "kernel-words"     // a space in the name of KERNEL
	InitrdEmpty     Code = "initrd-empty"     // initrd= and nothing behind it
	InitrdWords     Code = "initrd-words"     // spaces between the names of INITRD
	KernelBackslash Code = "kernel-backslash" // \ in the name of KERNEL, which is no /
	InitrdBackslash Code = "initrd-backslash" // and in one of INITRD or initrd=
	InitrdTwice     Code = "initrd-twice"     // more than one initrd=
	LongCommand     Code = "long-command"     // a command line that PXELINUX does not boot
	LongForGuest    Code = "long-for-guest"   // a command line that Xen does not give to a PV guest

	NoDefault       Code = "no-default"       // neither DEFAULT nor UI
	DefaultNoLabel  Code = "default-no-label" // DEFAULT names no label
	DefaultDisabled Code = "default-disabled" // DEFAULT names a disabled label
	TimeoutUnused   Code = "timeout-unused"   // TIMEOUT or ONTIMEOUT where DEFAULT boots at once
	OntimeoutUnused Code = "ontimeout-unused" // ONTIMEOUT without TIMEOUT

	IncludeMissing Code = "include-missing"
	IncludeLoop    Code = "include-loop"
	IncludeDepth   Code = "include-depth"
	TooLarge       Code = "too-large" // a limit of this package: ErrTooLarge
)

// Severity is how much a Finding matters.
type Severity string

// From what stops a boot to what does no harm.
const (
	SeverityError   Severity = "error"   // it can't work as it is written
	SeverityWarning Severity = "warning" // it is ignored, or is not what it looks like
	SeverityNote    Severity = "note"    // it has no effect, and does no harm
)

func (c Code) severity() Severity {
	switch c {
	case UTF16, NoName, NoMenu, BootsNothing, LongCommand, DefaultNoLabel, DefaultDisabled, IncludeLoop, IncludeDepth, TooLarge:
		return SeverityError
	case ForeignDirective, EmptyMenu, ImpliedKernel, KernelBackslash, InitrdBackslash, Unreachable, TimeoutUnused, OntimeoutUnused:
		return SeverityNote
	}
	return SeverityWarning
}
