package engine

import (
	"cmp"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/manifest"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/report"
)

// commitNote is what lies beside the report as commits/<segment>.json: the checkpoint as it was once that segment, and
// what came after it without a file, was committed. From all of them a lost checkpoint is made again.
type commitNote struct {
	Number    int64 // of the segment; 0 = none yet
	Files     []report.File
	Plan      string // digest of the manifest that the rows are of
	Mark      int64
	Above     []byte
	Asked     *asked `json:",omitempty"`
	Succeeded int64
	Failed    int64
	Codes     []job.CodeCount
}

func commitsUnder(folder string) string { return folder + "commits/" }

func commitName(folder string, segment int64) string {
	return fmt.Sprintf("%s%08d.json", commitsUnder(folder), segment)
}

// writeNote repeats beside the report what a checkpoint that is about to be stored will say. Where the checkpoint names no
// new file, nothing waits for the note.
func (c *collector) writeNote(ctx context.Context, k checkpoint, files bool) error {
	if c.sink == nil {
		return nil
	}
	n := commitNote{
		Number: k.segmentCount(c.e.o.pageSegments), Plan: planDigest(c.plan), Mark: k.Mark, Above: k.Above, Asked: k.Asked,
		Succeeded: k.Succeeded, Failed: k.Failed, Codes: k.Codes,
	}
	if len(k.Segments) > 0 {
		n.Files = k.Segments[len(k.Segments)-1].Files
	}
	name := commitName(c.folder, n.Number)
	err := putBytes(ctx, c.sink, name, encode(n), report.ContentTypeJSON)
	switch {
	case err != nil && files:
		return fmt.Errorf("write report file %s: %w", name, err)
	case err != nil && ctx.Err() == nil:
		c.log.Warn("a lost checkpoint could not be made again up to here", "err", err)
	}
	return nil
}

// planDigest tells apart manifests whose rows may not be the same ones.
func planDigest(p *manifest.Plan) string {
	h := sha256.New()
	for _, f := range p.Files {
		fmt.Fprintf(h, "%q %q %q %d %q %d %d\n", f.Name.Bucket, f.Name.Key, f.Name.Path, f.Size, cmp.Or(f.MD5, f.ETag), f.FirstRow, f.Rows)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// rebuild makes a checkpoint from what lies beside the report. Without any of it the checkpoint is empty: the job starts
// over, and its operation is repeated where it was done already. It takes no result that is not whole.
func (c *collector) rebuild(ctx context.Context) (k checkpoint, err error) {
	if c.sink == nil {
		return k, nil
	}
	var names []string
	for name, err := range c.sink.List(ctx, commitsUnder(c.folder)) {
		if err != nil {
			return k, notReadable("look for a lost checkpoint", err)
		}
		names = append(names, name)
	}
	if len(names) == 0 {
		return k, nil
	}
	there := map[string]bool{}
	for name, err := range c.sink.List(ctx, c.folder+"results/") {
		if err != nil {
			return k, notReadable("look for a lost checkpoint", err)
		}
		there[name] = true
	}
	var before checkpoint // k without its last segment
	for i, name := range names {
		n, err := c.readNote(ctx, name)
		if err != nil {
			return k, err
		}
		if n == nil || n.Number != int64(len(k.Segments)) && n.Number != int64(len(k.Segments))+1 || name != commitName(c.folder, n.Number) {
			c.log.Warn("commits beside the report end here", "name", name, "of", len(names), "at", i)
			break
		}
		if n.Plan != planDigest(c.plan) {
			return k, failure("ManifestFileChanged", "The manifest is not the one that the job's %d finished tasks were of: %s says so. Make a new job.", n.Succeeded+n.Failed, name)
		}
		if missing(there, n.Files) != "" {
			c.log.Warn("a file of the report is missing; its rows are run again", "file", missing(there, n.Files))
			break
		}
		before = k
		segs := k.Segments
		if n.Number > 0 {
			segs = append(segs[:len(segs):len(segs)], segment{Number: n.Number, Files: n.Files})
		}
		k = checkpoint{
			Mark: n.Mark, Above: n.Above, Asked: n.Asked, Succeeded: n.Succeeded, Failed: n.Failed, Codes: n.Codes, Segments: segs,
		}
	}
	// The last segment may have been on its way to the disk when the machine went down.
	if n := len(k.Segments); n > 0 {
		ok, err := c.whole(ctx, k.Segments[n-1].Files)
		if err != nil {
			return k, err
		}
		if !ok {
			c.log.Warn("the last segment of the report is damaged; its rows are run again", "segment", n)
			k = before
		}
	}
	return c.paged(ctx, k)
}

// ranBefore tells a job whose state was lost from a new one: something of it is left. Its rows may have been worked on, so
// that each of its chunks is asked for, and its operations are told that they may be repeating themselves.
func (l *leader) ranBefore(ctx context.Context) (bool, error) {
	if l.rec.Recovered {
		return true, nil
	}
	for _, key := range []string{planKey(l.id), cursorKey(l.id), ckptKey(l.id)} {
		if _, err := l.e.o.Carrier.Get(ctx, Jobs, key); !errors.Is(err, ErrNotFound) {
			return err == nil, err
		}
	}
	queued, err := l.e.o.Carrier.Queued(ctx, l.id, phaseCall)
	return len(queued) > 0, err
}

// paged moves all the segments that fill pages into pages.
func (c *collector) paged(ctx context.Context, k checkpoint) (checkpoint, error) {
	was := c.ckpt
	defer func() { c.ckpt = was }()
	for c.ckpt = k; len(c.ckpt.Segments) >= c.e.o.pageSegments; {
		var err error
		if c.ckpt, err = c.turnPage(ctx); err != nil {
			return k, err
		}
	}
	return c.ckpt, nil
}

// segmentsOfNotes gives all committed segments from beside the report, where a page of them was lost.
func (c *collector) segmentsOfNotes(ctx context.Context) ([]segment, error) {
	var all []segment
	for i := range c.ckpt.segmentCount(c.e.o.pageSegments) {
		name := commitName(c.folder, i+1)
		n, err := c.readNote(ctx, name)
		if err != nil {
			return nil, err
		}
		if n == nil || n.Number != i+1 {
			return nil, fmt.Errorf("%s does not tell of segment %d", name, i+1)
		}
		all = append(all, segment{Number: n.Number, Files: n.Files})
	}
	return all, nil
}

// notReadable is an error that is waited for, whatever the store says: whoever runs it can give the role the right to read.
func notReadable(doing string, err error) error { return fmt.Errorf("%s: %v", doing, err) }

// missing names a file that is not there.
func missing(there map[string]bool, files []report.File) string {
	for _, f := range files {
		if !there[f.Name] {
			return f.Name
		}
	}
	return ""
}

// readNote reads a note; nil when it does not parse.
func (c *collector) readNote(ctx context.Context, name string) (*commitNote, error) {
	b, err := c.sink.Get(ctx, name)
	if err != nil {
		return nil, notReadable("read "+name+" for a lost checkpoint", err)
	}
	var n commitNote
	if err := json.Unmarshal(b, &n); err != nil {
		return nil, nil
	}
	if _, err := doneSetFrom(n.Mark, n.Above); err != nil {
		return nil, nil
	}
	return &n, nil
}

// whole reports whether files are as they were written. Files that are too long to be read at once pass.
func (c *collector) whole(ctx context.Context, files []report.File) (bool, error) {
	for _, f := range files {
		if f.Size >= report.MaxGet {
			continue
		}
		b, err := c.sink.Get(ctx, f.Name)
		if errors.Is(err, fs.ErrNotExist) || object.StatusOf(err) == 404 {
			return false, nil
		}
		if err != nil {
			return false, notReadable("read "+f.Name+" for a lost checkpoint", err)
		}
		if sum := md5.Sum(b); hex.EncodeToString(sum[:]) != f.MD5 {
			return false, nil
		}
	}
	return true, nil
}

// Recovered is a job that Recover found.
type Recovered struct {
	ID        job.ID
	Account   job.Account
	Role      job.Role
	Operation string
	Created   time.Time
	// State is what became of it: RecoveredAnew, RecoveredKnown or RecoveredEnded.
	State string
}

// What Recover did with a job.
const (
	RecoveredAnew  = "recovered" // it is recorded again, and goes on when the engine runs
	RecoveredKnown = "known"     // it is recorded already
	RecoveredEnded = "ended"     // its report is whole: nothing is left to do
)

// Recover records jobs again whose records were lost, from the job.json beside their reports. What they have done is then
// found by their leaders. Nothing else may use the carrier. Whoever can write to a report's place can put a job.json
// there: f is asked for each job before it is recorded, and false leaves it out. An error ends it; it can be repeated.
func Recover(ctx context.Context, records Records, sink report.Sink, under string, f func(Recovered) bool) error {
	for name, err := range sink.List(ctx, under) {
		if err != nil {
			return fmt.Errorf("look for jobs under %q: %w", under, err)
		}
		folder, ok := strings.CutSuffix(name, jobName(""))
		if !ok || !strings.HasSuffix(folder, "/") {
			continue
		}
		if err := recoverJob(ctx, records, sink, folder, f); err != nil {
			return fmt.Errorf("recover the job of %s: %w", name, err)
		}
	}
	return nil
}

// jobName names the job's own record beside its report.
func jobName(folder string) string { return folder + "job.json" }

func recoverJob(ctx context.Context, records Records, sink report.Sink, folder string, f func(Recovered) bool) error {
	b, err := sink.Get(ctx, jobName(folder))
	if err != nil {
		return err
	}
	rec, err := decode[jobRecord](Record{Key: jobName(folder), Value: b})
	if err != nil {
		return err
	}
	spec, err := rec.Spec.spec()
	if err == nil {
		err = spec.Validate()
	}
	if _, bad := job.ParseID(string(rec.ID)); err == nil {
		err = bad
	}
	if err == nil && report.Folder(spec.Report.Prefix, rec.ID) != folder {
		err = job.Errorf(job.InvalidRequest, "The job's report belongs to %s: this is a copy.", report.Folder(spec.Report.Prefix, rec.ID))
	}
	if err != nil {
		return err
	}
	r := Recovered{ID: rec.ID, Account: spec.Account, Role: spec.Role, Operation: rec.Spec.Operation, Created: rec.Created}
	if r.State, err = stateOf(ctx, records, sink, rec.ID, folder); err != nil {
		return err
	}
	if !f(r) || r.State != RecoveredAnew {
		return nil
	}
	rec.Recovered = true
	rec.Confirm, err = confirmedBefore(ctx, sink, folder, rec)
	if err != nil {
		return err
	}
	if spec.Token != "" {
		key := tokenKey(rec.Spec.Account, rec.Spec.Token)
		if _, err := records.Put(ctx, Jobs, key, encode(tokenRecord{Job: rec.ID, Hash: requestHash(rec.Spec)})); err != nil {
			return err
		}
	}
	_, err = records.Create(ctx, Jobs, jobKey(rec.ID), encode(rec))
	return err
}

func stateOf(ctx context.Context, records Records, sink report.Sink, id job.ID, folder string) (string, error) {
	for b, key := range map[Bucket]string{Jobs: jobKey(id), Done: doneKey(id)} {
		_, err := records.Get(ctx, b, key)
		if err == nil {
			return RecoveredKnown, nil
		}
		if !errors.Is(err, ErrNotFound) {
			return "", err
		}
	}
	for name, err := range sink.List(ctx, report.ManifestName(folder)) {
		if err != nil {
			return "", err
		}
		if name == report.ManifestName(folder) {
			return RecoveredEnded, nil
		}
	}
	return RecoveredAnew, nil
}

// confirmedBefore is the confirmation of a job that has run already; one that has not asks again.
func confirmedBefore(ctx context.Context, sink report.Sink, folder string, rec jobRecord) (*wish, error) {
	if !rec.Spec.ConfirmationRequired || rec.Confirm != nil {
		return rec.Confirm, nil
	}
	for _, err := range sink.List(ctx, commitsUnder(folder)) {
		if err != nil {
			return nil, err
		}
		return &wish{Time: rec.Created, Actor: system, Reason: "It was confirmed before its records were lost: it has run."}, nil
	}
	return nil, nil
}
