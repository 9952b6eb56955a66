package manifest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/drover-batch/drover/internal/job"
)

// Rank is how much a Finding matters.
type Rank string

// The ranks.
const (
	RankError   Rank = "error"   // a job refuses the manifest because of it
	RankWarning Rank = "warning" // a job takes it, and may not do what was meant
)

// The codes of warnings; errors have those of Error.
const (
	CodeNotEncoded   = "KeyNotEncoded"   // a key holds bytes that URL encoding would have written as %XX
	CodePlus         = "PlusInKey"       // a + that stays a plus sign in this format, and is a space in others
	CodeEncodedTwice = "KeyEncodedTwice" // a decoded key still holds %XX
	CodeDouble       = "DoubledRow"      // the same object stands in the list twice
	CodeMarker       = "DeleteMarker"    // a row that ends as a failed task in most operations
)

const (
	// MaxPlaces is how many places a Finding names.
	MaxPlaces = 10
	// maxCompared is how many rows are kept to be compared with later ones, at most 32 bytes each. Behind them only
	// neighbours are compared.
	maxCompared = 8 << 20
)

// Finding is one kind of thing that Lint found.
type Finding struct {
	Rank    Rank
	Code    string
	Message string // of the first place
	Count   int64
	Places  []Place // the first ones, at most MaxPlaces
}

// Place is where a Finding stands.
type Place struct {
	File  string
	Row   int64 // line of that file, from 1; 0 when it is about no one line
	Field string
}

// Linted is what Lint tells of a manifest.
type Linted struct {
	Files    int
	Rows     int64 // that a job could work on
	Findings []Finding
	// Compared is how many rows were looked for among all later ones; the rest only among their neighbours.
	Compared int64
}

// Errors counts the findings for which a job refuses the manifest.
func (l *Linted) Errors() (n int64) {
	for _, f := range l.Findings {
		if f.Rank == RankError {
			n += f.Count
		}
	}
	return n
}

// Lint reads all of a manifest as Survey does, but goes on behind what is wrong and also names what is doubtful. The
// error is the context's, or says that the manifest itself cannot be read; all else that is wrong is in the findings.
func Lint(ctx context.Context, o Opener, m job.Manifest, opt Options) (*Linted, error) {
	l := &linter{seen: NewSeen(maxCompared)}
	p, files, err := begin(ctx, o, m, opt)
	if err != nil {
		return &l.out, l.unlessMissing(err)
	}
	l.plan = p
	for _, s := range files {
		if err := l.file(ctx, o, s); err != nil {
			return &l.out, err
		}
	}
	if l.out.Rows == 0 && l.out.Errors() == 0 {
		l.find(RankError, CodeEmpty, Place{File: nameOf(m.Location).String()}, "it lists no object; there is nothing to do")
	}
	l.out.Compared = l.seen.Kept()
	return &l.out, nil
}

// linter collects findings. Owned by one goroutine.
type linter struct {
	out  Linted
	plan *Plan
	seen *Seen
	raw  []byte // the record before it was decoded in place
}

// fail notes an error about the manifest and gives any other back.
func (l *linter) fail(err error) error {
	if e, ok := errors.AsType[*Error](err); ok {
		l.find(RankError, e.Code, Place{File: e.File, Row: e.Row, Field: e.Field}, e.Message)
		return nil
	}
	if e, ok := errors.AsType[*job.Error](err); ok {
		l.find(RankError, string(e.Code), Place{}, e.Message)
		return nil
	}
	return err
}

// unlessMissing notes an error as fail does, unless it is that the manifest itself cannot be read.
func (l *linter) unlessMissing(err error) error {
	if e, ok := errors.AsType[*Error](err); ok && e.Code == CodeUnreadable && e.Field == "" {
		return err
	}
	return l.fail(err)
}

func (l *linter) find(rank Rank, code string, at Place, message string) {
	for i := range l.out.Findings {
		f := &l.out.Findings[i]
		if f.Code == code && f.Places[0].Field == at.Field {
			if f.Count++; len(f.Places) < MaxPlaces {
				f.Places = append(f.Places, at)
			}
			return
		}
	}
	l.out.Findings = append(l.out.Findings, Finding{Rank: rank, Code: code, Message: message, Count: 1, Places: []Place{at}})
}

// file lints one data file. A file that cannot be read to its end does not keep the others from being read.
func (l *linter) file(ctx context.Context, o Opener, s stated) error {
	l.out.Files++
	var f File
	rd, err := l.plan.open(ctx, o, s, &f)
	switch {
	case err != nil && l.plan.Format == job.FormatCSV:
		return l.unlessMissing(err)
	case err != nil:
		return l.fail(err)
	}
	defer rd.src.Close()
	seen := buckets{file: f.Name.String()}
	for {
		err := rd.record()
		if err == io.EOF {
			break
		}
		if err != nil {
			return l.fail(err) // nothing behind it can be told apart
		}
		l.row(rd, &seen)
	}
	if rd.src.sum != nil {
		return l.fail(rd.src.checkMD5(&f, s))
	}
	return nil
}

// row lints the record that stands in rd.rec.
func (l *linter) row(rd *reader, seen *buckets) {
	l.raw = append(l.raw[:0], rd.rec...)
	if bad := rd.d.decode(rd.rec, &rd.row); bad != nil {
		_ = l.fail(rd.fault(bad))
		return
	}
	l.out.Rows++
	at := Place{File: seen.file, Row: rd.sc.at}
	if err := seen.add(rd.row.bucket, rd.sc.at); err != nil {
		_ = l.fail(err)
	}
	l.compare(&rd.row, at)
	if rd.row.deleteMarker {
		l.find(RankWarning, CodeMarker, at, "it is a delete marker, which cannot be copied, restored or tagged: its task will fail")
	}
	at.Field = string(ColumnKey)
	l.key(l.rawKey(rd.d), rd.row.key, at)
}

// compare looks for the row among those before.
func (l *linter) compare(r *row, at Place) {
	if l.seen.Add(r.bucket, r.key, r.version) {
		l.find(RankWarning, CodeDouble, at, "the same object stands in the list before: it would be worked on twice")
	}
}

// rawKey is the key as written in the record kept aside.
func (l *linter) rawKey(d *decoder) []byte {
	rest, more := l.raw, true
	var f []byte
	for _, k := range d.kinds {
		if !more {
			return nil
		}
		if f, rest, more, _ = cutField(rest); k == key {
			return f
		}
	}
	return nil
}

// key looks at how a key is written.
func (l *linter) key(raw, decoded []byte, at Place) {
	if i := bytes.IndexFunc(raw, mustBeEncoded); i >= 0 {
		l.find(RankWarning, CodeNotEncoded, at, fmt.Sprintf(
			"%s is taken as it stands, but keys are URL-encoded here: if the list was written without encoding, a %%XX in it will be decoded all the same",
			quoted(raw)))
	}
	if !l.plan.PlusSpace && bytes.IndexByte(raw, '+') >= 0 {
		l.find(RankWarning, CodePlus, at, quoted(raw)+" keeps its plus sign; if a space was meant, write %20")
	}
	if twice(decoded) {
		l.find(RankWarning, CodeEncodedTwice, at, "the key reads as "+quoted(decoded)+", which looks encoded twice")
	}
}

// mustBeEncoded tells the characters that no URL encoding leaves as they are.
func mustBeEncoded(r rune) bool { return r <= ' ' || r >= 0x7f || r == '"' }

// twice reports whether a decoded key still holds an escape such as %20 or %2F.
func twice(key []byte) bool {
	for i := bytes.IndexByte(key, '%'); i >= 0 && i+2 < len(key); {
		if unhex[key[i+1]] >= 0 && unhex[key[i+2]] >= 0 {
			return true
		}
		next := bytes.IndexByte(key[i+1:], '%')
		if next < 0 {
			return false
		}
		i += 1 + next
	}
	return false
}
