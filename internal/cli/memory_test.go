package cli

import (
	"testing"
	"testing/fstest"
)

func TestMemoryOfTheControlGroup(t *testing.T) {
	t.Parallel()
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	for name, tc := range map[string]struct {
		root fstest.MapFS
		want int64
	}{
		"no groups":   {fstest.MapFS{}, 0},
		"version 1":   {fstest.MapFS{"proc/self/cgroup": file("4:memory:/a\n"), "sys/fs/cgroup/memory.max": file("5\n")}, 0},
		"unbounded":   {fstest.MapFS{"proc/self/cgroup": file("0::/a\n"), "sys/fs/cgroup/a/memory.max": file("max\n")}, 0},
		"its own":     {fstest.MapFS{"proc/self/cgroup": file("0::/a\n"), "sys/fs/cgroup/a/memory.max": file("1073741824\n")}, 1 << 30},
		"a container": {fstest.MapFS{"proc/self/cgroup": file("0::/\n"), "sys/fs/cgroup/memory.max": file("4096\n")}, 4096},
		"the one above": {fstest.MapFS{
			"proc/self/cgroup": file("0::/a/b\n"), "sys/fs/cgroup/a/memory.max": file("100\n"), "sys/fs/cgroup/a/b/memory.max": file("200\n"),
		}, 100},
	} {
		if got := groupMemory(tc.root); got != tc.want {
			t.Errorf("%s: %d, want %d", name, got, tc.want)
		}
	}
}
