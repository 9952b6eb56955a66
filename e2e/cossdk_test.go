package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/tencentyun/cos-go-sdk-v5"
)

// These tests drive the whole product with Tencent's own SDK, as it is: its Batch service on the jobs API, and its
// object calls on the store, which answers in the COS dialect at hosts such as photos-1250000000.cos.local.localhost.

// The way of the SDK's own integration test, and on to the end: create, describe, list, priority, wait for Suspended,
// confirm, wait for Complete, read the report and the copies.
func TestCOSSDKCopiesFromACSV(t *testing.T) {
	t.Parallel()
	u := startCOS(t)
	source, target, lists := u.bucket("photos-1250000000"), u.bucket("album-1250000000"), u.bucket("lists-1250000000")
	keys := []string{"a.txt", "dir/b c.txt", "dir/+é%.txt", `q"uote,comma.txt`}
	var manifest strings.Builder
	for _, key := range keys {
		u.put(source, key, "body of "+key, "")
		fmt.Fprintf(&manifest, "photos-1250000000,%s\n", url.PathEscape(key))
	}
	manifest.WriteString("photos-1250000000,gone.txt")
	etag := u.put(lists, "in/list.csv", manifest.String(), "")

	o := u.copyJob("in/list.csv", etag, "album-1250000000")
	o.ConfirmationRequired, o.Description, o.Priority = "true", "photos & more", 10
	o.Operation.PutObjectCopy.TargetKeyPrefix, o.Operation.PutObjectCopy.PrefixReplace = "2026/", true
	o.Operation.PutObjectCopy.StorageClass = "STANDARD_IA"
	id := u.create(o)
	if _, _, err := u.batch.CreateJob(t.Context(), o, u.head); !isCOSError(err, 400, "InvalidRequest") {
		t.Errorf("the same token again: %v", err)
	}

	j := u.describe(id)
	if j.JobId != id || j.ConfirmationRequired != "true" || j.Description != o.Description || j.Priority != 10 || j.RoleArn != o.RoleArn {
		t.Errorf("described %+v", j)
	}
	if *j.Manifest.Location != *o.Manifest.Location || *j.Report != *o.Report || *j.Operation.PutObjectCopy != *o.Operation.PutObjectCopy {
		t.Errorf("not echoed: %+v, %+v, %+v", j.Manifest.Location, j.Report, j.Operation.PutObjectCopy)
	}
	if l := u.list(nil).Jobs.Members; len(l) != 1 || l[0].JobId != id || l[0].Operation != "COSPutObjectCopy" {
		t.Errorf("listed %+v", l)
	}
	p, _, err := u.batch.UpdateJobPriority(t.Context(), &cos.BatchUpdatePriorityOptions{JobId: id, Priority: 20}, u.head)
	if err != nil || p.Priority != 20 {
		t.Errorf("priority %+v, %v", p, err)
	}
	j = u.until(id, "Suspended")
	if j.SuspendedCause == "" || j.SuspendedDate == "" || j.Priority != 20 {
		t.Errorf("suspended: %+v", j)
	}
	wantProgress(t, j, 5, 0, 0)
	if got, _, err := target.Bucket.Get(t.Context(), nil); err != nil || len(got.Contents) != 0 {
		t.Errorf("copied before it was confirmed: %+v, %v", got, err)
	}
	if r := u.ask(id, "Ready", "looked at it & fine"); r.Status != "Ready" || r.StatusUpdateReason != "looked at it & fine" {
		t.Errorf("confirmed: %+v", r)
	}
	j = u.until(id, "Complete")
	wantProgress(t, j, 5, 4, 1)
	if j.TerminationDate == "" || j.StatusUpdateReason != "Job complete" {
		t.Errorf("complete: %+v", j)
	}
	for _, key := range keys {
		if got, err := u.get(target, "2026/"+key); err != nil || got != "body of "+key {
			t.Errorf("copy of %s: %q, %v", key, got, err)
		}
		head, err := target.Object.Head(t.Context(), "2026/"+key, nil)
		if err != nil || head.Header.Get("X-Cos-Storage-Class") != "STANDARD_IA" {
			t.Errorf("copy of %s: %v, %v", key, head.Header, err)
		}
	}
	rows := u.report(id)
	failed := slices.ContainsFunc(rows, func(r string) bool {
		return strings.HasPrefix(r, "photos-1250000000,gone.txt,,failed,NoSuchKey,404,")
	})
	if len(rows) != 5 || !failed {
		t.Errorf("report:\n%s", strings.Join(rows, "\n"))
	}
	if _, err := u.batch.DeleteJob(t.Context(), id, u.head); err != nil {
		t.Error(err)
	}
	if _, _, err := u.batch.DescribeJob(t.Context(), id, u.head); !isCOSError(err, 404, "NoSuchJob") {
		t.Errorf("describe what was deleted: %v", err)
	}
}

func TestCOSSDKRestoresArchivedObjects(t *testing.T) {
	t.Parallel()
	u := startCOS(t, "--restore-delay", "1s")
	source, lists := u.bucket("cold-1250000000"), u.bucket("lists-1250000000")
	var manifest strings.Builder
	const n = 20
	for i := range n {
		key := fmt.Sprintf("film %d.mov", i)
		u.put(source, key, key, []string{"ARCHIVE", "DEEP_ARCHIVE"}[i%2])
		fmt.Fprintf(&manifest, "cold-1250000000,%s\n", url.PathEscape(key))
	}
	if _, err := u.get(source, "film 0.mov"); !isCOSError(err, 403, "InvalidObjectState") {
		t.Fatalf("read of an archived object: %v", err)
	}
	o := u.copyJob("list.csv", u.put(lists, "list.csv", manifest.String(), ""), "")
	o.Operation = &cos.BatchJobOperation{RestoreObject: &cos.BatchInitiateRestoreObject{ExpirationInDays: 3, JobTier: "Standard"}}
	id := u.create(o)
	wantProgress(t, u.until(id, "Complete"), n, n, 0)
	if rows := u.report(id); len(rows) != n {
		t.Errorf("%d rows in the report, want %d", len(rows), n)
	}
	for i := range n {
		key := fmt.Sprintf("film %d.mov", i)
		u.poll(key+" is restored", func() bool {
			head, err := source.Object.Head(t.Context(), key, nil)
			if err != nil {
				t.Fatal(err)
			}
			return strings.HasPrefix(head.Header.Get("X-Cos-Restore"), `ongoing-request="false"`)
		})
		if got := u.mustGet(source, key); got != key {
			t.Errorf("%s holds %q", key, got)
		}
	}
}

func TestCOSSDKCancelsARunningJob(t *testing.T) {
	t.Parallel()
	u := startCOS(t, "--concurrency", "1")
	source, _, lists := u.bucket("photos-1250000000"), u.bucket("album-1250000000"), u.bucket("lists-1250000000")
	u.put(source, "one.txt", "one", "")
	const n = 200_000
	etag := u.put(lists, "long.csv", strings.Repeat("photos-1250000000,one.txt\n", n), "")
	id := u.create(u.copyJob("long.csv", etag, "album-1250000000"))
	waiting := u.copyJob("long.csv", etag, "album-1250000000")
	waiting.ConfirmationRequired = "true"
	unconfirmed := u.create(waiting)
	u.poll("some tasks have ended", func() bool {
		j := u.describe(id)
		return j.Status == "Active" && j.ProgressSummary.NumberOfTasksSucceeded > 0
	})
	if r := u.ask(id, "Cancelled", "not needed"); r.Status != "Cancelling" {
		t.Errorf("asked to cancel: %+v", r)
	}
	j := u.until(id, "Cancelled")
	done := j.ProgressSummary.NumberOfTasksSucceeded
	if done == 0 || done >= n || j.ProgressSummary.TotalNumberOfTasks != n || j.StatusUpdateReason != "not needed" {
		t.Errorf("cancelled: %+v, %+v", j, j.ProgressSummary)
	}
	if rows := u.report(id); len(rows) != done {
		t.Errorf("%d rows in the report, %d tasks had ended", len(rows), done)
	}
	_, _, err := u.batch.UpdateJobStatus(t.Context(), &cos.BatchUpdateStatusOptions{JobId: id, RequestedJobStatus: "Cancelled"}, u.head)
	if !isCOSError(err, 400, "InvalidRequest") {
		t.Errorf("cancel again: %v", err)
	}
	_, _, err = u.batch.UpdateJobPriority(t.Context(), &cos.BatchUpdatePriorityOptions{JobId: id, Priority: 2}, u.head)
	if !isCOSError(err, 404, "NoSuchJob") {
		t.Errorf("priority of what has ended: %v", err)
	}
	u.until(unconfirmed, "Suspended")
	u.ask(unconfirmed, "Cancelled", "")
	wantProgress(t, u.until(unconfirmed, "Cancelled"), n, 0, 0)

	l := u.list(&cos.BatchListJobsOptions{JobStatuses: "Cancelled", MaxResults: 1})
	if len(l.Jobs.Members) != 1 || l.NextToken == "" {
		t.Fatalf("first page %+v", l)
	}
	l = u.list(&cos.BatchListJobsOptions{JobStatuses: "Cancelled", MaxResults: 1, NextToken: l.NextToken})
	if len(l.Jobs.Members) != 1 || l.NextToken != "" {
		t.Errorf("second page %+v", l)
	}
}

func TestCOSSDKCopiesFromAnInventory(t *testing.T) {
	t.Parallel()
	u := startCOS(t)
	source, target, _ := u.bucket("photos-1250000000"), u.bucket("album-1250000000"), u.bucket("lists-1250000000")
	const n = 100
	u.fill(source, n)
	key, etag := u.inventory("photos-1250000000", "cos_bucket_inventory")
	o := fromInventory(u.copyJob("", "", "album-1250000000"), key, etag)
	o.Operation.PutObjectCopy.PrefixReplace = true
	o.Operation.PutObjectCopy.ResourcesPrefix, o.Operation.PutObjectCopy.TargetKeyPrefix = "dir 1/", "one/"
	id := u.create(o)
	wantProgress(t, u.until(id, "Complete"), n, n, 0)
	for i := range n {
		want := fmt.Sprintf("dir %d/k+%d é", i%3, i)
		if got, err := u.get(target, strings.Replace(want, "dir 1/", "one/", 1)); err != nil || got != want {
			t.Errorf("copy of %s: %q, %v", want, got, err)
		}
	}
	if rows := u.report(id); len(rows) != n {
		t.Errorf("%d rows in the report, want %d", len(rows), n)
	}
}

// firstRowTwice changes a data file to another good one.
func firstRowTwice(t *testing.T, zipped string) string {
	t.Helper()
	r, err := gzip.NewReader(strings.NewReader(zipped))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	first, rest, _ := bytes.Cut(text, []byte("\n"))
	_, rest, _ = bytes.Cut(rest, []byte("\n"))
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	fmt.Fprintf(w, "%s\n%s\n%s", first, first, rest)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// Each job fails before it has touched an object, and DescribeJob says why and where.
func TestCOSSDKSeesWhyAJobFailed(t *testing.T) {
	t.Parallel()
	u := startCOS(t)
	source, target, lists := u.bucket("photos-1250000000"), u.bucket("album-1250000000"), u.bucket("lists-1250000000")
	u.fill(source, 50)
	far := u.in("elsewhere", "far-1250000000")
	if _, err := far.Bucket.Put(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	list := u.put(lists, "list.csv", "photos-1250000000,dir%200/k%2B0%20%C3%A9\n", "")
	farList := u.put(lists, "far.csv", "photos-1250000000,a\nfar-1250000000,b\n", "")
	badList := u.put(lists, "bad.csv", "photos-1250000000,a\nphotos-1250000000\n", "")
	key, etag := u.inventory("photos-1250000000", "changed")
	var inventory struct{ Files []struct{ Key string } }
	if err := json.Unmarshal([]byte(u.mustGet(lists, key)), &inventory); err != nil {
		t.Fatal(err)
	}
	data := inventory.Files[1].Key
	u.put(lists, data, firstRowTwice(t, u.mustGet(lists, data)), "")

	for name, tc := range map[string]struct {
		manifest, etag string
		spoil          func(*cos.BatchCreateJobOptions)
		code           string
		reason         string // a regular expression
	}{
		"a manifest of another ETag": {
			"list.csv", `"00000000000000000000000000000000"`, nil,
			"ManifestETagMismatch", `lists-1250000000/list\.csv.*ETag`,
		},
		"a manifest that is not there": {
			"none.csv", list, nil,
			"ManifestUnreadable", `lists-1250000000/none\.csv`,
		},
		"a manifest in another region": {
			"list.csv", list, func(o *cos.BatchCreateJobOptions) {
				o.Manifest.Location.ObjectArn = strings.Replace(o.Manifest.Location.ObjectArn, ":local:", ":ap-chengdu:", 1)
			}, "RegionMismatch", `list\.csv.*ap-chengdu.*local`,
		},
		"a source bucket in another region": {
			"far.csv", farList, nil,
			"RegionMismatch", `far-1250000000.*row 2.*far\.csv.*elsewhere.*local`,
		},
		"a row without its key": {
			"bad.csv", badList, nil,
			"InvalidManifestContent", `bad\.csv, line 2`,
		},
		"a report bucket that is not there": {
			"list.csv", list, func(o *cos.BatchCreateJobOptions) { o.Report.Bucket = arn("nowhere-1250000000") },
			"ReportNotWritable", `nowhere-1250000000`,
		},
		"a target bucket that is not there": {
			"list.csv", list, func(o *cos.BatchCreateJobOptions) {
				o.Operation.PutObjectCopy.TargetResource = arn("nowhere-1250000000")
			}, "NoSuchBucket", `nowhere-1250000000`,
		},
		"a data file of another MD5": {
			"", "", func(o *cos.BatchCreateJobOptions) { fromInventory(o, key, etag) },
			"ManifestFileChanged", regexp.QuoteMeta(data),
		},
	} {
		o := u.copyJob(tc.manifest, tc.etag, "album-1250000000")
		if tc.spoil != nil {
			tc.spoil(o)
		}
		j := u.until(u.create(o), "Failed")
		if f := j.FailureReasons; f == nil || f.FailureCode != tc.code || !regexp.MustCompile(tc.reason).MatchString(f.FailureReason) {
			t.Errorf("%s: %+v, want %s like %s", name, f, tc.code, tc.reason)
		}
		if j.TerminationDate == "" || j.StatusUpdateReason == "" {
			t.Errorf("%s: %+v", name, j)
		}
	}
	if got, _, err := target.Bucket.Get(t.Context(), nil); err != nil || len(got.Contents) != 0 {
		t.Errorf("objects were copied: %+v, %v", got, err)
	}

	before := len(u.list(nil).Jobs.Members)
	for name, tc := range map[string]struct {
		spoil func(*cos.BatchCreateJobOptions)
		code  string
	}{
		"an unknown column": {func(o *cos.BatchCreateJobOptions) { o.Manifest.Spec.Fields[1] = "Colour" }, "InvalidArgument"},
		"no key column":     {func(o *cos.BatchCreateJobOptions) { o.Manifest.Spec.Fields[1] = "Ignore" }, "InvalidArgument"},
		"an unknown format": {func(o *cos.BatchCreateJobOptions) { o.Manifest.Spec.Format = "CSV" }, "InvalidArgument"},
		"no operation":      {func(o *cos.BatchCreateJobOptions) { o.Operation = nil }, "MalformedXML"},
		"a role of no one":  {func(o *cos.BatchCreateJobOptions) { o.RoleArn += "x" }, "AccessDenied"},
	} {
		o := u.copyJob("list.csv", list, "album-1250000000")
		tc.spoil(o)
		_, _, err := u.batch.CreateJob(t.Context(), o, u.head)
		if e, ok := errors.AsType[*cos.ErrorResponse](err); !ok || e.Code != tc.code || e.Response.StatusCode/100 != 4 {
			t.Errorf("%s: %v, want %s", name, err, tc.code)
		}
	}
	if after := len(u.list(nil).Jobs.Members); after != before {
		t.Errorf("%d jobs were made", after-before)
	}
}
