package boot

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/gopxeboot/gopxeboot/internal/console"
	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/fetch"
	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/gopxeboot/gopxeboot/internal/handover"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/session"
	"golang.org/x/sys/unix"
)

// As dom0, one after the other; what can't be had does not keep the next from
// being tried.
func TestGet(t *testing.T) {
	_, url, first, second, _ := downloads(t, images{"k": "kernel", "big": strings.Repeat("x", 2000)})
	con := console.New(new(strings.Builder), console.Quiet)
	r := Options{Timeout: 10 * time.Second, Spec: handover.Spec{MaxInitrd: 1000}}
	r.Transfer.Digests = true
	got, err := Get(t.Context(), r, []string{url + "/missing", url + "/k"}, []*os.File{first, second}, con)
	if fault.CodeOf(err) != fault.NotFetched || !errors.Is(err, fetch.ErrNotFound) {
		t.Errorf("got %d, %v", fault.CodeOf(err), err)
	}
	want := []session.Download{
		{URL: url + "/missing", File: first.Name(), Protocol: "http", Error: url + "/missing: file not found: 404 Not Found"},
		{URL: url + "/k", File: second.Name(), Protocol: "http", Bytes: 6},
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(session.Download{}, "Seconds", "SHA256")); diff != "" {
		t.Error("(-want +got)\n", diff)
	}
	if len(got) == 2 && (len(got[1].SHA256) != 64 || got[0].SHA256 != "" || got[1].Seconds <= 0) {
		t.Errorf("got %+v", got)
	}
	if diff := cmp.Diff([]string{"", "kernel"}, []string{contents(t, first), contents(t, second)}); diff != "" {
		t.Error("(-want +got)\n", diff)
	}

	// Nothing stays of what was too big, or took too long.
	if _, err := Get(t.Context(), r, []string{url + "/chunked/big"}, []*os.File{first}, con); !errors.Is(err, fetch.ErrTooBig) || contents(t, first) != "" {
		t.Errorf("got %v, %q", err, contents(t, first))
	}
	r.Timeout = 50 * time.Millisecond
	_, err = Get(t.Context(), r, []string{url + "/hang/k", url + "/k"}, []*os.File{first, second}, con)
	if fault.CodeOf(err) != fault.OutOfTime || errors.Is(err, context.Canceled) || contents(t, first) != "" {
		t.Errorf("got %d, %v, %q", fault.CodeOf(err), err, contents(t, first))
	}
}

// What there is no room for is no matter of an output directory.
func TestGetFull(t *testing.T) {
	_, url, _, _, _ := downloads(t, images{"big": strings.Repeat("x", 100_000)})
	file, err := os.Create(filepath.Join(labtest.Tmpfs(t, "16k"), "file"))
	labtest.Check(t, err)
	defer file.Close()
	r := Options{Timeout: 10 * time.Second, Spec: handover.Spec{MaxInitrd: 1 << 20}}
	for _, dir := range []string{"/", "/chunked/"} { // with its size, and without
		_, err = Get(t.Context(), r, []string{url + dir + "big"}, []*os.File{file}, console.New(new(strings.Builder), console.Quiet))
		if fault.CodeOf(err) != fault.NoOutput || !strings.Contains(err.Error(), "-o FILE") || contents(t, file) != "" {
			t.Errorf("%s: %v", dir, err)
		}
	}
}

func TestTransfer(t *testing.T) {
	for _, tt := range []struct {
		t    Transfer
		says string
	}{
		{Transfer{}, ""},
		{Transfer{Proxy: "http://192.0.2.1:3128"}, ""},
		{Transfer{Proxy: "192.0.2.1:3128"}, "want http://HOST:PORT"},
		{Transfer{Proxy: "socks5://192.0.2.1"}, "want http://HOST:PORT"},
		{Transfer{CA: []byte("no PEM")}, "there is no certificate"},
	} {
		var c fetch.Client
		err := tt.t.apply(&c)
		if (err == nil) != (tt.says == "") || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%+v: %v", tt.t, err)
		}
		if (c.Proxy != nil) != (err == nil && tt.t.Proxy != "") {
			t.Errorf("%+v: a proxy, or none", tt.t)
		}
	}
}

// What others have open, too, as a shell its standard output, is left as it was.
func TestGetLeavesFlags(t *testing.T) {
	labtest.New(t, lab.Config{})
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	fd := w.Fd()
	flags := func() int {
		got, err := unix.FcntlInt(fd, unix.F_GETFL, 0)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	before := flags()
	_, err = Get(t.Context(), Options{Network: session.Network{MAC: mac, Bridge: "xenbr0", Net: guest.Own}, Timeout: 10 * time.Second}, []string{"tftp://10.0.0.1/x"}, []*os.File{w}, quiet())
	if got := flags(); got != before || fault.CodeOf(err) != fault.NotBootable {
		t.Errorf("the flags were %o and are %o (%v)", before, got, err)
	}
}
