package cli

import (
	"bytes"
	"testing"
	"time"

	"github.com/drover-batch/drover/client"
)

func TestProgressOutsideATerminalIsALineForEachStatus(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	sh := newShell(Env{Stdout: &out, Stderr: &errs, Getenv: func(string) string { return "" }}, false)
	p := newProgress(sh, "copy")
	p.every = time.Hour
	for _, j := range []client.Job{
		{Status: "Preparing"},
		{Status: "Suspended", SuspendedCause: "waits for a confirmation"},
		{Status: "Active", Progress: client.Progress{Total: 12000}},
		{Status: "Active", Progress: client.Progress{Total: 12000, Succeeded: 5}},
		{Status: "Complete", Progress: client.Progress{Total: 12000, Succeeded: 11999, Failed: 1}},
	} {
		p.update(j)
	}
	p.end()
	want := `copy: Preparing
copy: Suspended: waits for a confirmation
copy: Active, 0 of 12,000
copy: Complete, 1 failed, 12,000 of 12,000
`
	if got := errs.String(); got != want {
		t.Errorf("stderr:\n%swant:\n%s", got, want)
	}
	if out.Len() > 0 {
		t.Errorf("stdout %q", out.String())
	}
}

func TestQuietShowsNoProgress(t *testing.T) {
	t.Parallel()
	var errs bytes.Buffer
	sh := newShell(Env{Stdout: new(bytes.Buffer), Stderr: &errs, Getenv: func(string) string { return "" }}, true)
	newProgress(sh, "").update(client.Job{Status: "Active"})
	if errs.Len() > 0 {
		t.Errorf("stderr %q", errs.String())
	}
}

func TestCountHasCommas(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{
		0: "0", 999: "999", 1000: "1,000", 123456: "123,456", 1234567: "1,234,567", -1000: "-1,000", -999: "-999",
	} {
		if got := count(n); got != want {
			t.Errorf("%d is written %s, want %s", n, got, want)
		}
	}
}
