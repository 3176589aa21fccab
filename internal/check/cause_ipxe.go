package check

import (
	"fmt"

	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/program"
)

// unless makes a warning of what PXELINUX's configuration makes up for: labs
// name undionly.kpxe and keep a pxelinux.cfg beside it.
func (d *finding) unless(boot *plan.Boot) *finding {
	if boot != nil && boot.Program == plan.PXELINUX {
		d.status = Warn
		d.evidence += "; the guest boots by PXELINUX's configuration, and a machine with firmware does not"
	}
	return d
}

func ipxeNotServed(f *Facts) *finding {
	for _, v := range f.Variants {
		if v.Name == AskedIPXE && !v.Answered {
			return broken("DHCP gives the guest an iPXE, and does not answer that iPXE.",
				fmt.Sprintf("the boot file is %s; no answer to the question with iPXE's user class and option 175", f.Lease.BootFile),
				"look for a rule on the user class (option 77, iPXE) or on option 175 that ignores or denies, and remove it").unless(f.Boot)
		}
	}
	return nil
}

func ipxeLoop(f *Facts) *finding {
	if f.Lease.ROMBootFile == "" || !program.IsIPXE(f.Lease.BootFile) {
		return nil
	}
	return broken("DHCP names an iPXE program to iPXE, too: it does not look at the user class.",
		fmt.Sprintf("the ROM is given %s, and iPXE, with the user class iPXE and with Tinkerbell's, %s", f.Lease.ROMBootFile, f.Lease.BootFile),
		"name a script to iPXE, also where that program has one of its own inside (netboot.xyz), which can't be read here", stanzas(
			fmt.Sprintf("dhcp-userclass=set:ipxe,iPXE\ndhcp-boot=tag:!ipxe,%s\ndhcp-boot=tag:ipxe,boot.ipxe", inStanza(f.Lease.ROMBootFile)),
			fmt.Sprintf(`if exists user-class and option user-class = "iPXE" { filename "boot.ipxe"; } else { filename %q; }`, inStanza(f.Lease.ROMBootFile)),
			`"client-classes": [ { "name": "ipxe", "test": "substring(option[77].hex,0,4) == 'iPXE'", "boot-file-name": "boot.ipxe" } ]`)...).unless(f.Boot)
}

// runsIPXE says whether what DHCP names is for iPXE.
func (f *Facts) runsIPXE() bool {
	return f.Lease.ROMBootFile != "" || otherProgram(f.Lease.BootFile) == "a script for iPXE"
}

// noScript: iPXE asks for one name.
func noScript(f *Facts) *finding {
	asked := f.Searched()
	if !f.runsIPXE() || len(asked) != 1 || f.found() != nil {
		return nil
	}
	return broken("The server does not have iPXE's script.", asked[0].URL+because(asked[0].Message),
		"put it there, or correct the boot file that DHCP names to iPXE")
}
