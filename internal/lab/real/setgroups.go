package real

import (
	"os"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// pretendSetgroups makes setgroups succeed without doing anything, for this
// thread and the programs that it starts from now on. In a user namespace that
// an unprivileged user made, the kernel refuses setgroups (user_namespaces(7)),
// and servers that call it on their way to a user of their own, in.tftpd for
// one, do not start. Elsewhere nothing is changed.
func pretendSetgroups() error {
	rule, err := os.ReadFile("/proc/thread-self/setgroups")
	if err != nil || strings.TrimSpace(string(rule)) != "deny" {
		return nil // a kernel without user namespaces has no such file
	}
	filter := []unix.SockFilter{
		// The system call's number is first in struct seccomp_data.
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_SETGROUPS, Jt: 0, Jf: 1},
		// Error number 0: the call is not made, and returns 0.
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	return unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0)
}
