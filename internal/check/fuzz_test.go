package check

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// The facts come from a process that has read what the network sent, and may
// say anything.
func FuzzDiagnose(f *testing.F) {
	names, err := filepath.Glob("testdata/facts/*.json")
	if err != nil || len(names) == 0 {
		f.Fatalf("no seeds: %v", err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte(`{"offers":[{"chosen":true},{"proxy":true}],"search":[{}],"files":[{"role":"kernel","kernel":{}}],"next_server":{},"variants":[{}]}`))
	f.Add([]byte(`{"bridge":{"up":true,"filters":true,"ports":[{"uplink":true}]},"events":[{"kind":"DISCOVER"}],"boot":{},"config":{},"args":{},"space":{},"storm":{},"request":{}}`))
	f.Add([]byte(`{"waited":1,"offers":[{"address":"10.0.0.2/24"},{"after":5,"values":[{"name":"boot file","value":"x"}],"boot_servers":[{"name":"a","message":"b"}]}],"heard":[{"vlan":2}],"unreadable":[{}],"limits":{},"silent_proxies":["10.0.0.1"],"variants":[{"name":"arch","answered":true,"boot_file":"x"}]}`))
	f.Add([]byte(`{"subject":{"net":"dom0"},"bridge":{"up":true,"stp":true,"forward_delay":2,"running":{}},"next_server":{"tftp":"silent","mac":"x","route":"direct","from_dom0":true}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var facts Facts
		if json.Unmarshal(text, &facts) != nil {
			return
		}
		r := Diagnose(facts)
		if r.Verdict.Code == "" || r.Verdict.Summary == "" {
			t.Fatalf("no verdict: %+v", r)
		}
		if (r.Verdict.Code == Fine) != (r.Status() == OK) {
			t.Fatalf("%s, but %s: %+v", r.Verdict.Code, r.Status(), r.Steps)
		}
	})
}
