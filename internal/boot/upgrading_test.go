package boot

import (
	"os"
	"strings"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/kernel"
	"github.com/gopxeboot/gopxeboot/internal/kernel/fake"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/xenout"
)

// TestUpgrading goes through docs/UPGRADING.md: each file there is refused with
// that exit code and message, and handed over with the option. It has all kinds
// that are refused as kernel.
func TestUpgrading(t *testing.T) {
	text, err := os.ReadFile("../../docs/UPGRADING.md")
	labtest.Check(t, err)
	files := images{"undionly.kpxe": string(fake.At(4096, map[int]string{0x100: "PXE->EB:"}))}
	missing := map[string]bool{}
	for _, k := range fake.Kinds() {
		files[k.Name] = string(k.Content)
		// A known type's entry point was looked at before.
		if strings.Contains(k.Refused, "-") {
			missing[k.Name] = true
		}
	}
	rows := 0
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		if len(cells) != 4 || !strings.HasSuffix(strings.TrimSpace(cells[3]), "`--force`") {
			continue
		}
		rows++
		name, code, message := strings.TrimSpace(cells[0]), cells[1], strings.Trim(cells[2], "`")
		file, part, _ := strings.Cut(name, " as ")
		if _, ok := files[file]; !ok {
			t.Errorf("no file for %q", name)
			continue
		}
		if part != "initrd" {
			delete(missing, file)
		}
		for _, force := range []bool{false, true} {
			p, url, k, ramdisk, _ := downloads(t, files)
			p.gate = gate{kernel.Guest{Type: xenout.PV, Host: kernel.X86_64}, force}
			boot := &plan.Boot{Kernel: url + "/" + file}
			if part == "initrd" {
				boot = &plan.Boot{Kernel: url + "/Linux", Initrds: []string{url + "/" + file}}
			}
			err := p.fetchBoth(t.Context(), boot, &limits{MaxKernel: 1 << 20, MaxInitrd: 1 << 20}, k, ramdisk)
			switch {
			case force && err != nil:
				t.Errorf("%s: with --force: %v", name, err)
			case !force && (map[string]fault.Code{"5": fault.NotBootable, "6": fault.NotFetched}[code] != fault.CodeOf(err) || !strings.Contains(err.Error(), message)):
				t.Errorf("%s: exit %d, %v; want %s, %s", name, fault.CodeOf(err), err, code, message)
			}
		}
	}
	if rows < 20 || len(missing) > 0 {
		t.Errorf("%d rows, without %v", rows, missing)
	}
}
