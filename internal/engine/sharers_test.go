package engine

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/drover-batch/drover/internal/job"
)

// Limits are shared among the workers that are heard of, a region's among all of them and a job's among its own.
func TestSharersAreTheWorkersThatLive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		x := newIndex("n", false)
		e := &Engine{ix: x}
		beat := func(worker string, r workerRecord) {
			t.Helper()
			if err := x.apply(Live, Record{Key: workerKey(worker), Value: encode(r)}); err != nil {
				t.Fatal(err)
			}
		}
		check := func(when string, all, ofJob int) {
			t.Helper()
			if got := e.Workers(); got != all {
				t.Errorf("%s: %d workers, want %d", when, got, all)
			}
			if got := x.sharers("job-1"); got != ofJob {
				t.Errorf("%s: %d workers of the job, want %d", when, got, ofJob)
			}
		}
		check("before a beat", 0, 0)
		beat("a", workerRecord{Jobs: []job.ID{"job-1"}})
		beat("b", workerRecord{})
		beat("c", workerRecord{Jobs: []job.ID{"job-1", "job-2"}})
		check("at first", 3, 2)
		beat("c", workerRecord{Left: true})
		check("one has left", 2, 1)
		time.Sleep(sharedFor / 2)
		beat("b", workerRecord{Jobs: []job.ID{"job-1"}})
		check("another beat", 2, 2)
		time.Sleep(sharedFor / 2)
		check("one is silent", 1, 1)
	})
}
