package coscontrol

import (
	"encoding/xml"
	"errors"
	"net/http"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/tencentyun/cos-go-sdk-v5"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/operation"
)

var sdkHeaders = &cos.BatchRequestHeaders{XCosAppid: 1250000000}

const sdkRole = "qcs::cam::uin/100000000001:roleName/COSBatch_QcsRole"

func sdkCopy(token string) *cos.BatchCreateJobOptions {
	return &cos.BatchCreateJobOptions{
		ClientRequestToken: token, ConfirmationRequired: "true", Description: "test batch", Priority: 1, RoleArn: sdkRole,
		Manifest: &cos.BatchJobManifest{
			Location: &cos.BatchJobManifestLocation{ETag: `"15150651828fa9cdcb8356b6d1c7638b"`, ObjectArn: "qcs::cos:ap-chengdu::source-1250000000/manifests/a.csv"},
			Spec:     &cos.BatchJobManifestSpec{Fields: []string{"Bucket", "Key"}, Format: "COSBatchOperations_CSV_V1"},
		},
		Operation: &cos.BatchJobOperation{PutObjectCopy: &cos.BatchJobOperationCopy{
			TargetResource: "qcs::cos:ap-chengdu:uid/1250000000:source-1250000000",
			PrefixReplace:  true, TargetKeyPrefix: "abc", ModifiedSinceConstraint: 1577836800,
			AccessControlGrants: &cos.BatchAccessControlGrants{COSGrants: &cos.BatchCOSGrant{
				Grantee:    &cos.BatchGrantee{Identifier: "qcs::cam::uin/100000000001:uin/100000000001", TypeIdentifier: "ID"},
				Permission: "FULL_CONTROL",
			}},
			NewObjectMetadata: &cos.BatchNewObjectMetadata{ContentType: "text/plain"},
			NewObjectTagging:  &cos.BatchNewObjectTagging{},
		}},
		Report: &cos.BatchJobReport{Bucket: "qcs::cos:ap-chengdu::results-1250000000", Enabled: "true", Format: "Report_CSV_V1", Prefix: "job-result", ReportScope: "AllTasks"},
	}
}

// sdkSent is what the SDK reads of its own request, as Terraform compares it.
func sdkSent(t *testing.T, o *cos.BatchCreateJobOptions) (manifest *cos.BatchJobManifest, op *cos.BatchJobOperation) {
	t.Helper()
	b, err := xml.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	var back cos.BatchCreateJobOptions
	if err := xml.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	return back.Manifest, back.Operation
}

func describeWith(t *testing.T, w *world, id string) *cos.BatchDescribeJob {
	t.Helper()
	res, _, err := w.client.Batch.DescribeJob(t.Context(), id, sdkHeaders)
	if err != nil {
		t.Fatal(err)
	}
	return res.Job
}

// The way of the SDK's own integration test: create, describe, list, priority, wait for Suspended, confirm.
func TestStockClientGoesThroughAJobsLife(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	opt := sdkCopy("token-1")
	created, _, err := w.client.Batch.CreateJob(ctx, opt, sdkHeaders)
	if err != nil {
		t.Fatal(err)
	}
	if created.JobId == "" {
		t.Fatal("no job id")
	}
	got := describeWith(t, w, created.JobId)
	if got.ConfirmationRequired != "true" || got.Description != "test batch" || got.JobId != created.JobId || got.Priority != 1 || got.RoleArn != sdkRole {
		t.Errorf("described %+v", got)
	}
	manifest, op := sdkSent(t, opt)
	for _, diff := range []string{cmp.Diff(manifest, got.Manifest), cmp.Diff(op, got.Operation), cmp.Diff(opt.Report, got.Report)} {
		if diff != "" {
			t.Errorf("not echoed (-sent +described):\n%s", diff)
		}
	}
	listed, _, err := w.client.Batch.ListJobs(ctx, &cos.BatchListJobsOptions{MaxResults: 10, JobStatuses: "New"}, sdkHeaders)
	if err != nil {
		t.Fatal(err)
	}
	if len(listed.Jobs.Members) != 1 || listed.Jobs.Members[0].JobId != created.JobId || listed.Jobs.Members[0].Operation != "COSPutObjectCopy" {
		t.Errorf("listed %+v", listed.Jobs.Members)
	}
	if none, _, err := w.client.Batch.UpdateJobPriority(ctx, &cos.BatchUpdatePriorityOptions{JobId: created.JobId}, sdkHeaders); err != nil || none.Priority != 0 {
		t.Errorf("priority 0: %+v, %v", none, err)
	}
	prio, _, err := w.client.Batch.UpdateJobPriority(ctx, &cos.BatchUpdatePriorityOptions{JobId: created.JobId, Priority: 3}, sdkHeaders)
	if err != nil || prio.Priority != 3 || prio.JobId != created.JobId {
		t.Errorf("priority %+v, %v", prio, err)
	}
	w.jobs.Set(job.ID(created.JobId), func(j *job.Job) {
		j.Status, j.Suspended, j.SuspendedCause = job.Suspended, noon, "Awaiting confirmation"
	})
	if got := describeWith(t, w, created.JobId); got.Status != "Suspended" || got.SuspendedDate != "2026-11-22T12:00:00Z" || got.SuspendedCause == "" {
		t.Errorf("suspended: %+v", got)
	}
	status, _, err := w.client.Batch.UpdateJobStatus(ctx, &cos.BatchUpdateStatusOptions{JobId: created.JobId, RequestedJobStatus: "Ready", StatusUpdateReason: "to do & done"}, sdkHeaders)
	if err != nil || status.Status != "Ready" || status.JobId != created.JobId || status.StatusUpdateReason != "to do & done" {
		t.Errorf("status %+v, %v", status, err)
	}
	w.jobs.Set(job.ID(created.JobId), func(j *job.Job) {
		j.Status, j.Terminated = job.Complete, noon
		j.Progress = job.Progress{Total: 3, Succeeded: 2, Failed: 1}
	})
	got = describeWith(t, w, created.JobId)
	if got.TerminationDate != "2026-11-22T12:00:00Z" || *got.ProgressSummary != (cos.BatchProgressSummary{NumberOfTasksFailed: 1, NumberOfTasksSucceeded: 2, TotalNumberOfTasks: 3}) {
		t.Errorf("complete: %+v", got)
	}
	if resp, err := w.client.Batch.DeleteJob(ctx, created.JobId, sdkHeaders); err != nil || resp.StatusCode != http.StatusNoContent {
		t.Errorf("delete: %v", err)
	}
	if _, _, err := w.client.Batch.DescribeJob(ctx, created.JobId, sdkHeaders); !isCode(err, "NoSuchJob", 404) {
		t.Errorf("describe a deleted job: %v", err)
	}
}

func TestStockClientRestoresAndTags(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for name, op := range map[string]*cos.BatchJobOperation{
		"COSInitiateRestoreObject": {RestoreObject: &cos.BatchInitiateRestoreObject{ExpirationInDays: 3, JobTier: "Standard"}},
		"COSPutObjectTagging": {PutObjectTagging: &cos.BatchPutObjectTagging{TaggingDirective: "Replaced", TagSet: &cos.BatchNewObjectTagging{
			COSTag: []cos.BatchCOSTag{{Key: "a", Value: "1"}},
		}}},
	} {
		opt := sdkCopy("token-" + name)
		opt.Operation = op
		// Inventories have no fields; the SDK sends an empty element.
		opt.Manifest.Spec = &cos.BatchJobManifestSpec{Format: "COSInventoryReport_CSV_V1"}
		created, _, err := w.client.Batch.CreateJob(t.Context(), opt, sdkHeaders)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(op, describeWith(t, w, created.JobId).Operation); diff != "" {
			t.Errorf("%s (-sent +described):\n%s", name, diff)
		}
		if got := operationName(w.job(job.ID(created.JobId)).Spec.Operation); got != name {
			t.Errorf("made %s, want %s", got, name)
		}
	}
}

func isCode(err error, code string, status int) bool {
	e, ok := errors.AsType[*cos.ErrorResponse](err)
	return ok && e.Code == code && e.Response.StatusCode == status && e.Message != "" && e.RequestID != "" && e.TraceID != ""
}

func TestStockClientReadsEveryError(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	create := func(change func(*cos.BatchCreateJobOptions), h *cos.BatchRequestHeaders) error {
		opt := sdkCopy("token-1")
		change(opt)
		_, _, err := w.client.Batch.CreateJob(ctx, opt, h)
		return err
	}
	same := func(*cos.BatchCreateJobOptions) {}
	if err := create(same, sdkHeaders); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		err    error
		code   string
		status int
	}{
		"a token again":         {create(same, sdkHeaders), "InvalidRequest", 400},
		"headers left out":      {create(same, nil), "InvalidArgument", 400},
		"an appid left out":     {create(same, &cos.BatchRequestHeaders{}), "AccessDenied", 403},
		"a manifest left out":   {create(func(o *cos.BatchCreateJobOptions) { o.Manifest = nil }, sdkHeaders), "MalformedXML", 400},
		"an operation left out": {create(func(o *cos.BatchCreateJobOptions) { o.Operation = nil }, sdkHeaders), "MalformedXML", 400},
		"no operation in it":    {create(func(o *cos.BatchCreateJobOptions) { o.Operation.PutObjectCopy = nil }, sdkHeaders), "MalformedXML", 400},
		"a report left out":     {create(func(o *cos.BatchCreateJobOptions) { o.Report = nil }, sdkHeaders), "MalformedXML", 400},
		"a location left out":   {create(func(o *cos.BatchCreateJobOptions) { o.Manifest.Location = nil }, sdkHeaders), "MalformedXML", 400},
		"a spec left out":       {create(func(o *cos.BatchCreateJobOptions) { o.Manifest.Spec = nil }, sdkHeaders), "MalformedXML", 400},
		"an empty role":         {create(func(o *cos.BatchCreateJobOptions) { o.RoleArn = "" }, sdkHeaders), "InvalidArgument", 400},
		"an empty target":       {create(func(o *cos.BatchCreateJobOptions) { o.Operation.PutObjectCopy.TargetResource = "" }, sdkHeaders), "InvalidArgument", 400},
		"a grant without grantee": {create(func(o *cos.BatchCreateJobOptions) {
			o.Operation.PutObjectCopy.AccessControlGrants.COSGrants.Grantee = nil
		}, sdkHeaders), "InvalidArgument", 400},
		"a negative priority": {create(func(o *cos.BatchCreateJobOptions) { o.Priority = -1 }, sdkHeaders), "InvalidArgument", 400},
		"an empty token":      {create(func(o *cos.BatchCreateJobOptions) { o.ClientRequestToken = "" }, sdkHeaders), "InvalidArgument", 400},
	} {
		if !isCode(tc.err, tc.code, tc.status) {
			t.Errorf("%s: %v, want %s %d", name, tc.err, tc.code, tc.status)
		}
	}
	// On a job that has ended: priority is NoSuchJob, status is InvalidRequest.
	w.jobs.Set("job-00001", func(j *job.Job) { j.Status = job.Complete })
	if _, _, err := w.client.Batch.UpdateJobPriority(ctx, &cos.BatchUpdatePriorityOptions{JobId: "job-00001", Priority: 2}, sdkHeaders); !isCode(err, "NoSuchJob", 404) {
		t.Errorf("priority: %v", err)
	}
	if _, _, err := w.client.Batch.UpdateJobStatus(ctx, &cos.BatchUpdateStatusOptions{JobId: "job-00001", RequestedJobStatus: "Cancelled"}, sdkHeaders); !isCode(err, "InvalidRequest", 400) {
		t.Errorf("status: %v", err)
	}
	forged := cos.NewClient(w.client.BaseURL, &http.Client{Transport: &cos.AuthorizationTransport{SecretID: alice.AccessKey, SecretKey: "guessed"}})
	if _, _, err := forged.Batch.ListJobs(ctx, nil, sdkHeaders); !isCode(err, "SignatureDoesNotMatch", 403) {
		t.Errorf("forged: %v", err)
	}
}

// client.Host is how the SDK reaches a virtual host at any address; it signs that host.
func TestStockClientNamesItsRegionByHost(t *testing.T) {
	t.Parallel()
	w := setup(t)
	w.client.Host = "100000000001.cos-control.ap-chengdu.myqcloud.com"
	created, _, err := w.client.Batch.CreateJob(t.Context(), sdkCopy("token-1"), sdkHeaders)
	if err != nil {
		t.Fatal(err)
	}
	if got := w.job(job.ID(created.JobId)).Spec.Region; got != "ap-chengdu" {
		t.Errorf("region %q", got)
	}
}

// Terraform cancels right behind creating, then reads Manifest.Location, Manifest.Spec and Operation without looking,
// and ConfirmationRequired with ParseBool; a list of grants must have a grantee.
func TestTerraformsWay(t *testing.T) {
	t.Parallel()
	w := setup(t)
	opt := sdkCopy("token-1")
	opt.ConfirmationRequired = ""
	opt.Operation.PutObjectCopy.AccessControlGrants = &cos.BatchAccessControlGrants{}
	created, _, err := w.client.Batch.CreateJob(t.Context(), opt, sdkHeaders)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.client.Batch.UpdateJobStatus(t.Context(), &cos.BatchUpdateStatusOptions{JobId: created.JobId, RequestedJobStatus: "Cancelled"}, sdkHeaders); err != nil {
		t.Errorf("cancel a new job: %v", err)
	}
	got := describeWith(t, w, created.JobId)
	if confirm, err := strconv.ParseBool(got.ConfirmationRequired); err != nil || confirm {
		t.Errorf("ConfirmationRequired %q", got.ConfirmationRequired)
	}
	if got.Manifest.Location.ETag != opt.Manifest.Location.ETag || got.Manifest.Spec.Format != opt.Manifest.Spec.Format {
		t.Errorf("manifest %+v", got.Manifest)
	}
	if got.Operation.PutObjectCopy.AccessControlGrants != nil {
		t.Error("empty AccessControlGrants came back")
	}
}

// A job that another protocol made must not trip up the SDK either: deletes, which it does not know, and times.
func TestStockClientReadsJobsOfOtherProtocols(t *testing.T) {
	t.Parallel()
	w := setup(t)
	j := w.create("delete.xml")
	if got := describeWith(t, w, string(j.ID)); got.Operation == nil || got.Operation.PutObjectCopy != nil || got.Manifest.Spec == nil {
		t.Errorf("delete: %+v", got)
	}
	w.jobs.Set(j.ID, func(j *job.Job) {
		j.Spec.Request = job.Request{Protocol: "json"}
		j.Spec.Operation = &operation.Copy{TargetBucket: "t", IfModifiedSince: noon, PrefixReplace: true, PrefixTo: "p/"}
		j.Failures = []job.Failure{{Code: "A"}, {Code: "B", Reason: "last"}}
	})
	got := describeWith(t, w, string(j.ID))
	if c := got.Operation.PutObjectCopy; c == nil || c.ModifiedSinceConstraint != noon.Unix() || !c.PrefixReplace || c.TargetKeyPrefix != "p/" {
		t.Errorf("copy: %+v", c)
	}
	if got.FailureReasons.FailureReason != "last" {
		t.Errorf("failures: %+v", got.FailureReasons)
	}
	// Terraform's provider goes through Manifest without looking: it is there before the list that is made is.
	w.jobs.Set(j.ID, func(j *job.Job) { j.Spec.Manifest, j.Spec.Generator = job.Manifest{}, &job.Generator{Source: "photos"} })
	if got := describeWith(t, w, string(j.ID)); got.Manifest == nil || got.Manifest.Location == nil || got.Manifest.Spec == nil {
		t.Errorf("before the list is made: %+v", got.Manifest)
	}
	w.jobs.Set(j.ID, func(j *job.Job) {
		j.Generated = job.Manifest{Format: job.FormatInventory, Location: job.Location{Bucket: "lists", Key: "made/manifest.json", ETag: "abc"}}
	})
	if got := describeWith(t, w, string(j.ID)); got.Manifest.Spec.Format != "COSInventoryReport_CSV_V1" || got.Manifest.Location.ETag != "abc" {
		t.Errorf("the list that was made: %+v", got.Manifest)
	}
}
