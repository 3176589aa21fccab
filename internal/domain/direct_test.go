package domain

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gopxeboot/gopxeboot/xenout"
)

// database is XAPI's, with one VM: its parameters, and its other-config below
// "other-config:".
type database struct {
	vm     map[string]string
	refuse string // a word that xe fails at
}

func (d *database) run(_ context.Context, program string, args ...string) ([]byte, error) {
	if program != "xe" || args[1] != "uuid="+uuid {
		return nil, fmt.Errorf("unexpected: %s %q", program, args)
	}
	option := make(map[string]string)
	for _, arg := range args[2:] {
		if arg == d.refuse {
			return nil, fmt.Errorf("xe: exit status 1: %s", arg)
		}
		name, value, _ := strings.Cut(arg, "=")
		option[name] = value
	}
	key := option["param-name"]
	if sub, ok := option["param-key"]; ok {
		key += ":" + sub
	}
	if d.vm == nil {
		return nil, errors.New("xe: exit status 1: The uuid you supplied was invalid.")
	}
	switch args[0] {
	case "vm-param-set":
		maps.Copy(d.vm, option)
		return nil, nil
	case "vm-param-remove":
		delete(d.vm, key)
		return nil, nil
	case "vm-param-get":
		if key == "other-config" {
			var list []string
			for _, name := range slices.Sorted(maps.Keys(d.vm)) {
				if name, ok := strings.CutPrefix(name, "other-config:"); ok {
					list = append(list, name+": "+d.vm["other-config:"+name])
				}
			}
			return []byte(strings.Join(list, "; ") + "\n"), nil
		}
		if value, ok := d.vm[key]; ok {
			return []byte(value + "\n"), nil
		}
	}
	return nil, fmt.Errorf("xe: exit status 1: %q", args)
}

func TestDirect(t *testing.T) {
	original := map[string]string{
		"PV-kernel": "", "PV-ramdisk": "", "PV-args": "console=hvc0 it's=1", "PV-bootloader": "pygrub",
		"other-config:mac_seed": "1", "other-config:base_template_name": "a; b",
	}
	xapi := &database{vm: maps.Clone(original)}
	h := &Host{Run: xapi.run}
	// A second run adds nothing twice, and forgets nothing.
	for _, kernel := range []string{"/var/lib/xcp/guest/kernel.1", "/var/lib/xcp/guest/kernel.2"} {
		before, err := h.ArgsBefore(t.Context(), uuid)
		if err != nil || before != original["PV-args"] {
			t.Fatalf("PV-args were %q, %v", before, err)
		}
		if err := h.SetDirect(t.Context(), xenout.Result{Kernel: kernel, Args: xenout.MergeArgs("a=1", before), VM: uuid}); err != nil {
			t.Fatal(err)
		}
		want := maps.Clone(original)
		maps.Copy(want, map[string]string{
			"PV-kernel": kernel, "PV-ramdisk": "", "PV-args": "a=1 console=hvc0 it's=1", "PV-bootloader": "",
			"other-config:gopxeboot-PV-kernel": "", "other-config:gopxeboot-PV-ramdisk": "",
			"other-config:gopxeboot-PV-args": original["PV-args"], "other-config:gopxeboot-PV-bootloader": "pygrub",
		})
		if diff := cmp.Diff(want, xapi.vm); diff != "" {
			t.Errorf("%s (-want +got):\n%s", kernel, diff)
		}
	}
	for _, want := range []bool{true, false} {
		if did, err := h.Restore(t.Context(), uuid); err != nil || did != want {
			t.Errorf("restored: %v, %v", did, err)
		}
		if diff := cmp.Diff(original, xapi.vm); diff != "" {
			t.Errorf("restored (-want +got):\n%s", diff)
		}
	}
	// XAPI refuses one of the values, after others were set.
	for _, refuse := range []string{"PV-kernel=/k", "other-config:gopxeboot-PV-args=" + original["PV-args"]} {
		xapi.refuse = refuse
		if err := h.SetDirect(t.Context(), xenout.Result{Kernel: "/k", VM: uuid}); err == nil || !strings.Contains(err.Error(), refuse) {
			t.Errorf("%s: %v", refuse, err)
		}
		if diff := cmp.Diff(original, xapi.vm); diff != "" {
			t.Errorf("after %s (-want +got):\n%s", refuse, diff)
		}
	}
	none := &Host{Run: (&database{}).run}
	if _, err := none.ArgsBefore(t.Context(), uuid); err == nil {
		t.Error("a VM that is not there has PV-args")
	}
}
