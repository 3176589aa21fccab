package boot

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/arch"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/domain"
	"github.com/gopxeboot/gopxeboot/internal/location"
	"github.com/gopxeboot/gopxeboot/internal/printable"
	"github.com/gopxeboot/gopxeboot/xenout"
)

// cdrom is the repository that is the VM's CD: XAPI gives a bootloader the
// first bootable disk, and a VM that is to be installed from a CD has it there.
const cdrom = "cdrom"

// rounds is how many boots an installation takes until the VM is pygrub's
// (eliloader): Red Hat's and SUSE's installers leave a disk whose first boot
// eliloader prepared.
var rounds = map[location.Distro]int{location.RedHat: 2, location.SUSE: 2, location.Debian: 1, location.Pygrub: 1}

// Eliloader makes a request what XAPI's database says about installing the VM,
// as eliloader did, whose place we have there. Without an install-repository
// the VM boots as any other. What a person wrote on the command line counts
// more.
//
// XAPI's database is changed when the boot's result is written, never for a
// boot that failed.
func Eliloader(ctx context.Context, r *Request, invocation xenout.Invocation, host *domain.Host, con *console.Console) error {
	if invocation.Toolstack != xenout.XAPI || invocation.VM == "" || r.Repository != nil {
		return nil
	}
	install, err := host.Install(ctx, invocation.VM)
	switch {
	case err != nil:
		return fail(ctx, OwnFault, "eliloader", err, "")
	case install.Repository == "":
		return nil
	}
	distro, err := location.ParseDistro(install.Distro)
	if err != nil {
		return &Error{Usage, "eliloader", fmt.Errorf("other-config:install-distro: %w", err), ""}
	}
	if distro == location.Any {
		distro = location.RedHat // eliloader's own default
	}
	con.Stage(fmt.Sprintf("eliloader: %s from %s, boot %d of %d", distro, printable.WithoutPassword(install.Repository), install.Round, rounds[distro]))
	fromCD := install.Repository == cdrom
	switch {
	case install.Round > 1, fromCD && distro == location.Pygrub:
		r.LocalBoot = true
	default:
		if r.Repository, err = repositoryOf(install, distro, invocation.Disk); err != nil {
			return &Error{Usage, "eliloader", err, "see the VM's other-config"}
		}
		if install.Proxy != "" && strings.HasPrefix(install.Repository, "http") && r.Transfer.Proxy == "" {
			r.Transfer.Proxy = install.Proxy
			if !strings.Contains(install.Proxy, "://") {
				r.Transfer.Proxy = "http://" + install.Proxy
			}
		}
	}
	r.Commit = func(ctx context.Context) error {
		err := nextBoot(ctx, host, invocation.VM, install.Round, rounds[distro])
		if err == nil && fromCD {
			err = host.BootFirstDisk(ctx, invocation.VM)
		}
		if err != nil {
			return fail(ctx, OwnFault, "eliloader", err, "")
		}
		return nil
	}
	return nil
}

// nextBoot tells XAPI what the VM boots next.
func nextBoot(ctx context.Context, host *domain.Host, uuid string, round, last int) error {
	if round < last {
		return host.NextRound(ctx, uuid, round+1)
	}
	return host.Installed(ctx, uuid)
}

// repositoryOf is where the installer is, and what it is told.
func repositoryOf(install domain.Install, distro location.Distro, disk string) (*Repository, error) {
	w := location.Wanted{
		Distro: distro, Release: install.Release,
		Kernel: strings.TrimLeft(install.Kernel, "/"), Ramdisk: strings.TrimLeft(install.Ramdisk, "/"),
		Archs: []arch.Machine{arch.I386, arch.AMD64}, // eliloader knew i386 only, where nothing was said
	}
	if install.Arch != "" {
		machine, ok := arch.ParseMachine(install.Arch)
		if !ok {
			return nil, fmt.Errorf("other-config:install-arch: architecture %q: it is one of amd64, i386, arm64", install.Arch)
		}
		w.Archs = []arch.Machine{machine}
	}
	where := install.Repository
	switch {
	case where == cdrom && disk == "":
		return nil, errors.New("the repository is the VM's CD, and there is no disk argument")
	case where == cdrom:
		where = disk
	case !strings.HasPrefix(where, "http") && !strings.HasPrefix(where, "ftp") && !strings.HasPrefix(where, "nfs"):
		// What writes other-config need not be one who may read dom0's files.
		return nil, fmt.Errorf("other-config:install-repository=%s: it is cdrom, or begins with http, ftp or nfs", where)
	}
	for _, name := range []string{w.Kernel, w.Ramdisk} {
		if location.IsFullURL(name) {
			return nil, fmt.Errorf("other-config: %s is no file of the repository", name)
		}
	}
	r, err := NewRepository(where, w)
	if err != nil {
		return nil, err
	}
	var args []string
	if install.VNC {
		args = append(args, "vnc")
		if install.VNCPassword != "" {
			args = append(args, "vncpassword="+install.VNCPassword)
		}
	}
	if install.Args != "" {
		args = append(args, install.Args)
	}
	r.Args = strings.Join(args, " ")
	if strings.ContainsAny(r.Args, "\r\n") { // no answer can hold it: say so before the download
		return nil, errors.New("other-config:install-args and install-vncpasswd have one line")
	}
	return r, nil
}
