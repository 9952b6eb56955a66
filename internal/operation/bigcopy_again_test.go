package operation

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// killedAt makes a store end the context in the n-th part.
func killedAt(f *fakeStore, n int, cancel func()) {
	left := n
	f.after["PART"] = func() error {
		if left--; left == 0 {
			cancel()
			return context.Canceled
		}
		return nil
	}
}

func TestAKilledCopyGoesOn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(f *fakeStore, m *memory) // between the attempts
		redone bool
		aborts int
	}{
		{"where it was", func(*fakeStore, *memory) {}, false, 0},
		{"anew when its source changed", func(f *fakeStore, _ *memory) { f.objects[source].Info.ETag = "e2" }, true, 1},
		{"anew when its source was written again", func(f *fakeStore, _ *memory) { f.objects[source].Info.LastModified = day.Add(time.Hour) }, true, 1},
		{"anew when its source is of another size", func(f *fakeStore, _ *memory) { f.objects[source].Info.Size++ }, true, 1},
		{"anew when its parts are gone", func(f *fakeStore, _ *memory) { clear(f.uploads) }, true, 1},
		{"anew when its parts cannot be listed", func(f *fakeStore, _ *memory) {
			f.fail["LISTPARTS"] = []error{answer(object.CodeAccessDenied, 403, "")}
		}, true, 1},
		{"anew when what is remembered makes no sense", func(_ *fakeStore, m *memory) {
			u := m.rows[7]
			u.PartSize = 0
			m.rows[7] = u
		}, true, 1},
		{"anew when it was forgotten", func(_ *fakeStore, m *memory) { clear(m.rows) }, true, 0},
		{"where it was, one part being another's", func(f *fakeStore, _ *memory) {
			for _, u := range f.uploads {
				u.parts[41] = object.Part{Number: 41, ETag: "x", Size: 3}
				u.parts[900] = object.Part{Number: 900, ETag: "y", Size: 128 << 20}
			}
		}, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f, m := withBig(), &memory{}
			ctx, cancel := context.WithCancel(t.Context())
			killedAt(f, 17, cancel)
			if got := to(nil).Apply(ctx, f, Task{Entry: big, Uploads: m}); got != (job.Outcome{}) {
				t.Fatalf("a killed copy ends with %+v", got)
			}
			if u, ok := m.rows[7]; !ok || u.Size != bigSize || u.ETag != "e1" || len(f.uploads) != 1 {
				t.Fatalf("remembered %+v, stored %v", m.rows, f.uploads)
			}
			stored := 0
			for _, u := range f.uploads {
				stored = len(u.parts)
			}
			c.change(f, m)
			f.after, f.calls = map[string]func() error{}, nil
			if got := to(nil).Apply(t.Context(), f, Task{Entry: big, Repeat: true, Uploads: m}); got != job.Succeeded(200, "") {
				t.Fatalf("outcome %+v after %s", got, f.made())
			}
			want := 41
			if !c.redone {
				want -= stored
			}
			if n := f.count("PART"); n != want || stored < 17 {
				t.Errorf("%d parts made anew, want %d; %d were stored", n, want, stored)
			}
			if f.count("ABORT") != c.aborts || f.count("CREATE") != map[bool]int{true: 1}[c.redone] {
				t.Errorf("calls %s", f.made())
			}
			if len(m.rows) > 0 || f.objects[bigCopy].Info.Size != f.objects[source].Info.Size {
				t.Errorf("remembered %v, copy %+v", m.rows, f.objects[bigCopy])
			}
			if c.name != "anew when it was forgotten" && len(f.uploads) > 0 {
				t.Errorf("left over: %v", f.uploads)
			}
		})
	}
}

// A caller that gives tasks up lets the parts under way end, begins no other, and finds them there later.
func TestACopyThatIsGivenUpGoesOnLater(t *testing.T) {
	t.Parallel()
	f, m := withBig(), &memory{}
	given, n := make(chan struct{}), 0
	f.after["PART"] = func() error {
		if n++; n == 9 {
			close(given)
		}
		return nil
	}
	task := Task{Entry: big, Uploads: m}
	if got := to(nil).Apply(object.WithWait(t.Context(), given), f, task); got != (job.Outcome{}) {
		t.Fatalf("outcome %+v", got)
	}
	first := f.count("PART")
	if first < 9 || first > 9+7 || len(m.rows) != 1 {
		t.Fatalf("%d parts, remembered %v", first, m.rows)
	}
	if got := to(nil).Apply(t.Context(), f, task); got != job.Succeeded(200, "") || f.count("PART") != 41 {
		t.Errorf("outcome %+v after %d parts", got, f.count("PART"))
	}
}

func TestALeftOverPartIsDropped(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		fail   map[string][]error
		memory *memory
		kill   bool
		code   string
		says   string
		keeps  int // uploads
	}{
		{"when a part is refused", map[string][]error{"PART": {nil, nil, answer(object.CodeAccessDenied, 403, "no")}}, &memory{}, false, object.CodeAccessDenied, "no", 0},
		{"when the end is refused", map[string][]error{"COMPLETE": {answer("InvalidPart", 400, "no")}}, &memory{}, false, "InvalidPart", "no", 0},
		{"when nobody remembers it", nil, nil, true, "", "", 0},
		{"when it could not be remembered", nil, &memory{broken: true}, true, "", "", 0},
		{"but not when it is remembered", nil, &memory{}, true, "", "", 1},
		{
			"or stays remembered",
			map[string][]error{"COMPLETE": {answer("InvalidPart", 400, "no")}, "ABORT": {answer("SlowDown", 503, "")}},
			&memory{}, false, "InvalidPart", "no", 1,
		},
		{
			"by somebody else, and is forgotten", map[string][]error{
				"COMPLETE": {answer("InvalidPart", 400, "no")}, "ABORT": {answer(object.CodeNoSuchUpload, 404, "")},
			}, &memory{}, false, "InvalidPart", "no", 0,
		},
		{"and none is made when it cannot begin", map[string][]error{"CREATE": {answer(object.CodeAccessDenied, 403, "no")}}, &memory{}, false, object.CodeAccessDenied, "no", 0},
		{"and none is made without the tags", map[string][]error{"GETTAGS": {answer(object.CodeAccessDenied, 403, "no")}}, &memory{}, false, object.CodeAccessDenied, "reading the source's tags: no", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := withBig()
			for kind, errs := range c.fail {
				f.fail[kind] = errs
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if c.kill {
				killedAt(f, 3, cancel)
			}
			task := Task{Entry: big}
			if c.memory != nil {
				task.Uploads = c.memory
			}
			got := to(nil).Apply(ctx, f, task)
			if got.Code != c.code || !strings.Contains(got.Message, c.says) || (got == job.Outcome{}) != c.kill {
				t.Errorf("outcome %+v", got)
			}
			if len(f.uploads) != c.keeps && c.name != "by somebody else, and is forgotten" {
				t.Errorf("left over: %v after %s", f.uploads, f.made())
			}
			if c.memory != nil && !c.memory.broken && len(c.memory.rows) != c.keeps {
				t.Errorf("remembered: %v", c.memory.rows)
			}
			if f.objects[bigCopy] != nil {
				t.Error("there is a copy")
			}
		})
	}
}

// lostStore completes an upload and says that there is none, as a driver does whose first attempt had no answer.
type lostStore struct {
	*fakeStore
	done bool // the completion had its effect
	lost int  // so many times
}

func (l *lostStore) CompleteMultipart(ctx context.Context, r object.CompleteRequest) (object.CompleteResult, error) {
	if l.lost--; l.lost < 0 {
		return l.fakeStore.CompleteMultipart(ctx, r)
	}
	if !l.done {
		delete(l.uploads, r.Upload.ID)
		return object.CompleteResult{HTTPStatus: 200}, l.call("COMPLETE", bigCopy)
	}
	_, err := l.fakeStore.CompleteMultipart(ctx, r)
	return object.CompleteResult{HTTPStatus: 200}, err
}

func TestALostCompletionIsLookedAt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name      string
		done      bool
		lost      int
		completes int
		code      string
	}{
		{"it was done", true, 1, 1, ""},
		{"it was not done", false, 1, 2, ""},
		{"it is never done", false, 100, copyTries, codeGone},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := &lostStore{fakeStore: withBig(), done: c.done, lost: c.lost}
			// An older object is there: its size proves nothing.
			f.add(bigCopy, sized(bigSize))
			got := to(nil).Apply(t.Context(), f, Task{Entry: big, Uploads: &memory{}})
			if got.Code != c.code || f.count("COMPLETE") != c.completes {
				t.Errorf("outcome %+v after %d completions", got, f.count("COMPLETE"))
			}
			if made := f.objects[bigCopy].Info.ETag != "e1"; made != (c.code == "") {
				t.Errorf("made: %t", made)
			}
		})
	}
}

func TestALostCompletionThatCannotBeLookedAt(t *testing.T) {
	t.Parallel()
	f := &lostStore{fakeStore: withBig(), done: true, lost: 1}
	f.fail["HEAD"] = []error{nil, answer(object.CodeAccessDenied, 403, "")}
	want := job.FailedTask(object.CodeAccessDenied, 403, "While looking for the copy, whose completion had no answer: Access denied.")
	if got := to(nil).Apply(t.Context(), f, Task{Entry: big}); got != want {
		t.Errorf("outcome %+v", got)
	}
	// What is there has the right ETag and another size.
	f = &lostStore{fakeStore: withBig(), done: true, lost: 1}
	f.after["COMPLETE"] = func() error { f.objects[bigCopy].Info.Size--; return nil }
	if got := to(nil).Apply(t.Context(), f, Task{Entry: big}); got.Status != job.TaskSucceeded || f.count("COMPLETE") != 2 {
		t.Errorf("outcome %+v after %d completions", got, f.count("COMPLETE"))
	}
}

func TestPartsThatVanishAreCopiedAnew(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"PART", "COMPLETE"} {
		f, m := withBig(), &memory{}
		f.fail[kind] = []error{answer(object.CodeNoSuchUpload, 404, "")}
		if got := to(nil).Apply(t.Context(), f, Task{Entry: big, Uploads: m}); got != job.Succeeded(200, "") || f.count("CREATE") != 2 {
			t.Errorf("%s: outcome %+v, begun %d times", kind, got, f.count("CREATE"))
		}
		if len(m.rows) > 0 || len(f.uploads) > 0 {
			t.Errorf("%s: left over %v, remembered %v", kind, f.uploads, m.rows)
		}
	}
}

func TestNothingIsBegunAfterTheEnd(t *testing.T) {
	t.Parallel()
	f, m := withBig(), &memory{}
	ctx, cancel := context.WithCancel(t.Context())
	killedAt(f, 2, cancel)
	to(nil).Apply(ctx, f, Task{Entry: big, Uploads: m})
	ctx, cancel = context.WithCancel(t.Context())
	f.after, f.calls = map[string]func() error{"LISTPARTS": func() error { cancel(); return context.Canceled }}, nil
	got := to(nil).Apply(ctx, f, Task{Entry: big, Uploads: m})
	if got != (job.Outcome{}) || f.count("CREATE")+f.count("ABORT") > 0 || len(m.rows) != 1 {
		t.Errorf("outcome %+v after %s, remembered %v", got, f.made(), m.rows)
	}
}
