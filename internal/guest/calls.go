package guest

import (
	"runtime"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// forbidden are the system calls that a process which was taken over could
// make something of: they start others, reach into others, or lead to parts of
// the kernel that have had more than their share of holes. A Go program that
// has opened its files needs none of them.
var forbidden = []uint32{
	unix.SYS_EXECVE, unix.SYS_EXECVEAT, unix.SYS_UNSHARE, unix.SYS_SETNS,
	unix.SYS_PTRACE, unix.SYS_PROCESS_VM_READV, unix.SYS_PROCESS_VM_WRITEV,
	unix.SYS_BPF, unix.SYS_PERF_EVENT_OPEN, unix.SYS_USERFAULTFD,
	unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER,
	unix.SYS_KEYCTL, unix.SYS_ADD_KEY, unix.SYS_REQUEST_KEY,
	unix.SYS_MOUNT, unix.SYS_UMOUNT2, unix.SYS_PIVOT_ROOT, unix.SYS_CHROOT, unix.SYS_OPEN_BY_HANDLE_AT,
}

// architectures are the AUDIT_ARCH values of linux/audit.h: a call's number
// means another call on another architecture.
var architectures = map[string]uint32{
	"amd64": 0xc000003e, "arm64": 0xc00000b7, "riscv64": 0xc00000f3,
}

// The offsets in struct seccomp_data (linux/seccomp.h), of the lower half of
// the first argument on a little-endian machine.
const (
	callNumber       = 0
	callArchitecture = 4
	firstArgument    = 16
)

// filterCalls forbids calls for good, on every thread (TSYNC). On an architecture that
// is not known here it does nothing.
func filterCalls() error {
	architecture, ok := architectures[runtime.GOARCH]
	if !ok {
		return nil
	}
	program, err := bpf.Assemble(callFilter(architecture))
	if err != nil {
		return err
	}
	filter := make([]unix.SockFilter, len(program))
	for i, p := range program {
		filter[i] = unix.SockFilter{Code: p.Op, Jt: p.Jt, Jf: p.Jf, K: p.K}
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog)))
	runtime.KeepAlive(filter)
	if errno != 0 {
		return errno
	}
	return nil
}

// callFilter answers EPERM for what is forbidden. New sockets are for IP only,
// new processes are threads only; clone3, whose flags a filter can't see, is
// not there (ENOSYS), and the Go runtime does without.
func callFilter(architecture uint32) []bpf.Instruction {
	const highBit = 0x40000000 // of the numbers of amd64's x32 calls
	yes := bpf.RetConstant{Val: unix.SECCOMP_RET_ALLOW}
	no := bpf.RetConstant{Val: unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)}
	absent := bpf.RetConstant{Val: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)}
	f := []bpf.Instruction{
		bpf.LoadAbsolute{Off: callArchitecture, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: architecture, SkipTrue: 1},
		no,
		bpf.LoadAbsolute{Off: callNumber, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpLessThan, Val: highBit, SkipTrue: 1},
		no,
	}
	for _, call := range forbidden {
		f = append(f, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: call, SkipTrue: 1}, no)
	}
	return append(f,
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.SYS_CLONE3, SkipTrue: 1}, absent,

		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.SYS_CLONE, SkipTrue: 4},
		bpf.LoadAbsolute{Off: firstArgument, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpBitsSet, Val: unix.CLONE_THREAD, SkipTrue: 1},
		no,
		yes,

		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.SYS_SOCKET, SkipTrue: 4},
		bpf.LoadAbsolute{Off: firstArgument, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.AF_INET, SkipTrue: 2},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: unix.AF_INET6, SkipTrue: 1},
		no,
		yes,
	)
}
