package engine

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/operation"
)

// A listing shows whole jobs, and reading a hundred finished ones from the carrier takes it longer than anybody likes to
// wait. Their records are therefore kept in memory as well, without the request's text, and packed: records resemble
// each other so much that a dictionary of what stands in all of them leaves some 300 bytes of one.

// maxSummary bounds a packed record, in bytes; longer ones (of many samples) are read from the carrier.
const maxSummary = 1 << 10

// summaryWords is the dictionary: records as finished jobs leave them, of every operation. It is made anew by each
// process, as are the summaries, so that it has the very fields that records have.
func summaryWords() []byte {
	at := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	const id = "00000000-0000-4000-8000-000000000000"
	var words []byte
	for _, m := range []job.Manifest{
		{Format: job.FormatInventory, Location: job.Location{Region: "ap-guangzhou", Bucket: "-1250000000", Key: "/manifest.json"}},
		{Format: job.FormatCSV, Fields: []job.Field{job.FieldBucket, job.FieldKey}, Location: job.Location{Key: ".csv"}},
	} {
		for _, op := range []job.Operation{
			&operation.PutACL{Canned: "private"}, &operation.Delete{}, &operation.Tagging{Directive: operation.DirectiveReplace, Tags: []job.Tag{{}}},
			&operation.Restore{Days: 7, Tier: operation.TierStandard}, &operation.Copy{TargetBucket: "-1250000000"},
		} {
			spec, err := fromSpec(job.Spec{
				Token: id, Account: job.Account{UIN: "100000000001", AppID: "1250000000"}, Region: "ap-guangzhou", Manifest: m, Operation: op, Priority: 1,
				Report:  job.Report{Enabled: true, Bucket: "-1250000000", Scope: job.AllTasks},
				Role:    job.Role{ARN: "qcs::cam::uin/100000000001:roleName/COSBatch_QcsRole", Account: "100000000001", Name: "COSBatch_QcsRole"},
				Request: job.Request{Protocol: "cos"},
			})
			if err != nil {
				panic(err) // our own types: cannot fail
			}
			words = append(words, encode(doneRecord{
				Job: jobRecord{ID: id, Created: at, Creator: "AKID", Spec: spec, Priority: 1, Confirm: &wish{Time: at, Actor: "AKID"}},
				State: stateRecord{
					Epoch: 1, Status: job.Complete, Since: at, Reason: "Job complete", Started: at, Terminated: at, ActiveFor: time.Second, Total: 1000,
					Progress:       job.Progress{Succeeded: 1000, ByCode: []job.CodeCount{{Code: "NoSuchKey", Count: 1}}},
					ReportManifest: "/job-" + id + "/manifest.json",
				},
			})...)
		}
	}
	return words
}

// packer packs and unpacks records. Both of its halves are safe for concurrent use as they are used here.
type packer struct {
	in  *zstd.Encoder
	out *zstd.Decoder
}

var summaries = sync.OnceValue(func() packer {
	words := summaryWords()
	in, err := zstd.NewWriter(nil, zstd.WithEncoderDictRaw(1, words), zstd.WithEncoderConcurrency(1),
		zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(false))
	if err != nil {
		panic(err) // the options are constants
	}
	out, err := zstd.NewReader(nil, zstd.WithDecoderDictRaw(1, words), zstd.WithDecoderConcurrency(listReaders),
		zstd.WithDecoderLowmem(true))
	if err != nil {
		panic(err)
	}
	return packer{in, out}
})

// summarize packs a finished job's record for listings; nil when it is too long for that.
func summarize(d doneRecord) []byte {
	d.Job.Spec.Request.Body, d.Job.Events, d.Pace = nil, nil, nil
	d.State.Events, d.State.Progress.ByCode = nil, withoutSamples(d.State.Progress.ByCode)
	packed := summaries().in.EncodeAll(encode(d), nil)
	if len(packed) > maxSummary {
		return nil
	}
	return append(make([]byte, 0, len(packed)), packed...)
}

// listed is a job as listings show it: without its events, and without the keys of failed tasks. There may be a thousand
// of them on a page.
func listed(j job.Job) job.Job {
	j.Events, j.Progress.ByCode = nil, withoutSamples(j.Progress.ByCode)
	return j
}

func withoutSamples(counts []job.CodeCount) []job.CodeCount {
	out := slices.Clone(counts)
	for i := range out {
		out[i].Samples = nil
	}
	return out
}

// shown is a finished job as listings show it: without the request's text. It is false when that is to be read from the
// carrier.
func (d *doneEntry) shown() (j job.Job, ok bool, err error) {
	rec, ok, err := d.record()
	if err != nil || !ok {
		return job.Job{}, false, err
	}
	j, err = view(rec.Job, rec.State, nil)
	j.Revision = revision(d.rev, 0)
	return j, err == nil, err
}

// record is a finished job's record as kept in memory; false when it was too long for that.
func (d *doneEntry) record() (rec doneRecord, ok bool, err error) {
	if d.summary == nil {
		return rec, false, nil
	}
	text, err := summaries().out.DecodeAll(d.summary, nil)
	if err != nil {
		return rec, false, fmt.Errorf("unpack the record of job %s: %w", d.id, err)
	}
	if err := json.Unmarshal(text, &rec); err != nil {
		return rec, false, fmt.Errorf("decode the record of job %s: %w", d.id, err)
	}
	return rec, true, nil
}
