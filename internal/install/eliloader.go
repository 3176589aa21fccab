package install

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/gopxeboot/gopxeboot/internal/arch"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/domain"
	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/printable"
)

// cdrom is the repository that is the VM's CD: XAPI gives a bootloader the
// first bootable disk, and a VM that is to be installed from a CD has it there.
const cdrom = "cdrom"

// rounds is how many boots an installation takes until the VM is pygrub's
// (eliloader): Red Hat's and SUSE's installers leave a disk whose first boot
// eliloader prepared.
var rounds = map[Distro]int{RedHat: 2, SUSE: 2, Debian: 1, Pygrub: 1}

// Round is one boot of a VM's installation.
type Round struct {
	Repository *Repository // nil: the VM boots from its disk
	Proxy      string      // URL; "" for none
	// Commit tells XAPI what the VM boots next. It is for when the boot's result
	// is written: a boot that failed changes nothing.
	Commit func(context.Context) error
}

// NextRound is what XAPI's database says about installing the VM, as eliloader
// read it, whose place we have there; nil without an install-repository. disk is
// the bootloader's argument.
func NextRound(ctx context.Context, host *domain.Host, uuid, disk string, con *console.Console) (*Round, error) {
	install, err := host.Install(ctx, uuid)
	switch {
	case err != nil:
		return nil, fault.In(ctx, fault.Own, "eliloader", err, "")
	case install.Repository == "":
		return nil, nil
	}
	distro, err := ParseDistro(install.Distro)
	if err != nil {
		return nil, fault.New(fault.Usage, "eliloader", fmt.Errorf("other-config:install-distro: %w", err), "")
	}
	if distro == Any {
		distro = RedHat // eliloader's own default
	}
	con.Stage(fmt.Sprintf("eliloader: %s from %s, boot %d of %d", distro, printable.WithoutPassword(install.Repository), install.Round, rounds[distro]))
	r := &Round{}
	fromCD := install.Repository == cdrom
	if install.Round <= 1 && !(fromCD && distro == Pygrub) {
		if r.Repository, err = repositoryOf(install, distro, disk); err != nil {
			return nil, fault.New(fault.Usage, "eliloader", err, "see the VM's other-config")
		}
		if strings.HasPrefix(install.Repository, "http") {
			r.Proxy = install.Proxy
		}
		if r.Proxy != "" && !strings.Contains(r.Proxy, "://") {
			r.Proxy = "http://" + r.Proxy
		}
	}
	r.Commit = func(ctx context.Context) error {
		err := nextBoot(ctx, host, uuid, install.Round, rounds[distro])
		if err == nil && fromCD {
			err = host.BootFirstDisk(ctx, uuid)
		}
		if err != nil {
			return fault.In(ctx, fault.Own, "eliloader", err, "")
		}
		return nil
	}
	return r, nil
}

// nextBoot tells XAPI what the VM boots next.
func nextBoot(ctx context.Context, host *domain.Host, uuid string, round, last int) error {
	if round < last {
		return host.NextRound(ctx, uuid, round+1)
	}
	return host.Installed(ctx, uuid)
}

// repositoryOf is where the installer is, and what it is told.
func repositoryOf(install domain.Install, distro Distro, disk string) (*Repository, error) {
	w := Wanted{
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
		if IsFullURL(name) {
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
