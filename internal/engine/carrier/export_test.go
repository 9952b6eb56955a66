package carrier

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/job"
)

func TestExportCarriesRecordsOver(t *testing.T) {
	t.Parallel()
	from, _ := openLosing(t)
	ctx := t.Context()
	want := map[string]string{}
	put := func(c *Carrier, b engine.Bucket, key, v string) {
		t.Helper()
		if _, err := c.Put(ctx, b, key, []byte(v)); err != nil {
			t.Fatal(err)
		}
		if b != engine.Live {
			want[string(b)+" "+key] = v
		}
	}
	put(from, engine.Jobs, "job.a", "spec")
	put(from, engine.Jobs, "cursor.a", strings.Repeat("\x00\xff", 500_000))
	put(from, engine.Jobs, "token.1.x", "")
	put(from, engine.Done, "done.b", "summary")
	put(from, engine.Live, "worker.w", "beat")
	if _, err := from.Put(ctx, engine.Jobs, "job.gone", nil); err != nil {
		t.Fatal(err)
	}
	if err := from.Delete(ctx, engine.Jobs, "job.gone"); err != nil {
		t.Fatal(err)
	}
	var file bytes.Buffer
	if err := from.Export(ctx, &file); err != nil {
		t.Fatal(err)
	}
	to, _ := openLosing(t)
	for range 2 { // an import that was cut off is repeated
		if err := to.Import(ctx, bytes.NewReader(file.Bytes())); err != nil {
			t.Fatal(err)
		}
	}
	var again bytes.Buffer
	if err := to.Export(ctx, &again); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	err := readExport(&again, func(b engine.Bucket, key string, v []byte) error {
		got[string(b)+" "+key] = string(v)
		return nil
	})
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Error(err, diff)
	}
	if _, err := to.Put(ctx, engine.Jobs, "job.a", []byte("other")); err != nil {
		t.Fatal(err)
	}
	if err := to.Import(ctx, bytes.NewReader(file.Bytes())); job.CodeOf(err) != job.Conflict {
		t.Errorf("import over another value = %v", err)
	}
}

func FuzzReadExport(f *testing.F) {
	const head = `{"format":"drover records","version":1}` + "\n"
	f.Add([]byte(head + `{"bucket":"JOBS","key":"job.a","value":"AQI="}` + "\n" + `{"end":true,"records":1}` + "\n"))
	f.Add([]byte(head + `{"end":true}`))
	f.Add([]byte(head + `{"end":true,"records":2}`))
	f.Add([]byte(head + `{"bucket":"LIVE","key":"worker.a"}`))
	f.Add([]byte(head + `{"bucket":"JOBS","key":"job.*"}`))
	f.Add([]byte(`{"format":"drover records","version":2}`))
	f.Add([]byte(head + `{"bucket":"JO`))
	f.Fuzz(func(t *testing.T, b []byte) {
		n := 0
		err := readExport(bytes.NewReader(b), func(b engine.Bucket, key string, _ []byte) error {
			if !slices.Contains(exported, b) || checkKey(key) != nil {
				t.Errorf("record %s %q was taken", b, key)
			}
			n++
			return nil
		})
		if err != nil && (job.CodeOf(err) != job.InvalidRequest || job.MessageOf(err) == "") {
			t.Errorf("error = %v", err)
		}
		if err == nil && !bytes.Contains(b, []byte(`"end"`)) {
			t.Errorf("%d records of an export without end were taken", n)
		}
	})
}
