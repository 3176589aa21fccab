package plan

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// The JSON that others read has both names of the boot file, no null, and tells
// a reader all that it was made of.
func TestJSON(t *testing.T) {
	p := New()
	p.MAC = "00:16:3e:01:02:03"
	p.Lease = Lease{Address: netip.MustParsePrefix("192.0.2.9/24"), DNS: []netip.Addr{}, BootFile: "pxelinux.0", Offers: 1}
	p.Config = Config{URL: "tftp://192.0.2.1/default", Tried: []Try{{URL: "tftp://192.0.2.1/default", Result: Found, Millis: 0.3}}, Lines: 2}
	p.Outcome = "linux"
	p.SetArgs("a=\xff")
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"bootfile":"pxelinux.0"`, `"boot_file":"pxelinux.0"`, `"router":""`, `"dns":[]`, `"labels":[]`, `"args_base64":"YT3/"`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s is not in %s", want, text)
		}
	}
	if strings.Contains(string(text), "null") {
		t.Errorf("a null in %s", text)
	}
	got := new(Plan)
	if err := json.Unmarshal(text, got); err != nil {
		t.Fatal(err)
	}
	got.Args = p.Args // what JSON can't hold
	if diff := cmp.Diff(p, got, cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})); diff != "" {
		t.Errorf("read again (-want +got):\n%s", diff)
	}
}

// A brief plan has what a boot needs to know, and nothing of its search.
func TestBrief(t *testing.T) {
	p := New()
	p.Config = Config{URL: "u", Tried: []Try{{URL: "u"}}}
	p.Outcome, p.Kernel, p.Initrds, p.Args, p.Warnings = "linux", "k", []string{"i"}, "a", []string{"w"}
	want := New()
	want.Config.URL = "u"
	want.Outcome, want.Kernel, want.Initrds, want.Args = "linux", "k", []string{"i"}, "a"
	if diff := cmp.Diff(want, p.Brief(), cmpopts.EquateComparable(netip.Addr{}, netip.Prefix{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
