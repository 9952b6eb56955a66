// Package browser walks the console in a real browser, as the console guide of Tencent COS tells a person to, and looks
// at each screen: that nothing is too wide or cut off, that axe-core finds nothing that keeps people out, and, for
// whoever wants to see them, in pictures among the artifacts.
package browser

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browserTime bounds one test on a machine that is busy with others; that a page never comes is known after patience.
const browserTime = 10 * time.Minute

// binary is the drover under test.
var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "drover-browser-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "drover")
	build := exec.Command("go", "build", "-trimpath", "-o", binary, "../../cmd/drover")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	var out bytes.Buffer
	build.Stdout, build.Stderr = &out, &out
	if err := build.Run(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out.Bytes())
		return 1
	}
	return m.Run()
}

// missing ends a test that lacks a tool: in CI that is a failure.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// site is a running drover dev with a browser in front of it.
type site struct {
	*testing.T
	ctx                  context.Context
	console              string
	accessKey, secretKey string
	store                *s3.Client
	shots                string
	shot                 int
	clicks               int
	scriptless           bool
}

// openSite starts drover dev and a browser, and signs in.
func openSite(t *testing.T, args ...string) *site {
	t.Helper()
	s := openDoor(t, args...)
	s.signIn(s.accessKey, s.secretKey)
	return s
}

// openDoor starts drover dev and a browser at its sign-in page.
func openDoor(t *testing.T, args ...string) *site {
	t.Helper()
	path := os.Getenv("CHROMIUM")
	if path == "" {
		path = "chromium"
	}
	path, err := exec.LookPath(path)
	if err != nil {
		missing(t, "no browser: install Debian's chromium, or set CHROMIUM to the path of one")
	}
	ctx, cancel := context.WithTimeout(t.Context(), browserTime)
	t.Cleanup(cancel)
	s := startDev(t, args...)
	s.ctx = openBrowser(t, ctx, path)
	s.listen()
	s.do(chromedp.EmulateViewport(1440, 900))
	s.visit("/jobs", "#access-key")
	return s
}

func startDev(t *testing.T, args ...string) *site {
	t.Helper()
	cmd := exec.Command(binary, append([]string{"dev", "--quiet", "--listen", "127.0.0.1:0", "--store-listen", "127.0.0.1:0"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("drover dev ended with %v", err)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("drover dev printed no ready line: %v", err)
	}
	var ready struct{ Console, Store, Region, AccessKey, SecretKey string }
	if err := json.Unmarshal([]byte(strings.TrimPrefix(line, "ready ")), &ready); err != nil {
		t.Fatal(err)
	}
	return &site{
		T: t, console: strings.TrimSuffix(ready.Console, "/"), shots: t.ArtifactDir(), accessKey: ready.AccessKey, secretKey: ready.SecretKey,
		store: s3.New(s3.Options{
			BaseEndpoint: aws.String(ready.Store), Region: ready.Region, UsePathStyle: true,
			Credentials: credentials.NewStaticCredentialsProvider(ready.AccessKey, ready.SecretKey, ""),
		}),
	}
}

func openBrowser(t *testing.T, ctx context.Context, path string) context.Context {
	t.Helper()
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path))
	for _, flag := range []string{
		"no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking", "disable-component-update", "disable-sync",
		"hide-scrollbars", "allow-pre-commit-input",
	} {
		opts = append(opts, chromedp.Flag(flag, true))
	}
	opts = append(opts, chromedp.Flag("lang", "en"))
	ctx, cancel := chromedp.NewExecAllocator(ctx, opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return ctx
}

func (s *site) signIn(accessKey, secretKey string) {
	s.Helper()
	s.set("#access-key", accessKey)
	s.set("#secret-key", secretKey)
	s.follow("#sign-in", ".menu")
}

// listen makes what the browser complains of, such as code that the page's policy forbids, a failure of the test. Answers
// like 404 and 422 are no complaint.
func (s *site) listen() {
	s.Helper()
	err := chromedp.Listen(s.ctx, func(ev any) {
		switch ev := ev.(type) {
		case *log.EventEntryAdded:
			if ev.Entry.Level == log.EntryLevelError && ev.Entry.Source != log.EntrySourceNetwork {
				s.Errorf("the browser says: %s %s", ev.Entry.Text, ev.Entry.URL)
			}
		case *runtime.EventExceptionThrown:
			s.Errorf("the page's script fails: %s", ev.ExceptionDetails.Text)
		}
	})
	if err != nil {
		s.Fatal(err)
	}
}

func (s *site) do(steps ...chromedp.Action[chromedp.Void]) {
	s.Helper()
	if err := chromedp.Do(s.ctx, steps...); err != nil {
		s.pictureOfFailure()
		s.Fatal(err)
	}
}

func (s *site) untilBadge(status string) {
	s.Helper()
	s.until(fmt.Sprintf(`document.querySelector(".under .badge")?.textContent.trim() === %q`, status))
}

// objects stores n objects of a class in a bucket and a CSV of them in another: BUCKET.csv.
func (s *site) objects(bucket, lists string, n int, class types.StorageClass) {
	s.Helper()
	for _, name := range []string{bucket, lists} {
		if _, err := s.store.CreateBucket(s.ctx, &s3.CreateBucketInput{Bucket: &name}); err != nil && !strings.Contains(err.Error(), "BucketAlready") {
			s.Fatal(err)
		}
	}
	var list strings.Builder
	for i := range n {
		key := fmt.Sprintf("2026/photo-%05d.jpg", i)
		fmt.Fprintf(&list, "%s,%s\n", bucket, key)
		s.put(bucket, key, key, class)
	}
	s.put(lists, bucket+".csv", list.String(), types.StorageClassStandard)
}

func (s *site) put(bucket, key, body string, class types.StorageClass) {
	s.Helper()
	if _, err := s.store.PutObject(s.ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader(body), StorageClass: class}); err != nil {
		s.Fatal(err)
	}
}

// list fills in the wizard's first step with a CSV.
func (s *site) list(bucket, key string) {
	s.Helper()
	s.visit("/jobs", "#create-job")
	s.follow("#create-job", "#manifest-bucket")
	s.choose("#format-csv")
	s.fill("#manifest-bucket", bucket)
	s.fill("#manifest-key", key)
}

// report fetches a result file that the job's page links to, with the page's own session.
func (s *site) report(rows int) {
	s.Helper()
	s.see(".reports li:nth-child(2) a")
	got, err := chromedp.Run(s.ctx, chromedp.Evaluate[int](
		`(() => { const r = new XMLHttpRequest(); r.open("GET", document.querySelector(".reports li:nth-child(2) a").href, false); r.send();
		return r.status === 200 ? r.responseText.trim().split("\n").length : -r.status })()`))
	if err != nil || got != rows {
		s.Errorf("the result file has %d rows (%v), want %d", got, err, rows)
	}
}
