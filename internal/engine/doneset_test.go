package engine

import (
	"testing"

	"pgregory.net/rapid"
)

func TestDoneSetIsASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := newDoneSet()
		want := map[int64]bool{}
		for range rapid.IntRange(0, 300).Draw(t, "adds") {
			row := rapid.Int64Range(0, 200).Draw(t, "row")
			if got := d.add(row); got == want[row] {
				t.Fatalf("add(%d) said %v, row was there: %v", row, got, want[row])
			}
			want[row] = true
		}
		back, err := doneSetFrom(d.mark, d.bytes())
		if err != nil {
			t.Fatal(err)
		}
		for row := range int64(202) {
			if d.has(row) != want[row] || back.has(row) != want[row] {
				t.Fatalf("row %d: has %v, stored %v, want %v", row, d.has(row), back.has(row), want[row])
			}
		}
		if want[d.mark] {
			t.Fatalf("mark %d is done", d.mark)
		}
		if !d.above.IsEmpty() && int64(d.above.Minimum()) <= d.mark {
			t.Fatalf("rows at or below the mark %d are kept one by one", d.mark)
		}
		first, n := rapid.Int64Range(0, 200).Draw(t, "first"), rapid.IntRange(0, 20).Draw(t, "n")
		all := true
		for r := first; r < first+int64(n); r++ {
			all = all && want[r]
		}
		if got := d.hasAll(first, n); got != all {
			t.Fatalf("hasAll(%d, %d) = %v, want %v", first, n, got, all)
		}
	})
}

func TestDoneSetForgetsWhatLiesBehind(t *testing.T) {
	d := newDoneSet()
	for chunk := range int64(1000) { // two chunks at a time, the later one first
		base := chunk / 2 * 2000
		if chunk%2 == 0 {
			base += 1000
		}
		for r := range int64(1000) {
			d.add(base + r)
		}
	}
	if d.mark != 1_000_000 || len(d.bytes()) > 100 {
		t.Errorf("mark %d, %d bytes above it; want 1000000 and none", d.mark, len(d.bytes()))
	}
}

func FuzzDoneSetFrom(f *testing.F) {
	d := newDoneSet()
	d.add(5)
	d.add(70000)
	f.Add(int64(3), d.bytes())
	f.Fuzz(func(t *testing.T, mark int64, b []byte) {
		d, err := doneSetFrom(mark, b)
		if err == nil {
			d.has(mark + 1)
		}
	})
}
