package boot

import (
	"context"
	"io"
	"net/netip"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/pxelinux"
)

// lookAt is what a look says of a configuration with these files.
func lookAt(t *testing.T, files fstest.MapFS) *check.Config {
	t.Helper()
	server := netip.MustParseAddr("192.168.1.166")
	o := &onlooker{
		pipeline: &pipeline{plan: newPlan(), say: func(line) {}},
		facts:    &check.Facts{}, texts: map[string][]byte{},
		host: pxelinux.Host{Server: server},
	}
	tree := pxelinux.OpenFS(files, server)
	o.open = func(ctx context.Context, link string) (io.ReadCloser, error) {
		f, err := tree(ctx, link)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		text, err := io.ReadAll(f)
		o.texts[link] = text
		return io.NopCloser(strings.NewReader(string(text))), err
	}
	if _, err := o.decide(t.Context(), o.host); err != nil {
		t.Fatal(err)
	}
	o.describe(t.Context())
	return o.facts.Config
}

// With two INCLUDEs the last DEFAULT counts, each time.
func TestLookAtDefault(t *testing.T) {
	want := &check.Config{
		URL: "tftp://192.168.1.166/pxelinux.cfg/default", Bytes: 60, Lines: 6, Labels: []string{"a", "b"},
		Default: "b x=1", DefaultAt: "tftp://192.168.1.166/two:2",
	}
	for range 200 {
		got := lookAt(t, fstest.MapFS{
			"pxelinux.cfg/default": {Data: []byte("INCLUDE one\nINCLUDE two\nLABEL a\nKERNEL k\nLABEL b\nKERNEL k ro")},
			"one":                  {Data: []byte("DEFAULT a\n")},
			"two":                  {Data: []byte("TIMEOUT 50\nDEFAULT b  x=1\n")},
		})
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	}
}
