//go:build linux && (amd64 || arm64 || riscv64 || loong64) && !race

package sockets

import (
	"syscall"
	"unsafe"
)

const ringsAllowed = true

// call does the operation by itself, without blocking. sendto and recvfrom cost less than write and read, which are for files
// too; and the scheduler is not told that they may block, as they never do: that costs more than all of our own work on a call.
// See ADR 0004 and 0010.
func (o *operation) call() {
	trap := uintptr(syscall.SYS_RECVFROM)
	if o.send {
		trap = syscall.SYS_SENDTO
	}
	for {
		n, _, errno := syscall.RawSyscall6(trap, uintptr(o.c.fd), uintptr(unsafe.Pointer(unsafe.SliceData(o.p))), uintptr(len(o.p)), callFlags, 0, 0)
		if errno == syscall.EINTR {
			continue
		}
		if o.n, o.errno = int(n), errno; errno != 0 {
			o.n = 0
		}
		return
	}
}
