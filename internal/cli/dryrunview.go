package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/manifest"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/operation"
)

type dryRunResult struct {
	Operation       string           `json:"operation"` // in a sentence
	Rows            int64            `json:"rows"`
	Files           int              `json:"files"`
	Buckets         []dryRunBucket   `json:"buckets"`
	Bytes           *int64           `json:"bytes,omitempty"` // absent where the list has no sizes
	Largest         *manifestRow     `json:"largest,omitempty"`
	ByParts         *int64           `json:"byParts,omitempty"` // objects that are copied by parts
	Classes         []dryRunClass    `json:"classes,omitempty"`
	Failures        []dryRunFailure  `json:"failures"`
	OntoItself      *dryRunFound     `json:"ontoItself,omitempty"`
	SameDestination *dryRunFound     `json:"sameDestination,omitempty"`
	Compared        *int64           `json:"destinationsCompared,omitempty"` // with all others; further ones with their neighbours
	Calls           []dryRunCalls    `json:"calls"`
	CallsTotal      int64            `json:"callsTotal"`
	AtLeast         bool             `json:"callsAtLeast"` // they can be more, as the notes say
	Notes           []string         `json:"notes"`
	First           []dryRunFirstRow `json:"first"`
}

type dryRunBucket struct {
	Bucket string `json:"bucket"`
	Rows   int64  `json:"rows"`
}

type dryRunClass struct {
	Class string `json:"storageClass"`
	Rows  int64  `json:"rows"`
	Bytes int64  `json:"bytes"`
}

type dryRunFailure struct {
	Code    string        `json:"code"`
	Count   int64         `json:"count"`
	Message string        `json:"message"`
	First   []manifestRow `json:"first"`
}

type dryRunFound struct {
	Count int64         `json:"count"`
	First []manifestRow `json:"first,omitempty"`
}

type dryRunCalls struct {
	Call  string `json:"call"`
	Count int64  `json:"count"`
}

type dryRunFirstRow struct {
	Source      manifestRow  `json:"source"`
	Destination *dryRunPlace `json:"destination,omitempty"`
	WouldFail   string       `json:"wouldFail,omitempty"` // by this code
}

type dryRunPlace struct {
	Bucket string `json:"bucket"`
	Key    string `json:"key"`
}

func knownOf(plan *manifest.Plan) operation.Known {
	return operation.Known{Sizes: plan.Has(manifest.ColumnSize), Classes: plan.Has(manifest.ColumnClass)}
}

// result is what was found, for programs.
func (d *dryRun) result(plan *manifest.Plan) dryRunResult {
	known, t := knownOf(plan), &d.tally
	out := dryRunResult{
		Operation: operation.Describe(d.op), Rows: t.Rows, Files: len(plan.Files),
		Failures: []dryRunFailure{}, Calls: []dryRunCalls{}, Notes: []string{},
	}
	for _, b := range t.Buckets {
		out.Buckets = append(out.Buckets, dryRunBucket{string(b.Bucket), b.Rows})
	}
	if known.Sizes {
		out.Bytes = &t.Sizes.Bytes
		if t.Largest.Size > 0 {
			largest := fromEntry(t.Largest)
			out.Largest = &largest
		}
	}
	if known.Classes {
		for _, c := range t.Classes {
			out.Classes = append(out.Classes, dryRunClass{c.Class, c.Rows, c.Sizes.Bytes})
		}
	}
	for _, f := range d.rehearsal.Failures() {
		out.Failures = append(out.Failures, dryRunFailure{f.Code, f.Count, f.Message, fromEntries(f.First)})
	}
	if d.mover != nil {
		n, compared := d.rehearsal.ByParts(), d.seen.Kept()
		if out.Compared = &compared; known.Sizes {
			out.ByParts = &n
		}
		out.OntoItself = &dryRunFound{d.self.count, fromEntries(d.self.first)}
		out.SameDestination = &dryRunFound{d.twice.count, fromEntries(d.twice.first)}
	}
	calls, total := d.calls()
	for _, c := range calls {
		out.Calls = append(out.Calls, dryRunCalls(c))
	}
	out.CallsTotal = total
	for _, c := range d.rehearsal.Caveats(known) {
		out.Notes, out.AtLeast = append(out.Notes, c.Says), out.AtLeast || c.More
	}
	for _, e := range d.first {
		row := dryRunFirstRow{Source: fromEntry(e), WouldFail: d.fails(e)}
		if to, ok := d.destination(e); ok {
			row.Destination = &dryRunPlace{string(to.Bucket), string(to.Key)}
		}
		out.First = append(out.First, row)
	}
	return out
}

// destination is where a row goes, if its operation brings it somewhere.
func (d *dryRun) destination(e job.Entry) (object.Ref, bool) {
	if d.mover == nil {
		return object.Ref{}, false
	}
	to, err := d.mover.Destination(e)
	return to, err == nil
}

func fromEntries(entries []job.Entry) (rows []manifestRow) {
	for _, e := range entries {
		rows = append(rows, fromEntry(e))
	}
	return rows
}

// show prints what was found, for people.
func (d *dryRun) show(sh *shell, plan *manifest.Plan) {
	line := func(name, format string, args ...any) { sh.printf("  %-12s %s\n", name, fmt.Sprintf(format, args...)) }
	known, t := knownOf(plan), &d.tally
	sh.printf("dry run: the job could run%s; nothing was changed\n", d.outlook())
	line("operation", "%s", oneLine(operation.Describe(d.op)))
	line("list", "%s in %s", plural(t.Rows, "row"), plural(int64(len(plan.Files)), "file"))
	line("buckets", "%s", d.buckets(sh))
	if known.Sizes {
		line("size", "%s", bytesText(t.Sizes.Bytes))
		if t.Largest.Size > 0 {
			line("largest", "%s: %s", bytesText(t.Largest.Size), sourceText(sh, t.Largest))
		}
		if d.mover != nil {
			line("by parts", "%s over %s", plural(d.rehearsal.ByParts(), "object"), sizeText(object.MaxCopySize))
		}
	}
	if known.Classes {
		line("classes", "%s", d.classes(sh, known.Sizes))
	}
	for _, f := range d.rehearsal.Failures() {
		line("would fail", "%s by %s: %s First: %s", count(f.Count), f.Code, oneLine(f.Message), sourcesText(sh, f.First))
	}
	if d.self.count > 0 {
		line("onto itself", "%s would be copied to where the object is; first: %s", plural(d.self.count, "row"), sourcesText(sh, d.self.first))
	}
	if d.mover != nil {
		line("collisions", "%s", d.collisions(sh))
	}
	d.showCalls(sh, known)
	sh.printf("first rows\n")
	for _, e := range d.first {
		sh.printf("  %s\n", d.mapping(sh, e))
	}
}

// outlook says how many tasks would fail.
func (d *dryRun) outlook() string {
	n := int64(0)
	for _, f := range d.rehearsal.Failures() {
		n += f.Count
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", but by the list %s of its %s would fail", count(n), plural(d.tally.Rows, "task"))
}

func (d *dryRun) showCalls(sh *shell, known operation.Known) {
	caveats := d.rehearsal.Caveats(known)
	heading := "calls of the tasks, if none has to be repeated"
	if slices.ContainsFunc(caveats, func(c operation.Caveat) bool { return c.More }) {
		heading = "calls of the tasks, at least"
	}
	sh.printf("%s\n", heading)
	calls, total := d.calls()
	for _, c := range calls {
		sh.printf("  %-24s %s\n", c.Call, count(c.Count))
	}
	sh.printf("  %-24s %s\n", "all", count(total))
	for _, c := range caveats {
		sh.printf("  note: %s\n", c.Says)
	}
}

// calls gives the calls, the most frequent first, and their sum.
func (d *dryRun) calls() (calls []operation.CallCount, total int64) {
	calls = d.rehearsal.Calls()
	slices.SortStableFunc(calls, func(a, b operation.CallCount) int { return int(b.Count - a.Count) })
	for _, c := range calls {
		total += c.Count
	}
	return calls, total
}

func (d *dryRun) buckets(sh *shell) string {
	const most = 5
	var parts []string
	for _, b := range d.tally.Buckets[:min(most, len(d.tally.Buckets))] {
		parts = append(parts, sh.foreign(string(b.Bucket))+" "+count(b.Rows))
	}
	if n := len(d.tally.Buckets) - most; n > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", n))
	}
	return strings.Join(parts, ", ")
}

func (d *dryRun) classes(sh *shell, sized bool) string {
	var parts []string
	for _, c := range d.tally.Classes {
		name := sh.foreign(c.Class)
		if name == "" {
			name = "no class"
		}
		text := name + " " + count(c.Rows)
		if sized {
			text += " (" + sizeText(c.Sizes.Bytes) + ")"
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, ", ")
}

// collisions says how many rows go where another one goes, and how far that could be told.
func (d *dryRun) collisions(sh *shell) string {
	text := "none: no two rows have the same destination"
	if d.twice.count > 0 {
		text = plural(d.twice.count, "row") + " would go where another row goes; first: " + sourcesText(sh, d.twice.first)
	}
	if !d.seen.Full() {
		return text
	}
	return fmt.Sprintf("%s, as far as was compared: the first %s destinations with all others, the rest with their neighbours", text, count(d.seen.Kept()))
}

// mapping shows a row as the operation would map it.
func (d *dryRun) mapping(sh *shell, e job.Entry) string {
	text := sourceText(sh, e)
	if to, ok := d.destination(e); ok {
		text += " -> " + sh.foreign(string(to.Bucket)+"/"+string(to.Key))
	}
	if code := d.fails(e); code != "" {
		text += " (would fail by " + code + ")"
	}
	return text
}

func sourceText(sh *shell, e job.Entry) string {
	text := sh.foreign(string(e.Bucket) + "/" + string(e.Key))
	if e.Version != "" {
		text += " version " + sh.foreign(string(e.Version))
	}
	return text
}

func sourcesText(sh *shell, entries []job.Entry) string {
	var parts []string
	for _, e := range entries[:min(3, len(entries))] {
		parts = append(parts, sourceText(sh, e))
	}
	return strings.Join(parts, ", ")
}

// sizeText writes bytes in the largest unit of which there is one.
func sizeText(n int64) string {
	units := []string{"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	v, i := float64(n), 0
	for ; v >= 1024 && i < len(units)-1; i++ {
		v /= 1024
	}
	if i == 0 {
		return plural(n, "byte")
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0") + " " + units[i]
}

// bytesText is sizeText with the bytes.
func bytesText(n int64) string {
	if n < 1024 {
		return sizeText(n)
	}
	return sizeText(n) + " (" + count(n) + " bytes)"
}
