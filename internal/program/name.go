package program

import (
	"path"
	"strings"
)

// Name names a boot program, as --program and the plan have it.
type Name string

// The boot programs that there are. What no name says is PXELINUX.
const (
	NamePXELINUX Name = "pxelinux"
	IPXE         Name = "ipxe"
)

// Of is the program that runs a boot file, by its name; "" where that says
// nothing, which is PXELINUX. IPXE is a script.
func Of(file string) Name {
	if strings.HasSuffix(base(file), ".ipxe") {
		return IPXE
	}
	return ""
}

// IsIPXE says whether a boot file is iPXE itself, which asks DHCP again.
func IsIPXE(file string) bool {
	name := base(file)
	extension := path.Ext(name)
	switch extension {
	case ".kpxe", ".kkpxe", ".kkkpxe":
		return true
	case ".pxe", ".efi", ".lkrn", ".0", ".bin", "":
		return strings.Contains(name, "ipxe") || strings.Contains(name, "undionly") || strings.Contains(name, "netboot.xyz") || strings.HasPrefix(name, "snp") && extension == ".efi"
	}
	return false
}

// base is the last part of a boot file's name, in small letters.
func base(file string) string {
	file, _, _ = strings.Cut(file, "?")
	file, _, _ = strings.Cut(file, "#")
	return strings.ToLower(path.Base(strings.ReplaceAll(file, `\`, "/")))
}
