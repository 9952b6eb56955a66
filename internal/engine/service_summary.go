package engine

import (
	"encoding/json"
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"

	"github.com/drover-batch/drover/internal/job"
)

// A listing shows whole jobs, and reading a hundred finished ones from the carrier takes it longer than anybody likes to
// wait. Their records are therefore kept in memory as well, without the request's text, and packed: records resemble
// each other so much that a dictionary of what stands in all of them leaves some 300 bytes of one.

// maxSummary bounds a packed record, in bytes; longer ones (of many samples) are read from the carrier.
const maxSummary = 1 << 10

// summaryWords is a record's like: the dictionary.
const summaryWords = `{"Job":{"ID":"00000000-0000-4000-8000-000000000000","Created":"2026-11-22T12:00:00Z","Creator":"AKID","Spec":{"Token":"00000000-0000-4000-8000-000000000000",` +
	`"Account":{"UIN":"100000000001","AppID":"1250000000"},"Region":"ap-guangzhou","ConfirmationRequired":true,"Description":"","Manifest":{"Format":"COSInventoryReport_CSV_V1","Fields":null,` +
	`"Format":"COSBatchOperations_CSV_V1","Fields":["Bucket","Key","VersionId"],"Location":{"Region":"ap-guangzhou","Bucket":"-1250000000","Key":"/manifest.json","Version":"","ETag":"","Path":""}},` +
	`"Operation":"restore","Parameters":{"Days":7,"Tier":"Standard"},"Operation":"delete","Parameters":{},"Operation":"tagging","Parameters":{"Directive":"Replaced","Tags":[{"Key":"","Value":""}]},` +
	`"Operation":"copy","Parameters":{"TargetRegion":"","TargetBucket":"-1250000000","PrefixReplace":false,"PrefixFrom":"","PrefixTo":"","StorageClass":"","SSE":"","ACL":"","CannedACL":"","Grants":null,` +
	`"Metadata":"","NewMetadata":{"CacheControl":"","ContentDisposition":"","ContentEncoding":"","ContentLanguage":"","ContentType":"","Expires":"","User":null},"Tagging":"","NewTags":null,` +
	`"IfModifiedSince":"0001-01-01T00:00:00Z","IfUnmodifiedSince":"0001-01-01T00:00:00Z"},"Priority":1,"Report":{"Enabled":true,"Region":"","Bucket":"-1250000000","Prefix":"","Scope":"FailedTasksOnly","Scope":"AllTasks","Path":""},` +
	`"Role":{"ARN":"qcs::cam::uin/100000000001:roleName/COSBatch_QcsRole","Account":"100000000001","Name":"COSBatch_QcsRole"},"Request":{"Protocol":"cos","Body":null}},"Priority":1,` +
	`"Confirm":{"Time":"2026-11-22T12:00:00Z","Actor":"AKID","Reason":""},"Cancel":{"Time":"2026-11-22T12:00:00Z","Actor":"AKID","Reason":""}},` +
	`"State":{"Epoch":1,"Status":"Cancelled","Status":"Failed","Status":"Complete","Since":"2026-11-22T12:00:00.000000000Z","Reason":"Job complete","SuspendedCause":"","SystemPaused":false,"Suspended":"0001-01-01T00:00:00Z",` +
	`"Started":"2026-11-22T12:00:00.000000000Z","Terminated":"2026-11-22T12:00:00.000000000Z","ActiveFor":1000000000,"Total":1000,"Progress":{"Total":0,"Succeeded":1000,"Failed":0,` +
	`"ByCode":[{"Code":"NoSuchKey","Count":1,"Samples":[""]}],"ByCode":null,"ActiveFor":0,"Provisional":false,"Rate":0},"Failures":[{"Code":"","Reason":""}],"Failures":null,"Events":[` +
	`{"Time":"2026-11-22T12:00:00.000000000Z","From":"","To":"New","Actor":"AKID","Reason":""},{"Time":"2026-11-22T12:00:00.000000000Z","From":"New","To":"Preparing","Actor":"system","Reason":""},` +
	`{"Time":"2026-11-22T12:00:00.000000000Z","From":"Preparing","To":"Suspended","Actor":"system","Reason":"The manifest was read; waiting for confirmation."},` +
	`{"Time":"2026-11-22T12:00:00.000000000Z","From":"Suspended","To":"Ready","Actor":"AKID","Reason":"The manifest was read; no confirmation is asked for."},` +
	`{"Time":"2026-11-22T12:00:00.000000000Z","From":"Ready","To":"Active","Actor":"system","Reason":""},{"Time":"2026-11-22T12:00:00.000000000Z","From":"Active","To":"Completing","Actor":"system","Reason":""},` +
	`{"Time":"2026-11-22T12:00:00.000000000Z","From":"Completing","To":"Complete","Actor":"system","Reason":"Job complete"}],"ReportManifest":"/job-00000000-0000-4000-8000-000000000000/manifest.json"}}`

// packer packs and unpacks records. Both of its halves are safe for concurrent use as they are used here.
type packer struct {
	in  *zstd.Encoder
	out *zstd.Decoder
}

var summaries = sync.OnceValue(func() packer {
	in, err := zstd.NewWriter(nil, zstd.WithEncoderDictRaw(1, []byte(summaryWords)), zstd.WithEncoderConcurrency(1),
		zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(false))
	if err != nil {
		panic(err) // the options are constants
	}
	out, err := zstd.NewReader(nil, zstd.WithDecoderDictRaw(1, []byte(summaryWords)), zstd.WithDecoderConcurrency(listReaders),
		zstd.WithDecoderLowmem(true))
	if err != nil {
		panic(err)
	}
	return packer{in, out}
})

// summarize packs a finished job's record for listings; nil when it is too long for that.
func summarize(d doneRecord) []byte {
	d.Job.Spec.Request.Body = nil
	packed := summaries().in.EncodeAll(encode(d), nil)
	if len(packed) > maxSummary {
		return nil
	}
	return append(make([]byte, 0, len(packed)), packed...)
}

// shown is a finished job as listings show it: without the request's text. It is false when that is to be read from the
// carrier.
func (d *doneEntry) shown() (j job.Job, ok bool, err error) {
	if d.summary == nil {
		return job.Job{}, false, nil
	}
	text, err := summaries().out.DecodeAll(d.summary, nil)
	if err != nil {
		return job.Job{}, false, fmt.Errorf("unpack the record of job %s: %w", d.id, err)
	}
	var rec doneRecord
	if err := json.Unmarshal(text, &rec); err != nil {
		return job.Job{}, false, fmt.Errorf("decode the record of job %s: %w", d.id, err)
	}
	j, err = view(rec.Job, rec.State, nil)
	j.Revision = revision(d.rev, 0)
	return j, err == nil, err
}
