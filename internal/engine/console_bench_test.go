package engine_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/console"
	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/operation"
)

// openConsole serves the console over a service, and signs in.
func openConsole(b *testing.B, s *engine.Service) (client *http.Client, base string) {
	b.Helper()
	pages, err := console.New(console.Options{
		Jobs: s, Default: "local", Stores: stores{newFakeStore()}, Logger: slog.New(slog.DiscardHandler),
		SignIn: func(string, string) (api.Caller, error) { return caller, nil },
		Roles:  func(context.Context, api.Caller) ([]job.Role, error) { return nil, nil },
	})
	if err != nil {
		b.Fatal(err)
	}
	srv := httptest.NewServer(pages)
	b.Cleanup(srv.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		b.Fatal(err)
	}
	client, base = &http.Client{Jar: jar}, srv.URL+"/console"
	res, err := client.PostForm(base+"/sign-in", url.Values{"access-key": {"a"}, "secret-key": {"b"}})
	if err != nil || res.StatusCode != http.StatusOK {
		b.Fatal(res, err)
	}
	_ = res.Body.Close()
	return client, base
}

// firstByte gets a page, and tells how long its first byte took.
func firstByte(b *testing.B, client *http.Client, at, part string) time.Duration {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, at, nil)
	if err != nil {
		b.Fatal(err)
	}
	if part != "" {
		req.Header.Set("HX-Request", part)
	}
	begin := time.Now()
	res, err := client.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer res.Body.Close()
	first := make([]byte, 1)
	if _, err := io.ReadFull(res.Body, first); err != nil {
		b.Fatal(err)
	}
	took := time.Since(begin)
	if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != http.StatusOK {
		b.Fatal(res.Status, err)
	}
	return took
}

func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkConsole measures the console's pages over 100,000 jobs (a page's first byte within 50 ms), and what a page of a
// running job costs for as long as somebody has it open (under 1 % of a core).
func BenchmarkConsole(b *testing.B) {
	s, _ := finishedService(b)
	client, base := openConsole(b, s)
	for _, page := range []struct{ name, path string }{
		{"list", "/jobs"},
		{"list of failed", "/jobs?tab=failed"},
		{"search", "/jobs?search=NIGHTLY+77777"},
		{"overview", "/"},
	} {
		b.Run(page.name, func(b *testing.B) {
			var times []time.Duration
			before := cpu(b)
			for b.Loop() {
				times = append(times, firstByte(b, client, base+page.path, ""))
			}
			b.ReportMetric(float64((cpu(b)-before).Microseconds())/1000/float64(len(times)), "cpu-ms/op")
			slices.Sort(times)
			b.ReportMetric(float64(times[len(times)*95/100].Microseconds())/1000, "p95-ms")
		})
	}
}

// BenchmarkConsoleViewer measures what the page of a running job costs the server: it renews itself every three seconds.
func BenchmarkConsoleViewer(b *testing.B) {
	store := newFakeStore()
	hold := make(chan struct{})
	store.onCopy = func(ctx context.Context, _ job.Key) error {
		select {
		case <-hold:
		case <-ctx.Done():
		}
		return nil
	}
	s := openService(b, store)
	list := filepath.Join(b.TempDir(), "list.csv")
	if err := os.WriteFile(list, []byte(strings.Repeat("src,a.txt\n", 100_000)), 0o600); err != nil {
		b.Fatal(err)
	}
	j, err := s.Create(b.Context(), caller, job.Spec{
		Token: string(job.NewID()), Priority: 10,
		Manifest:  job.Manifest{Format: job.FormatCSV, Fields: []job.Field{job.FieldBucket, job.FieldKey}, Location: job.Location{Path: list}},
		Operation: &operation.Copy{TargetBucket: "dst"},
		Report:    job.Report{Enabled: true, Path: filepath.Join(b.TempDir(), "report"), Scope: job.AllTasks},
		Role:      job.Role{ARN: "qcs::cam::uin/100000000001:roleName/r", Account: "100000000001", Name: "r"}, Request: job.Request{Protocol: "cli"},
	})
	if err != nil {
		b.Fatal(err)
	}
	running := context.Canceled
	if err := s.Watch(b.Context(), caller, j.ID, func(j job.Job) error {
		if j.Status == job.Active {
			return running
		}
		return nil
	}); err != running {
		b.Fatal(err)
	}
	client, base := openConsole(b, s)
	before, begun := cpu(b), time.Now()
	n := 0
	for b.Loop() {
		firstByte(b, client, base+"/jobs/"+string(j.ID), "true")
		n++
	}
	// The client's side and the held job's heartbeats are counted with it.
	spent := cpu(b) - before
	b.ReportMetric(float64(spent.Microseconds())/1000/float64(n), "cpu-ms/renewal")
	b.ReportMetric(100*spent.Seconds()/float64(n)/3, "%core/viewer")
	b.Logf("%d renewals in %v", n, time.Since(begun))
	close(hold)
}
