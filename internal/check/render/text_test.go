package render

import (
	"bytes"
	"encoding/json"
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
	if err := Text(&b, r, false); err != nil || b.String() != want {
		t.Errorf("(%v, -want +got):\n%s", err, cmp.Diff(want, b.String()))
	}
	b.Reset()
	if err := Text(&b, r, true); err != nil || b.String() != want+"      http://u:***@h/x\n" {
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
