//go:build linux && (amd64 || arm64 || riscv64 || loong64) && race

package sockets

import (
	"errors"
	"syscall"
)

// Under the race detector the system calls are those of package syscall, which tell it that what was written happened before it
// is read. Without that it takes each test with a server in the same process for a race.
const ringsAllowed = false

func (o *operation) call() {
	do := syscall.Read
	if o.send {
		do = syscall.Write
	}
	for {
		n, err := do(o.c.fd, o.p)
		errno, bad := errors.AsType[syscall.Errno](err)
		if errno == syscall.EINTR {
			continue
		}
		if o.n, o.errno = n, errno; bad {
			o.n = 0
		}
		return
	}
}
