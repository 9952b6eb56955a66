package e2e

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/drover-batch/drover/client"
)

// TestSecretStaysSecret runs a job with a secret of its own and looks for it in everything that was written: log, call
// log, engine state, store, report.
func TestSecretStaysSecret(t *testing.T) {
	const secret = "a-secret-that-nobody-writes-down"
	t.Setenv("DROVER_SECRET_KEY", secret)
	t.Setenv("AWS_ACCESS_KEY_ID", "drover-dev")
	t.Setenv("AWS_SECRET_ACCESS_KEY", secret)
	s := newServer(t)
	s.fillBucket("source", 50, chaosKey)
	s.fillBucket("target", 0, nil)
	keys := make([]string, 60) // ten of them do not exist: failures are written too
	for i := range keys {
		keys[i] = chaosKey(i)
	}
	s.putManifest("target", "list.csv", "source", keys)
	id := s.drover("job", "create", "copy", "--manifest", "s3://target/list.csv", "--to", "target", "--prefix-add", "c/",
		"--report", "s3://target/reports", "--start")
	var last client.Job
	if err := s.client().Watch(t.Context(), id, func(j client.Job) error { last = j; return nil }); err != nil {
		t.Fatal(err)
	}
	if last.Progress.Succeeded != 50 || last.Progress.Failed != 10 {
		t.Fatalf("job: %+v", last)
	}
	log := &s.proc.stderr
	s.end(os.Interrupt)
	if bytes.Contains(log.Bytes(), []byte(secret)) {
		t.Error("the secret stands in the log")
	}
	files := 0
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		files++
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(secret)) {
			t.Errorf("the secret stands in %s", path)
		}
		return err
	})
	if err != nil || files < 5 {
		t.Errorf("looked through %d files: %v", files, err)
	}
}
