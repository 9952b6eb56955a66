package access

import (
	"testing"

	"github.com/drover-batch/drover/internal/job"
)

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
