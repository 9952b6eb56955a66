package e2e

import (
	"bytes"
	"encoding/csv"
	"io"
	"net/url"
	"path"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/report"
)

// inFlightFor is how long before a kill a row can have been begun whose outcome the kill took along: it is handed in at
// the latest a second after it ended, and a machine that is busy may be slow with that.
const inFlightFor = 3 * time.Second

// heldChunks is how many chunks a worker holds at most: what it has not handed in of them dies with it.
const heldChunks = 16

// late is how long after a kill was seen, and the stores have answered another, a call can still come out of the sockets.
const late = 100 * time.Millisecond

// wakeFor is how long after a wake a call can come out that had been about to be sent when its process was stopped.
const wakeFor = time.Second

// check holds the job's end against the lists, the report and the stores' own log.
func (s *crashSeed) check() {
	j, rows := s.last, int64(len(s.list.keys))
	missing := int64(0)
	for _, k := range s.list.keys {
		if s.list.missing[k] {
			missing++
		}
	}
	want := map[scene]string{toTheEnd: "Complete", paused: "Complete", byParts: "Complete", cancelled: "Cancelled", failing: "Failed"}[s.scene]
	p := j.Progress
	if j.Status != want || p.Total != rows && !(s.scene == cancelled && p.Total == 0) {
		s.t.Fatalf("the job is %s (%s) with %+v, want %s with %d rows; failures %v", j.Status, j.StatusReason, p, want, rows, j.Failures)
	}
	switch want {
	case "Complete":
		if p.Succeeded != rows-missing || p.Failed != missing {
			s.t.Errorf("%d succeeded and %d failed, want %d and %d", p.Succeeded, p.Failed, rows-missing, missing)
		}
	case "Failed":
		if done := p.Succeeded + p.Failed; done < 1000 || 2*p.Failed <= done {
			s.t.Errorf("the failure rule ended the job with %+v", p)
		}
	}
	seen := map[string]string{}
	if s.report != "" {
		seen = s.readReport()
	}
	s.checkRows(seen, want == "Complete")
	if s.scene == byParts {
		s.checkParts()
	} else {
		s.checkCalls(seen)
	}
}

// checkRows compares the report with the counts and the list.
func (s *crashSeed) checkRows(seen map[string]string, whole bool) {
	var ok, failed int64
	for k, st := range seen {
		if st == "succeeded" {
			ok++
		} else {
			failed++
		}
		if wrong := s.list.missing[k] != (st == "failed"); wrong || !slices.Contains(s.list.keys, k) {
			s.t.Errorf("key %q stands in the report as %s", k, st)
		}
	}
	p := s.last.Progress
	switch s.report {
	case "AllTasks":
		if ok != p.Succeeded || failed != p.Failed {
			s.t.Errorf("%d + %d rows in the report, counted %d + %d", ok, failed, p.Succeeded, p.Failed)
		}
	case "FailedTasksOnly":
		if ok != 0 || failed != p.Failed {
			s.t.Errorf("%d + %d rows in a report of the failed ones, counted %d + %d", ok, failed, p.Succeeded, p.Failed)
		}
	}
	if whole && s.report == "AllTasks" && len(seen) != len(s.list.keys) {
		s.t.Errorf("%d keys in the report, %d in the list", len(seen), len(s.list.keys))
	}
}

// readReport gives the status that the report has for each key, and sees to it that none stands there twice and that no
// file is there which its manifest does not name.
func (s *crashSeed) readReport() map[string]string {
	s.t.Helper()
	bucket, folder := "batch", report.Folder("reports", job.ID(s.last.ID))
	c := s.w.s3("local")
	get := func(name string) []byte {
		out, err := c.GetObject(s.t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &name})
		if err != nil {
			s.t.Fatal(err)
		}
		defer out.Body.Close()
		b, err := io.ReadAll(out.Body)
		if err != nil {
			s.t.Fatal(err)
		}
		return b
	}
	_, _, files, err := report.ParseManifest(get(report.ManifestName(folder)))
	if err != nil {
		s.t.Fatal(err)
	}
	named, seen := map[string]bool{}, map[string]string{}
	for _, f := range files {
		named[path.Base(f.Name)] = true
		rows, err := csv.NewReader(bytes.NewReader(get(f.Name))).ReadAll()
		if err != nil {
			s.t.Fatal(err)
		}
		for _, row := range rows {
			k, err := url.PathUnescape(row[1])
			if err != nil || seen[k] != "" {
				s.t.Fatalf("key %q stands in the report again: %v", k, err)
			}
			seen[k] = row[3]
		}
	}
	under := folder + "results/"
	list, err := c.ListObjectsV2(s.t.Context(), &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &under})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, o := range list.Contents {
		if !named[path.Base(*o.Key)] {
			s.t.Errorf("%s is not named by the report's manifest", *o.Key)
		}
	}
	return seen
}

// checkCalls: each row of the report was asked of the store, each object for which nothing is reported was in flight at
// a kill, and so was each that was asked for again.
func (s *crashSeed) checkCalls(seen map[string]string) {
	last := map[string]time.Time{}
	repeats, oldest := 0, time.Duration(0)
	for _, c := range s.w.calls.under(s.prefix()) {
		if c.op != "CopyObject" {
			continue
		}
		k := strings.TrimPrefix(c.key, s.prefix())
		if at, again := last[k]; again {
			repeats++
			age, ok := s.beforeKill(at, c.at)
			if !ok && !s.afterSleep(c.at) {
				s.t.Errorf("%q was copied at %s and again at %s, but no kill took it along", k, clock(at), clock(c.at))
			}
			oldest = max(oldest, age)
		}
		last[k] = c.at
	}
	var kills []string
	for _, at := range s.kills {
		kills = append(kills, clock(at.at))
	}
	s.t.Logf("%d keys asked for, %d calls repeated, begun up to %v before a kill; kills at %v", len(last), repeats, oldest.Round(time.Millisecond), kills)
	if most := len(s.kills) * heldChunks * chaosChunk; repeats > most {
		s.t.Errorf("%d calls were repeated, %d kills can have taken %d along", repeats, len(s.kills), most)
	}
	switch done := s.last.Progress.Succeeded + s.last.Progress.Failed; {
	case s.last.Status == "Complete" && len(last) != len(s.list.keys):
		s.t.Errorf("%d keys were asked for, %d are in the list", len(last), len(s.list.keys))
	case int64(len(last)) < done:
		s.t.Errorf("%d keys were asked for, %d tasks are counted", len(last), done)
	}
	if s.report != "AllTasks" {
		return
	}
	for k, at := range last {
		if _, ok := s.beforeKill(at, time.Now()); seen[k] == "" && !ok && !s.afterSleep(at) {
			s.t.Errorf("%q was copied at %s, does not stand in the report, and no kill took it along", k, clock(at))
		}
	}
	for k := range seen {
		if _, ok := last[k]; !ok {
			s.t.Errorf("%q stands in the report, but the store was never asked", k)
		}
	}
}

// beforeKill reports whether a kill fell between the two times, and how long after the first.
func (s *crashSeed) beforeKill(at, until time.Time) (time.Duration, bool) {
	for _, k := range s.kills {
		if age := k.at.Sub(at); at.Before(k.taken.Add(late)) && age < inFlightFor && !k.at.After(until.Add(late)) {
			return age, true
		}
	}
	return 0, false
}

// afterSleep puts a call down to a process that had looked at its lease, was stopped before it sent, and sent when it was
// woken: no process can look and send at once. There are no more of these than processors to stop it on.
func (s *crashSeed) afterSleep(at time.Time) bool {
	for i := range s.sleeps {
		w := &s.sleeps[i]
		if since := at.Sub(w.woke); since >= 0 && since < wakeFor && w.sent < runtime.NumCPU() {
			w.sent++
			return true
		}
	}
	return false
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05.000") }

// checkParts: the copies are there and whole, and no more was made again or left behind than kills can explain.
func (s *crashSeed) checkParts() {
	bucket, prefix := "target", s.prefix()
	c := s.w.s3("far")
	for _, k := range s.list.keys {
		key, size := prefix+k, int64(len(k))
		if strings.HasPrefix(k, "large/") {
			size = largeObject
		}
		head, err := c.HeadObject(s.t.Context(), &s3.HeadObjectInput{Bucket: &bucket, Key: &key})
		if err != nil || *head.ContentLength != size {
			s.t.Errorf("the copy of %q: %v, %+v", k, err, head)
		}
	}
	list, err := c.ListMultipartUploads(s.t.Context(), &s3.ListMultipartUploadsInput{Bucket: &bucket, Prefix: &prefix})
	if err != nil {
		s.t.Fatal(err)
	}
	parts := map[string]int{}
	for _, call := range s.w.calls.under(prefix) {
		if call.op == "UploadPart" {
			parts[call.key]++
		}
	}
	s.t.Logf("parts made: %v, unfinished copies left: %d", parts, len(list.Uploads))
	// A kill between the store's making of an upload and its record leaves that upload behind: one of each large copy.
	if len(list.Uploads) > 2*len(s.kills) {
		s.t.Errorf("%d unfinished copies are left by %d kills", len(list.Uploads), len(s.kills))
	}
	for key, n := range parts {
		if n > 3+3*len(s.kills) {
			s.t.Errorf("%d parts were made of %q, which has 3, with %d kills", n, key, len(s.kills))
		}
	}
}
