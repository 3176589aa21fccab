package domain

import (
	"slices"
	"strings"
	"testing"
)

// FuzzLibvirtXML: what is accepted has an address.
func FuzzLibvirtXML(f *testing.F) {
	f.Add(golden(f, "libvirt-file.xml"))
	f.Add("<domain><devices><interface><mac address='00:16:3e:72:79:e3'/><source network='-x'/></interface></devices></domain>")
	f.Add("<!DOCTYPE x [<!ENTITY a 'b'>]><domain>&a;</domain>")
	f.Fuzz(func(t *testing.T, text string) {
		h := dom0With("libvirtd").host()
		got, err := h.libvirtGuest(t.Context(), Info{}, 0, "fuzz", text)
		if err == nil && (len(got.VIFs) == 0 || got.VIFs[0].MAC == nil) {
			t.Errorf("no address in %+v", got)
		}
		if err != nil && got.VIFs != nil {
			t.Errorf("interfaces %v with error %v", got.VIFs, err)
		}
	})
}

// FuzzXE: what is chosen is one of the records, and eth0 if it is there.
func FuzzXE(f *testing.F) {
	f.Add(golden(f, "xe-vif-list.txt"))
	f.Add("device ( RO): 0\ndevice: 1\n\n:\n:::")
	f.Fuzz(func(t *testing.T, text string) {
		records := xeRecords(text)
		for _, r := range records {
			if len(r) == 0 {
				t.Error("an empty record")
			}
		}
		zero := slices.ContainsFunc(records, func(r map[string]string) bool { return r["device"] == "0" })
		if sorted := byDevice(records); zero && (len(sorted) == 0 || strings.Trim(sorted[0]["device"], "+-0") != "") {
			t.Errorf("device 0 is there, but %v is the first", sorted)
		}
	})
}

// FuzzCommandLine: a file or nothing comes out of any command line.
func FuzzCommandLine(f *testing.F) {
	f.Add("xl\x00create\x00-cf\x00a.cfg\x00name='b'\x00")
	f.Add("xl\x00-\x00cr\x00--\x00--defconfig")
	f.Fuzz(func(t *testing.T, cmdline string) {
		h := dom0With().file("/proc/4711/cmdline", cmdline).host()
		file, settings, ok := createArguments(h.parent().argv)
		if ok && file == "" {
			t.Errorf("no file with settings %q", settings)
		}
	})
}
