package domain

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/gopxeboot/gopxeboot/xenout"
)

// fromXenstore asks for what libxl__domain_make has written before any
// bootloader runs. It asks by the program xenstore-read, which is part of
// every dom0 and knows how to reach this dom0's xenstore, be it a daemon's
// socket or the kernel's device; speaking the protocol here would be more
// code in the privileged process, to save two forks.
func (h *Host) fromXenstore(ctx context.Context, domid int) (Info, error) {
	if domid == 0 {
		return Info{}, errors.New("no toolstack says which guest it is, because --output is not a bootloader.<domid>.out")
	}
	guest := Info{Source: fmt.Sprintf("xenstore of domain %d", domid)}
	name, err := h.xenstoreRead(ctx, fmt.Sprintf("/local/domain/%d/name", domid))
	if err != nil {
		return Info{}, err
	}
	guest.Name = name
	// The value is /vm/<uuid>. Without it the name has to do.
	if vm, err := h.xenstoreRead(ctx, fmt.Sprintf("/local/domain/%d/vm", domid)); err == nil && IsUUID(path.Base(vm)) {
		guest.UUID = strings.ToLower(path.Base(vm))
	}
	// libxl's own place; XAPI's xenopsd has none.
	if text, err := h.xenstoreRead(ctx, fmt.Sprintf("/libxl/%d/type", domid)); err == nil {
		guest.Type, _ = xenout.ParseGuestType(text)
	}
	return guest, nil
}

func (h *Host) xenstoreRead(ctx context.Context, key string) (string, error) {
	out, err := h.Run(ctx, "xenstore-read", key)
	if err != nil {
		return "", err
	}
	value := unsanitise(strings.TrimSuffix(string(out), "\n"))
	if value == "" {
		return "", fmt.Errorf("xenstore-read: %s is empty", key)
	}
	return value, nil
}

// unsanitise undoes what xenstore-read does to backslashes and to what is not
// ASCII (xs_lib.c, sanitise_value). Its option against that, -R, is missing
// in older ones.
func unsanitise(s string) string {
	text, err := strconv.Unquote(`"` + strings.ReplaceAll(s, `"`, `\"`) + `"`)
	if err != nil {
		return s
	}
	return text
}

// Domid is the id of the domain that is being created, 0 when it is not known.
func (h *Host) Domid(inv xenout.Call) int {
	if inv.Domid != 0 {
		return inv.Domid
	}
	// In the place of pygrub, XAPI tells it as the distance of --runas from
	// the uid of the user qemu_base (xenopsd's bootloader.ml, command).
	if inv.Toolstack == xenout.XAPI && inv.RunAs != 0 {
		if base := h.uidOf("qemu_base"); base != 0 && inv.RunAs > base {
			return inv.RunAs - base
		}
	}
	return 0
}

func (h *Host) uidOf(user string) int {
	passwd, err := h.read("/etc/passwd")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(passwd) {
		if fields := strings.Split(line, ":"); len(fields) > 2 && fields[0] == user {
			uid, err := strconv.Atoi(fields[2])
			if err != nil {
				return 0
			}
			return uid
		}
	}
	return 0
}
