package access

import (
	"testing"

	"github.com/drover-batch/drover/internal/job"
)

// TestClearedLimitsAreClearedForAll has the record that clearing leaves, and another process's that came before it.
func TestClearedLimitsAreClearedForAll(t *testing.T) {
	t.Parallel()
	kv := newMemory()
	b := openBook(t, kv)
	m := NewAdmin(b, nil)
	c := job.Caller{Account: owner, Principal: "root"}
	set, err := m.SetRegionLimits(t.Context(), c, "local", job.Limits{Bounds: job.Bounds{Rate: 1}})
	if err != nil {
		t.Fatal(err)
	}
	kv.mu.Lock() // another process has set others, and this one has not heard of it yet
	e := kv.entries[regionKey("local")]
	e.Rev += 5
	kv.entries[regionKey("local")] = e
	kv.mu.Unlock()
	c.IfRevision = set.Revision
	if _, err := m.ClearRegionLimits(t.Context(), c, "local"); job.CodeOf(err) != job.Precondition {
		t.Errorf("limits that another has set meanwhile are cleared: %v", err)
	}
	kv.mu.Lock()
	e.Rev -= 5
	kv.entries[regionKey("local")] = e
	kv.mu.Unlock()
	got, err := m.ClearRegionLimits(t.Context(), c, "local")
	if err != nil || !got.FromConfig || got.By != "root" || got.Changed.IsZero() {
		t.Errorf("cleared: %+v, %v", got, err)
	}
	if _, ok := b.RegionLimits("local"); ok {
		t.Error("limits that were cleared are in force")
	}
	if l, ok := openBook(t, kv).RegionLimits("local"); ok {
		t.Errorf("after a restart %+v are in force", l)
	}
}

// TestLimitsThatAnotherProcessHasJustSetAreNotOverruled has a record that this process has not heard of yet.
func TestLimitsThatAnotherProcessHasJustSetAreNotOverruled(t *testing.T) {
	t.Parallel()
	kv := newMemory()
	m := NewAdmin(openBook(t, kv), nil)
	c := job.Caller{Account: owner, Principal: "root", IfRevision: "0"}
	kv.mu.Lock()
	kv.entries[regionKey("local")] = Entry{Key: regionKey("local"), Rev: 7}
	kv.mu.Unlock()
	for condition, want := range map[string]job.Code{"0": job.Precondition, "": job.Conflict} {
		c.IfRevision = condition
		if _, err := m.SetRegionLimits(t.Context(), c, "local", job.Limits{Bounds: job.Bounds{Rate: 1}}); job.CodeOf(err) != want {
			t.Errorf("on the condition %q: %v, want %s", condition, err, want)
		}
	}
}
