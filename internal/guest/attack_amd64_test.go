package guest_test

import "golang.org/x/sys/unix"

const forkCall = unix.SYS_FORK
