package s3control

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3control"
	"github.com/aws/aws-sdk-go-v2/service/s3control/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/operation"
)

var (
	account = aws.String(alice.Account.UIN)
	// sdkTypes compares what the SDK reads with what it was given.
	sdkTypes = cmp.Options{
		cmpopts.EquateEmpty(),
		cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".noSmithyDocumentSerde" }, cmp.Ignore()),
	}
)

// sdkJob asks for one operation.
func sdkJob(token string, op *types.JobOperation) *s3control.CreateJobInput {
	return &s3control.CreateJobInput{
		AccountId: account, ClientRequestToken: aws.String(token), ConfirmationRequired: aws.Bool(true),
		Description: aws.String("test batch"), Priority: aws.Int32(1), RoleArn: aws.String("arn:aws:iam::100000000001:role/COSBatch_QcsRole"),
		Manifest: &types.JobManifest{
			Location: &types.JobManifestLocation{ETag: aws.String(`"15150651828fa9cdcb8356b6d1c7638b"`), ObjectArn: aws.String("arn:aws:s3:::source/manifests/a.csv")},
			Spec: &types.JobManifestSpec{
				Format: types.JobManifestFormatS3BatchOperationsCsv20180820,
				Fields: []types.JobManifestFieldName{types.JobManifestFieldNameBucket, types.JobManifestFieldNameKey},
			},
		},
		Operation: op,
		Report: &types.JobReport{
			Enabled: true, Bucket: aws.String("arn:aws:s3:::results"), Format: types.JobReportFormatReportCsv20180820,
			Prefix: aws.String("job-result"), ReportScope: types.JobReportScopeFailedTasksOnly,
		},
		Tags: []types.S3Tag{{Key: aws.String("team"), Value: aws.String("a b")}},
	}
}

func sdkCopy(token string) *s3control.CreateJobInput {
	return sdkJob(token, &types.JobOperation{S3PutObjectCopy: &types.S3CopyObjectOperation{
		TargetResource: aws.String("arn:aws:s3:::target"), TargetKeyPrefix: aws.String("Folder1"), StorageClass: types.S3StorageClassStandardIa,
		MetadataDirective: types.S3MetadataDirectiveReplace, NewObjectTagging: []types.S3Tag{},
		NewObjectMetadata: &types.S3ObjectMetadata{
			ContentType: aws.String("text/plain"), SSEAlgorithm: types.S3SSEAlgorithmAes256,
			HttpExpiresDate: aws.Time(time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)), UserMetadata: map[string]string{"colour": "blue"},
		},
		AccessControlGrants: []types.S3Grant{{
			Grantee:    &types.S3Grantee{Identifier: aws.String("canonical-id"), TypeIdentifier: types.S3GranteeTypeIdentifierCanonical},
			Permission: types.S3PermissionRead,
		}},
		ModifiedSinceConstraint: aws.Time(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)),
	}})
}

func describeWith(t *testing.T, w *world, id *string) *types.JobDescriptor {
	t.Helper()
	res, err := w.client.DescribeJob(t.Context(), &s3control.DescribeJobInput{AccountId: account, JobId: id})
	if err != nil {
		t.Fatal(err)
	}
	return res.Job
}

func TestStockClientGoesThroughAJobsLife(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	in := sdkCopy("token-1")
	created, err := w.client.CreateJob(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "go-copy.golden", w.seen.String())
	id := created.JobId
	got := describeWith(t, w, id)
	if !*got.ConfirmationRequired || *got.Description != "test batch" || *got.JobId != *id || got.Priority != 1 || *got.RoleArn != *in.RoleArn ||
		got.Status != types.JobStatusNew || *got.JobArn != "arn:aws:s3:local:100000000001:job/"+*id || !got.CreationTime.Equal(noon.Truncate(time.Millisecond)) {
		t.Errorf("described %+v", got)
	}
	for _, diff := range []string{
		cmp.Diff(in.Manifest, got.Manifest, sdkTypes), cmp.Diff(in.Operation, got.Operation, sdkTypes), cmp.Diff(in.Report, got.Report, sdkTypes),
	} {
		if diff != "" {
			t.Errorf("not echoed (-sent +described):\n%s", diff)
		}
	}
	if got.Operation.S3PutObjectCopy.NewObjectTagging == nil {
		t.Error("the empty list of tags came back as none")
	}
	listed, err := w.client.ListJobs(ctx, &s3control.ListJobsInput{AccountId: account, JobStatuses: []types.JobStatus{types.JobStatusNew, types.JobStatusActive}})
	if err != nil {
		t.Fatal(err)
	}
	if len(listed.Jobs) != 1 || *listed.Jobs[0].JobId != *id || listed.Jobs[0].Operation != types.OperationNameS3PutObjectCopy || listed.NextToken != nil {
		t.Errorf("listed %+v", listed.Jobs)
	}
	prio, err := w.client.UpdateJobPriority(ctx, &s3control.UpdateJobPriorityInput{AccountId: account, JobId: id, Priority: 3})
	if err != nil || prio.Priority != 3 || *prio.JobId != *id {
		t.Errorf("priority %+v, %v", prio, err)
	}
	w.jobs.Set(job.ID(*id), func(j *job.Job) {
		j.Status, j.Suspended, j.SuspendedCause = job.Suspended, noon, "Awaiting confirmation"
	})
	if got := describeWith(t, w, id); got.Status != types.JobStatusSuspended || !got.SuspendedDate.Equal(noon.Truncate(time.Millisecond)) || *got.SuspendedCause == "" {
		t.Errorf("suspended: %+v", got)
	}
	status, err := w.client.UpdateJobStatus(ctx, &s3control.UpdateJobStatusInput{
		AccountId: account, JobId: id, RequestedJobStatus: types.RequestedJobStatusReady, StatusUpdateReason: aws.String("to do & done +1"),
	})
	if err != nil || status.Status != types.JobStatusReady || *status.JobId != *id || *status.StatusUpdateReason != "to do & done +1" {
		t.Errorf("status %+v, %v", status, err)
	}
	w.jobs.Set(job.ID(*id), func(j *job.Job) {
		j.Status, j.Terminated = job.Failed, noon
		j.Progress = job.Progress{Total: 3, Succeeded: 1, Failed: 2, ActiveFor: 90 * time.Second}
		j.Failures = []job.Failure{{Code: "A", Reason: "first"}, {Code: "B", Reason: "last"}}
	})
	got = describeWith(t, w, id)
	summary := &types.JobProgressSummary{TotalNumberOfTasks: aws.Int64(3), NumberOfTasksSucceeded: aws.Int64(1), NumberOfTasksFailed: aws.Int64(2), Timers: &types.JobTimers{ElapsedTimeInActiveSeconds: aws.Int64(90)}}
	failures := []types.JobFailure{{FailureCode: aws.String("A"), FailureReason: aws.String("first")}, {FailureCode: aws.String("B"), FailureReason: aws.String("last")}}
	if diff := cmp.Diff(summary, got.ProgressSummary, sdkTypes) + cmp.Diff(failures, got.FailureReasons, sdkTypes); diff != "" || !got.TerminationDate.Equal(noon.Truncate(time.Millisecond)) {
		t.Errorf("failed: %s", diff)
	}
}

func TestStockClientCancelsAndTags(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	created, err := w.client.CreateJob(ctx, sdkCopy("token-1"))
	if err != nil {
		t.Fatal(err)
	}
	id := created.JobId
	tags := func() (out []string) {
		t.Helper()
		res, err := w.client.GetJobTagging(ctx, &s3control.GetJobTaggingInput{AccountId: account, JobId: id})
		if err != nil {
			t.Fatal(err)
		}
		for _, tag := range res.Tags {
			out = append(out, *tag.Key+"="+*tag.Value)
		}
		return out
	}
	if diff := cmp.Diff([]string{"team=a b"}, tags()); diff != "" {
		t.Error(diff)
	}
	cancelled, err := w.client.UpdateJobStatus(ctx, &s3control.UpdateJobStatusInput{AccountId: account, JobId: id, RequestedJobStatus: types.RequestedJobStatusCancelled})
	if err != nil || cancelled.Status != types.JobStatusCancelling {
		t.Errorf("cancel: %+v, %v", cancelled, err)
	}
	w.jobs.Set(job.ID(*id), func(j *job.Job) { j.Status = job.Cancelled })
	if _, err := w.client.PutJobTagging(ctx, &s3control.PutJobTaggingInput{AccountId: account, JobId: id, Tags: []types.S3Tag{{Key: aws.String("é<"), Value: aws.String("")}}}); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"é<="}, tags()); diff != "" {
		t.Error(diff)
	}
	if _, err := w.client.DeleteJobTagging(ctx, &s3control.DeleteJobTaggingInput{AccountId: account, JobId: id}); err != nil {
		t.Error(err)
	}
	if got := tags(); got != nil {
		t.Errorf("left: %v", got)
	}
}

func TestStockClientsOtherOperations(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for name, op := range map[types.OperationName]*types.JobOperation{
		types.OperationNameS3InitiateRestoreObject: {S3InitiateRestoreObject: &types.S3InitiateRestoreObjectOperation{ExpirationInDays: aws.Int32(3), GlacierJobTier: types.S3GlacierJobTierBulk}},
		types.OperationNameS3PutObjectTagging:      {S3PutObjectTagging: &types.S3SetObjectTaggingOperation{TagSet: []types.S3Tag{{Key: aws.String("a"), Value: aws.String("1")}}}},
		types.OperationNameS3DeleteObjectTagging:   {S3DeleteObjectTagging: &types.S3DeleteObjectTaggingOperation{}},
		types.OperationNameS3PutObjectAcl: {S3PutObjectAcl: &types.S3SetObjectAclOperation{AccessControlPolicy: &types.S3AccessControlPolicy{
			CannedAccessControlList: types.S3CannedAccessControlListPrivate,
		}}},
	} {
		in := sdkJob("token-"+string(name), op)
		in.Manifest.Spec = &types.JobManifestSpec{Format: types.JobManifestFormatS3InventoryReportCsv20161130}
		in.Report = &types.JobReport{Enabled: false}
		created, err := w.client.CreateJob(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		golden(t, "go-"+string(name)+".golden", w.seen.String())
		if diff := cmp.Diff(op, describeWith(t, w, created.JobId).Operation, sdkTypes); diff != "" {
			t.Errorf("%s (-sent +described):\n%s", name, diff)
		}
		listed, err := w.client.ListJobs(t.Context(), &s3control.ListJobsInput{AccountId: account})
		if err != nil || listed.Jobs[len(listed.Jobs)-1].Operation != name {
			t.Errorf("%s is listed as %+v, %v", name, listed, err)
		}
		j := w.job(job.ID(*created.JobId))
		if err := j.Spec.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestStockPaginator(t *testing.T) {
	t.Parallel()
	w := setup(t)
	for i := range 7 {
		if _, err := w.client.CreateJob(t.Context(), sdkCopy(fmt.Sprint("token-", i))); err != nil {
			t.Fatal(err)
		}
	}
	pages := s3control.NewListJobsPaginator(w.client, &s3control.ListJobsInput{AccountId: account, MaxResults: aws.Int32(3)})
	var got []string
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(len(page.Jobs)))
		for _, j := range page.Jobs {
			got = append(got, *j.JobId)
		}
	}
	want := []string{"3", "job-00001", "job-00002", "job-00003", "3", "job-00004", "job-00005", "job-00006", "1", "job-00007"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// is reports whether an error is of a type that the SDK has for its code.
func is[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}

func TestStockClientReadsTypedErrors(t *testing.T) {
	t.Parallel()
	w := setup(t)
	ctx := t.Context()
	create := func(change func(*s3control.CreateJobInput)) error {
		in := sdkCopy("token-1")
		change(in)
		_, err := w.client.CreateJob(ctx, in)
		return err
	}
	if err := create(func(*s3control.CreateJobInput) {}); err != nil {
		t.Fatal(err)
	}
	id, gone := aws.String("job-00001"), aws.String("no-such-job")
	second := func(_ any, err error) error { return err }
	many := make([]types.S3Tag, 51)
	for i := range many {
		many[i] = types.S3Tag{Key: aws.String(fmt.Sprint(i)), Value: aws.String("")}
	}
	for name, tc := range map[string]struct {
		err    error
		typed  bool
		status int
	}{
		"a token for another request": {err: create(func(in *s3control.CreateJobInput) { in.Priority = aws.Int32(2) }), status: 400},
		"no manifest":                 {err: create(func(in *s3control.CreateJobInput) { in.Manifest = nil }), status: 400},
		"an operation that is not had": {err: create(func(in *s3control.CreateJobInput) {
			in.Operation = &types.JobOperation{S3ReplicateObject: &types.S3ReplicateObjectOperation{}}
		}), status: 400},
		"describe":     {err: second(w.client.DescribeJob(ctx, &s3control.DescribeJobInput{AccountId: account, JobId: gone})), status: 404},
		"priority":     {err: second(w.client.UpdateJobPriority(ctx, &s3control.UpdateJobPriorityInput{AccountId: account, JobId: gone, Priority: 1})), status: 404},
		"low priority": {err: second(w.client.UpdateJobPriority(ctx, &s3control.UpdateJobPriorityInput{AccountId: account, JobId: id, Priority: -1})), status: 400},
		"status":       {err: second(w.client.UpdateJobStatus(ctx, &s3control.UpdateJobStatusInput{AccountId: account, JobId: gone, RequestedJobStatus: "Ready"})), status: 404},
		"odd status":   {err: second(w.client.UpdateJobStatus(ctx, &s3control.UpdateJobStatusInput{AccountId: account, JobId: id, RequestedJobStatus: "Paused"})), status: 400},
		"tags":         {err: second(w.client.GetJobTagging(ctx, &s3control.GetJobTaggingInput{AccountId: account, JobId: gone})), status: 404},
		"new tags":     {err: second(w.client.PutJobTagging(ctx, &s3control.PutJobTaggingInput{AccountId: account, JobId: gone, Tags: []types.S3Tag{}})), status: 404},
		"many tags":    {err: second(w.client.PutJobTagging(ctx, &s3control.PutJobTaggingInput{AccountId: account, JobId: id, Tags: many})), status: 400},
		"no tags":      {err: second(w.client.DeleteJobTagging(ctx, &s3control.DeleteJobTaggingInput{AccountId: account, JobId: gone})), status: 404},
		"odd filter":   {err: second(w.client.ListJobs(ctx, &s3control.ListJobsInput{AccountId: account, JobStatuses: []types.JobStatus{"Canceled"}})), status: 400},
		"odd token":    {err: second(w.client.ListJobs(ctx, &s3control.ListJobsInput{AccountId: account, NextToken: aws.String("x")})), status: 400},
	} {
		switch name {
		case "a token for another request":
			tc.typed = is[*types.IdempotencyException](tc.err)
		case "many tags":
			tc.typed = is[*types.TooManyTagsException](tc.err)
		case "odd filter":
			tc.typed = is[*types.InvalidRequestException](tc.err)
		case "odd token":
			tc.typed = is[*types.InvalidNextTokenException](tc.err)
		default:
			tc.typed = tc.status == 404 && is[*types.NotFoundException](tc.err) || tc.status == 400 && is[*types.BadRequestException](tc.err)
		}
		answer, ok := errors.AsType[*awshttp.ResponseError](tc.err)
		if !tc.typed || !ok || answer.HTTPStatusCode() != tc.status || answer.ServiceRequestID() != "request-id-1" {
			t.Errorf("%s: %v", name, tc.err)
		}
	}
	w.jobs.Set("job-00001", func(j *job.Job) { j.Status = job.Complete })
	if err := second(w.client.UpdateJobStatus(ctx, &s3control.UpdateJobStatusInput{AccountId: account, JobId: id, RequestedJobStatus: "Cancelled"})); !is[*types.JobStatusException](err) {
		t.Errorf("cancel a finished job: %v", err)
	}
	// A code without a type of its own is a code all the same.
	forger := alice
	forger.SecretKey = "guessed"
	_, err := w.clientOf(forger).ListJobs(ctx, &s3control.ListJobsInput{AccountId: account})
	if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != "SignatureDoesNotMatch" {
		t.Errorf("forged: %v", err)
	}
	_, err = w.clientOf(bob).ListJobs(ctx, &s3control.ListJobsInput{AccountId: account})
	if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != "AccessDenied" {
		t.Errorf("another's account: %v", err)
	}
}

// A client that is told to slow down comes again by itself.
func TestStockClientBacksOffFromThrottling(t *testing.T) {
	t.Parallel()
	w := setup(t)
	calls := 0
	w.jobs.Err = func(string) error {
		if calls++; calls < 3 {
			return job.Errorf(job.Throttled, "Too many calls: come again in a second.")
		}
		return nil
	}
	o := w.client.Options()
	o.RetryMaxAttempts = 0 // the retryer says
	o.Retryer = retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts, o.Backoff = 3, retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
	})
	client := s3control.New(o)
	if _, err := client.ListJobs(t.Context(), &s3control.ListJobsInput{AccountId: account}); err != nil || calls != 3 {
		t.Errorf("%d calls, %v", calls, err)
	}
}

// A job that another protocol made does not trip up the SDK.
func TestStockClientReadsJobsOfOtherProtocols(t *testing.T) {
	t.Parallel()
	w := setup(t)
	created, err := w.client.CreateJob(t.Context(), sdkCopy("token-1"))
	if err != nil {
		t.Fatal(err)
	}
	w.jobs.Set(job.ID(*created.JobId), func(j *job.Job) {
		j.Spec.Request = job.Request{Protocol: "json"}
		j.Spec.Operation = &operation.Delete{}
	})
	got := describeWith(t, w, created.JobId)
	if got.Operation == nil || cmp.Diff(&types.JobOperation{}, got.Operation, sdkTypes) != "" || *got.Manifest.Location.ObjectArn != "arn:aws:s3:::source/manifests/a.csv" {
		t.Errorf("delete: %+v", got)
	}
	listed, err := w.client.ListJobs(t.Context(), &s3control.ListJobsInput{AccountId: account})
	if err != nil || listed.Jobs[0].Operation != "delete" {
		t.Errorf("listed %+v, %v", listed, err)
	}
	w.jobs.Set(job.ID(*created.JobId), func(j *job.Job) {
		j.Spec.Operation = &operation.Copy{TargetBucket: "target", IfModifiedSince: noon, PrefixReplace: true, PrefixTo: "p/q/"}
	})
	if c := describeWith(t, w, created.JobId).Operation.S3PutObjectCopy; c == nil || !c.ModifiedSinceConstraint.Equal(noon) || *c.TargetKeyPrefix != "p/q" || c.NewObjectTagging != nil {
		t.Errorf("copy: %+v", c)
	}
}

// A job whose manifest is made here goes out and comes back by the stock client; another API's is shown in its words.
func TestStockClientHasItsManifestMade(t *testing.T) {
	t.Parallel()
	w := setup(t)
	in := sdkJob("token-1", &types.JobOperation{S3DeleteObjectTagging: &types.S3DeleteObjectTaggingOperation{}})
	in.Manifest = nil
	generator := &types.JobManifestGeneratorMemberS3JobManifestGenerator{Value: types.S3JobManifestGenerator{
		SourceBucket: aws.String("arn:aws:s3:::photos"), EnableManifestOutput: true,
		ManifestOutputLocation: &types.S3ManifestOutputLocation{
			Bucket: aws.String("arn:aws:s3:::lists"), ManifestFormat: types.GeneratedManifestFormatS3InventoryReportCsv20211130, ManifestPrefix: aws.String("made"),
		},
		Filter: &types.JobManifestGeneratorFilter{
			CreatedAfter: aws.Time(time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)), ObjectSizeGreaterThanBytes: aws.Int64(0),
			KeyNameConstraint:    &types.KeyNameConstraint{MatchAnyPrefix: []string{"2026/"}, MatchAnySuffix: []string{".jpg"}},
			MatchAnyStorageClass: []types.S3StorageClass{types.S3StorageClassStandard},
		},
	}}
	in.ManifestGenerator = generator
	created, err := w.client.CreateJob(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "go-generator.golden", w.seen.String())
	id := job.ID(*created.JobId)
	for _, protocol := range []string{protocol, "json"} {
		w.jobs.Set(id, func(j *job.Job) { j.Spec.Request.Protocol = protocol })
		got := describeWith(t, w, created.JobId)
		if diff := cmp.Diff(types.JobManifestGenerator(generator), got.ManifestGenerator, sdkTypes); diff != "" || got.Manifest != nil || got.GeneratedManifestDescriptor != nil {
			t.Errorf("%s (-sent +described):\n%s", protocol, diff)
		}
	}
	w.jobs.Set(id, func(j *job.Job) {
		j.Generated = job.Manifest{Format: job.FormatInventory, Location: job.Location{Bucket: "lists", Key: "made/manifest.json", ETag: "abc"}}
	})
	made := describeWith(t, w, created.JobId).GeneratedManifestDescriptor
	if made == nil || *made.Location.ObjectArn != "arn:aws:s3:::lists/made/manifest.json" || *made.Location.ETag != "abc" || made.Format != types.GeneratedManifestFormatS3InventoryReportCsv20211130 {
		t.Errorf("made %+v", made)
	}
}
