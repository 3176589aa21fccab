//go:build amd64 || arm64

package guest

import (
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// rules are all system calls that the child needs after Confine: those of the
// Go runtime, and of a download. Everything else is EPERM, so that what the
// next kernel brings is forbidden already.
//
// What can be done with a descriptor that is open is bounded by what is open:
// two result files, pipes and a socket to the parent, sockets for IP.
func rules() []rule {
	return slices.Concat([]rule{
		// A transfer's calls first: the filter goes through them in this order.
		{name: "recvfrom", call: unix.SYS_RECVFROM},
		{name: "sendto", call: unix.SYS_SENDTO},
		{name: "read", call: unix.SYS_READ},
		{name: "write", call: unix.SYS_WRITE},
		{name: "pread64", call: unix.SYS_PREAD64},
		{name: "pwrite64", call: unix.SYS_PWRITE64},
		{name: "futex", call: unix.SYS_FUTEX},
		{name: "epoll_pwait", call: unix.SYS_EPOLL_PWAIT},
		{name: "sched_yield", call: unix.SYS_SCHED_YIELD},
		{name: "nanosleep", call: unix.SYS_NANOSLEEP},
		{name: "clock_gettime", call: unix.SYS_CLOCK_GETTIME}, // where the vDSO can't, as in a PV dom0
		{name: "gettimeofday", call: unix.SYS_GETTIMEOFDAY},
		{name: "getrandom", call: unix.SYS_GETRANDOM},
		{name: "getpid", call: unix.SYS_GETPID},
		{name: "gettid", call: unix.SYS_GETTID},

		// Files and sockets that are open.
		{name: "close", call: unix.SYS_CLOSE},
		{name: "fstat", call: unix.SYS_FSTAT},
		{name: "fstatfs", call: unix.SYS_FSTATFS},
		{name: "lseek", call: unix.SYS_LSEEK},
		{name: "ftruncate", call: unix.SYS_FTRUNCATE},
		{name: "readv", call: unix.SYS_READV},
		{name: "writev", call: unix.SYS_WRITEV},
		// Not what gives signals, leases, seals or larger pipes.
		{name: "fcntl", call: unix.SYS_FCNTL, args: []argument{is(1, unix.F_GETFL, unix.F_SETFL, unix.F_GETFD, unix.F_SETFD, unix.F_DUPFD_CLOEXEC)}},
		{name: "epoll_create1", call: unix.SYS_EPOLL_CREATE1},
		{name: "epoll_ctl", call: unix.SYS_EPOLL_CTL},
		{name: "eventfd2", call: unix.SYS_EVENTFD2},

		// IP, by TCP and UDP: no raw, packet, netlink, vsock, crypto or MPTCP
		// sockets. The upper bits of a type are SOCK_NONBLOCK and SOCK_CLOEXEC.
		{name: "socket", call: unix.SYS_SOCKET, args: []argument{
			is(0, unix.AF_INET, unix.AF_INET6), masked(1, 0xf, unix.SOCK_STREAM, unix.SOCK_DGRAM), is(2, 0, unix.IPPROTO_TCP, unix.IPPROTO_UDP),
		}},
		{name: "bind", call: unix.SYS_BIND},
		{name: "connect", call: unix.SYS_CONNECT},
		{name: "shutdown", call: unix.SYS_SHUTDOWN},
		{name: "getsockname", call: unix.SYS_GETSOCKNAME},
		{name: "getpeername", call: unix.SYS_GETPEERNAME},
		{name: "recvmsg", call: unix.SYS_RECVMSG}, // sendmsg would pass descriptors on
	}, socketOptions(), []rule{
		// Memory: nothing that can be executed, and only what RLIMIT_DATA
		// counts, which is private, no stack, and stays writable.
		{name: "mmap", call: unix.SYS_MMAP, args: []argument{
			masked(2, unix.PROT_EXEC, 0), masked(3, unix.MAP_SHARED|unix.MAP_GROWSDOWN|unix.MAP_HUGETLB, 0),
		}},
		{name: "munmap", call: unix.SYS_MUNMAP},
		{name: "madvise", call: unix.SYS_MADVISE},
		{name: "mprotect", call: unix.SYS_MPROTECT, args: []argument{is(2, unix.PROT_READ|unix.PROT_WRITE)}}, // glibc's stacks

		// Threads, and signals to them: Go interrupts its own by SIGURG.
		{name: "clone", call: unix.SYS_CLONE, args: []argument{
			masked(0, unix.CLONE_THREAD, unix.CLONE_THREAD), masked(0, ^uint32(threadFlags), 0),
		}},
		{name: "rseq", call: unix.SYS_RSEQ}, // by glibc for each thread, in a build with cgo
		{name: "set_robust_list", call: unix.SYS_SET_ROBUST_LIST},
		{name: "tgkill", call: unix.SYS_TGKILL, args: []argument{is(0, uint32(os.Getpid()))}},
		{name: "rt_sigaction", call: unix.SYS_RT_SIGACTION},
		{name: "rt_sigprocmask", call: unix.SYS_RT_SIGPROCMASK},
		{name: "rt_sigreturn", call: unix.SYS_RT_SIGRETURN},
		{name: "sigaltstack", call: unix.SYS_SIGALTSTACK},
		{name: "restart_syscall", call: unix.SYS_RESTART_SYSCALL},
		{name: "exit", call: unix.SYS_EXIT},
		{name: "exit_group", call: unix.SYS_EXIT_GROUP},
	})
}

// threadFlags are what Go's runtime and glibc begin a thread with.
const threadFlags = unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SIGHAND | unix.CLONE_SYSVSEM | unix.CLONE_THREAD |
	unix.CLONE_SETTLS | unix.CLONE_PARENT_SETTID | unix.CLONE_CHILD_CLEARTID

// socketOptions are those that a download sets and reads. All of level
// SOL_PACKET is missing, and among the others what binds a socket to another
// interface, attaches a filter, or gives a descriptor of the parent's process.
func socketOptions() []rule {
	const level, option = 1, 2
	set := func(l uint32, options ...uint32) rule {
		return rule{"setsockopt", unix.SYS_SETSOCKOPT, []argument{is(level, l), is(option, options...)}}
	}
	get := func(l uint32, options ...uint32) rule {
		return rule{"getsockopt", unix.SYS_GETSOCKOPT, []argument{is(level, l), is(option, options...)}}
	}
	return []rule{
		set(unix.SOL_SOCKET, unix.SO_RCVTIMEO, unix.SO_SNDTIMEO, unix.SO_RCVBUF, unix.SO_SNDBUF, unix.SO_BROADCAST, unix.SO_REUSEADDR, unix.SO_KEEPALIVE),
		set(unix.IPPROTO_IP, unix.IP_RECVERR),
		set(unix.IPPROTO_IPV6, unix.IPV6_RECVERR, unix.IPV6_V6ONLY),
		set(unix.IPPROTO_TCP, unix.TCP_NODELAY, unix.TCP_KEEPIDLE, unix.TCP_KEEPINTVL, unix.TCP_KEEPCNT),
		get(unix.SOL_SOCKET, unix.SO_ERROR, unix.SO_RCVBUF, unix.SO_PROTOCOL), // the last by package unix, to read a sender's address
		get(unix.IPPROTO_IP, unix.IP_MTU),
		get(unix.IPPROTO_IPV6, unix.IPV6_MTU),
	}
}
