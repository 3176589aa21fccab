package guest

import (
	"runtime"
	"slices"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// rule lets one system call through, if every argument that it names is as it
// says. Of several rules for a call one is enough.
type rule struct {
	name string
	call uint32
	args []argument
}

// argument is a condition on the lower half of an argument, which is all that
// the kernel looks at where the rules look: ints, and flags below 32 bits.
type argument struct {
	index  int
	mask   uint32 // 0 is all bits
	values []uint32
}

// is says that argument i, counted from 0, is one of these.
func is(i int, values ...uint32) argument { return argument{i, 0, values} }

// masked says the same of some of its bits.
func masked(i int, mask uint32, values ...uint32) argument { return argument{i, mask, values} }

// The offsets in struct seccomp_data (linux/seccomp.h).
const (
	callNumber       = 0
	callArchitecture = 4
	callArguments    = 16 // of 64 bits each; on a little-endian machine the lower half is first
)

// callFilter is the rules as a program for seccomp(2).
func callFilter(architecture uint32, rules []rule) []bpf.Instruction {
	const highBit = 0x40000000 // of the numbers of amd64's x32 calls
	refuse := func(e unix.Errno) bpf.Instruction {
		return bpf.RetConstant{Val: unix.SECCOMP_RET_ERRNO | uint32(e)}
	}
	// A number means another call there: no such call comes by mistake.
	kill := bpf.RetConstant{Val: unix.SECCOMP_RET_KILL_PROCESS}
	f := []bpf.Instruction{
		bpf.LoadAbsolute{Off: callArchitecture, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpEqual, Val: architecture, SkipTrue: 1},
		kill,
		bpf.LoadAbsolute{Off: callNumber, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpLessThan, Val: highBit, SkipTrue: 1},
		kill,
		// Its flags are where a filter can't see them. Go's runtime does not
		// use it, and glibc takes clone when it is not there.
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.SYS_CLONE3, SkipTrue: 1},
		refuse(unix.ENOSYS),
	}
	for _, r := range rules {
		body := []bpf.Instruction{bpf.RetConstant{Val: unix.SECCOMP_RET_ALLOW}}
		for _, a := range slices.Backward(r.args) {
			body = append(a.check(len(body)+1), body...)
		}
		if len(r.args) > 0 {
			body = append(body, bpf.LoadAbsolute{Off: callNumber, Size: 4}) // for the next rule
		}
		f = append(f, bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: r.call, SkipTrue: uint8(len(body))})
		f = append(f, body...)
	}
	return append(f, refuse(unix.EPERM))
}

// check goes on if the argument is as wanted, and else jumps to the last of so
// many instructions that follow.
func (a argument) check(left int) []bpf.Instruction {
	f := []bpf.Instruction{bpf.LoadAbsolute{Off: callArguments + 8*uint32(a.index), Size: 4}}
	if a.mask != 0 {
		f = append(f, bpf.ALUOpConstant{Op: bpf.ALUOpAnd, Val: a.mask})
	}
	for i, v := range a.values {
		f = append(f, bpf.JumpIf{Cond: bpf.JumpEqual, Val: v, SkipTrue: uint8(len(a.values) - i)})
	}
	return append(f, bpf.Jump{Skip: uint32(left - 1)})
}

// Filtered says whether Confine leaves the child the calls of rules only. It
// does on amd64 and arm64, where dom0s are; elsewhere there is no such list.
const Filtered = architecture != 0

// withoutSockets leaves out what makes a socket.
func withoutSockets(rules []rule) []rule {
	return slices.DeleteFunc(rules, func(r rule) bool { return r.call == unix.SYS_SOCKET })
}

// filterCalls sets the filter for good, on every thread (TSYNC).
func filterCalls(rules []rule) error {
	if !Filtered {
		return nil
	}
	program, err := bpf.Assemble(callFilter(architecture, rules))
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
