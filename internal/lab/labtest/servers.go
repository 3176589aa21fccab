package labtest

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/lab"
)

// Start starts a server on a host, and returns when it listens on the port.
func Start(t testing.TB, h *lab.Host, cmd *exec.Cmd, port uint16) *lab.Process {
	t.Helper()
	p, err := h.Start(cmd)
	Check(t, err)
	address := netip.AddrPortFrom(h.Address.Addr(), port).String()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		err := h.Do(func() error {
			conn, err := net.Dial("tcp4", address)
			if err == nil {
				conn.Close()
			}
			return err
		})
		if err == nil {
			return p
		}
		select {
		case <-p.Done():
			t.Fatalf("%s ended: %s", cmd.Path, p.Log())
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s: %v: %s", cmd.Path, err, p.Log())
		}
	}
}

// Ganesha starts nfs-ganesha on a host, which exports each directory by NFSv3
// under its own path, with rpcbind beside it. All directories but the first are
// for clients with ports below 1024 only. The test is skipped where it can't
// run.
func Ganesha(t testing.TB, h *lab.Host, exports ...string) *lab.Process {
	t.Helper()
	rpcbind, err := lab.Program("rpcbind")
	Check(t, err)
	nfsd, err := lab.Program("ganesha.nfsd")
	Check(t, err)
	NeedRoot(t, "nfs-ganesha opens files by handle (CAP_DAC_READ_SEARCH)")
	root := filepath.Dir(filepath.Dir(filepath.Dir(nfsd.Path))) // of what .ci/servers unpacked, or of the system
	plugins, err := filepath.Glob(filepath.Join(root, "usr/lib/*/ganesha"))
	Check(t, err)
	var conf strings.Builder
	fmt.Fprintf(&conf, `
NFS_CORE_PARAM { Protocols = 3; NFS_Port = 2049; Enable_NLM = false; Enable_RQUOTA = false; Plugins_Dir = %q; }
LOG { Default_Log_Level = EVENT; }
NFSV4 { UseGetpwnam = true; DomainName = lab; }
`, strings.Join(plugins, ""))
	for i, export := range exports {
		fmt.Fprintf(&conf, "EXPORT { Export_Id = %d; Path = %q; Pseudo = \"/export%[1]d\"; Access_Type = RO; Squash = Root_Squash; PrivilegedPort = %[3]t;"+
			" Attr_Expiration_Time = 0; Protocols = 3; Transports = TCP; SecType = sys, none; FSAL { Name = VFS; } }\n", i+1, export, i > 0)
	}
	dir := t.TempDir()
	Check(t, os.WriteFile(filepath.Join(dir, "ganesha.conf"), []byte(conf.String()), 0o644))
	makeEtc(t, filepath.Join(dir, "etc"))
	// Both talk by way of /run, which the lab shares with the machine. Exports
	// are mounted because nfs-ganesha looks in /etc/mtab for their file systems,
	// and a chroot's root does not stand there.
	cmd := exec.Command("unshare", append([]string{"--mount", "--propagation=unchanged", "sh", "-ec", `
		mount -t tmpfs none /run
		mount --bind etc /etc
		rpcbind=$1 nfsd=$2
		shift 2
		for export; do mount --bind "$export" "$export"; done
		"$rpcbind" -f &
		for i in 1 2 3 4 5 6 7 8 9 10; do [ -S /run/rpcbind.sock ] || sleep 0.1; done
		exec "$nfsd" -F -f ganesha.conf -L STDOUT -p pid`, "sh", rpcbind.Path, nfsd.Path}, exports...)...)
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
	p := Start(t, h, cmd, 2049)
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(p.Log(), "NFS SERVER INITIALIZED"); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("nfs-ganesha does not come up: %s", p.Log())
		}
	}
	if log := p.Log(); strings.Contains(log, "resolve_posix_filesystem") {
		t.Fatalf("nfs-ganesha finds no file system to export: %s", log)
	}
	return p
}

// makeEtc makes the /etc that rpcbind and nfs-ganesha need, whatever this
// machine has: a minimal one lacks services, without which rpcbind registers
// nothing, and mtab; and rpcbind becomes a user of its own.
func makeEtc(t testing.TB, dir string) {
	t.Helper()
	Check(t, os.Mkdir(dir, 0o755))
	Check(t, os.Symlink("/proc/self/mounts", filepath.Join(dir, "mtab")))
	for name, content := range map[string]string{
		"services":  "sunrpc 111/tcp portmapper\nsunrpc 111/udp portmapper\n",
		"netconfig": "udp tpi_clts v inet udp - -\ntcp tpi_cots_ord v inet tcp - -\nlocal tpi_cots_ord - loopback - - -\n",
		"passwd":    "root:x:0:0::/:/bin/sh\n_rpc:x:65533:65534::/:/bin/false\nnobody:x:65534:65534::/:/bin/false\n",
		"group":     "root:x:0:\nnogroup:x:65534:\n",
	} {
		Check(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	}
}

// NeedRoot skips a test for what only the machine's own root can do, and not one
// of a user namespace.
func NeedRoot(t testing.TB, what string) {
	t.Helper()
	text, err := os.ReadFile("/proc/self/uid_map")
	Check(t, err)
	fields := strings.Fields(string(text))
	if os.Getuid() != 0 || len(fields) != 3 || fields[2] != "4294967295" {
		t.Skipf("%s, which only the machine's own root can", what)
	}
}
