package servertest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/fetch"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
)

// ganesha exports directories, each under its own path, with a portmapper
// beside it. All but the first are for ports below 1024 only.
func ganesha(t testing.TB, l *lab.Lab, exports ...string) *lab.Process {
	t.Helper()
	rpcbind, err := lab.Program("rpcbind")
	labtest.Check(t, err)
	nfsd, err := lab.Program("ganesha.nfsd")
	labtest.Check(t, err)
	if os.Getuid() != 0 || !wholeUserNamespace(t) {
		t.Skip("nfs-ganesha opens files by handle, which only the machine's own root can (CAP_DAC_READ_SEARCH)")
	}
	root := filepath.Dir(filepath.Dir(filepath.Dir(nfsd.Path))) // of what .ci/servers unpacked, or of the system
	var conf strings.Builder
	fmt.Fprintf(&conf, `
NFS_CORE_PARAM { Protocols = 3; NFS_Port = 2049; Enable_NLM = false; Enable_RQUOTA = false; Plugins_Dir = %q; }
LOG { Default_Log_Level = EVENT; }
NFSV4 { UseGetpwnam = true; DomainName = lab; }
`, filepath.Join(root, "usr/lib/x86_64-linux-gnu/ganesha"))
	for i, export := range exports {
		fmt.Fprintf(&conf, "EXPORT { Export_Id = %d; Path = %q; Pseudo = \"/export%d\"; Access_Type = RO; Squash = Root_Squash; PrivilegedPort = %t; Attr_Expiration_Time = 0;"+
			" Protocols = 3; Transports = TCP; SecType = sys, none; FSAL { Name = VFS; } }\n", i+1, export, i, i > 0)
	}
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "ganesha.conf"), conf.String())
	passwd, err := os.ReadFile("/etc/passwd")
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "passwd"), string(passwd)+"_rpc:x:65533:65534::/:/bin/false\n")
	// rpcbind wants a user of its own, and both talk by way of /run, which the
	// lab shares with the machine.
	cmd := exec.Command("unshare", "--mount", "sh", "-ec", `
		mount -t tmpfs none /run
		mount --bind passwd /etc/passwd
		"$1" -f &
		for i in 1 2 3 4 5 6 7 8 9 10; do [ -S /run/rpcbind.sock ] || sleep 0.1; done
		exec "$2" -F -f ganesha.conf -L STDOUT -p pid`, "sh", rpcbind.Path, nfsd.Path)
	cmd.Dir = dir
	libraries := filepath.Join(root, "usr/lib/ganesha")
	for _, program := range []*exec.Cmd{rpcbind, nfsd} {
		for _, variable := range program.Env {
			if found, ok := strings.CutPrefix(variable, "LD_LIBRARY_PATH="); ok {
				libraries += ":" + found
			}
		}
	}
	cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+libraries)
	p := startCommand(t, l, 2049, cmd)
	for deadline := time.Now().Add(15 * time.Second); !strings.Contains(p.Log(), "NFS SERVER INITIALIZED"); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("nfs-ganesha does not come up:\n%s", p.Log())
		}
	}
	return p
}

func wholeUserNamespace(t testing.TB) bool {
	text, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(text))[2] == "4294967295"
}

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
	p := ganesha(t, l, dir, other)
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
	cmd, err := lab.Program("genisoimage", "-quiet", "-R", "-graft-points", "-o", filepath.Join(dir, name), "boot/kernel="+filepath.Join(dir, "boot/kernel"), "boot/large="+file)
	labtest.Check(t, err)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("genisoimage: %v\n%s", err, out)
	}
	return "/" + name
}
