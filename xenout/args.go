package xenout

import (
	"fmt"
	"strings"
)

const (
	// maxPVArgs is how many bytes reach a PV guest: cmd_line of struct
	// start_info in Xen's public/xen.h has MAX_GUEST_CMDLINE (1024) bytes and
	// ends with a NUL. Xen's domain builder cuts off the rest in silence.
	maxPVArgs = 1023

	// maxLinuxArgs is how many bytes Linux keeps on x86, where it cuts off
	// the rest in silence: COMMAND_LINE_SIZE is 2048, with a NUL.
	maxLinuxArgs = 2047
)

// MaxArgs is how many bytes of command line arrive at the guest that an
// answer in this format is for. The formats that toolstacks read from a
// bootloader are for PV guests; they may be for PVH ones, too, which could
// take more, but no toolstack tells a bootloader which. The others are for
// direct kernel boot, where nothing but Linux sets a limit.
func (f Format) MaxArgs() int {
	switch f {
	case SXP, Simple, Simple0:
		return maxPVArgs
	}
	return maxLinuxArgs
}

// An ArgsError says that a command line is longer than its guest can read.
type ArgsError struct {
	Format Format
	Length int // bytes, after what a guest can do without was dropped
}

func (e *ArgsError) Error() string {
	who := "Linux reads"
	if e.Format.MaxArgs() == maxPVArgs {
		who = "Xen gives a PV guest"
	}
	return fmt.Sprintf("kernel arguments are %d bytes, and %s no more than %d", e.Length, who, e.Format.MaxArgs())
}

// MergeArgs appends the toolstack's arguments to PXELINUX's command line,
// which it leaves as it is, byte for byte. There is a blank between them,
// and it is not added to one that PXELINUX's line ends with. Neither libxl
// nor xend adds the guest's extra= itself when a bootloader has answered.
func MergeArgs(pxe, toolstack string) string {
	toolstack = strings.TrimLeft(toolstack, blanks)
	if pxe == "" || toolstack == "" || strings.HasSuffix(pxe, " ") {
		return pxe + toolstack
	}
	return pxe + " " + toolstack
}

// FitArgs returns args that fit into f.MaxArgs bytes. Longer ones lose, with
// dropped set, the words that PXELINUX writes for a kernel that it loads and
// that mean nothing to a Xen guest, BOOT_IMAGE= and initrd=. When that is
// not enough the error is an *ArgsError.
func FitArgs(f Format, args string) (fitted string, dropped bool, err error) {
	if len(args) <= f.MaxArgs() {
		return args, false, nil
	}
	fitted = dropLoaderWords(args)
	if len(fitted) > f.MaxArgs() {
		return "", false, &ArgsError{f, len(fitted)}
	}
	return fitted, true, nil
}

// dropLoaderWords takes BOOT_IMAGE= and initrd= out of a command line, as
// words the way Linux reads them: inside double quotes a blank ends none.
func dropLoaderWords(args string) string {
	var kept strings.Builder
	for args != "" {
		end, quoted := 0, false
		for end < len(args) && (quoted || args[end] != ' ') {
			quoted = quoted != (args[end] == '"')
			end++
		}
		word := args[:end]
		for end < len(args) && args[end] == ' ' {
			end++
		}
		if !strings.HasPrefix(word, "BOOT_IMAGE=") && !strings.HasPrefix(word, "initrd=") {
			kept.WriteString(args[:end])
		}
		args = args[end:]
	}
	return strings.Trim(kept.String(), " ")
}
