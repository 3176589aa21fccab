//go:build amd64 || arm64

package guest

import (
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

var update = flag.Bool("update", false, "write testdata anew")

// filterMachine runs the filter as the kernel would.
type filterMachine struct {
	t  *testing.T
	vm *bpf.VM
}

func newFilterMachine(t *testing.T) filterMachine {
	vm, err := bpf.NewVM(callFilter(architecture, rules()))
	if err != nil {
		t.Fatal(err)
	}
	return filterMachine{t, vm}
}

// verdict is what the filter says to a call.
func (m filterMachine) verdict(architecture, call uint32, args ...uint32) uint32 {
	m.t.Helper()
	// struct seccomp_data, in words of the order that the machine reads.
	data := make([]byte, callArguments+6*8)
	binary.BigEndian.PutUint32(data[callNumber:], call)
	binary.BigEndian.PutUint32(data[callArchitecture:], architecture)
	for i, a := range args {
		binary.BigEndian.PutUint32(data[callArguments+8*i:], a)
	}
	result, err := m.vm.Run(data)
	if err != nil {
		m.t.Fatal(err)
	}
	return uint32(result)
}

func (m filterMachine) allows(call uint32, args ...uint32) bool {
	return m.verdict(architecture, call, args...) == unix.SECCOMP_RET_ALLOW
}

// tries are the arguments to put a call to the filter with: those that a rule
// for it names, one wrong at a time, and some of no meaning.
func tries(r rule) (right, wrong [][]uint32) {
	base := make([]uint32, 6)
	for _, a := range r.args {
		base[a.index] |= a.values[0]
	}
	with := func(i int, value uint32) []uint32 {
		args := append([]uint32(nil), base...)
		args[i] = value
		return args
	}
	right = append(right, base)
	for _, a := range r.args {
		bits := a.mask
		if bits == 0 {
			bits = ^uint32(0)
		}
		for _, v := range a.values {
			right = append(right, with(a.index, base[a.index]&^bits|v))
		}
		wrong = append(wrong, with(a.index, base[a.index]^bits))
	}
	return right, wrong
}

// Every number that a system call can have, of the list of this platform and
// beyond, is put to the filter: what it lets through is in testdata/calls.
func TestRules(t *testing.T) {
	m := newFilterMachine(t)
	byNumber := map[uint32][]rule{}
	for _, r := range rules() {
		byNumber[r.call] = append(byNumber[r.call], r)
	}
	var got strings.Builder
	for number := range uint32(2048) {
		listed := byNumber[number]
		switch {
		case number == unix.SYS_CLONE3:
			if v := m.verdict(architecture, number); v != unix.SECCOMP_RET_ERRNO|uint32(unix.ENOSYS) {
				t.Errorf("clone3: %#x", v)
			}
			continue
		case listed == nil:
			for _, args := range [][]uint32{{}, {1, 1, 1, 1, 1, 1}, {^uint32(0), ^uint32(0), ^uint32(0), ^uint32(0), ^uint32(0), ^uint32(0)}} {
				if v := m.verdict(architecture, number, args...); v != unix.SECCOMP_RET_ERRNO|uint32(unix.EPERM) {
					t.Errorf("call %d with %v: %#x", number, args, v)
				}
			}
			continue
		}
		for _, r := range listed {
			right, wrong := tries(r)
			for _, args := range right {
				if !m.allows(number, args...) {
					t.Errorf("%s%v is refused", r.name, args)
				}
			}
			for _, args := range wrong {
				if m.allows(number, args...) {
					t.Errorf("%s%v is let through", r.name, args)
				}
			}
			fmt.Fprintln(&got, describe(r))
		}
	}
	const file = "testdata/calls"
	text := sortedLines(got.String()) // numbers differ between architectures, names do not
	if *update {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), text); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// describe is a rule as testdata has it.
func describe(r rule) string {
	text := r.name
	for _, a := range r.args {
		text += fmt.Sprintf(" arg%d", a.index)
		if a.mask != 0 {
			text += fmt.Sprintf("&%#x", a.mask)
		}
		text += "="
		for i, v := range a.values {
			if i > 0 {
				text += "|"
			}
			if r.call == unix.SYS_TGKILL {
				text += "getpid()"
			} else {
				text += fmt.Sprintf("%#x", v)
			}
		}
	}
	return text
}

// What an attacker would want is refused, whatever its arguments.
func TestForbidden(t *testing.T) {
	m := newFilterMachine(t)
	for name, call := range forbiddenCalls {
		for _, args := range [][]uint32{{}, {1}, {0, 1, 2, 3, 4, 5}, {unix.CLONE_THREAD | unix.CLONE_VM | unix.CLONE_SIGHAND}} {
			if m.allows(call, args...) {
				t.Errorf("%s%v is let through", name, args)
			}
		}
	}
	for name, args := range map[string][]uint32{
		"a process":                   {unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SIGHAND},
		"fork":                        {uint32(unix.SIGCHLD)},
		"a thread with a network":     {threadFlags | unix.CLONE_NEWNET},
		"a thread with a user's name": {threadFlags | unix.CLONE_NEWUSER},
		"a pidfd":                     {threadFlags | unix.CLONE_PIDFD},
		"a thread to trace":           {threadFlags | unix.CLONE_PTRACE},
	} {
		if m.allows(unix.SYS_CLONE, args...) {
			t.Errorf("clone of %s is let through", name)
		}
	}
	for name, args := range map[string][]uint32{
		"AF_UNIX":         {unix.AF_UNIX, unix.SOCK_DGRAM, 0},
		"AF_PACKET":       {unix.AF_PACKET, unix.SOCK_RAW, 0},
		"AF_NETLINK":      {unix.AF_NETLINK, unix.SOCK_RAW, 0},
		"AF_VSOCK":        {unix.AF_VSOCK, unix.SOCK_STREAM, 0},
		"AF_ALG":          {unix.AF_ALG, unix.SOCK_SEQPACKET, 0},
		"SOCK_RAW":        {unix.AF_INET, unix.SOCK_RAW, unix.IPPROTO_UDP},
		"IPPROTO_MPTCP":   {unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP},
		"IPPROTO_ICMP":    {unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_ICMP},
		"IPPROTO_SCTP":    {unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_SCTP},
		"IPPROTO_UDPLITE": {unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_UDPLITE},
	} {
		if m.allows(unix.SYS_SOCKET, args...) {
			t.Errorf("a socket of %s is let through", name)
		}
	}
	for name, args := range map[string][]uint32{
		"PACKET_ADD_MEMBERSHIP": {3, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP},
		"PACKET_RX_RING":        {3, unix.SOL_PACKET, unix.PACKET_RX_RING},
		"SO_ATTACH_FILTER":      {3, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER},
		"SO_DETACH_FILTER":      {3, unix.SOL_SOCKET, unix.SO_DETACH_FILTER},
		"SO_ATTACH_BPF":         {3, unix.SOL_SOCKET, unix.SO_ATTACH_BPF},
		"SO_BINDTODEVICE":       {3, unix.SOL_SOCKET, unix.SO_BINDTODEVICE},
		"SO_BINDTOIFINDEX":      {3, unix.SOL_SOCKET, unix.SO_BINDTOIFINDEX},
		"TCP_ULP":               {3, unix.IPPROTO_TCP, unix.TCP_ULP},
		"IP_ADD_MEMBERSHIP":     {3, unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP},
	} {
		if m.allows(unix.SYS_SETSOCKOPT, args...) {
			t.Errorf("setsockopt %s is let through", name)
		}
	}
	if m.allows(unix.SYS_GETSOCKOPT, 3, unix.SOL_SOCKET, unix.SO_PEERCRED) || m.allows(unix.SYS_GETSOCKOPT, 3, unix.SOL_SOCKET, 77 /* SO_PEERPIDFD */) {
		t.Error("getsockopt tells of the parent")
	}
	if m.allows(unix.SYS_MMAP, 0, 4096, unix.PROT_READ|unix.PROT_EXEC, unix.MAP_PRIVATE) ||
		m.allows(unix.SYS_MMAP, 0, 4096, unix.PROT_READ, unix.MAP_SHARED) || m.allows(unix.SYS_MMAP, 0, 4096, unix.PROT_READ, unix.MAP_SHARED_VALIDATE) {
		t.Error("mmap gives memory that is shared, or that can be executed")
	}
	if m.allows(unix.SYS_MMAP, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_GROWSDOWN) ||
		m.allows(unix.SYS_MPROTECT, 0, 4096, unix.PROT_READ) {
		t.Error("memory that RLIMIT_DATA does not count is let through")
	}
	if m.allows(unix.SYS_TGKILL, 1<<30, 1, uint32(unix.SIGKILL)) {
		t.Error("tgkill of another process is let through")
	}
	for _, cmd := range []uint32{unix.F_SETOWN, unix.F_SETSIG, unix.F_SETLEASE, unix.F_NOTIFY, unix.F_ADD_SEALS, unix.F_SETPIPE_SZ, unix.F_SETLK} {
		if m.allows(unix.SYS_FCNTL, 3, cmd) {
			t.Errorf("fcntl %d is let through", cmd)
		}
	}
}

// A call of another architecture ends the child: there the numbers mean
// something else.
func TestOtherArchitecture(t *testing.T) {
	m := newFilterMachine(t)
	for name, got := range map[string]uint32{
		"i386's":  m.verdict(unix.AUDIT_ARCH_I386, unix.SYS_READ),
		"arm's":   m.verdict(unix.AUDIT_ARCH_ARM, unix.SYS_READ),
		"x32's":   m.verdict(architecture, 0x40000000|unix.SYS_READ),
		"high up": m.verdict(architecture, ^uint32(0)),
	} {
		if got != unix.SECCOMP_RET_KILL_PROCESS {
			t.Errorf("%s read: %#x", name, got)
		}
	}
}
