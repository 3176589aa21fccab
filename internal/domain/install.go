package domain

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Install is what XAPI's database says about installing a VM: the keys of its
// other-config that eliloader reads. A key that is not there is "".
type Install struct {
	Repository      string // a location, or "cdrom"; "" when there is nothing to install
	Distro          string
	Kernel, Ramdisk string
	Args            string
	Arch            string
	Release         string // debian-release
	Proxy           string
	VNC             bool
	VNCPassword     string
	Round           int // which boot of the installation this is, from 1 on
}

// Install asks XAPI what a VM's other-config says. It is the zero Install for
// a VM that is not to be installed, and where there is no XAPI.
func (h *Host) Install(ctx context.Context, uuid string) (Install, error) {
	var i Install
	if !IsUUID(uuid) { // no VM is called so; Find says it
		return i, nil
	}
	keys, err := h.otherKeys(ctx, uuid, installKeys...)
	if errors.Is(err, errNotInstalled) {
		return i, nil
	}
	if err != nil {
		return i, err
	}
	values := make(map[string]string)
	for _, key := range keys {
		value, err := h.otherValue(ctx, uuid, key)
		if err != nil {
			return i, err
		}
		values[key] = strings.TrimSpace(value)
		if key == installKeys[0] && values[key] == "" {
			break
		}
	}
	if values["install-repository"] == "" {
		return i, nil
	}
	i = Install{
		Repository: values["install-repository"], Distro: values["install-distro"],
		Kernel: values["install-kernel"], Ramdisk: values["install-ramdisk"], Args: values["install-args"],
		Arch: values["install-arch"], Release: values["debian-release"], Proxy: values["install-proxy"],
		VNC: isTrue(values["install-vnc"]), VNCPassword: values["install-vncpasswd"], Round: 1,
	}
	if round := values["install-round"]; round != "" {
		if i.Round, err = strconv.Atoi(round); err != nil || i.Round < 1 {
			return i, fmt.Errorf("other-config:install-round=%q is no number of a boot", round)
		}
	}
	return i, nil
}

// installKeys are the keys, with the one first without which the others mean
// nothing.
var installKeys = []string{
	"install-repository", "install-distro", "install-kernel", "install-ramdisk", "install-args", "install-arch",
	"install-proxy", "install-vnc", "install-vncpasswd", "install-round", "debian-release",
}

func isTrue(value string) bool {
	switch strings.ToLower(value) {
	case "", "0", "false", "no":
		return false
	}
	return true
}

// NextRound makes XAPI remember which boot of the installation comes next.
func (h *Host) NextRound(ctx context.Context, uuid string, round int) error {
	return h.xeSet(ctx, uuid, fmt.Sprintf("other-config:install-round=%d", round))
}

// Installed ends an installation: from the next boot on the VM's bootloader is
// pygrub. Of the keys those go that eliloader removed.
func (h *Host) Installed(ctx context.Context, uuid string) error {
	if err := h.xeSet(ctx, uuid, "PV-bootloader=pygrub"); err != nil {
		return err
	}
	keys, err := h.otherKeys(ctx, uuid, "install-distro", "install-round")
	if err != nil {
		return err
	}
	for _, key := range keys {
		if err := h.removeOther(ctx, uuid, key); err != nil {
			return err
		}
	}
	return nil
}

// BootFirstDisk makes the VM's disk 0 the one to boot from, in the place of the
// CD that it was installed from.
func (h *Host) BootFirstDisk(ctx context.Context, uuid string) error {
	out, err := h.Run(ctx, "xe", "vbd-list", "vm-uuid="+uuid, "params=uuid,userdevice,bootable")
	if err != nil {
		return err
	}
	for _, vbd := range xeRecords(string(out)) {
		bootable := strconv.FormatBool(vbd["userdevice"] == "0")
		if !IsUUID(vbd["uuid"]) || vbd["bootable"] == bootable {
			continue
		}
		if err := h.xe(ctx, "vbd-param-set", "uuid="+vbd["uuid"], "bootable="+bootable); err != nil {
			return err
		}
	}
	return nil
}
