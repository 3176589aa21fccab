package probe

import (
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"

	"github.com/gopxeboot/gopxeboot/internal/check"
	"github.com/gopxeboot/gopxeboot/internal/fetch"
	"github.com/gopxeboot/gopxeboot/internal/kernel/fake"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/program"
	"github.com/gopxeboot/gopxeboot/internal/program/programtest"
)

func TestResult(t *testing.T) {
	for _, c := range []struct {
		err  error
		want plan.Result
	}{
		{nil, plan.Found},
		{fmt.Errorf("%w: File not found", fetch.ErrNotFound), plan.NotFound},
		{fetch.ErrRefused, plan.Refused},
		{fetch.ErrTimeout, plan.Silent},
		{context.DeadlineExceeded, plan.Silent},
		{fetch.ErrShort, plan.Short},
		{fetch.ErrNoServer, plan.Unreachable},
		{unix.EHOSTUNREACH, plan.Unreachable},
		{fetch.ErrPortClosed, plan.Unreachable},
		{errors.New("something else"), plan.Failed},
	} {
		if got := result(c.err); got != c.want {
			t.Errorf("%v: %q, want %q", c.err, got, c.want)
		}
	}
	inner := &fetch.Error{URL: "tftp://10.0.0.2/vmlinuz", Err: errors.New("access violation")}
	if got := message(fmt.Errorf("get it: %w", inner)); got != "access violation" {
		t.Errorf("the reason with its URL: %q", got)
	}
	if got := message(context.DeadlineExceeded); strings.Contains(got, "context") {
		t.Errorf("Go's words: %q", got)
	}
}

// A configuration that a boot program does not ask for is found by the name
// that somebody gave it.
func TestMeant(t *testing.T) {
	for _, c := range []struct{ name, why string }{
		{"pxelinux.cfg/01-00-16-3E-72-79-E3", "upper case"},
		{"pxelinux.cfg/00-16-3e-72-79-e3", "without 01-"},
		{"pxelinux.cfg/01:00:16:3e:72:79:e3", "colons for dashes"},
		{"pxelinux.cfg/0100163e7279e3", "without dashes"},
		{"pxelinux.cfg/01-00-16-3e-72-79-e3.cfg", "with .cfg behind it"},
		{"PXELINUX.CFG/01-00-16-3e-72-79-e3", "directory in upper case"},
		{"01-00-16-3e-72-79-e3", "not in pxelinux.cfg"},
		{"pxelinux.cfg/Default", "upper case"},
		{"pxelinux.cfg/default.txt", "with .txt behind it"},
		{"default", "not in pxelinux.cfg"},
		{"pxelinux.cfg", fileForDirectory},
	} {
		t.Run(c.name, func(t *testing.T) {
			lab := programtest.Configs(t, "../../program/testdata")[0]
			clear(lab.Files)
			lab.Files[c.name] = lab.Files["pxelinux.0"]
			o := observed(lab)
			o.ask = func(_ context.Context, url string) ([]byte, string, error) {
				if url == "tftp://10.0.0.2/"+c.name {
					return []byte("default linux\n"), "", nil
				}
				return nil, "", &fetch.Error{URL: url, Err: fetch.ErrNotFound}
			}
			o.config(t.Context())
			var got []string
			for _, try := range o.facts.Search {
				if try.Result == plan.Found {
					got = append(got, try.URL+" "+try.Meant)
				}
			}
			if diff := cmp.Diff([]string{"tftp://10.0.0.2/" + c.name + " " + c.why}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A server that falls silent is not asked for thirty more names.
func TestMeantOfSilentServer(t *testing.T) {
	lab := programtest.Configs(t, "../../program/testdata")[0]
	o := observed(lab)
	asked := 0
	o.ask = func(_ context.Context, url string) ([]byte, string, error) {
		asked++
		return nil, "", &fetch.Error{URL: url, Err: fetch.ErrTimeout}
	}
	o.config(t.Context())
	if asked != 1 || len(o.facts.Search) != 1 || o.facts.Search[0].Result != plan.Silent {
		t.Errorf("%d requests: %+v", asked, o.facts.Search)
	}
}

// What is recorded of the files that boot.
func TestBootFiles(t *testing.T) {
	image := fake.BzImage(fake.Vmlinux(elf.EM_X86_64, bytes.Repeat([]byte("kernel"), 1000), fake.Notes(true, false), elf.SHT_NULL))
	page := []byte("<html><head><title>Sorry</title></head></html>\n")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/vmlinuz":
			w.Write(image)
		case "/cut":
			w.Write(image[:len(image)/2])
		case "/page":
			w.Write(page)
		case "/initrd.img":
			w.Write(make([]byte, 300))
		case "/empty":
		case "/secret":
			w.WriteHeader(http.StatusForbidden)
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	t.Cleanup(server.Close)
	pv := &check.Kernel{Format: "bzImage", Linux: true, Looked: true, Arch: "x86_64", PV: true, Wants: int64(len(image))}
	for _, c := range []struct {
		name, kernel, initrd string
		want                 []check.File
	}{
		{"whole", "/vmlinuz", "/initrd.img", []check.File{
			{Role: "kernel", URL: "/vmlinuz", Result: plan.Found, Bytes: int64(len(image)), Read: int64(len(image)), Kernel: pv},
			{Role: "initrd", URL: "/initrd.img", Result: plan.Found, Bytes: 300, Read: 300},
		}},
		{"cut off", "/cut", "/empty", []check.File{
			{Role: "kernel", URL: "/cut", Result: plan.Short, Bytes: int64(len(image) / 2), Read: int64(len(image) / 2),
				Message: fmt.Sprintf("it has %d bytes, and by its own header %d", len(image)/2, len(image)),
				Kernel:  &check.Kernel{Format: "bzImage", Linux: true, Arch: "x86_64", Wants: int64(len(image))},
				Misfit:  &check.Misfit{Text: fmt.Sprintf("it is cut short: it has %d bytes, and by its own header %d", len(image)/2, len(image)), Try: "copy the file to the server again, whole"}},
			{Role: "initrd", URL: "/empty", Result: plan.Empty},
		}},
		{"a page, and no initrd", "/page", "/gone", []check.File{
			{Role: "kernel", URL: "/page", Result: plan.Found, Bytes: int64(len(page)), Read: int64(len(page)), Kernel: &check.Kernel{Format: `HTML page "Sorry"`},
				Misfit: &check.Misfit{Text: `a page of HTML, "Sorry", and no kernel`, Try: "see what the server has there; a web server may answer with a page where the file is missing"}},
			{Role: "initrd", URL: "/gone", Result: plan.NotFound, Bytes: -1},
		}},
		{"refused", "/secret", "/initrd.img", []check.File{
			{Role: "kernel", URL: "/secret", Result: plan.Refused, Bytes: -1},
			{Role: "initrd", URL: "/initrd.img", Result: plan.Found, Bytes: 300, Read: 300},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := observed(programtest.Configs(t, "../../program/testdata")[0])
			d := &program.Decision{
				Boot: plan.Boot{Kernel: server.URL + c.kernel, Initrds: []string{server.URL + c.initrd}},
				NotFound: func(context.Context, string) (*program.Decision, error) {
					return &program.Decision{}, errors.New("nothing else")
				},
			}
			o.bootFiles(t.Context(), d)
			for i := range o.facts.Files {
				f := &o.facts.Files[i]
				f.URL = strings.TrimPrefix(f.URL, server.URL)
				if c.want[i].Message == "" {
					f.Message = "" // the server's words
				}
			}
			unmeasured := cmpopts.IgnoreFields(check.File{}, "Millis", "Rate", "Seconds")
			if diff := cmp.Diff(c.want, o.facts.Files, unmeasured, cmpopts.IgnoreFields(check.Kernel{}, "Version")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
