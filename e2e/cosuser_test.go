package e2e

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/tencentyun/cos-go-sdk-v5"
	"golang.org/x/sync/errgroup"
)

// cosUser is a user of a drover dev who has the stock SDK.
type cosUser struct {
	t     *testing.T
	dev   *devProcess
	batch *cos.BatchService
	head  *cos.BatchRequestHeaders
}

// startCOS starts a drover dev for the test.
func startCOS(t *testing.T, flags ...string) *cosUser {
	t.Helper()
	dev, err := startDev(t.TempDir(), flags...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := dev.end(syscall.SIGTERM); err != nil {
			t.Errorf("drover dev: %v\n%s", err, dev.stderr.Bytes())
		}
	})
	u := &cosUser{t: t, dev: dev, head: &cos.BatchRequestHeaders{XCosAppid: 1250000000}}
	base, err := url.Parse(dev.ready.API)
	if err != nil {
		t.Fatal(err)
	}
	u.batch = cos.NewClient(&cos.BaseURL{BatchURL: base}, u.signed(nil)).Batch
	return u
}

func (u *cosUser) signed(over http.RoundTripper) *http.Client {
	return &http.Client{Transport: &cos.AuthorizationTransport{
		SecretID: u.dev.ready.AccessKey, SecretKey: u.dev.ready.SecretKey, Transport: over,
	}}
}

// in is the SDK on a bucket of a region of the store, whose name it finds wherever the store listens.
func (u *cosUser) in(region, bucket string) *cos.Client {
	address := strings.TrimPrefix(u.dev.ready.Store, "http://")
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "tcp", address)
	}}
	u.t.Cleanup(transport.CloseIdleConnections)
	return cos.NewClient(&cos.BaseURL{BucketURL: &url.URL{
		Scheme: "http", Host: fmt.Sprintf("%s.cos.%s.localhost", bucket, region),
	}}, u.signed(transport))
}

// bucket makes a bucket.
func (u *cosUser) bucket(name string) *cos.Client {
	u.t.Helper()
	c := u.in(u.dev.ready.Region, name)
	if _, err := c.Bucket.Put(u.t.Context(), nil); err != nil {
		u.t.Fatal(err)
	}
	return c
}

// put stores an object in a class, "" being the standard one, and gives its ETag as the store said it, in quotes.
func (u *cosUser) put(c *cos.Client, key, body, class string) string {
	u.t.Helper()
	resp, err := c.Object.Put(u.t.Context(), key, strings.NewReader(body), &cos.ObjectPutOptions{
		ObjectPutHeaderOptions: &cos.ObjectPutHeaderOptions{XCosStorageClass: class},
	})
	if err != nil {
		u.t.Fatal(err)
	}
	return resp.Header.Get("ETag")
}

// get reads an object.
func (u *cosUser) get(c *cos.Client, key string) (string, error) {
	resp, err := c.Object.Get(u.t.Context(), key, nil)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

func (u *cosUser) mustGet(c *cos.Client, key string) string {
	u.t.Helper()
	body, err := u.get(c, key)
	if err != nil {
		u.t.Fatal(err)
	}
	return body
}

// arn names a bucket or an object of dev's region.
func arn(resource string) string { return "qcs::cos:local:uid/1250000000:" + resource }

// tokens numbers the requests.
var tokens atomic.Int64

// copyJob is a request to copy the objects of a CSV of two columns from the bucket lists to a target bucket.
func (u *cosUser) copyJob(manifest, etag, target string) *cos.BatchCreateJobOptions {
	return &cos.BatchCreateJobOptions{
		ClientRequestToken:   fmt.Sprintf("cossdk-%d", tokens.Add(1)),
		ConfirmationRequired: "false",
		Manifest: &cos.BatchJobManifest{
			Location: &cos.BatchJobManifestLocation{ETag: etag, ObjectArn: arn("lists-1250000000/" + manifest)},
			Spec:     &cos.BatchJobManifestSpec{Fields: []string{"Bucket", "Key"}, Format: "COSBatchOperations_CSV_V1"},
		},
		Operation: &cos.BatchJobOperation{PutObjectCopy: &cos.BatchJobOperationCopy{TargetResource: arn(target)}},
		Priority:  1,
		Report: &cos.BatchJobReport{
			Bucket: arn("lists-1250000000"), Enabled: "true", Format: "Report_CSV_V1", Prefix: "reports", ReportScope: "AllTasks",
		},
		RoleArn: u.dev.ready.RoleARN,
	}
}

func (u *cosUser) create(o *cos.BatchCreateJobOptions) string {
	u.t.Helper()
	res, _, err := u.batch.CreateJob(u.t.Context(), o, u.head)
	if err != nil {
		u.t.Fatal(err)
	}
	return res.JobId
}

func (u *cosUser) describe(id string) *cos.BatchDescribeJob {
	u.t.Helper()
	res, _, err := u.batch.DescribeJob(u.t.Context(), id, u.head)
	if err != nil {
		u.t.Fatal(err)
	}
	return res.Job
}

func (u *cosUser) list(o *cos.BatchListJobsOptions) *cos.BatchListJobsResult {
	u.t.Helper()
	res, _, err := u.batch.ListJobs(u.t.Context(), o, u.head)
	if err != nil {
		u.t.Fatal(err)
	}
	return res
}

// ask asks for Ready or Cancelled.
func (u *cosUser) ask(id, status, reason string) *cos.BatchUpdateStatusResult {
	u.t.Helper()
	res, _, err := u.batch.UpdateJobStatus(u.t.Context(), &cos.BatchUpdateStatusOptions{
		JobId: id, RequestedJobStatus: status, StatusUpdateReason: reason,
	}, u.head)
	if err != nil {
		u.t.Fatal(err)
	}
	return res
}

// poll looks every so often until done says so, at most for a minute.
func (u *cosUser) poll(what string, done func() bool) {
	u.t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for range 600 {
		if done() {
			return
		}
		<-tick.C
	}
	u.t.Fatalf("not within a minute: %s", what)
}

// until polls DescribeJob until the job has that status. A job that ends otherwise fails the test.
func (u *cosUser) until(id, status string) *cos.BatchDescribeJob {
	u.t.Helper()
	var j *cos.BatchDescribeJob
	u.poll("job is "+status, func() bool {
		j = u.describe(id)
		if j.Status != status && slices.Contains([]string{"Complete", "Failed", "Cancelled"}, j.Status) {
			u.t.Fatalf("job %s is %s (%s), not %s: %+v", id, j.Status, j.StatusUpdateReason, status, j.FailureReasons)
		}
		return j.Status == status
	})
	return j
}

func wantProgress(t *testing.T, j *cos.BatchDescribeJob, total, succeeded, failed int) {
	t.Helper()
	want := cos.BatchProgressSummary{TotalNumberOfTasks: total, NumberOfTasksSucceeded: succeeded, NumberOfTasksFailed: failed}
	if j.ProgressSummary == nil || *j.ProgressSummary != want {
		t.Errorf("progress %+v, want %+v", j.ProgressSummary, want)
	}
}

// report reads a job's report by the SDK's object calls, holds it to its checksums and to what lies under results/,
// and gives all its rows.
func (u *cosUser) report(id string) []string {
	u.t.Helper()
	c := u.in(u.dev.ready.Region, "lists-1250000000")
	folder := "reports/job-" + id + "/"
	text := u.mustGet(c, folder+"manifest.json")
	if got, want := u.mustGet(c, folder+"manifest.json.md5"), fmt.Sprintf("%x", md5.Sum([]byte(text))); got != want {
		u.t.Errorf("manifest.json.md5 is %q, want %q", got, want)
	}
	var manifest struct {
		Format, ReportSchema string
		Results              []struct{ TaskExecutionStatus, Bucket, MD5Checksum, Key string }
	}
	if err := json.Unmarshal([]byte(text), &manifest); err != nil {
		u.t.Fatal(err)
	}
	if manifest.Format != "Report_CSV_V1" || !strings.HasPrefix(manifest.ReportSchema, "Bucket, Key, VersionId, TaskStatus") {
		u.t.Errorf("manifest %s", text)
	}
	var named, rows []string
	for _, r := range manifest.Results {
		body := u.mustGet(c, r.Key)
		if sum := fmt.Sprintf("%x", md5.Sum([]byte(body))); sum != r.MD5Checksum || r.Bucket != "lists-1250000000" {
			u.t.Errorf("%s/%s has MD5 %s, its manifest says %s", r.Bucket, r.Key, sum, r.MD5Checksum)
		}
		named = append(named, r.Key)
		rows = append(rows, strings.Split(strings.TrimSuffix(body, "\n"), "\n")...)
		if strings.Count(body, ","+r.TaskExecutionStatus+",") != strings.Count(body, "\n") {
			u.t.Errorf("%s has rows that are not %s", r.Key, r.TaskExecutionStatus)
		}
	}
	under, _, err := c.Bucket.Get(u.t.Context(), &cos.BucketGetOptions{Prefix: folder + "results/"})
	if err != nil {
		u.t.Fatal(err)
	}
	for _, o := range under.Contents {
		if !slices.Contains(named, o.Key) {
			u.t.Errorf("%s lies there and is not named", o.Key)
		}
	}
	return rows
}

func isCOSError(err error, status int, code string) bool {
	e, ok := errors.AsType[*cos.ErrorResponse](err)
	return ok && e.Response.StatusCode == status && e.Code == code && e.Message != "" && e.RequestID != ""
}

// inventory makes an inventory report of a bucket with the command, and gives its manifest.json's key and ETag.
func (u *cosUser) inventory(bucket, prefix string) (key, etag string) {
	u.t.Helper()
	cmd := exec.Command(binary, "inventory", "create", "--bucket", bucket, "--to", "s3://lists-1250000000/"+prefix, "--rows-per-file", "40", "--output", "json")
	cmd.Env = os.Environ()
	for name, value := range u.dev.environ() {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		u.t.Fatalf("%v\n%s", err, stderr.Bytes())
	}
	var made struct{ Manifest, ETag string }
	if err := json.Unmarshal(out, &made); err != nil {
		u.t.Fatal(err)
	}
	return strings.TrimPrefix(made.Manifest, "s3://lists-1250000000/"), made.ETag
}

// fill stores n small objects.
func (u *cosUser) fill(c *cos.Client, n int) {
	u.t.Helper()
	var g errgroup.Group
	g.SetLimit(16)
	for i := range n {
		g.Go(func() error {
			key := fmt.Sprintf("dir %d/k+%d é", i%3, i)
			_, err := c.Object.Put(u.t.Context(), key, strings.NewReader(key), nil)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		u.t.Fatal(err)
	}
}

// fromInventory makes a request read an inventory report. The SDK sends its absent columns as an empty element.
func fromInventory(o *cos.BatchCreateJobOptions, key, etag string) *cos.BatchCreateJobOptions {
	o.Manifest.Location = &cos.BatchJobManifestLocation{ETag: etag, ObjectArn: arn("lists-1250000000/" + key)}
	o.Manifest.Spec = &cos.BatchJobManifestSpec{Format: "COSInventoryReport_CSV_V1"}
	return o
}
