package xenout

import (
	"fmt"
	"strings"
)

// An ArgsError says that a command line is longer than its guest can read.
type ArgsError struct {
	Format Format
	Type   GuestType
	Length int // bytes, after what a guest can do without was dropped
}

func (e *ArgsError) Error() string {
	who, limit := "Linux reads", e.Type.MaxArgs(e.Format)
	if limit == maxPVArgs {
		who = "Xen gives a PV guest"
	}
	return fmt.Sprintf("kernel arguments are %d bytes, and %s no more than %d", e.Length, who, limit)
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

// FitArgs returns args that fit into t.MaxArgs(f) bytes. Longer ones lose, with
// dropped set, the words that PXELINUX writes for a kernel that it loads and
// that mean nothing to a Xen guest, BOOT_IMAGE= and initrd=. When that is
// not enough the error is an *ArgsError.
func FitArgs(f Format, t GuestType, args string) (fitted string, dropped bool, err error) {
	limit := t.MaxArgs(f)
	if len(args) <= limit {
		return args, false, nil
	}
	fitted = dropLoaderWords(args)
	if len(fitted) > limit {
		return "", false, &ArgsError{f, t, len(fitted)}
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
