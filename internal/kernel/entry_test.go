package kernel

import (
	"strings"
	"testing"

	"github.com/gopxeboot/gopxeboot/xenout"
)

func TestCheckEntry(t *testing.T) {
	for _, test := range []struct {
		guest     xenout.GuestType
		pv, pvh   bool
		says, try string // "" where it starts
	}{
		{guest: xenout.PV, pv: true},
		{guest: xenout.PV, pvh: true, says: "no PV entry point", try: `type="pvh"`},
		{guest: xenout.PV, says: "no PV entry point", try: "HVM"},
		{guest: xenout.PVShim, pv: true},
		{guest: xenout.PVShim, pvh: true, says: "which a pvshim guest needs", try: `type="pvh"`},
		{guest: xenout.PVH, pvh: true},
		{guest: xenout.PVH, pv: true, says: "no PVH entry point (CONFIG_PVH)", try: `type="pv"`},
		{guest: xenout.PVH, says: "no PVH entry point (CONFIG_PVH)", try: "HVM"},
		{guest: xenout.HVM},
		{guest: "", pv: true},
		{guest: "", pvh: true},
		{guest: "", says: "neither the PV nor the PVH entry point", try: "HVM"},
	} {
		e := CheckEntry(test.guest, test.pv, test.pvh)
		switch {
		case (e == nil) != (test.says == ""):
			t.Errorf("%q, PV %v, PVH %v: %v", test.guest, test.pv, test.pvh, e)
		case e != nil && (!strings.Contains(e.Error(), test.says) || !strings.Contains(e.Try(), test.try)):
			t.Errorf("%q, PV %v, PVH %v: %v; %s", test.guest, test.pv, test.pvh, e, e.Try())
		}
	}
}
