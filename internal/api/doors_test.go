package api_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3control"
	"github.com/aws/aws-sdk-go-v2/service/s3control/types"
	"github.com/tencentyun/cos-go-sdk-v5"

	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/api/apitest"
	"github.com/drover-batch/drover/internal/api/coscontrol"
	s3door "github.com/drover-batch/drover/internal/api/s3control"
	"github.com/drover-batch/drover/internal/job"
)

// A job made by one protocol's stock client is read by the other's, names and ARNs translated.
func TestJobsAreSeenThroughBothDoors(t *testing.T) {
	t.Parallel()
	who := access.Principal{AccessKey: "AKIDalice", SecretKey: "secret-of-alice", Account: job.Account{UIN: "100000000001", AppID: "1250000000"}}
	v := access.NewVerifier(access.Static(who), nil)
	jobs := apitest.New(time.Now)
	mux := http.NewServeMux()
	mux.Handle("/jobs", coscontrol.New(jobs, v, coscontrol.Options{DefaultRegion: "local"}))
	mux.Handle("/jobs/", coscontrol.New(jobs, v, coscontrol.Options{DefaultRegion: "local"}))
	mux.Handle("/v20180820/", s3door.New(jobs, v, s3door.Options{DefaultRegion: "local"}))
	srv := httptest.NewServer(mux)
	defer srv.Close()
	u, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	cosClient := cos.NewClient(&cos.BaseURL{BatchURL: u}, &http.Client{Transport: &cos.AuthorizationTransport{SecretID: who.AccessKey, SecretKey: who.SecretKey}})
	s3Client := s3control.New(s3control.Options{Region: "snow", BaseEndpoint: aws.String(srv.URL), Credentials: credentials.NewStaticCredentialsProvider(who.AccessKey, who.SecretKey, "")})
	headers, account := &cos.BatchRequestHeaders{XCosAppid: 1250000000}, aws.String(who.Account.UIN)

	fromCOS, _, err := cosClient.Batch.CreateJob(t.Context(), &cos.BatchCreateJobOptions{
		ClientRequestToken: "token-1", ConfirmationRequired: "true", Priority: 1, RoleArn: "qcs::cam::uin/100000000001:roleName/batch",
		Manifest: &cos.BatchJobManifest{
			Location: &cos.BatchJobManifestLocation{ETag: "abc", ObjectArn: "qcs::cos:local::lists-1250000000/a.csv"},
			Spec:     &cos.BatchJobManifestSpec{Fields: []string{"Bucket", "Key"}, Format: "COSBatchOperations_CSV_V1"},
		},
		Operation: &cos.BatchJobOperation{RestoreObject: &cos.BatchInitiateRestoreObject{ExpirationInDays: 3, JobTier: "Bulk"}},
		Report:    &cos.BatchJobReport{Bucket: "qcs::cos:local::results-1250000000", Enabled: "true", Format: "Report_CSV_V1", ReportScope: "AllTasks"},
	}, headers)
	if err != nil {
		t.Fatal(err)
	}
	fromS3, err := s3Client.CreateJob(t.Context(), &s3control.CreateJobInput{
		AccountId: account, ClientRequestToken: aws.String("token-2"), Priority: aws.Int32(1), RoleArn: aws.String("arn:aws:iam::100000000001:role/batch"),
		Manifest: &types.JobManifest{
			Location: &types.JobManifestLocation{ETag: aws.String("abc"), ObjectArn: aws.String("arn:aws:s3:::lists-1250000000/a.csv")},
			Spec:     &types.JobManifestSpec{Format: types.JobManifestFormatS3BatchOperationsCsv20180820, Fields: []types.JobManifestFieldName{"Bucket", "Key"}},
		},
		Operation: &types.JobOperation{S3PutObjectCopy: &types.S3CopyObjectOperation{TargetResource: aws.String("arn:aws:s3:::target-1250000000"), TargetKeyPrefix: aws.String("p")}},
		Report:    &types.JobReport{Enabled: true, Bucket: aws.String("arn:aws:s3:::results-1250000000"), Format: types.JobReportFormatReportCsv20180820, ReportScope: types.JobReportScopeAllTasks},
	})
	if err != nil {
		t.Fatal(err)
	}

	seen, err := s3Client.DescribeJob(t.Context(), &s3control.DescribeJobInput{AccountId: account, JobId: &fromCOS.JobId})
	if err != nil {
		t.Fatal(err)
	}
	if j := seen.Job; j.Operation.S3InitiateRestoreObject == nil || *j.Operation.S3InitiateRestoreObject.ExpirationInDays != 3 ||
		*j.Manifest.Location.ObjectArn != "arn:aws:s3:::lists-1250000000/a.csv" || *j.RoleArn != "arn:aws:iam::100000000001:role/batch" || *j.Report.Bucket != "arn:aws:s3:::results-1250000000" {
		t.Errorf("the job of COS is shown as %+v", j)
	}
	other, _, err := cosClient.Batch.DescribeJob(t.Context(), *fromS3.JobId, headers)
	if err != nil {
		t.Fatal(err)
	}
	if j := other.Job; j.Operation.PutObjectCopy == nil || j.Operation.PutObjectCopy.TargetKeyPrefix != "p/" || j.Operation.PutObjectCopy.TargetResource != "qcs::cos:local:uid/1250000000:target-1250000000" ||
		j.Manifest.Location.ObjectArn != "qcs::cos:local:uid/1250000000:lists-1250000000/a.csv" || j.Manifest.Spec.Format != "COSBatchOperations_CSV_V1" || j.RoleArn != "qcs::cam::uin/100000000001:roleName/batch" {
		t.Errorf("the job of S3 is shown as %+v", j)
	}
	// A token is the account's, whichever door it came through; there it made another request's job.
	_, _, err = cosClient.Batch.CreateJob(t.Context(), &cos.BatchCreateJobOptions{
		ClientRequestToken: "token-2", Priority: 1, RoleArn: "qcs::cam::uin/100000000001:roleName/batch",
		Manifest: &cos.BatchJobManifest{
			Location: &cos.BatchJobManifestLocation{ETag: "abc", ObjectArn: "qcs::cos:local::lists-1250000000/a.csv"},
			Spec:     &cos.BatchJobManifestSpec{Fields: []string{"Bucket", "Key"}, Format: "COSBatchOperations_CSV_V1"},
		},
		Operation: &cos.BatchJobOperation{RestoreObject: &cos.BatchInitiateRestoreObject{ExpirationInDays: 3, JobTier: "Bulk"}},
		Report:    &cos.BatchJobReport{Enabled: "false"},
	}, headers)
	if err == nil {
		t.Error("the token was taken twice")
	}
}
