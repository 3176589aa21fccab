// Package downloads downloads from the servers that people run, each in a
// network namespace of its own.
package downloads

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/fetch"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/lab/real"
	"github.com/gopxeboot/gopxeboot/tftpget"
)

func TestMain(m *testing.M) { labtest.Main(m) }

// The servers' address, and one that nobody has.
const (
	server = "192.168.1.166"
	nobody = "192.168.1.250"
)

// newLab is a lab whose dom0, where the tests run, can reach the servers.
func newLab(t testing.TB) *lab.Lab {
	t.Helper()
	return labtest.New(t, lab.Config{Dom0: netip.MustParsePrefix("192.168.1.1/24")})
}

// client has little patience.
func client() *fetch.Client {
	return &fetch.Client{
		Timeout: time.Second,
		MaxSize: 1 << 30,
		TFTP:    tftpget.Client{Timeout: 200 * time.Millisecond, Retries: 2},
	}
}

// The files of every tree.
const (
	kernelSize = 3<<20 + 12345
	bigSize    = 256 << 20 // more than fits into the buffers on the way
	hugeSize   = 1 << 40   // more than anybody wants
)

// newTree is a directory with files to serve, and the sum of its kernel.
func newTree(t testing.TB) (dir, sum string) {
	t.Helper()
	dir = t.TempDir()
	for d := dir; d != "/" && d != os.TempDir(); d = filepath.Dir(d) { // servers run as others
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	kernel := make([]byte, kernelSize)
	rand.NewChaCha8([32]byte{1}).Read(kernel)
	files := map[string][]byte{"boot/kernel": kernel, "boot/empty": nil, "boot/secret": []byte("secret"), "boot/big": nil, "boot/huge": nil, "boot/a b%": []byte("odd")}
	if err := os.Mkdir(filepath.Join(dir, "boot"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, size := range map[string]int64{"boot/big": bigSize, "boot/huge": hugeSize} {
		if err := os.Truncate(filepath.Join(dir, name), size); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(dir, "boot/secret"), 0o000); err != nil {
		t.Fatal(err)
	}
	return dir, fmt.Sprintf("%x", sha256.Sum256(kernel))
}

// download returns the size and the sum of a file.
func download(t testing.TB, c *fetch.Client, url string) (int64, string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	f, err := c.Open(ctx, url)
	if err != nil {
		return 0, "", err
	}
	defer f.Close()
	sum := sha256.New()
	n, err := f.WriteTo(sum)
	return n, fmt.Sprintf("%x", sum.Sum(nil)), err
}

// wantKernel wants the whole file.
func wantKernel(t testing.TB, c *fetch.Client, url, sum string) {
	t.Helper()
	n, got, err := download(t, c, url)
	if err != nil || n != kernelSize || got != sum {
		t.Errorf("%s: %d bytes, sum %.8s, %v; want sum %.8s", url, n, got, err, sum)
	}
}

// password is what no error may show.
const password = "s3same"

// wantError wants an error of that kind, before download's context ends. A kind
// of nil is any.
func wantError(t testing.TB, c *fetch.Client, url string, kind error) {
	t.Helper()
	n, _, err := download(t, c, url)
	var e *fetch.Error
	if !errors.As(err, &e) || kind != nil && !errors.Is(err, kind) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%s: %d bytes, %v; want %v", url, n, err, kind)
		return
	}
	if strings.Contains(err.Error(), password) {
		t.Errorf("the password is in %q", err)
	}
	t.Log(err)
}

// wantDeath has the server die in the middle of a large file.
func wantDeath(t testing.TB, c *fetch.Client, url string, server *real.Process) {
	t.Helper()
	f, err := c.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n, err := f.WriteTo(&killer{after: 1 << 20, kill: server.Stop})
	if !errors.Is(err, fetch.ErrShort) && !errors.Is(err, fetch.ErrTimeout) || n >= bigSize {
		t.Errorf("%s: %d bytes, %v", url, n, err)
	}
	t.Log(err)
}

// killer is a writer that ends the server.
type killer struct {
	after int
	kill  func()
}

func (k *killer) Write(p []byte) (int, error) {
	if k.after -= len(p); k.after < 0 && k.kill != nil {
		k.kill()
		k.kill = nil
	}
	return len(p), nil
}

// wantResumed has the connection that a file comes on break once.
func wantResumed(t testing.TB, c *fetch.Client, url, sum string) {
	t.Helper()
	broken := 0
	var warnings []string
	faulty := fragile(c, func() { broken++ })
	faulty.Warn = func(text string) { warnings = append(warnings, text) }
	wantKernel(t, faulty, url, sum)
	if broken != 1 || len(warnings) != 1 {
		t.Errorf("%s: broke %d times, warnings %q", url, broken, warnings)
	}
}

// wantChanged has the file become another one while the connection is broken.
func wantChanged(t testing.TB, c *fetch.Client, url, file string) {
	t.Helper()
	wantError(t, fragile(c, func() {
		if err := os.WriteFile(file, make([]byte, kernelSize+1), 0o644); err != nil {
			t.Error(err)
		}
	}), url, fetch.ErrChanged)
}

// fragile is the client with connections of which the first that brings more
// than 1 MiB breaks, as broke is told.
func fragile(c *fetch.Client, broke func()) *fetch.Client {
	faulty := *c
	var once sync.Once
	faulty.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &fragileConn{conn, 1 << 20, func() {
			once.Do(func() {
				conn.Close()
				broke()
			})
		}}, nil
	}
	return &faulty
}

type fragileConn struct {
	net.Conn
	left int
	end  func()
}

func (f *fragileConn) Read(p []byte) (int, error) {
	if f.left <= 0 {
		f.end()
	}
	n, err := f.Conn.Read(p)
	f.left -= n
	return n, err
}

// start runs a server and returns when it answers on its TCP port.
func writeFile(t testing.TB, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// rate downloads a file and says how fast that was.
func rate(t testing.TB, c *fetch.Client, url string) {
	t.Helper()
	f, err := c.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	begin := time.Now()
	n, err := f.WriteTo(io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s: %d MiB, %.0f MB/s", url, n>>20, float64(n)/1e6/time.Since(begin).Seconds())
}
