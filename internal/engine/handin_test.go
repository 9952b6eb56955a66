package engine

import (
	"slices"
	"testing"

	"github.com/drover-batch/drover/internal/job"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestHandInComesOutAsItWentIn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h handin
		var want []handinRow
		for range rapid.IntRange(0, 50).Draw(t, "rows") {
			o := job.Succeeded(200, "")
			r := handinRow{
				Row:        rapid.Int64Range(0, 1<<50).Draw(t, "row"),
				HTTPStatus: rapid.IntRange(0, 599).Draw(t, "status"),
				Line:       rapid.SliceOfN(rapid.Byte(), 0, 80).Draw(t, "line"),
			}
			o.HTTPStatus = r.HTTPStatus
			var key string
			if rapid.Bool().Draw(t, "failed") {
				r.Failed, r.Code = true, rapid.String().Draw(t, "code")
				key = rapid.String().Draw(t, "key")
				r.Key = []byte(key)
				o = job.FailedTask(r.Code, r.HTTPStatus, "")
			}
			h.add(r.Row, o, job.Key(key), r.Line)
			want = append(want, r)
		}
		var got []handinRow
		fatal, err := readHandin(h.take(), func(r handinRow) {
			r.Key, r.Line = slices.Clone(r.Key), slices.Clone(r.Line)
			got = append(got, r)
		})
		if err != nil || fatal != nil {
			t.Fatalf("read: %v, %v", fatal, err)
		}
		empty := cmp.Transformer("bytes", func(b []byte) string { return string(b) })
		if d := cmp.Diff(want, got, empty); d != "" {
			t.Fatal(d)
		}
	})
}

func TestFatalHandIn(t *testing.T) {
	want := job.Failure{Code: "ManifestFileChanged", Reason: "it did"}
	got, err := readHandin(fatalHandin(want), func(handinRow) { t.Error("a fatal hand-in has no rows") })
	if err != nil || got == nil || *got != want {
		t.Errorf("got %v, %v", got, err)
	}
}

func FuzzReadHandin(f *testing.F) {
	var h handin
	h.add(7, job.FailedTask("NoSuchKey", 404, ""), "a/b", []byte("b,a%2Fb,,failed,NoSuchKey,404,\n"))
	h.add(8, job.Succeeded(200, ""), "", nil)
	f.Add(h.take())
	f.Add(fatalHandin(job.Failure{Code: "c", Reason: "r"}))
	f.Add([]byte("r"))
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = readHandin(b, func(r handinRow) {
			if r.Row < 0 || r.HTTPStatus > 999 {
				t.Errorf("read %+v", r)
			}
		})
	})
}
