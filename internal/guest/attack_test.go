package guest_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"github.com/gopxeboot/gopxeboot/internal/guest"
	"github.com/gopxeboot/gopxeboot/internal/lab"
	"github.com/gopxeboot/gopxeboot/internal/lab/labtest"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// attacks are what code tries that has taken the child over. Each returns nil
// if it went well, and is made so that nothing bad comes of that but a failed
// test.
func attacks(secret string) map[string]func() error {
	socket := func(domain, kind, protocol int) func() error {
		return func() error {
			fd, err := unix.Socket(domain, kind, protocol)
			if err == nil {
				unix.Close(fd)
			}
			return err
		}
	}
	call := func(number uintptr, args ...uintptr) func() error {
		return func() error {
			args := append(args, 0, 0, 0, 0, 0, 0)
			pid, _, errno := syscall.RawSyscall6(number, args[0], args[1], args[2], args[3], args[4], args[5])
			if (number == unix.SYS_CLONE || number == forkCall) && errno == 0 && pid == 0 {
				select {} // the process that should not be
			}
			if errno != 0 {
				return errno
			}
			return nil
		}
	}
	dir := filepath.Dir(secret)
	return map[string]func() error{
		"read a file":        func() error { _, err := os.ReadFile(secret); return err },
		"make a file":        func() error { return os.WriteFile(filepath.Join(dir, "new"), nil, 0o600) },
		"remove a file":      func() error { return unix.Unlinkat(unix.AT_FDCWD, secret, 0) },
		"rename a file":      func() error { return unix.Renameat(unix.AT_FDCWD, secret, unix.AT_FDCWD, secret+"2") },
		"link a file":        func() error { return unix.Linkat(unix.AT_FDCWD, secret, unix.AT_FDCWD, secret+"3", 0) },
		"list a directory":   func() error { _, err := os.ReadDir("/"); return err },
		"run a program":      func() error { return exec.Command("/bin/true").Run() },
		"become root":        func() error { return unix.Setresuid(0, 0, 0) },
		"fork":               call(forkCall),
		"clone":              call(unix.SYS_CLONE, uintptr(unix.SIGCHLD)),
		"unshare":            func() error { return unix.Unshare(unix.CLONE_NEWUSER) },
		"setns":              func() error { return unix.Setns(0, 0) },
		"mount":              func() error { return unix.Mount("x", "/", "tmpfs", 0, "") },
		"ptrace":             call(unix.SYS_PTRACE, unix.PTRACE_TRACEME),
		"outlive the parent": func() error { return unix.Prctl(unix.PR_SET_PDEATHSIG, 0, 0, 0, 0) },
		"signal the parent":  call(unix.SYS_KILL, uintptr(os.Getppid())),
		"pidfd_open":         func() error { _, err := unix.PidfdOpen(1, 0); return err },
		"io_uring":           call(unix.SYS_IO_URING_SETUP, 1),
		"keyring":            call(unix.SYS_KEYCTL, unix.KEYCTL_GET_KEYRING_ID),
		"bpf":                call(unix.SYS_BPF),
		"memfd_create":       func() error { _, err := unix.MemfdCreate("x", 0); return err },
		"shmget":             call(unix.SYS_SHMGET, unix.IPC_PRIVATE, 1<<20, 0o600),
		"semget":             call(unix.SYS_SEMGET, unix.IPC_PRIVATE, 1, 0o600),
		"msgget":             call(unix.SYS_MSGGET, unix.IPC_PRIVATE, 0o600),
		"mq_open":            call(unix.SYS_MQ_OPEN),
		"fallocate":          func() error { return unix.Fallocate(5, unix.FALLOC_FL_KEEP_SIZE, 0, 1<<20) },
		"shared memory": func() error {
			_, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ, unix.MAP_SHARED|unix.MAP_ANON)
			return err
		},
		"code": func() error {
			_, err := unix.Mmap(-1, 0, 4096, unix.PROT_EXEC, unix.MAP_PRIVATE|unix.MAP_ANON)
			return err
		},
		"socketpair":        func() error { _, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM, 0); return err },
		"Unix socket":       func() error { _, err := net.Dial("unix", secret+".socket"); return err },
		"abstract socket":   func() error { _, err := net.Dial("unix", "@"+secret); return err },
		"packet socket":     socket(unix.AF_PACKET, unix.SOCK_RAW, 0),
		"netlink socket":    socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE),
		"vsock":             socket(unix.AF_VSOCK, unix.SOCK_STREAM, 0),
		"kernel's ciphers":  socket(unix.AF_ALG, unix.SOCK_SEQPACKET, 0),
		"raw IP":            socket(unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_UDP),
		"MPTCP":             socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP),
		"another interface": onSocket(func(fd int) error { return unix.SetsockoptString(fd, unix.SOL_SOCKET, unix.SO_BINDTODEVICE, "lo") }),
		"multicast": onSocket(func(fd int) error {
			return unix.SetsockoptIPMreq(fd, unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP, &unix.IPMreq{Multiaddr: [4]byte{224, 0, 0, 251}})
		}),
		"much memory": func() error {
			memory, err := unix.Mmap(-1, 0, 600<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
			if err == nil {
				unix.Munmap(memory)
			}
			return err
		},
		"memory as a stack": func() error {
			_, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_GROWSDOWN)
			return err
		},
		"memory made read-only": func() error {
			memory, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
			if err == nil {
				err = unix.Mprotect(memory, unix.PROT_READ)
			}
			return err
		},
		"page tables": func() error { // what is read has none of RLIMIT_DATA
			tebi := 40 // no constant: where an int has 32 bits the length is 0, and refused
			_, err := unix.Mmap(-1, 0, 8<<tebi, unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
			return err
		},
		"a name of dom0's": func() error { // on a socket to the parent, which is in dom0's network
			for fd := range 32 {
				if name, err := unix.Getsockname(fd); err == nil {
					if _, ok := name.(*unix.SockaddrUnix); ok {
						return unix.Bind(fd, &unix.SockaddrUnix{Name: "@gopxeboot taken"})
					}
				}
			}
			return unix.EINVAL
		},
		"many sockets": func() (err error) {
			var fds []int
			for range 64 {
				var fd int
				if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0); err != nil {
					break
				}
				fds = append(fds, fd)
			}
			for _, fd := range fds {
				unix.Close(fd)
			}
			return err
		},
		"reserved port": onSocket(func(fd int) error { return unix.Bind(fd, &unix.SockaddrInet4{Port: 600}) }),
		"a large file": func() error {
			_, err := unix.Pwrite(5, []byte("x"), 1<<20)
			return err
		},
	}
}

func onSocket(do func(fd int) error) func() error {
	return func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		return do(fd)
	}
}

// What a child can do that was taken over by what it read: nothing but write
// to what it was given, and speak IP.
func TestConfined(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("dom0's"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(secret), 0o777); err != nil { // so that only the sandbox is in the way
		t.Fatal(err)
	}
	abstract, err := net.Listen("unix", "@"+secret) // of dom0's network namespace
	if err != nil {
		t.Fatal(err)
	}
	defer abstract.Close()
	named, err := net.Listen("unix", secret+".socket")
	if err != nil {
		t.Fatal(err)
	}
	defer named.Close()
	for _, network := range []guest.Net{guest.Own, guest.Dom0} {
		t.Run(string(network), func(t *testing.T) {
			result, err := os.CreateTemp(t.TempDir(), "result")
			if err != nil {
				t.Fatal(err)
			}
			g := start(t, guest.Spec{MAC: mac, Bridge: l.Bridge(), Net: network, Files: []*os.File{result}, MaxFile: 1 << 20})
			r := do(t, g, order{Confine: true, Try: secret, Write: true})
			want := map[string]string{
				"much memory": "ENOMEM", "page tables": "ENOMEM", "a name of dom0's": "EINVAL", "many sockets": "EMFILE", "a large file": "EFBIG", "reserved port": "EACCES", "result": "allowed",
			}
			if network == guest.Own {
				want["reserved port"] = "allowed" // NFS servers want to see one
			}
			for name := range attacks(secret) {
				if want[name] == "" {
					want[name] = "EPERM"
				}
			}
			if diff := cmp.Diff(want, r.Errors); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapAmb"} {
				if r.Status[set] != "0000000000000000" {
					t.Errorf("%s is %s", set, r.Status[set])
				}
			}
			if r.Status["NoNewPrivs"] != "1" || r.Status["Seccomp"] != "2" {
				t.Errorf("no new privileges: %s, seccomp: %s", r.Status["NoNewPrivs"], r.Status["Seccomp"])
			}
			if text, _ := os.ReadFile(result.Name()); string(text) != "kernel" {
				t.Errorf("the result is %q", text)
			}
			outside(t, g)
		})
	}
}

// outside looks at a confined child from dom0.
func outside(t *testing.T, g *guest.Guest) {
	t.Helper()
	proc := func(pid, name string) string { return filepath.Join("/proc", pid, name) }
	child := strconv.Itoa(g.Pid())
	for _, ns := range []string{"pid", "ipc", "mnt"} {
		ours, err := os.Readlink(proc("self", "ns/"+ns))
		if err != nil {
			t.Fatal(err)
		}
		if theirs, err := os.Readlink(proc(child, "ns/"+ns)); err != nil || theirs == ours {
			t.Errorf("the child's %s namespace is ours (%v)", ns, err)
		}
	}
	root, err := os.ReadDir(proc(child, "root"))
	if err != nil || len(root) != 0 {
		t.Errorf("the child's root directory has %v (%v)", root, err)
	}
	mounts, err := os.ReadFile(proc(child, "mountinfo"))
	if n := strings.Count(string(mounts), "\n"); err != nil || n != 1 || !strings.Contains(string(mounts), " ro,") {
		t.Errorf("the child has %d mounts (%v):\n%s", n, err, mounts)
	}
	if score, err := os.ReadFile(proc(child, "oom_score_adj")); err != nil || strings.TrimSpace(string(score)) != "1000" {
		t.Errorf("oom_score_adj is %s (%v)", score, err)
	}
	uidMap, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Fields(string(uidMap))[2] != "4294967295" {
		return // a user namespace that lacks the child's own uid
	}
	var stat unix.Stat_t
	if err := unix.Stat(proc(child, ""), &stat); err != nil {
		t.Fatal(err)
	}
	status, err := os.ReadFile(proc(child, "status"))
	if err != nil || !strings.Contains(string(status), "Uid:\t201") {
		t.Errorf("the child's uid: %s (%v)", status, err)
	}
	limits, err := os.ReadFile(proc(child, "limits"))
	if err != nil || !strings.Contains(strings.Join(strings.Fields(string(limits)), " "), "Max processes 64 64") {
		t.Errorf("the child's limits: %s (%v)", limits, err)
	}
}

// When Close returns, the child and all that it could have started are gone:
// what is checked then stays as it is.
func TestGoneAfterClose(t *testing.T) {
	l := labtest.New(t, lab.Config{})
	g := start(t, guest.Spec{MAC: mac, Bridge: l.Bridge(), Net: guest.Own})
	do(t, g, order{Confine: true})
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(g.Pid(), 0); err != syscall.ESRCH {
		t.Errorf("the child: %v", err)
	}
}

// onlyConfine is the environment variable that makes this program a parent that
// confines a child and says what came of it.
const onlyConfine = "GUEST_TEST_CONFINE"

func startAndConfine() {
	if err := guest.CloseOnExec(); err != nil {
		fmt.Println(err)
	}
	g, err := guest.Start(context.Background(), guest.Spec{Net: guest.None})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer g.Close()
	var r report
	if g.Send(order{List: true, Confine: true}) != nil || g.Receive(&r) != nil {
		fmt.Println("the child is gone")
	}
	fmt.Printf("%s\n%s\n", r.Errors["confine"], strings.Join(r.Descriptors, "\n"))
}

// A limit that is too low already is named, one that is low stays.
func TestLowLimits(t *testing.T) {
	labtest.New(t, lab.Config{})
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for limit, want := range map[string]string{"-n 40": "", "-n 20": "this process may have 20 files open, and a boot needs 40: raise it for the toolstack (ulimit -n)"} {
		cmd := exec.Command("/bin/sh", "-c", "ulimit "+limit+`; exec "$0"`, self)
		cmd.Env = append(os.Environ(), onlyConfine+"=1")
		out, err := cmd.CombinedOutput()
		if said, _, _ := strings.Cut(string(out), "\n"); err != nil || said != want {
			t.Errorf("ulimit %s: %q (%v), want %q", limit, said, err, want)
		}
	}
}

// A kernel without close_range (before 5.9) leaves the child nothing of what
// the toolstack left open either.
func TestOldKernel(t *testing.T) {
	labtest.New(t, lab.Config{})
	inherited, err := os.Create(filepath.Join(t.TempDir(), "inherited"))
	if err != nil {
		t.Fatal(err)
	}
	defer inherited.Close()
	for _, mode := range []string{"", oldKernel} {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), onlyConfine+"=1", mode+"=1")
		cmd.ExtraFiles = []*os.File{inherited}
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "pipe:") || strings.Contains(string(out), inherited.Name()) || out[0] != '\n' {
			t.Errorf("with %q: %v, the child had\n%s", mode, err, out)
		}
	}
}

// oldKernel is the environment variable that makes this program start itself
// again, without it, as on a kernel that lacks close_range and landlock.
const oldKernel = "GUEST_TEST_OLD_KERNEL"

func onOldKernel() {
	runtime.LockOSThread()
	program, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadAbsolute{Off: 0, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.SYS_CLOSE_RANGE, SkipTrue: 3},
		bpf.JumpIf{Cond: bpf.JumpLessThan, Val: unix.SYS_LANDLOCK_CREATE_RULESET, SkipTrue: 1},
		bpf.JumpIf{Cond: bpf.JumpLessOrEqual, Val: unix.SYS_LANDLOCK_RESTRICT_SELF, SkipTrue: 1},
		bpf.RetConstant{Val: unix.SECCOMP_RET_ALLOW},
		bpf.RetConstant{Val: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)},
	})
	if err != nil {
		panic(err)
	}
	filter := make([]unix.SockFilter, len(program))
	for i, p := range program {
		filter[i] = unix.SockFilter{Code: p.Op, Jt: p.Jt, Jf: p.Jf, K: p.K}
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		panic(err)
	}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&prog)), 0, 0); err != nil {
		panic(err)
	}
	os.Unsetenv(oldKernel)
	panic(syscall.Exec("/proc/self/exe", os.Args, os.Environ()))
}
