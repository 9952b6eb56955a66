package report_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/report"
	"github.com/drover-batch/drover/internal/report/reporttest"
)

func openDir(t *testing.T, path string) *report.Dir {
	t.Helper()
	d, err := report.NewDir(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func TestDir(t *testing.T) {
	reporttest.Run(t, func(t *testing.T) report.Sink { return openDir(t, filepath.Join(t.TempDir(), "new", "reports")) })
}

func TestDirStaysInItsFolder(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("s"), 0o600); err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	d := openDir(t, root)
	for _, name := range []string{"", ".", "..", "../x", "a/../../x", "/etc/passwd", "a//b", "a/", "./a", "a\x00b", ".drover-x", "link/secret"} {
		err := d.Put(t.Context(), name, strings.NewReader("x"), 1, report.ContentTypeText)
		if err == nil {
			t.Errorf("Put took %q", name)
		}
		if name != "link/secret" && job.CodeOf(err) != job.InvalidArgument {
			t.Errorf("Put of %q: %v", name, err)
		}
		if _, err := d.Get(t.Context(), name); err == nil {
			t.Errorf("Get took %q", name)
		}
		if err := d.Delete(t.Context(), name); err == nil {
			t.Errorf("Delete took %q", name)
		}
	}
	if b, err := os.ReadFile(filepath.Join(outside, "secret")); err != nil || string(b) != "s" {
		t.Errorf("the file outside is %q, %v", b, err)
	}
	left, err := filepath.Glob(filepath.Join(root, ".drover-*"))
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
}

func TestDirSweepsLeftoversOfACrash(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	old, young := filepath.Join(root, ".drover-old"), filepath.Join(root, ".drover-young")
	for _, p := range []string{old, young} {
		if err := os.WriteFile(p, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before := time.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(old, before, before); err != nil {
		t.Fatal(err)
	}
	d := openDir(t, root)
	for name, err := range d.List(t.Context(), "") {
		t.Errorf("a file being written was listed: %q, %v", name, err)
	}
	if _, err := os.Stat(old); !os.IsNotExist(err) {
		t.Errorf("the old leftover: %v", err)
	}
	if _, err := os.Stat(young); err != nil {
		t.Errorf("a file that may still be written: %v", err)
	}
}
