package render

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/plan"
)

func TestText(t *testing.T) {
	r := check.Report{
		Steps:   []check.Step{{Name: "dhcp", Status: check.OK, Detail: "a\x1b", Millis: 1.24}, {Name: "config", Status: check.Fail, Detail: "http://u:p@h/"}},
		Verdict: check.Verdict{Code: check.NoConfig, Summary: "None\x07.", Evidence: "http://u:p@h/", Hint: "name it\n  Kea: x"},
		Notes:   []check.Note{{Code: check.IncludeMissing, Summary: "a file\x07", Details: []string{"http://u:p@h/x"}}},
	}
	const want = "ok    dhcp    a? (1.2 ms)\nFAIL  config  http://u:***@h/\n\nNone?. [no-config]\nseen: http://u:***@h/\ntry:  name it\n      Kea: x\nnote: a file? [include-missing]\n"
	var b bytes.Buffer
	if err := NewLive(&b).End(r, false); err != nil || b.String() != want {
		t.Errorf("(%v, -want +got):\n%s", err, cmp.Diff(want, b.String()))
	}
	b.Reset()
	if err := NewLive(&b).End(r, true); err != nil || b.String() != want+"      http://u:***@h/x\n" {
		t.Errorf("%v, with details it is %q", err, b.String())
	}
	if got := Verdict(check.Verdict{Code: check.Fine, Summary: "It boots."}); got != "It boots. [ok]\n" {
		t.Errorf("without evidence and hint it is %q", got)
	}
}

// The report's keys, the plan's and the facts stand in one document.
func TestJSON(t *testing.T) {
	var b bytes.Buffer
	p := plan.New()
	p.MAC = "00:16:3e:00:00:01"
	if err := JSON(&b, check.Report{Verdict: check.Verdict{Code: check.Fine, Advice: "no key"}}, p, &check.Facts{Millis: 3}); err != nil {
		t.Fatal(err)
	}
	var got struct {
		MAC     string         `json:"mac"`
		Verdict map[string]any `json:"verdict"`
		Facts   struct {
			Millis float64 `json:"ms"`
		} `json:"facts"`
	}
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]any{"code": "ok", "summary": "", "evidence": "", "hint": ""}, got.Verdict); diff != "" || got.MAC != p.MAC || got.Facts.Millis != 3 {
		t.Errorf("got %s", b.String())
	}
}

// A step is written when it has ended, also with a warning; from one on that may
// still change they stand at the end.
func TestLive(t *testing.T) {
	step := func(name string, status check.Status, detail string) check.Step {
		return check.Step{Name: name, Status: status, Detail: detail}
	}
	var b bytes.Buffer
	l := NewLive(&b)
	seen := func(want string, steps ...check.Step) {
		t.Helper()
		b.Reset()
		if err := l.Seen(check.Report{Steps: steps}); err != nil || b.String() != want {
			t.Errorf("%v, %q, want %q", err, b.String(), want)
		}
	}
	bridge, dhcp := step("bridge", check.OK, "xenbr0"), step("dhcp", check.Warn, "two")
	seen("ok    bridge  xenbr0\n", bridge)
	vif := step("vif", check.Warn, "another address")
	seen("warn  vif     another address\n", bridge, vif)
	dhcp.Open = true
	seen("", bridge, vif, dhcp, step("server", check.Fail, "silent"), step("config", check.OK, "none"))
	b.Reset()
	if err := l.End(check.Report{Steps: []check.Step{bridge, step("dhcp", check.Warn, "three"), step("server", check.Fail, "wrong")}, Verdict: check.Verdict{Code: check.Fine, Summary: "No."}}, false); err != nil {
		t.Fatal(err)
	}
	if want := "warn  dhcp    three\nFAIL  server  wrong\n\nNo. [ok]\n"; b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
}

// A page says by what it was made, and marks offers of different networks.
func TestMade(t *testing.T) {
	a, b := netip.MustParsePrefix("10.0.0.9/24"), netip.MustParsePrefix("10.0.1.9/24")
	offer := func(p netip.Prefix) check.Offer {
		return check.Offer{Server: p.Addr(), Address: p, Values: []check.Value{{Name: check.ValueAddress, Value: p.String()}}}
	}
	var page bytes.Buffer
	f := check.Facts{Made: &check.Made{Version: "v9", Host: "dom0<b>", Command: "gopxeboot check --mac=x"}, Offers: []check.Offer{offer(a), offer(b)}}
	if err := HTML(&page, f, check.Diagnose(f)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"v9 on dom0&lt;b&gt;", "<code>gopxeboot check --mac=x</code>", "address <span class=\"differs-note\">"} {
		if !strings.Contains(page.String(), want) {
			t.Errorf("%q is not on the page", want)
		}
	}
	if rows := newOfferTable([]check.Offer{offer(a), offer(netip.MustParsePrefix("10.0.0.8/24"))}).Rows; rows[0].Differs {
		t.Error("two addresses of one network are marked")
	}
}
