package downloads

import (
	"errors"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gopxeboot/gopxeboot/internal/fetch"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"github.com/gopxeboot/gopxeboot/internal/lab/real"
)

func TestNFS(t *testing.T) {
	l := newLab(t)
	dir, sum := newTree(t)
	other, _ := newTree(t)
	for name, target := range map[string]string{
		"link":        "boot/kernel",
		"boot/up":     "../link",
		"directory":   "boot",
		"absolute":    filepath.Join(dir, "boot/kernel"),
		"boot/system": "/etc/passwd",
		"boot/escape": "../../../../../../etc/passwd",
		"boot/other":  filepath.Join(other, "boot/kernel"), // another export
		"loop":        "boot/loop",
		"boot/loop":   "../loop",
		"nowhere":     "boot/nothing",
	} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	iso := makeISO(t, dir, "image.iso")
	p := labtest.Ganesha(t, l.Servers, dir, other)
	c := client()
	url := "nfs://" + server + dir
	for _, path := range []string{"/boot/kernel", "/link", "/boot/up", "/directory/kernel", "/directory/up", "/absolute", "//boot/./kernel"} {
		wantKernel(t, c, url+path, sum)
	}
	wantKernel(t, c, "nfs://"+server+":2049"+dir+"/boot/kernel", sum)
	if n, _, err := download(t, c, url+"/boot/a%20b%25"); n != 3 || err != nil {
		t.Errorf("a name with escapes: %d bytes, %v", n, err)
	}
	if n, _, err := download(t, c, url+"/boot/empty"); n != 0 || err != nil {
		t.Errorf("an empty file: %d bytes, %v", n, err)
	}
	for path, kind := range map[string]error{
		"/boot/missing":    fetch.ErrNotFound,
		"/missing/kernel":  fetch.ErrNotFound,
		"/boot/kernel/x":   fetch.ErrNotFound,
		"/nowhere":         fetch.ErrNotFound,
		"/loop":            fetch.ErrNotFound,
		"/boot/secret":     fetch.ErrRefused,
		"/boot":            fetch.ErrRefused,
		"/boot/":           fetch.ErrRefused,
		"/directory":       fetch.ErrRefused,
		"/boot/system":     fetch.ErrRefused,
		"/boot/escape":     fetch.ErrRefused,
		"/boot/other":      fetch.ErrRefused,
		"/../../etc/hosts": nil,
		"/boot/huge":       fetch.ErrTooBig,
	} {
		wantError(t, c, url+path, kind)
	}
	wantError(t, c, "nfs://"+server+"/etc/passwd", fetch.ErrRefused)
	wantKernel(t, c, "nfs://"+server+other+"/boot/kernel", sum)
	unprivileged := client()
	unprivileged.Dial = new(net.Dialer).DialContext
	if _, _, err := download(t, unprivileged, "nfs://"+server+other+"/boot/kernel"); !errors.Is(err, fetch.ErrRefused) || !strings.Contains(err.Error(), "insecure") {
		t.Errorf("from a port above 1023: %v", err)
	}
	wantError(t, c, "nfs://"+nobody+dir+"/boot/kernel", nil)
	wantResumed(t, c, url+"/boot/kernel", sum)
	rate(t, c, url+"/large")
	for _, image := range []string{url + iso, url + "/boot/../" + iso} {
		wantKernel(t, c, image+"!/boot/kernel", sum)
	}
	wantResumed(t, c, url+iso+"!/boot/kernel", sum)
	rate(t, c, url+iso+"!/boot/large")
	wantError(t, c, url+iso+"!/boot/missing", fetch.ErrNotFound)
	wantError(t, c, url+iso+"!/boot", fetch.ErrRefused)
	wantError(t, c, url+"/boot/missing.iso!/boot/kernel", fetch.ErrNotFound)
	wantError(t, c, url+"/boot/kernel!/boot/kernel", fetch.ErrUnsupported)
	wantChanged(t, c, url+"/boot/kernel", filepath.Join(dir, "boot/kernel"))
	wantDeath(t, c, url+"/boot/big", p)
}

// makeISO puts an image of a tree's kernel and of a larger file into the tree,
// beside the larger file.
func makeISO(t testing.TB, dir, name string) string {
	t.Helper()
	large := make([]byte, 128<<20)
	rand.NewChaCha8([32]byte{2}).Read(large)
	file := filepath.Join(dir, "large")
	if err := os.WriteFile(file, large, 0o644); err != nil {
		t.Fatal(err)
	}
	cmd, err := real.Program("genisoimage", "-quiet", "-R", "-graft-points", "-o", filepath.Join(dir, name), "boot/kernel="+filepath.Join(dir, "boot/kernel"), "boot/large="+file)
	labtest.Check(t, err)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("genisoimage: %v\n%s", err, out)
	}
	return "/" + name
}
