package operation

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

func TestTheInventorysClassSavesCalls(t *testing.T) {
	t.Parallel()
	days := &Restore{Days: 7, Tier: TierBulk, TrustInventory: true}
	tiers := &Restore{Tier: TierBulk, TrustInventory: true, IntelligentTiering: true}
	for _, c := range []struct {
		name  string
		op    *Restore
		class string // of the inventory's row
		says  string // of the refusal; "" = the store is asked
	}{
		{"an archive class", days, "ARCHIVE", ""},
		{"an archive class in another case", days, "Deep_Archive", ""},
		{"S3's archive class", days, "GLACIER", ""},
		{"a readable class", days, "STANDARD", "lists the object in STANDARD, which can be read as it is"},
		{"a readable class in another case", days, "Standard_IA", "in STANDARD_IA, which can"},
		{"the archive that is read at once", days, "GLACIER_IR", "in GLACIER_IR, which can be read as it is"},
		{"intelligent tiering", days, "INTELLIGENT_TIERING", "need a job of their own"},
		{"no class, as in a CSV", days, "", ""},
		{"a class unknown here", days, "COLD_AS_ICE", ""},
		{"not trusted", &Restore{Days: 7, Tier: TierBulk}, "STANDARD", ""},
		{"a tier's own class", tiers, "INTELLIGENT_TIERING", ""},
		{"another class than the tier's", tiers, "GLACIER", "restores from the archive tiers"},
		{"no class for a tier", tiers, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			f.add(source, withClass("ARCHIVE"))
			e := entry
			e.Class = c.class
			got := c.op.Apply(t.Context(), f, Task{Entry: e})
			if c.says == "" {
				if got != job.Succeeded(202, "") || f.made() != "RESTORE src/dir/a" {
					t.Errorf("outcome %+v after %q", got, f.made())
				}
				return
			}
			if got.Status != job.TaskFailed || got.Code != object.CodeInvalidObjectState || got.HTTPStatus != 0 || !strings.Contains(got.Message, c.says) {
				t.Errorf("outcome %+v, want one that says %q", got, c.says)
			}
			if f.made() != "" {
				t.Errorf("calls %q", f.made())
			}
		})
	}
}

func TestRestoreFromIntelligentTiering(t *testing.T) {
	t.Parallel()
	op := &Restore{Tier: TierStandard, IntelligentTiering: true}
	f := newFake()
	f.add(source, withClass("ARCHIVE"))
	if got := op.Apply(t.Context(), f, Task{Entry: entry}); got != job.Succeeded(202, "") {
		t.Errorf("outcome %+v", got)
	}
	want := []object.RestoreRequest{{Ref: source, Tier: TierStandard}}
	if diff := cmp.Diff(want, f.restores); diff != "" {
		t.Error(diff)
	}
	f.add(source)
	got := op.Apply(t.Context(), f, Task{Entry: entry})
	if got.Code != object.CodeInvalidObjectState || !strings.HasPrefix(got.Message, nothingToRestoreTier) {
		t.Errorf("outcome %+v", got)
	}
}

func TestReady(t *testing.T) {
	t.Parallel()
	op := &Restore{Days: 7, Tier: TierBulk}
	until := func(e time.Time) func(*fakeObject) {
		return func(o *fakeObject) { o.Info.Class, o.Info.Restore = "GLACIER", &object.RestoreState{Expiry: e} }
	}
	for _, c := range []struct {
		name   string
		object func(*fakeObject)
		err    error
		done   bool
		status job.TaskStatus
		code   string
		says   string
	}{
		{"restored", until(day), nil, true, job.TaskSucceeded, "", "until 2024-03-01T08:00:00Z."},
		{"restored, without an end", restoring(false), nil, true, job.TaskSucceeded, "", "does not say until when"},
		{"under way", restoring(true), nil, false, "", "", ""},
		{"never asked for", withClass("DEEP_ARCHIVE"), nil, true, job.TaskFailed, "InvalidObjectState", `in "DEEP_ARCHIVE" and no restoration runs`},
		{"in no archive any more", withClass("STANDARD_IA"), nil, true, job.TaskSucceeded, "", "no archive class"},
		{"back from a tier", withClass(classTiering), nil, true, job.TaskSucceeded, "", "no archive class"},
		{
			"in a tier still",
			func(o *fakeObject) { o.Info.Class, o.Info.ArchiveTier = classTiering, "ARCHIVE_ACCESS" },
			nil, true, job.TaskFailed, "InvalidObjectState", `tier "ARCHIVE_ACCESS"`,
		},
		{
			"on the way from a tier",
			func(o *fakeObject) {
				o.Info.Class, o.Info.ArchiveTier, o.Info.Restore = classTiering, "ARCHIVE_ACCESS", &object.RestoreState{Ongoing: true}
			},
			nil, false, "", "", "",
		},
		{"deleted since", nil, answer(object.CodeNoSuchKey, 404, ""), true, job.TaskFailed, "NoSuchKey", "While looking whether"},
		{"not allowed", nil, answer(object.CodeAccessDenied, 403, ""), true, job.TaskFailed, "AccessDenied", "Access denied"},
		{"no answer", nil, lost, false, "", "", ""},
		{"the wait ended", nil, object.ErrWaitEnded, false, "", "", ""},
		{"another error", nil, errors.New("broken"), true, job.TaskFailed, "InternalError", "broken"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFake()
			f.add(source, func(o *fakeObject) {
				if c.object != nil {
					c.object(o)
				}
			})
			f.fail["HEAD"] = []error{c.err}
			done, got := op.Ready(t.Context(), f, entry)
			if done != c.done || got.Status != c.status || got.Code != c.code || !strings.Contains(got.Message, c.says) {
				t.Errorf("done %v, outcome %+v; want %v, %s %s and %q", done, got, c.done, c.status, c.code, c.says)
			}
			if f.made() != "HEAD src/dir/a" {
				t.Errorf("calls %q", f.made())
			}
		})
	}
}

func TestReadyWithoutALook(t *testing.T) {
	t.Parallel()
	f := newFake()
	if done, got := new(Restore).Ready(t.Context(), f, job.Entry{DeleteMarker: true}); !done || got.Code != object.CodeMethodNotAllowed {
		t.Errorf("a delete marker: %v, %+v", done, got)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if done, got := new(Restore).Ready(ctx, f, entry); done || got != (job.Outcome{}) {
		t.Errorf("an ended context: %v, %+v", done, got)
	}
	if f.made() != "" {
		t.Errorf("calls %q", f.made())
	}
}
