package engine

import (
	"fmt"
	"strings"
	"testing"
)

func TestPlansOfManyFilesAreNotWrittenAfterEach(t *testing.T) {
	const files = 20_000
	kept, last := 0, 0
	for n := 1; n <= files; n++ {
		if !keptAt(n) {
			continue
		}
		kept++
		if n-last > max(1, n/64) {
			t.Fatalf("nothing was written between %d and %d files", last, n)
		}
		last = n
	}
	if kept > 1000 {
		t.Errorf("the plan of %d files is written %d times", files, kept)
	}
}

func TestCheckpointOfManyCodesWithLongKeysIsSmall(t *testing.T) {
	tl := newTally(checkpoint{})
	for code := range 2 * maxCodes {
		for i := range 2 * maxSamples {
			key := strings.Repeat("\x01", 1000) + fmt.Sprint(i)
			tl.add(handinRow{Failed: true, Code: fmt.Sprintf("Code%d", code), Key: []byte(key)})
			if i == maxSamples {
				tl = newTally(checkpoint{Failed: tl.failed, Codes: tl.counts()}) // as after a restart
			}
		}
	}
	size := len(encode(checkpoint{Codes: tl.counts()}))
	if size > 1<<20 {
		t.Errorf("the checkpoint takes %d bytes", size)
	}
	var sum int64
	for _, c := range tl.counts() {
		sum += c.Count
	}
	if want := int64(2 * maxCodes * 2 * maxSamples); sum != want || tl.failed != want {
		t.Errorf("%d counted by code, %d in all, want %d", sum, tl.failed, want)
	}
}
