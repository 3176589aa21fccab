package boot

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/plan"
)

// What a script has looked at is not asked for again, as long as the server lets it
// wait. One that serves one file at a time is asked again.
func TestHeld(t *testing.T) {
	large := "\x00" + strings.Repeat("0123456789abcdef", 1<<20) // more than sockets have room for
	for _, c := range []struct {
		name          string
		alone         bool
		kernel, large int
	}{
		{name: "as a rule", kernel: 1, large: 1},
		{name: "one at a time", alone: true, kernel: 2, large: 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, _, kernelFile, ramdisk, _ := downloads(t, nil)
			var mu, one sync.Mutex
			asked := map[string]int{}
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				asked[r.URL.Path]++
				mu.Unlock()
				if c.alone {
					one.Lock()
					defer one.Unlock()
				}
				switch r.URL.Path {
				case "/kernel":
					http.ServeContent(w, r, "", time.Time{}, strings.NewReader(someKernel+large))
				default:
					http.ServeContent(w, r, "", time.Time{}, strings.NewReader(large))
				}
			}))
			defer server.Close()
			p.held.Begin()
			urls := []string{server.URL + "/kernel", server.URL + "/large", server.URL + "/not"}
			for _, url := range urls {
				f, err := p.openHead(t.Context(), url)
				if err != nil {
					t.Fatal(err)
				}
				if head, err := io.ReadAll(f); len(head) != 8<<10 || err != nil {
					t.Errorf("%s: %d bytes, %v", url, len(head), err)
				}
			}
			boot := &plan.Boot{Kernel: urls[0], Initrds: []string{urls[1]}}
			if err := p.fetchBoth(t.Context(), boot, &limits{MaxKernel: 1 << 30, MaxInitrd: 1 << 30}, kernelFile, ramdisk); err != nil {
				t.Fatal(err)
			}
			if contents(t, kernelFile) != someKernel+large || contents(t, ramdisk) != large {
				t.Error("the files have not what the server has")
			}
			if asked["/kernel"] != c.kernel || asked["/large"] != c.large || asked["/not"] != 1 {
				t.Errorf("asked for: %v", asked)
			}
		})
	}
}
