package operation_test

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object/cephtest"
	"github.com/drover-batch/drover/internal/object/httpwire"
	"github.com/drover-batch/drover/internal/operation"
)

// TestKMSOnCeph encrypts with a key of Ceph's key management. The gateway does that for what it is sent, so for copies
// from another store, and the stock client sees it done. A copy of its own it leaves as it is and calls that a success:
// verify tells.
func TestKMSOnCeph(t *testing.T) {
	from, to := embedded(t, httpwire.S3), ceph(t)
	op := func(key string, v operation.Verify) *operation.Copy {
		return &operation.Copy{TargetBucket: to.dst, SSE: "aws:kms", SSEKey: key, Verify: v}
	}
	head := func(t *testing.T, bucket job.Bucket, key job.Key) *s3.HeadObjectOutput {
		t.Helper()
		h, err := to.stock.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String(string(bucket)), Key: aws.String(string(key))})
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	for _, size := range []int{0, 100, large} {
		t.Run(fmt.Sprintf("from another store, %d bytes", size), func(t *testing.T) {
			key := job.Key(fmt.Sprintf("kms-%d", size))
			e, body := from.put(t, key, size)
			task := operation.Task{Entry: e, Target: to.store, Carry: true, SpoolDir: t.TempDir(), Limits: small}
			verify := operation.VerifyChecksum
			if size == large {
				verify = operation.VerifyOff // the tags of a multipart upload are lost there
			}
			if got := op(cephtest.KMSKey, verify).Apply(t.Context(), from.store, task); got.Status != job.TaskSucceeded {
				t.Fatalf("outcome %+v", got)
			}
			h := head(t, to.dst, key)
			if h.ServerSideEncryption != types.ServerSideEncryptionAwsKms || aws.ToString(h.SSEKMSKeyId) != cephtest.KMSKey {
				t.Errorf("the stock client sees encryption %q with key %q", h.ServerSideEncryption, aws.ToString(h.SSEKMSKeyId))
			}
			out, err := to.stock.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String(string(to.dst)), Key: aws.String(string(key))})
			if err != nil {
				t.Fatal(err)
			}
			defer out.Body.Close()
			if got, err := io.ReadAll(out.Body); err != nil || string(got) != body {
				t.Errorf("read back %d bytes of %d, %v", len(got), len(body), err)
			}
		})
	}
	t.Run("a key that is none", func(t *testing.T) {
		e, _ := from.put(t, "none", 100)
		got := op("no-such-key", operation.VerifyOff).Apply(t.Context(), from.store, operation.Task{Entry: e, Target: to.store, Carry: true, SpoolDir: t.TempDir()})
		if got.Status != job.TaskFailed || !strings.Contains(got.Message, "no-such-key") {
			t.Errorf("outcome %+v", got)
		}
	})
	t.Run("within the store", func(t *testing.T) {
		e, _ := to.put(t, "own", 100)
		if got := op(cephtest.KMSKey, operation.VerifyOff).Apply(t.Context(), to.store, operation.Task{Entry: e}); got.Status != job.TaskSucceeded {
			t.Errorf("the gateway does not lie any more: %+v", got)
		}
		if h := head(t, to.dst, "own"); h.ServerSideEncryption != "" {
			t.Errorf("the gateway encrypts its own copies: %q", h.ServerSideEncryption)
		}
		got := op(cephtest.KMSKey, operation.VerifyHead).Apply(t.Context(), to.store, operation.Task{Entry: e})
		if got.Code != "VerifyFailed" || !strings.Contains(got.Message, `its encryption is "", not "aws:kms"`) {
			t.Errorf("outcome %+v", got)
		}
	})
}
