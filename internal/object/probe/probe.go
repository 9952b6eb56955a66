// Package probe finds out what an object store really does: it does each thing once under a prefix of its own, reads
// back what came of it, and takes everything away again. A 200 is no proof: some stores answer so and drop what they do
// not know, and a job that relies on it would report successes that did not happen.
//
// What it leaves to others: how a driver words a request (httpwire), and what a driver must do (objecttest).
package probe

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// Verdict is what came of one trial.
type Verdict string

// The verdicts.
const (
	Works   Verdict = "works"
	Ignored Verdict = "ignored" // the store answered with success and did not do it: the dangerous one
	Refused Verdict = "refused" // the store said no
	Unknown Verdict = "unknown" // nothing was learnt: see the detail
)

// Capability is one thing that a store can do, or cannot.
type Capability struct {
	Name    string
	Verdict Verdict
	Detail  string // what was seen, and perhaps the store's own text: foreign
	Meaning string // what it means for a job; "" unless Ignored or Refused
}

// Report is what a store was found to do.
type Report struct {
	Bucket       job.Bucket
	Prefix       string // under which all was tried
	Versioned    bool   // the bucket keeps versions
	Capabilities []Capability
}

// Count says how many capabilities have a verdict.
func (r Report) Count(v Verdict) int {
	n := 0
	for _, c := range r.Capabilities {
		if c.Verdict == v {
			n++
		}
	}
	return n
}

// Options are what a probe looks for; the zero value takes S3's classes.
type Options struct {
	COS bool // the store is spoken to in COS's dialect: its names of classes
	// Classes are tried beside STANDARD. nil means all of the dialect, without those of buckets over several zones
	// (MAZ_…), whose objects lie in no other class.
	Classes []string
}

// The storage classes beside STANDARD (AWS S3 API, PutObject; Tencent Cloud 436/33417).
var (
	classesS3  = []string{"STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR", "GLACIER", "DEEP_ARCHIVE"}
	classesCOS = []string{"STANDARD_IA", "INTELLIGENT_TIERING", "ARCHIVE", "DEEP_ARCHIVE"}
)

func (o Options) classes() []string {
	switch {
	case o.Classes != nil:
		return o.Classes
	case o.COS:
		return classesCOS
	}
	return classesS3
}

// cleanTime bounds the removal of what was made, which goes on when ctx has ended.
const cleanTime = 2 * time.Minute

// Run tries everything on a bucket, some 250 small calls one after another. An error means that the report is not whole
// (no object can be stored, or ctx ended), or that objects are left under the prefix, whose name it gives.
//
// One object of a few bytes is readable by everybody until it is removed; objects in archive classes are removed before
// a public store's minimum term, which costs as much as a few bytes do.
func Run(ctx context.Context, s object.Store, bucket job.Bucket, o Options) (r Report, err error) {
	p := &prober{s: s, bucket: bucket, prefix: "drover-probe-" + strings.ToLower(rand.Text()) + "/"}
	r = Report{Bucket: bucket, Prefix: p.prefix}
	defer func() {
		clean, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTime)
		defer cancel()
		if left := p.clean(clean); left != nil && (err == nil || ctx.Err() != nil) {
			err = errors.Join(err, left)
		}
	}()
	if err := p.begin(ctx); err != nil {
		return r, fmt.Errorf("store an object in the bucket %s: %w", bucket, err)
	}
	r.Versioned = p.versioned
	for _, c := range checks(o) {
		found := c.judge(c.run(ctx, p))
		if ctx.Err() != nil {
			return r, ctx.Err()
		}
		r.Capabilities = append(r.Capabilities, found)
	}
	return r, nil
}

// check is one trial. run returns nil when the store did what was asked, a *finding that says otherwise, or the store's
// own error, which is a refusal.
type check struct {
	name string
	run  func(ctx context.Context, p *prober) error
	// What it means for a job when the store ignores it, or refuses.
	ignored, refused string
}

func checks(o Options) []check {
	var all []check
	for _, more := range [][]check{
		objectChecks, classChecks(o.classes()), copyChecks, conditionChecks, selfChecks, keyChecks(), versionChecks, restoreChecks,
	} {
		all = append(all, more...)
	}
	return all
}

func (c check) judge(err error) Capability {
	out := Capability{Name: c.name, Verdict: Works}
	if err == nil {
		return out
	}
	f := findingOf(err)
	out.Verdict, out.Detail = f.verdict, f.detail
	switch f.verdict {
	case Ignored:
		out.Meaning = c.ignored
	case Refused:
		out.Meaning = c.refused
	}
	return out
}
