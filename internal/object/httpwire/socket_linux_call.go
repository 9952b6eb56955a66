//go:build linux && (amd64 || arm64 || riscv64 || loong64) && !race

package httpwire

import (
	"syscall"
	"unsafe"
)

func send(fd uintptr, p []byte) (int, syscall.Errno) { return call(syscall.SYS_SENDTO, fd, p) }

func receive(fd uintptr, p []byte) (int, syscall.Errno) { return call(syscall.SYS_RECVFROM, fd, p) }

// call sends or receives without blocking. These calls cost less than write and read, which are for files too. p must not
// be empty.
func call(trap, fd uintptr, p []byte) (int, syscall.Errno) {
	const flags = syscall.MSG_DONTWAIT | syscall.MSG_NOSIGNAL
	for {
		n, _, errno := syscall.RawSyscall6(trap, fd, uintptr(unsafe.Pointer(unsafe.SliceData(p))), uintptr(len(p)), flags, 0, 0)
		switch errno {
		case 0:
			return int(n), 0
		case syscall.EINTR:
		default:
			return 0, errno
		}
	}
}
