package program

import (
	"path"
	"strings"
)

// namesScript says whether a boot file is an iPXE script, by its name.
func namesScript(file string) bool { return strings.HasSuffix(base(file), ".ipxe") }

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
