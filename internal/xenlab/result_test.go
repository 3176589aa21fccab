package xenlab

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestResults(t *testing.T) {
	const port = "case one\r\n" +
		" --- case.log\n" +
		" pass 1 is only a line of the log\n" +
		" \n" +
		"pass 3.2\n" +
		"case two\n" +
		"fail 10.5 the guest's command line: got \"a\", want \"b\"\n" +
		"case three\n" +
		"fail 1\n" +
		"end\n" +
		"case after the end\n"
	r := newResults(strings.NewReader(port))
	var got []Result
	for {
		result, err := r.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, result)
	}
	want := []Result{
		{Case: "one", Seconds: 3.2, Log: "--- case.log\npass 1 is only a line of the log\n\n"},
		{Case: "two", Seconds: 10.5, Failure: `the guest's command line: got "a", want "b"`},
		{Case: "three", Seconds: 1, Failure: "no reason given"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
}

func TestResultsOfADom0ThatDies(t *testing.T) {
	tests := []struct {
		name, port string
		want       Result
		early      bool // an unexpected end, not a bad line
	}{
		{"before the first case", "", Result{}, true},
		{"between two cases", "case one\npass 1\n", Result{}, true},
		{"in a case", "case one\n so far\n", Result{Case: "one", Log: "so far\n"}, true},
		{"in a line", "case one\npa", Result{Case: "one"}, false},
		{"end in a case", "case one\nend\n", Result{Case: "one"}, false},
		{"case in a case", "case one\ncase two\n", Result{Case: "one"}, false},
		{"result of no case", "pass 1\n", Result{}, false},
		{"no number", "case one\npass soon\n", Result{Case: "one"}, false},
		{"a panic's text", "Kernel panic - not syncing\n", Result{}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newResults(strings.NewReader(tt.port))
			got, err := r.next()
			if tt.name == "between two cases" {
				got, err = r.next()
			}
			if err == nil || err == io.EOF {
				t.Fatalf("error %v, want one that says so", err)
			}
			if errors.Is(err, io.ErrUnexpectedEOF) != tt.early {
				t.Errorf("error %v", err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("result (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzResults(f *testing.F) {
	f.Add("case one\n log\npass 1\nend\n")
	f.Add("case one\nfail 1.5 why\r\n")
	f.Add("case \n\x00\nend")
	f.Fuzz(func(t *testing.T, port string) {
		r := newResults(strings.NewReader(port))
		for {
			result, err := r.next()
			if err != nil {
				return
			}
			if result.Case == "" && !strings.Contains(port, "case ") {
				t.Errorf("a result of no case: %+v", result)
			}
		}
	})
}
