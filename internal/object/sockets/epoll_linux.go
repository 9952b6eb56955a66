//go:build linux && (amd64 || arm64 || riscv64 || loong64)

package sockets

import (
	"syscall"
	"unsafe"
)

// callFlags are those of each send and receive.
const callFlags = syscall.MSG_DONTWAIT | syscall.MSG_NOSIGNAL

// epollWait gives the events that have come, and does not wait for any.
func epollWait(ep uintptr, events []syscall.EpollEvent) (int, syscall.Errno) {
	for {
		n, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, ep, uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), 0, 0, 0)
		if errno != syscall.EINTR {
			return int(n), errno
		}
	}
}
