package program

import (
	"cmp"
	"fmt"
	"net/netip"
	"path"
	"strings"

	"github.com/gopxeboot/gopxeboot/dhcpclient"
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

// Override puts into a lease what somebody says in the servers' place; zero values
// leave it.
func Override(l *dhcpclient.Lease, server netip.Addr, bootFile string) {
	if server.IsValid() {
		l.NextServer, l.Reply.NextServer = server, server
	}
	if bootFile != "" {
		l.BootFile, l.Reply.BootFile = bootFile, bootFile
	}
}

// AsIPXE is what DHCP answers to the iPXE that first, the ROM's lease, names: ask
// asks with that user class. Tinkerbell's server names an iPXE of its own to any
// other (smee, dhcp.Bootfile), so that one has a third try. A lease that names an
// iPXE all the same is what a real machine would go round with.
func AsIPXE(first *dhcpclient.Lease, ask func(userClass string) (*dhcpclient.Lease, error)) (lease *dhcpclient.Lease, err error) {
	for _, class := range []string{"iPXE", "Tinkerbell"} {
		answer, err := ask(class)
		switch {
		case err != nil && lease == nil:
			return nil, fmt.Errorf("as %s: %w", class, err)
		case err != nil:
			return lease, nil
		}
		lease = answer
		// iPXE looks at the card's own settings before a proxy's, and takes the
		// next-server from where the boot file is (usr/autoboot.c).
		file, _, _ := strings.Cut(cmp.Or(lease.Reply.BootFile, string(lease.Reply.Options[67])), "\x00")
		if file != "" && lease.MenuItem == "" {
			lease.BootFile, lease.NextServer = file, cmp.Or(lease.Reply.NextServer, lease.ServerID)
		}
		if !lease.NextServer.IsValid() {
			lease.NextServer = first.NextServer
		}
		if !IsIPXE(lease.BootFile) {
			break
		}
	}
	return lease, nil
}

// base is the last part of a boot file's name, in small letters.
func base(file string) string {
	file, _, _ = strings.Cut(file, "?")
	file, _, _ = strings.Cut(file, "#")
	return strings.ToLower(path.Base(strings.ReplaceAll(file, `\`, "/")))
}
