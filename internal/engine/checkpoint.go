package engine

import (
	"cmp"
	"maps"
	"slices"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/report"
)

// Bounds of what a checkpoint says of failures.
const (
	maxSamples = 20 // keys by error code
	// maxSampleBytes bounds the keys of all codes together: a hundred codes with keys of 1,024 bytes would take 2 MB.
	maxSampleBytes = 128 << 10
	maxCodes       = 100 // error codes; further ones count under otherCode
	otherCode      = "Other"
)

// checkpoint is the truth about a job's rows: a row is done if and only if it says so. The collector alone writes it.
type checkpoint struct {
	Mark      int64
	Above     []byte // rows done above Mark, a roaring bitmap
	Asked     *asked `json:",omitempty"`
	Succeeded int64
	Failed    int64
	Codes     []job.CodeCount
	Seq       uint64 // results up to here are in
	Pages     int    // how many pages of earlier segments there are
	Segments  []segment
	Pending   *pending
}

// asked is which rows' calls were made, in a job with phases: those that failed are done by that.
type asked struct {
	Mark  int64
	Above []byte
}

func (c *checkpoint) askedSet() (*doneSet, error) {
	if c.Asked == nil {
		d := newDoneSet()
		return &d, nil
	}
	d, err := doneSetFrom(c.Asked.Mark, c.Asked.Above)
	return &d, err
}

// segment is a committed run of results. Files that it does not name are not in the report.
type segment struct {
	Number int64
	Files  []report.File
}

// pending is a segment that is being written: the intent comes before the files.
type pending struct {
	Number int64
	From   uint64 // results after this one …
	To     uint64 // … up to and with this one
	Count  int    // how many they are; with one missing the segment cannot be written again
	Epoch  uint64
}

// tally counts outcomes.
type tally struct {
	succeeded, failed int64
	codes             map[string]*job.CodeCount
	sampled           int // bytes of all samples
}

func newTally(c checkpoint) tally {
	t := tally{succeeded: c.Succeeded, failed: c.Failed, codes: map[string]*job.CodeCount{}}
	for _, cc := range c.Codes {
		cc.Samples = slices.Clone(cc.Samples)
		for _, k := range cc.Samples {
			t.sampled += len(k)
		}
		t.codes[cc.Code] = &cc
	}
	return t
}

func (t *tally) add(r handinRow) {
	if !r.Failed {
		t.succeeded++
		return
	}
	t.failed++
	cc := t.codes[r.Code]
	if cc == nil {
		code := r.Code
		if len(t.codes) >= maxCodes {
			code = otherCode
		}
		if cc = t.codes[code]; cc == nil {
			cc = &job.CodeCount{Code: code}
			t.codes[code] = cc
		}
	}
	cc.Count++
	if len(cc.Samples) < maxSamples && t.sampled+len(r.Key) <= maxSampleBytes {
		t.sampled += len(r.Key)
		cc.Samples = append(cc.Samples, job.Key(r.Key))
	}
}

// counts lists the codes, most first.
func (t *tally) counts() []job.CodeCount {
	out := make([]job.CodeCount, 0, len(t.codes))
	for _, cc := range slices.Collect(maps.Values(t.codes)) {
		c := *cc
		c.Samples = slices.Clone(cc.Samples)
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b job.CodeCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Code, b.Code))
	})
	return out
}

func (t *tally) progress(provisional bool) job.Progress {
	return job.Progress{Succeeded: t.succeeded, Failed: t.failed, ByCode: t.counts(), Provisional: provisional}
}
