package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSummary(t *testing.T) {
	const in = `{"Action":"build-output","ImportPath":"m/broken","Output":"broken.go:1: oops\n"}
{"Action":"start","Package":"m/p"}
{"Action":"run","Package":"m/p","Test":"TestPass"}
{"Action":"output","Package":"m/p","Test":"TestPass","Output":"=== RUN   TestPass\n"}
{"Action":"attr","Package":"m/p","Test":"TestPass","Key":"labs","Value":"7 of 7"}
{"Action":"output","Package":"m/p","Test":"TestPass","Output":"--- PASS: TestPass (0.00s)\n"}
{"Action":"pass","Package":"m/p","Test":"TestPass"}
{"Action":"output","Package":"m/p","Test":"TestSkip/a","Output":"=== RUN   TestSkip/a\n"}
{"Action":"output","Package":"m/p","Test":"TestSkip/a","Output":"    labtest.go:60: missing: kea: not there\n"}
{"Action":"output","Package":"m/p","Test":"TestSkip/a","Output":"--- SKIP: TestSkip/a (0.00s)\n"}
{"Action":"skip","Package":"m/p","Test":"TestSkip/a"}
{"Action":"output","Package":"m/p","Test":"TestSkip/b","Output":"    labtest.go:60: missing: kea: not there\n"}
{"Action":"skip","Package":"m/p","Test":"TestSkip/b"}
{"Action":"skip","Package":"m/p","Test":"TestSilent"}
{"Action":"output","Package":"m/p","Test":"TestFail","Output":"    p_test.go:3: wrong\n"}
{"Action":"fail","Package":"m/p","Test":"TestFail"}
{"Action":"output","Package":"m/p","Test":"TestPanic","Output":"panic: at once\n"}
{"Action":"output","Package":"m/p","Output":"FAIL\tm/p\t0.1s\n"}
{"Action":"fail","Package":"m/p"}
{"Action":"output","Package":"m/q","Output":"PASS\n"}
{"Action":"output","Package":"m/q","Output":"ok  \tm/q\t0.1s\n"}
{"Action":"pass","Package":"m/q"}
{"Action":"skip","Package":"m/empty"}
`
	const want = `broken.go:1: oops
labs: 7 of 7
    p_test.go:3: wrong
FAIL	m/p	0.1s
panic: at once
ok  	m/q	0.1s
2 tests run, 3 skipped
  m/p TestSkip/a and 1 more: missing: kea: not there
  m/p TestSilent: no reason given
`
	var s summary
	var out strings.Builder
	if err := s.read(strings.NewReader(in), &out); err != nil {
		t.Fatal(err)
	}
	s.print(&out)
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := s.read(strings.NewReader("no JSON"), &out); err == nil {
		t.Error("no error for what is no JSON")
	}
}
