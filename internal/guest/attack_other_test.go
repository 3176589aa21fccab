//go:build !amd64

package guest_test

import "golang.org/x/sys/unix"

const forkCall = unix.SYS_CLONE // with no flags
