package domain

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/gopxeboot/gopxeboot/xenout"
)

// fromXAPI asks XAPI's database. XAPI gives every interface a MAC address
// when it is made.
func (h *Host) fromXAPI(ctx context.Context, guest Info) (Info, error) {
	if guest.UUID == "" {
		return guest, errors.New("xe: not asked, because the VM's uuid is not known")
	}
	out, err := h.Run(ctx, "xe", "vif-list", "vm-uuid="+guest.UUID, "params=MAC,device,network-uuid")
	if err != nil {
		return guest, err
	}
	source := "xe vif-list vm-uuid=" + guest.UUID
	first := firstDevice(xeRecords(string(out)))
	if first == nil {
		return guest, &conclusive{source + " shows no VIF: give the VM one"}
	}
	mac, err := xenout.ParseMAC(first["MAC"])
	if err != nil {
		return guest, &conclusive{fmt.Sprintf("%s: %v", source, err)}
	}
	vif := xenout.VIF{MAC: mac}
	if network := first["network-uuid"]; isUUID(network) {
		out, err := h.Run(ctx, "xe", "network-param-get", "uuid="+network, "param-name=bridge")
		if err != nil {
			return guest, err
		}
		vif.Bridge = strings.TrimSpace(string(out))
	}
	guest.VIFs, guest.Source = []xenout.VIF{vif}, source
	return guest, nil
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

// firstDevice is the record that becomes the guest's eth0; xe has an order of
// its own.
func firstDevice(vifs []map[string]string) map[string]string {
	var first map[string]string
	lowest := 0
	for _, vif := range vifs {
		if n, err := strconv.Atoi(vif["device"]); err == nil && (first == nil || n < lowest) {
			first, lowest = vif, n
		}
	}
	return first
}
