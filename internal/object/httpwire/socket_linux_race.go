//go:build linux && (amd64 || arm64 || riscv64 || loong64) && race

package httpwire

import (
	"errors"
	"syscall"
)

// Under the race detector the system calls are those of package syscall, which tell it that what was written happened
// before it is read. Without that it takes each test with a server in the same process for a race.

func send(fd uintptr, p []byte) (int, syscall.Errno) { return again(syscall.Write, fd, p) }

func receive(fd uintptr, p []byte) (int, syscall.Errno) { return again(syscall.Read, fd, p) }

func again(do func(int, []byte) (int, error), fd uintptr, p []byte) (int, syscall.Errno) {
	for {
		n, err := do(int(fd), p)
		errno, bad := errors.AsType[syscall.Errno](err)
		if !bad {
			return n, 0
		}
		if errno != syscall.EINTR {
			return 0, errno
		}
	}
}
