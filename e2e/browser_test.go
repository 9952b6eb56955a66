//go:build browser

package e2e

import (
	"bufio"
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
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// browserTime bounds one test: a page that never comes is a failure, not a hang.
const browserTime = 3 * time.Minute

// site is a running drover dev with a browser in front of it.
type site struct {
	*testing.T
	ctx     context.Context
	console string
	store   *s3.Client
	shots   string
	shot    int
}

// openSite starts drover dev and a browser, and signs in.
func openSite(t *testing.T, args ...string) *site {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), browserTime)
	t.Cleanup(cancel)
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
	s := &site{T: t, console: strings.TrimSuffix(ready.Console, "/"), shots: t.ArtifactDir(), store: s3.New(s3.Options{
		BaseEndpoint: aws.String(ready.Store), Region: ready.Region, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(ready.AccessKey, ready.SecretKey, ""),
	})}
	s.ctx = openBrowser(t, ctx)
	s.listen()
	s.do(
		chromedp.EmulateViewport(1440, 900),
		chromedp.Navigate(s.console+"/jobs"),
		chromedp.WaitVisible("#access-key"),
	)
	s.screenshot("sign-in")
	s.do(
		chromedp.SendKeys("#access-key", ready.AccessKey),
		chromedp.SendKeys("#secret-key", "wrong"),
		chromedp.Click("#sign-in"),
		chromedp.WaitVisible(".problem"),
		chromedp.SendKeys("#secret-key", ready.SecretKey),
		chromedp.Click("#sign-in"),
		chromedp.WaitVisible("#create-job"),
	)
	return s
}

// openBrowser starts Debian's chromium, or what CHROMIUM names.
func openBrowser(t *testing.T, ctx context.Context) context.Context {
	t.Helper()
	path := os.Getenv("CHROMIUM")
	if path == "" {
		path = "chromium"
	}
	path, err := exec.LookPath(path)
	if err != nil {
		t.Fatalf("no browser: %v. Install Debian's chromium, or set CHROMIUM to the path of one.", err)
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path))
	for _, flag := range []string{
		"no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking", "disable-component-update", "disable-sync",
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
		s.screenshotOfFailure()
		s.Fatal(err)
	}
}

func (s *site) text(selector string) string {
	s.Helper()
	text, err := chromedp.Run(s.ctx, chromedp.Text(selector))
	if err != nil {
		s.screenshotOfFailure()
		s.Fatal(err)
	}
	return text
}

// until waits until a JavaScript expression is true in a page that may renew itself meanwhile.
func (s *site) until(expression string) {
	s.Helper()
	for {
		ok, err := chromedp.Run(s.ctx, chromedp.Evaluate[bool](expression))
		if err == nil && ok {
			return
		}
		select {
		case <-s.ctx.Done():
			s.Fatalf("never came true: %s (%v)", expression, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (s *site) untilBadge(status string) {
	s.Helper()
	s.until(fmt.Sprintf(`document.querySelector(".under .badge")?.textContent.trim() === %q`, status))
}

// follow clicks on what leads to another page, and waits for something on that.
func (s *site) follow(selector, wait string) {
	s.Helper()
	s.do(chromedp.Click(selector), chromedp.WaitVisible(wait))
}

func (s *site) save(name string, png []byte) {
	s.Helper()
	s.shot++
	if err := os.WriteFile(filepath.Join(s.shots, fmt.Sprintf("%02d-%s.png", s.shot, name)), png, 0o644); err != nil {
		s.Fatal(err)
	}
}

func (s *site) screenshotOfFailure() {
	if png, err := chromedp.Run(s.ctx, chromedp.FullScreenshot(100)); err == nil {
		s.save("failure", png)
	}
}

// screenshot keeps the page in three widths and in light and dark, and checks that none of them overflows.
func (s *site) screenshot(name string) {
	s.Helper()
	for _, width := range []int64{1440, 768, 360} {
		s.do(chromedp.EmulateViewport(width, 900))
		over, err := chromedp.Run(s.ctx, chromedp.Evaluate[int64](`document.documentElement.scrollWidth - document.documentElement.clientWidth`))
		if err != nil {
			s.Fatal(err)
		}
		if over > 0 {
			s.Errorf("%s is %d px too wide at %d px", name, over, width)
		}
		for _, scheme := range []string{"light", "dark"} {
			if width == 768 && scheme == "dark" {
				continue
			}
			s.scheme(scheme)
			png, err := chromedp.Run(s.ctx, chromedp.FullScreenshot(100))
			if err != nil {
				s.Fatal(err)
			}
			s.save(fmt.Sprintf("%s-%d-%s", name, width, scheme), png)
		}
	}
	s.scheme("light")
	s.do(chromedp.EmulateViewport(1440, 900))
}

func (s *site) scheme(scheme string) {
	s.Helper()
	media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
	if _, err := chromedp.Call(s.ctx, emulation.SetEmulatedMedia, media); err != nil {
		s.Fatal(err)
	}
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
	s.do(chromedp.Navigate(s.console+"/jobs"), chromedp.WaitVisible("#create-job"))
	s.follow("#create-job", "#manifest-bucket")
	s.do(chromedp.Click("#format-csv"), chromedp.SendKeys("#manifest-bucket", bucket), chromedp.SendKeys("#manifest-key", key))
}

func TestBrowserCopiesByTheGuide(t *testing.T) {
	s := openSite(t)
	s.objects("photos", "lists", 120, types.StorageClassStandard)
	s.objects("backup", "lists", 0, "")
	s.screenshot("jobs-empty")

	s.list("lists", "")
	s.follow("#browse", "#browser")
	s.screenshot("wizard-1-browse")
	s.follow(`#browser button[value="pick:photos.csv"]`, "#rows")
	if rows := s.text("#rows"); !strings.Contains(rows, "2026/photo-00000.jpg") {
		t.Errorf("the preview has no first row: %q", rows)
	}
	s.screenshot("wizard-1-preview")
	s.follow("#next", "#target-bucket")
	s.do(chromedp.SendKeys("#target-bucket", "backup"), chromedp.Click("#prefix-replace"), chromedp.WaitVisible("#prefix-from"),
		chromedp.SendKeys("#prefix-from", "2026/"), chromedp.SendKeys("#prefix-to", "kept/"), chromedp.Click("#tags-add"))
	s.follow("#show-example", "#example")
	if got := s.text("#example"); !strings.Contains(got, "kept/photo-00000.jpg") {
		t.Errorf("the example is %q", got)
	}
	s.screenshot("wizard-2-copy")
	s.follow("#next", `fieldset#tags .wrong`) // tags are to be added, and none is given
	s.screenshot("wizard-2-error")
	s.do(chromedp.Click("#tags-copy"), chromedp.SetValue("#class", "STANDARD_IA"))
	s.follow("#next", "#description")
	s.do(chromedp.SendKeys("#description", "Photos to the backup"))
	s.screenshot("wizard-3")
	s.follow("#next", "#start")
	if got := s.text("#plain"); !strings.Contains(got, "Copies each object to the bucket backup") {
		t.Errorf("the review says %q", got)
	}
	s.screenshot("wizard-4")
	s.follow("#previous", "#description")
	s.follow("#next", "#start")
	s.follow("#create", "#job-id")

	s.untilBadge("Suspended")
	s.screenshot("job-suspended")
	s.follow(`#buttons a[href$="/confirm"]`, "#do")
	s.screenshot("confirm")
	s.follow("#do", "#job-id")
	s.untilBadge("Complete")
	s.do(chromedp.WaitVisible("#report-manifest"))
	if got := s.text("#succeeded"); got != "120" {
		t.Errorf("%s succeeded, want 120", got)
	}
	s.screenshot("job-complete")
	s.report(120)
	info, err := s.store.HeadObject(s.ctx, &s3.HeadObjectInput{Bucket: aws.String("backup"), Key: aws.String("kept/photo-00119.jpg")})
	if err != nil || info.StorageClass != "STANDARD_IA" {
		t.Errorf("the copy is %v, %v", info, err)
	}
	s.do(chromedp.Navigate(s.console+"/jobs"), chromedp.WaitVisible("table.jobs"))
	s.screenshot("jobs")
	s.do(chromedp.Navigate(s.console+"/"), chromedp.WaitVisible(".cards"))
	s.screenshot("overview")
	s.do(chromedp.Navigate(s.console+"/storage"), chromedp.WaitVisible("main h1"))
	s.screenshot("storage")
	s.do(chromedp.Navigate(s.console+"/jobs/no-such-job"), chromedp.WaitVisible(".error-page"))
	s.screenshot("error")
	s.follow(`button[name="language"]`, `html[lang="zh-CN"]`)
	s.do(chromedp.Navigate(s.console+"/jobs"), chromedp.WaitVisible("table.jobs"))
	s.screenshot("jobs-chinese")
	s.follow("#create-job", "#manifest-bucket")
	s.screenshot("wizard-chinese")
}

// report fetches the result file that the job's page links to, with the page's own session.
func (s *site) report(rows int) {
	s.Helper()
	got, err := chromedp.Run(s.ctx, chromedp.Evaluate[int](
		`(() => { const r = new XMLHttpRequest(); r.open("GET", document.querySelector(".reports li:nth-child(2) a").href, false); r.send();
		return r.status === 200 ? r.responseText.trim().split("\n").length : -r.status })()`))
	if err != nil || got != rows {
		s.Errorf("the result file has %d rows (%v), want %d", got, err, rows)
	}
}

func TestBrowserRestoresByTheGuide(t *testing.T) {
	s := openSite(t)
	s.objects("archive", "lists", 30, types.StorageClass("ARCHIVE"))
	s.list("lists", "archive.csv")
	s.follow("#next", "#operation-restore")
	s.do(chromedp.Click("#operation-restore"), chromedp.WaitVisible("#days"), chromedp.Click("#tier-Bulk"), chromedp.SetValue("#days", "400"))
	s.follow("#next", `input#days[aria-invalid="true"]`)
	s.screenshot("wizard-2-restore")
	s.do(chromedp.SetValue("#days", "3"))
	s.follow("#next", "#description")
	s.do(chromedp.Click("#report-no"))
	s.follow("#next", "#start")
	s.do(chromedp.Click("#start"), chromedp.WaitVisible("#create-and-start"))
	s.follow("#create-and-start", "#job-id")
	s.untilBadge("Complete")
	if got := s.text("#succeeded"); got != "30" {
		t.Errorf("%s succeeded, want 30", got)
	}
	s.screenshot("job-restored")
	info, err := s.store.HeadObject(s.ctx, &s3.HeadObjectInput{Bucket: aws.String("archive"), Key: aws.String("2026/photo-00000.jpg")})
	if err != nil || aws.ToString(info.Restore) == "" {
		t.Errorf("nothing was restored: %v, %v", info, err)
	}
}

func TestBrowserCancelsARunningJob(t *testing.T) {
	s := openSite(t, "--concurrency", "1")
	s.objects("source", "lists", 1, types.StorageClassStandard)
	s.objects("target", "lists", 0, "")
	s.put("lists", "long.csv", strings.Repeat("source,2026/photo-00000.jpg\n", 100_000)+strings.Repeat("source,missing.jpg\n", 10), types.StorageClassStandard)
	s.list("lists", "long.csv")
	s.follow("#next", "#target-bucket")
	s.do(chromedp.SendKeys("#target-bucket", "target"))
	s.follow("#next", "#description")
	s.follow("#next", "#start")
	s.do(chromedp.Click("#start"), chromedp.WaitVisible("#create-and-start"))
	s.follow("#create-and-start", "#job-id")
	s.untilBadge("Active")
	s.until(`Number(document.querySelector("#succeeded").textContent.replaceAll(",", "")) > 0`)
	s.screenshot("job-active")
	s.do(chromedp.Navigate(s.console+"/jobs"), chromedp.WaitVisible(`a[data-action="cancel"]`))
	s.screenshot("jobs-active")
	s.follow(`a[data-action="cancel"]`, "#do")
	s.do(chromedp.SendKeys(`input[name="reason"]`, "not needed"))
	s.screenshot("cancel")
	s.follow("#do", "#job-id")
	s.untilBadge("Cancelled")
	if got := s.text(".timeline"); !strings.Contains(got, "not needed") {
		t.Errorf("the timeline does not give the reason: %q", got)
	}
	s.screenshot("job-cancelled")
}

func TestBrowserShowsWhatIsWrongWithAList(t *testing.T) {
	s := openSite(t)
	s.objects("photos", "lists", 1, types.StorageClassStandard)
	s.put("lists", "bad.csv", "photos,2026/photo-00000.jpg\nphotos,a,b,c\n", types.StorageClassStandard)
	s.list("lists", "bad.csv")
	s.follow("#next", `input#manifest-key[aria-invalid="true"]`)
	if got := s.text(".wrong"); !strings.Contains(got, "line 2") {
		t.Errorf("the error does not name the row: %q", got)
	}
	s.screenshot("wizard-1-bad-row")
	s.do(chromedp.SetValue("#manifest-key", "nothing.csv"))
	s.follow("#next", `input#manifest-key[aria-invalid="true"]`)
	s.until(`document.querySelector(".wrong").textContent.includes("nothing.csv")`)
}

// TestBrowserWithoutScript goes the whole way with script off: a page is then loaded again by the person, or by the
// browser itself.
func TestBrowserWithoutScript(t *testing.T) {
	s := openSite(t)
	s.objects("photos", "lists", 3, types.StorageClassStandard)
	s.objects("backup", "lists", 0, "")
	if _, err := chromedp.Call(s.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	s.list("lists", "photos.csv")
	s.follow("#next", "#target-bucket")
	s.do(chromedp.SendKeys("#target-bucket", "backup"))
	s.follow("#next", "#description")
	s.follow("#next", "#start")
	s.follow("#create", "#job-id")
	s.do(chromedp.WaitVisible(`.under .badge.ask`)) // Suspended: the browser loads the page every few seconds
	s.follow(`#buttons a[href$="/confirm"]`, "#do")
	s.follow("#do", "#job-id")
	s.do(chromedp.WaitVisible(`.under .badge.good`), chromedp.WaitVisible("#report-manifest"))
	if got := s.text("#succeeded"); got != "3" {
		t.Errorf("%s succeeded, want 3", got)
	}
}
