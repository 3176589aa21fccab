package labtest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/real"
)

// patience bounds how long a server may take to come up.
const patience = 20 * time.Second

// Start starts a server on a host, and returns when it listens on the TCP port.
func Start(t testing.TB, h *lab.Host, cmd *exec.Cmd, port int) *real.Process {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return Started(t, h)(real.StartListening(ctx, h, cmd, port))
}

// Until starts a program on a host, and returns when it has printed the text.
func Until(t testing.TB, h *lab.Host, text, program string, args ...string) *real.Process {
	t.Helper()
	return UntilPrinted(t, h, text, Program(t, program, args...))
}

// UntilPrinted is Until for a command.
func UntilPrinted(t testing.TB, h *lab.Host, text string, cmd *exec.Cmd) *real.Process {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return Started(t, h)(real.StartUntil(ctx, h, cmd, text))
}

// Started takes what starting a server on that host returns. When the test
// fails, the server's log is shown.
func Started(t testing.TB, h *lab.Host) func(*real.Process, error) *real.Process {
	return func(p *real.Process, err error) *real.Process {
		t.Helper()
		Check(t, err)
		t.Cleanup(func() {
			if t.Failed() {
				t.Logf("on %s:\n%s", h.Name, p.Log())
			}
		})
		return p
	}
}

// Dnsmasq starts dnsmasq on a host with these arguments only, beside those that
// keep it alone, and returns when it has started.
func Dnsmasq(t testing.TB, h *lab.Host, args ...string) *real.Process {
	t.Helper()
	return Until(t, h, "started, version", "dnsmasq", append([]string{
		"--keep-in-foreground", "--user=root", "--group=root", "--conf-file=/dev/null", "--port=0", "--no-ping",
		"--log-facility=-", "--log-dhcp", "--dhcp-authoritative", "--dhcp-leasefile=" + filepath.Join(TempDir(t), "leases"), "--pid-file=",
	}, args...)...)
}

// DHCPD starts ISC dhcpd on an interface of a host's, with this dhcpd.conf, and
// returns when it is ready.
func DHCPD(t testing.TB, h *lab.Host, ifname, conf string) *real.Process {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return Started(t, h)(real.DHCPDWith(ctx, h, ifname, conf))
}

// Kea starts Kea on a host with these members of Dhcp4, as JSON, beside those
// that keep it alone, and returns when it is ready.
func Kea(t testing.TB, h *lab.Host, members string) *real.Process {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	return Started(t, h)(real.KeaWith(ctx, h, members))
}

// Logged waits until a server has printed the text.
func Logged(t testing.TB, p *real.Process, text string) {
	t.Helper()
	Eventually(t, fmt.Sprintf("the server prints %q", text), func() bool { return strings.Contains(p.Log(), text) })
}

// Eventually waits until ok, for what no event tells of.
func Eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// Ganesha starts nfs-ganesha on a host, which exports each directory by NFSv3
// under its own path, with rpcbind beside it. All directories but the first are
// for clients with ports below 1024 only. The test is skipped where it can't
// run.
func Ganesha(t testing.TB, h *lab.Host, exports ...string) *real.Process {
	t.Helper()
	rpcbind, err := real.Program("rpcbind")
	Check(t, err)
	nfsd, err := real.Program("ganesha.nfsd")
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
	Logged(t, p, "NFS SERVER INITIALIZED")
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
