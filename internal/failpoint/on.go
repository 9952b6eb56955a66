//go:build failpoints

package failpoint

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// Variable names the place at which the process is to die and how often it has to be come by: chunk-queued or
// chunk-queued:3.
const Variable = "DROVER_KILL_AT"

var (
	at   Point
	left atomic.Int64
)

func init() {
	name, times, ok := strings.Cut(os.Getenv(Variable), ":")
	n := int64(1)
	if ok {
		var err error
		if n, err = strconv.ParseInt(times, 10, 64); err != nil || n < 1 {
			panic(fmt.Sprintf("%s=%s: the number of times is not from 1", Variable, os.Getenv(Variable)))
		}
	}
	at = Point(name)
	left.Store(n)
}

// Hit kills the process when this is the place and it was come by as often as asked.
func Hit(p Point) {
	if p != at || left.Add(-1) != 0 {
		return
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {} // whoever came here goes no further
}
