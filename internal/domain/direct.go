package domain

import (
	"context"
	"slices"
	"strings"

	"github.com/gopxeboot/gopxeboot/xenout"
)

// keptPrefix is what the keys of a VM's other-config begin with that keep the
// values of xenout's XAPIFields from before the first SetDirect.
const keptPrefix = "gopxeboot-"

func keptKeys() (keys []string) {
	for _, f := range (xenout.Result{}).XAPIFields() {
		keys = append(keys, keptPrefix+f.Name)
	}
	return keys
}

// ArgsBefore is a VM's PV-args as they were before the first SetDirect.
func (h *Host) ArgsBefore(ctx context.Context, uuid string) (string, error) {
	const field = "PV-args"
	kept, err := h.otherKeys(ctx, uuid, keptPrefix+field)
	if err != nil {
		return "", err
	}
	if len(kept) > 0 {
		return h.otherValue(ctx, uuid, kept[0])
	}
	return h.xeGet(ctx, uuid, field)
}

// SetDirect makes XAPI boot the result without a bootloader. What stood there
// is kept once, so that Restore brings it back however often this was called.
// After an error all is as it was, as far as XAPI lets it.
func (h *Host) SetDirect(ctx context.Context, r xenout.Result) error {
	kept, err := h.otherKeys(ctx, r.VM, keptKeys()...)
	if err != nil {
		return err
	}
	var keep, set []string
	for _, f := range r.XAPIFields() {
		set = append(set, f.Name+"="+f.Value)
		if slices.Contains(kept, keptPrefix+f.Name) {
			continue
		}
		before, err := h.xeGet(ctx, r.VM, f.Name)
		if err != nil {
			return err
		}
		keep = append(keep, "other-config:"+keptPrefix+f.Name+"="+before)
	}
	if len(keep) > 0 {
		if err := h.xeSet(ctx, r.VM, keep...); err != nil {
			return err
		}
	}
	if err := h.xeSet(ctx, r.VM, set...); err != nil {
		_, _ = h.Restore(context.WithoutCancel(ctx), r.VM) // the first error says what is wrong
		return err
	}
	return nil
}

// Restore brings back what stood there before SetDirect. It says whether there
// was anything to bring back.
func (h *Host) Restore(ctx context.Context, uuid string) (bool, error) {
	kept, err := h.otherKeys(ctx, uuid, keptKeys()...)
	if err != nil || len(kept) == 0 {
		return false, err
	}
	var set []string
	for _, key := range kept {
		value, err := h.otherValue(ctx, uuid, key)
		if err != nil {
			return true, err
		}
		set = append(set, strings.TrimPrefix(key, keptPrefix)+"="+value)
	}
	if err := h.xeSet(ctx, uuid, set...); err != nil {
		return true, err
	}
	for _, key := range kept {
		if err := h.removeOther(ctx, uuid, key); err != nil {
			return true, err
		}
	}
	return true, nil
}
