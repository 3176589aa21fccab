package boot

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/internal/fault"
	"github.com/gopxeboot/gopxeboot/internal/fetch"
	"github.com/gopxeboot/gopxeboot/internal/grub"
	"github.com/gopxeboot/gopxeboot/internal/ipxe"
	"github.com/gopxeboot/gopxeboot/internal/kernel"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/plan"
	"github.com/gopxeboot/gopxeboot/internal/session"
	"github.com/gopxeboot/gopxeboot/xenout"
)

// someKernel is what an HVM guest may boot, as far as one can tell.
const someKernel = "\x01kernel"

// images serves files: "/chunked/x" without saying how long they are, "/hang/x"
// with a beginning and no end.
type images map[string]string

func (s images) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	dir, name := filepath.Split(r.URL.Path)
	content, ok := s[name]
	switch {
	case !ok:
		w.WriteHeader(404)
	case dir == "/hang/":
		w.Header().Set("Content-Length", "1000")
		io.WriteString(w, content)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	case dir == "/chunked/":
		w.(http.Flusher).Flush()
		io.WriteString(w, content)
	default:
		io.WriteString(w, content)
	}
}

// downloads is a pipeline with a server and the two files, and what it says.
func downloads(t *testing.T, files images) (p *pipeline, url string, kernelFile, ramdisk *os.File, said func() []string) {
	t.Helper()
	server := httptest.NewServer(files)
	t.Cleanup(server.Close)
	dir := t.TempDir()
	create := func(name string) *os.File {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		return f
	}
	var mu sync.Mutex
	var lines []string
	p = &pipeline{Answer: session.Answer{Plan: plan.New()}, gate: gate{Guest: kernel.Guest{Type: xenout.HVM}}}
	p.say = func(l session.Line) {
		mu.Lock()
		defer mu.Unlock()
		lines = append(lines, l.Text)
	}
	return p, server.URL, create("kernel"), create("ramdisk"), func() []string {
		mu.Lock()
		defer mu.Unlock()
		return lines
	}
}

func contents(t *testing.T, f *os.File) string {
	t.Helper()
	b, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Several initrds are one file: in order, each but the last padded to 4 bytes,
// whether the server says how long they are or not.
func TestLayout(t *testing.T) {
	files := images{"k": someKernel, "1": "a", "2": "bb", "3": "ccc", "4": "dddd", "5": "eeeee", "big": strings.Repeat("x", 333)}
	for names, want := range map[string]string{
		"/1":                          "a",
		"/4 /4":                       "dddddddd",
		"/1 /2 /3 /4 /5":              "a\x00\x00\x00bb\x00\x00ccc\x00ddddeeeee",
		"/chunked/1 /2 /chunked/3 /5": "a\x00\x00\x00bb\x00\x00ccc\x00eeeee",
		"/5 /chunked/5":               "eeeee\x00\x00\x00eeeee",
		"/big /1 /chunked/big":        files["big"] + "\x00\x00\x00a\x00\x00\x00" + files["big"],
	} {
		p, url, kernel, ramdisk, said := downloads(t, files)
		boot := &plan.Boot{Kernel: url + "/k"}
		for _, name := range strings.Fields(names) {
			boot.Initrds = append(boot.Initrds, url+name)
		}
		if err := p.fetchBoth(t.Context(), boot, &limits{MaxKernel: 1000, MaxInitrd: 1000}, kernel, ramdisk); err != nil {
			t.Errorf("%s: %v", names, err)
			continue
		}
		if diff := cmp.Diff([]string{someKernel, want}, []string{contents(t, kernel), contents(t, ramdisk)}); diff != "" {
			t.Errorf("%s (-want +got)\n%s", names, diff)
		}
		if got := len(said()); got != 1+len(boot.Initrds) {
			t.Errorf("%s: %d lines: %q", names, got, said())
		}
	}
}

// As iPXE lays them each begins at a multiple of 4096, and one with a name has
// the header of a cpio archive before it, for which its size has to be known.
func TestLayoutOfIPXE(t *testing.T) {
	files := images{"k": someKernel, "1": "a", "2": "bb"}
	p, url, kernel, ramdisk, _ := downloads(t, files)
	boot := &plan.Boot{Kernel: url + "/k", Initrds: []string{url + "/chunked/1", url + "/2"}, InitrdFiles: []plan.InitrdFile{{}, {Path: "/b", Mode: 0o100600}}}
	if err := p.fetchBoth(t.Context(), boot, &limits{MaxKernel: 1000, MaxInitrd: 8192}, kernel, ramdisk); err != nil {
		t.Fatal(err)
	}
	header := ipxe.File{Path: "/b", Mode: 0o100600}.Header(2)
	want := "a" + strings.Repeat("\x00", 4095) + string(header) + "bb"
	if diff := cmp.Diff(want, contents(t, ramdisk)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	boot.Initrds[1] = url + "/chunked/2"
	if err := p.fetchBoth(t.Context(), boot, &limits{MaxKernel: 1000, MaxInitrd: 8192}, kernel, ramdisk); fault.CodeOf(err) != fault.NotFetched {
		t.Errorf("of a size that is not known: %v", err)
	}
}

// As GRUB lays them those with names are an archive, which ends before one
// without, and at the end.
func TestLayoutOfGRUB(t *testing.T) {
	p, url, kernel, ramdisk, _ := downloads(t, images{"k": someKernel, "1": "a", "2": "bb"})
	boot := &plan.Boot{Program: plan.GRUB, Kernel: url + "/k"}
	for _, name := range []string{"", "etc/b", "c", "", "d"} {
		boot.Initrds, boot.InitrdFiles = append(boot.Initrds, url+"/2"), append(boot.InitrdFiles, plan.InitrdFile{Path: name, Mode: grub.NewcMode})
	}
	if err := p.fetchBoth(t.Context(), boot, &limits{MaxKernel: 1000, MaxInitrd: 8192}, kernel, ramdisk); err != nil {
		t.Fatal(err)
	}
	head := func(name, mode, size, length string) string {
		return "07070100000000" + mode + "000000000000000000000001000000000000000" + size + strings.Repeat("0", 32) + "0000000" + length + "00000000" + name
	}
	const bb = "bb\x00\x00"
	end := head("TRAILER!!!\x00\x00\x00\x00", "00000000", "0", "b")
	want := bb + head("etc\x00\x00\x00", "000041ff", "0", "4") + head("etc/b\x00", "000081ff", "2", "6") + bb +
		head("c\x00", "000081ff", "2", "2") + bb + end + bb + head("d\x00", "000081ff", "2", "2") + bb + end
	if diff := cmp.Diff(want, contents(t, ramdisk)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

// The first thing that goes wrong ends everything else at once, and it alone
// is what the caller gets, on one line and with its own exit code.
func TestFirstError(t *testing.T) {
	files := images{"k": someKernel, "1": "a", "empty": "", "big": strings.Repeat("x", 600)}
	for _, tt := range []struct {
		kernel, initrds string
		code            fault.Code
		err             error
		says            string
	}{
		{"/missing", "/hang/1", fault.NotFetched, fetch.ErrNotFound, "kernel: "},
		{"/hang/k", "/hang/1 /missing", fault.NotFetched, fetch.ErrNotFound, "initrd: "},
		{"/hang/k", "/hang/1 /empty", fault.NotFetched, fetch.ErrEmpty, "initrd: "},
		{"/hang/k", "/big /big /hang/1", fault.NotFetched, fetch.ErrTooBig, "--max-initrd"},
		{"/hang/k", "/chunked/big /chunked/big", fault.NotFetched, fetch.ErrTooBig, "--max-initrd"},
		{"/hang/k", "gopher://x/y", fault.NotFetched, fetch.ErrUnsupported, "initrd: "},
	} {
		p, url, kernel, ramdisk, _ := downloads(t, files)
		boot := &plan.Boot{Kernel: url + tt.kernel}
		for _, name := range strings.Fields(tt.initrds) {
			if !strings.Contains(name, "://") {
				name = url + name
			}
			boot.Initrds = append(boot.Initrds, name)
		}
		begin := time.Now()
		err := p.fetchBoth(t.Context(), boot, &limits{MaxKernel: 1000, MaxInitrd: 1000}, kernel, ramdisk)
		if err == nil {
			t.Errorf("%s, %s: no error", tt.kernel, tt.initrds)
			continue
		}
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("%s, %s: took %v", tt.kernel, tt.initrds, took)
		}
		if text := err.Error(); strings.Contains(text, "\n") || !strings.Contains(text, tt.says) || fault.CodeOf(err) != tt.code || !errors.Is(err, tt.err) || errors.Is(err, context.Canceled) {
			t.Errorf("%s, %s: got %d, %v", tt.kernel, tt.initrds, fault.CodeOf(err), err)
		}
	}
}

// Our own end is the reason for whatever the downloads make of it.
func TestDownloadDeadline(t *testing.T) {
	p, url, kernel, ramdisk, _ := downloads(t, images{"k": someKernel})
	ctx, cancel := context.WithTimeoutCause(t.Context(), 20*time.Millisecond, context.DeadlineExceeded)
	defer cancel()
	err := p.fetchBoth(ctx, &plan.Boot{Kernel: url + "/hang/k", Initrds: []string{url + "/hang/k"}}, &limits{MaxKernel: 1000, MaxInitrd: 1000}, kernel, ramdisk)
	if fault.CodeOf(err) != fault.OutOfTime || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %d, %v", fault.CodeOf(err), err)
	}
}

// What would fill the output directory is refused before the first byte: some
// of it is kept.
func TestReserveKept(t *testing.T) {
	file, err := os.Create(filepath.Join(labtest.Tmpfs(t, "20M"), "kernel"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	p, _, _, _, _ := downloads(t, nil)
	m := (&job{p: p}).image("kernel", file, 1<<30, "--max-kernel")
	if err := m.reserve("URL", 18<<20, true); err != nil {
		t.Error(err)
	}
	if err := m.reserve("URL", 19<<20+1<<19, true); fault.CodeOf(err) != fault.NoOutput || !strings.Contains(err.Error(), "19.5 MiB needed in the output directory, 19.0 MiB free besides the reserve") {
		t.Errorf("got %d, %v", fault.CodeOf(err), err)
	}
}

// What is written already needs no room once more.
func TestReserve(t *testing.T) {
	p, _, kernel, ramdisk, _ := downloads(t, nil)
	j := &job{p: p}
	k, r := j.image("kernel", kernel, 1<<62, "--max-kernel"), j.image("initrd", ramdisk, 1<<62, "--max-initrd")
	if err := k.reserve("URL", 1000, true); err != nil {
		t.Error(err)
	}
	if j.total() != -1 {
		t.Errorf("total %d before the initrd is known", j.total())
	}
	err := r.reserve("URL", 1<<61, true)
	if fault.CodeOf(err) != fault.NoOutput || !strings.Contains(err.Error(), "free besides the reserve; make room") {
		t.Errorf("got %d, %v", fault.CodeOf(err), err)
	}
	if j.total() != 1000+1<<61 {
		t.Errorf("total %d", j.total())
	}
	j.done.Store(1000 + 1<<61)
	if err := r.reserve("URL", 1<<61, true); err != nil {
		t.Errorf("with all of it there: %v", err)
	}
	if err := r.reserve("URL", 1<<62+1, true); fault.CodeOf(err) != fault.NotFetched || !errors.Is(err, fetch.ErrTooBig) {
		t.Errorf("got %d, %v", fault.CodeOf(err), err)
	}
}

type fullDisk struct{ error }

func (w fullDisk) Write(p []byte) (int, error) { return 0, w.error }

func TestLimited(t *testing.T) {
	var b bytes.Buffer
	j := new(job)
	l := &limited{&b, 10, &j.done}
	for _, tt := range []struct {
		n    int
		want error
	}{{6, nil}, {5, fetch.ErrTooBig}, {4, nil}, {1, fetch.ErrTooBig}} {
		if _, err := l.Write(make([]byte, tt.n)); !errors.Is(err, tt.want) {
			t.Errorf("%d bytes: %v", tt.n, err)
		}
	}
	if b.Len() != 10 || j.done.Load() != 10 {
		t.Errorf("%d bytes written, %d counted", b.Len(), j.done.Load())
	}
	if _, err := (&limited{fullDisk{os.ErrPermission}, 10, &j.done}).Write([]byte("x")); !errors.Is(err, os.ErrPermission) {
		t.Error(err)
	}
}

// What iPXE unpacks is unpacked on its way, beside what is not, and to its limit.
func TestUnpacked(t *testing.T) {
	packed := func(text string) string {
		var b strings.Builder
		z := gzip.NewWriter(&b)
		io.WriteString(z, text)
		z.Close()
		return b.String()
	}
	large := strings.Repeat("x", 10000)
	files := images{"k": packed(someKernel), "1": packed("one"), "2": "two", "cut": packed(large)[:40], "bomb": packed(strings.Repeat(large, 1000))}
	boot := func(p *pipeline, url string, kernel, ramdisk *os.File, names ...string) error {
		b := &plan.Boot{Kernel: url + "/k", KernelGunzip: true}
		for _, name := range names {
			b.Initrds = append(b.Initrds, url+"/"+name)
			b.InitrdFiles = append(b.InitrdFiles, plan.InitrdFile{Gunzip: name != "2"})
		}
		return p.fetchBoth(t.Context(), b, &limits{MaxKernel: 1000, MaxInitrd: 100000}, kernel, ramdisk)
	}
	p, url, kernel, ramdisk, _ := downloads(t, files)
	if err := boot(p, url, kernel, ramdisk, "1", "2", "chunked/1"); err != nil {
		t.Fatal(err)
	}
	pad := strings.Repeat("\x00", 4093)
	if diff := cmp.Diff([]string{someKernel, "one" + pad + "two" + pad + "one"}, []string{contents(t, kernel), contents(t, ramdisk)}); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	for name, says := range map[string]string{"cut": "unexpected EOF", "bomb": "larger than allowed", "gone": "404"} {
		p, url, kernel, ramdisk, _ := downloads(t, files)
		if err := boot(p, url, kernel, ramdisk, name); fault.CodeOf(err) != fault.NotFetched || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %s", name, err, says)
		}
	}
}
