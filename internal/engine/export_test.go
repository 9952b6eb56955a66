package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/operation"
)

// ChunkFresh is the kind of a chunk that is queued as never having travelled, behind the epoch of its message.
const ChunkFresh = chunkFresh

// PutFinished writes the record of a finished job, as a leader does at the end: the i-th of an account.
func PutFinished(ctx context.Context, c Carrier, who job.Caller, i int, created time.Time) error {
	spec, err := fromSpec(job.Spec{
		Token: string(job.NewID()), Account: who.Account, Region: "local", Description: fmt.Sprintf("nightly %d, a copy of the photos", i),
		Manifest: job.Manifest{
			Format: job.FormatCSV, Fields: []job.Field{job.FieldBucket, job.FieldKey},
			Location: job.Location{Bucket: "lists-1250000000", Key: "in/list.csv", ETag: "0f343b0931126a20f133d67c2b018a3b"},
		},
		Operation: &operation.Copy{TargetBucket: "album-1250000000"},
		Report:    job.Report{Enabled: true, Bucket: "lists-1250000000", Prefix: "reports", Scope: job.AllTasks},
		Role:      job.Role{ARN: "qcs::cam::uin/100000000001:roleName/r", Account: "100000000001", Name: "r"},
		Request:   job.Request{Protocol: "cos", Body: make([]byte, 1000)},
	})
	if err != nil {
		return err
	}
	d := doneRecord{
		Job: jobRecord{ID: job.NewID(), Created: created, Creator: who.Principal, Spec: spec, Priority: 1},
		State: stateRecord{
			Status: job.Complete, Since: created.Add(time.Minute), Started: created.Add(time.Second), Terminated: created.Add(time.Minute),
			Total: 1000, Progress: job.Progress{Total: 1000, Succeeded: 990, Failed: 10, ByCode: []job.CodeCount{{Code: "NoSuchKey", Count: 10, Samples: []job.Key{"a", "b", "c"}}}},
			Reason: "Job complete", ReportManifest: "reports/manifest.json",
		},
	}
	if i%1000 == 0 {
		d.State.Status = job.Failed
	}
	for _, to := range []job.Status{job.New, job.Preparing, job.Ready, job.Active, job.Completing, job.Complete} {
		d.State.Events = append(d.State.Events, job.Event{Time: created, To: to, Actor: system, Reason: "The manifest was read."})
	}
	_, err = c.Put(ctx, Done, doneKey(d.Job.ID), encode(d))
	return err
}

// SmallSegments closes segments after so many bytes and moves so many of them into a page.
func (o *Options) SmallSegments(bytes int64, perPage int) {
	o.segmentBytes, o.pageSegments = bytes, perPage
}
