package guest

import "golang.org/x/sys/unix"

// architecture is seccomp's name for this one: a call's number means another
// call on another architecture.
const architecture = unix.AUDIT_ARCH_AARCH64
