package domain

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gopxeboot/gopxeboot/xenout"
)

// fromXAPI asks XAPI's database. XAPI gives every interface a MAC address
// when it is made.
func (h *Host) fromXAPI(ctx context.Context, guest Info, wanted int) (Info, error) {
	if guest.UUID == "" {
		return guest, errors.New("xe: not asked, because the VM's uuid is not known")
	}
	out, err := h.Run(ctx, "xe", "vif-list", "vm-uuid="+guest.UUID, "params=MAC,device,network-uuid")
	if err != nil {
		return guest, err
	}
	source := "xe vif-list vm-uuid=" + guest.UUID
	records := byDevice(xeRecords(string(out)))
	if len(records) == 0 {
		return guest, &conclusive{source + " shows no VIF: give the VM one"}
	}
	if wanted >= len(records) {
		return guest, &conclusive{fmt.Sprintf("%s shows %d VIFs, and --vif %d is none of them, counted from 0", source, len(records), wanted)}
	}
	for i, record := range records {
		var vif xenout.VIF
		if i == wanted {
			if vif, err = h.xapiVIF(ctx, source, record); err != nil {
				return guest, err
			}
		}
		guest.VIFs = append(guest.VIFs, vif)
	}
	guest.Source, guest.XAPI = source, true
	return guest, nil
}

// xapiType is a VM's type. XAPI has no such field before 2018, and
// "unspecified" for old VMs.
func (h *Host) xapiType(ctx context.Context, uuid string) xenout.GuestType {
	if text, err := h.xeGet(ctx, uuid, "domain-type"); err == nil {
		if t, err := xenout.ParseGuestType(text); err == nil {
			return t
		}
	}
	return ""
}

// xapiVIF is one interface of xe's list, and where its network is. The bridge
// of a network with backend_vm in its other-config is in that VM
// (xapi_xenops.ml, backend_of_network).
func (h *Host) xapiVIF(ctx context.Context, source string, record map[string]string) (xenout.VIF, error) {
	mac, err := xenout.ParseMAC(record["MAC"])
	if err != nil {
		return xenout.VIF{}, &conclusive{fmt.Sprintf("%s: %v", source, err)}
	}
	network := record["network-uuid"]
	if !IsUUID(network) { // "<not in database>"
		return xenout.VIF{}, &conclusive{fmt.Sprintf("%s: VIF %s is on no network that XAPI knows (%s): xe vif-destroy and vif-create put it on one",
			source, record["device"], network)}
	}
	out, err := h.Run(ctx, "xe", "network-list", "uuid="+network, "params=bridge,other-config")
	if err != nil {
		return xenout.VIF{}, err
	}
	vif := xenout.VIF{MAC: mac}
	for _, record := range xeRecords(string(out)) {
		vif.Bridge = record["bridge"]
		for pair := range strings.SplitSeq(record["other-config"], "; ") {
			if vm, ok := strings.CutPrefix(pair, "backend_vm: "); ok {
				vif.Backend = vm
			}
		}
	}
	if vif.Bridge == "" && vif.Backend == "" {
		return xenout.VIF{}, &conclusive{fmt.Sprintf("xe network-list uuid=%s shows no bridge: see that this host has the network's PIF", network)}
	}
	return vif, nil
}

// xeRecords reads what xe prints for a list: lines such as
// "network-uuid ( RO): 8c1d7d4f-...", and blank ones between the records.
func xeRecords(out string) []map[string]string {
	var records []map[string]string
	var record map[string]string
	for line := range strings.Lines(out) {
		label, value, ok := strings.Cut(line, ":")
		key := strings.Fields(label)
		if !ok || len(key) == 0 {
			record = nil
			continue
		}
		if record == nil {
			record = make(map[string]string)
			records = append(records, record)
		}
		record[key[0]] = strings.TrimSpace(value)
	}
	return records
}

// byDevice puts the records in the guest's order, eth0 first; xe has an order
// of its own. What has no number is left out.
func byDevice(vifs []map[string]string) []map[string]string {
	device := func(vif map[string]string) int {
		n, err := strconv.Atoi(vif["device"])
		if err != nil {
			return -1
		}
		return n
	}
	vifs = slices.DeleteFunc(vifs, func(vif map[string]string) bool { return device(vif) < 0 })
	slices.SortStableFunc(vifs, func(a, b map[string]string) int { return cmp.Compare(device(a), device(b)) })
	return vifs
}

// xe changes something in XAPI's database.
func (h *Host) xe(ctx context.Context, args ...string) error {
	_, err := h.Run(ctx, "xe", args...)
	return err
}

func (h *Host) xeSet(ctx context.Context, uuid string, values ...string) error {
	return h.xe(ctx, append([]string{"vm-param-set", "uuid=" + uuid}, values...)...)
}

// xeGet is one parameter of a VM; more says which part of a map.
func (h *Host) xeGet(ctx context.Context, uuid, name string, more ...string) (string, error) {
	out, err := h.Run(ctx, "xe", append([]string{"vm-param-get", "uuid=" + uuid, "param-name=" + name}, more...)...)
	return strings.TrimSuffix(string(out), "\n"), err
}

// otherKeys are those of the keys that a VM's other-config seems to have: xe
// prints "key: value; key: value", where a value may hold anything.
func (h *Host) otherKeys(ctx context.Context, uuid string, keys ...string) ([]string, error) {
	all, err := h.xeGet(ctx, uuid, "other-config")
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(keys), func(key string) bool { return !strings.Contains("; "+all, "; "+key+":") }), nil
}

func (h *Host) otherValue(ctx context.Context, uuid, key string) (string, error) {
	return h.xeGet(ctx, uuid, "other-config", "param-key="+key)
}

func (h *Host) removeOther(ctx context.Context, uuid, key string) error {
	return h.xe(ctx, "vm-param-remove", "uuid="+uuid, "param-name=other-config", "param-key="+key)
}
