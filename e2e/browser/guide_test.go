package browser

import (
	"fmt"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// TestCopyByTheGuide goes through the directions of the console guide with a copy: each of the four steps, confirm, watch,
// the report.
func TestCopyByTheGuide(t *testing.T) {
	t.Parallel()
	s := openDoor(t)
	s.screen("sign-in")
	s.fill("#access-key", s.accessKey)
	s.fill("#secret-key", "wrong")
	s.follow("#sign-in", ".problem")
	s.screen("sign-in-refused")
	s.signIn(s.accessKey, s.secretKey)
	s.objects("photos", "lists", 120, types.StorageClassStandard)
	s.objects("backup", "lists", 0, "")
	s.visit("/", ".tile")
	s.screen("overview-empty")
	s.visit("/jobs", "#create-job")
	s.screen("jobs-empty")

	s.list("lists", "")
	s.screen("wizard-1")
	s.follow("#browse", "#browser")
	s.screen("wizard-1-browse")
	s.follow(`#browser button[value="pick:photos.csv"]`, "#rows")
	if rows := s.text("#rows"); !strings.Contains(rows, "2026/photo-00000.jpg") {
		t.Errorf("the preview has no first row: %q", rows)
	}
	s.screen("wizard-1-preview")
	s.follow("#next", "#target-bucket")
	s.fill("#target-bucket", "backup")
	s.choose("#prefix-replace", "#prefix-from")
	s.fill("#prefix-from", "2026/")
	s.fill("#prefix-to", "kept/")
	s.choose("#tags-add")
	s.follow("#show-example", "#example")
	if got := s.text("#example"); !strings.Contains(got, "kept/photo-00000.jpg") {
		t.Errorf("the example is %q", got)
	}
	s.screen("wizard-2-copy")
	s.follow("#next", `fieldset#tags .wrong`) // tags are to be added, and none is given
	s.screen("wizard-2-error")
	s.choose("#tags-copy")
	s.set("#class", "STANDARD_IA")
	s.follow("#next", "#description")
	s.fill("#description", "Photos to the backup")
	s.screen("wizard-3")
	s.follow("#next", "#start")
	if got := s.text("#plain"); !strings.Contains(got, "Copies each object to the bucket backup") {
		t.Errorf("the review says %q", got)
	}
	s.screen("wizard-4")
	s.follow("#previous", "#description")
	s.follow("#next", "#start")
	s.follow("#create", "#job-id")

	s.untilBadge("Suspended")
	s.screen("job-suspended")
	s.follow(`#buttons a[href$="/confirm"]`, "#do")
	s.screen("confirm")
	s.follow("#do", "#job-id")
	s.untilBadge("Complete")
	s.see("#report-manifest")
	if got := s.text("#succeeded"); got != "120" {
		t.Errorf("%s succeeded, want 120", got)
	}
	s.screen("job-complete")
	s.report(120)
	info, err := s.store.HeadObject(s.ctx, &s3.HeadObjectInput{Bucket: aws.String("backup"), Key: aws.String("kept/photo-00119.jpg")})
	if err != nil || info.StorageClass != "STANDARD_IA" {
		t.Errorf("the copy is %v, %v", info, err)
	}
	s.visit("/jobs", "table.jobs")
	s.screen("jobs")
	s.visit("/jobs?search=nothing-like-this", ".empty")
	s.screen("jobs-none")
	s.visit("/", ".tile")
	s.screen("overview")
	s.visit("/jobs/no-such-job", ".error-page")
	s.screen("error")
	s.follow(`button[name="language"]`, `html[lang="zh-CN"]`)
	for path, wait := range map[string]string{"/": ".tile", "/jobs": "table.jobs", "/jobs/new": "#manifest-bucket", "/access": "#roles"} {
		s.visit(path, wait)
		s.screen("chinese" + strings.ReplaceAll(path, "/", "-"))
	}
}

// TestRestoreByTheGuide restores archived objects, started at once and without a report.
func TestRestoreByTheGuide(t *testing.T) {
	t.Parallel()
	s := openSite(t)
	s.objects("archive", "lists", 30, types.StorageClass("ARCHIVE"))
	s.list("lists", "archive.csv")
	s.follow("#next", "#operation-restore")
	s.choose("#operation-restore", "#days")
	s.choose("#tier-Bulk")
	s.set("#days", "400")
	s.follow("#next", `input#days[aria-invalid="true"]`)
	s.screen("wizard-2-restore")
	s.set("#days", "3")
	s.follow("#next", "#description")
	s.choose("#report-no")
	s.follow("#next", "#start")
	s.choose("#start", "#create-and-start")
	s.screen("wizard-4-restore")
	s.follow("#create-and-start", "#job-id")
	s.untilBadge("Complete")
	if got := s.text("#succeeded"); got != "30" {
		t.Errorf("%s succeeded, want 30", got)
	}
	if got := s.text("#report"); !strings.Contains(got, "without a report") {
		t.Errorf("of the report it says %q", got)
	}
	s.screen("job-restored")
	info, err := s.store.HeadObject(s.ctx, &s3.HeadObjectInput{Bucket: aws.String("archive"), Key: aws.String("2026/photo-00000.jpg")})
	if err != nil || aws.ToString(info.Restore) == "" {
		t.Errorf("nothing was restored: %v, %v", info, err)
	}
}

// TestCancelARunningJob watches a long job and cancels it from the list; its failed objects make a new job.
func TestCancelARunningJob(t *testing.T) {
	t.Parallel()
	s := openSite(t, "--concurrency", "2")
	s.objects("source", "lists", 1, types.StorageClassStandard)
	s.objects("target", "lists", 0, "")
	const missing = "source,missing <b>%E2%80%AE.jpg\n"
	s.put("lists", "long.csv", strings.Repeat(missing, 40)+strings.Repeat("source,2026/photo-00000.jpg\n", 100_000), types.StorageClassStandard)
	s.list("lists", "long.csv")
	s.follow("#next", "#target-bucket")
	s.fill("#target-bucket", "target")
	s.follow("#next", "#description")
	s.fill("#description", "A long way")
	s.follow("#next", "#start")
	s.choose("#start", "#create-and-start")
	s.follow("#create-and-start", "#job-id")
	s.untilBadge("Active")
	s.until(`Number(document.querySelector("#succeeded").textContent.replaceAll(",", "")) > 0 && document.querySelector(".chart") !== null`)
	s.open("#failures", "")
	s.screen("job-active")
	s.visit("/workers", ".few .progress")
	s.until(`document.querySelectorAll("#live tbody tr").length === 2 && document.querySelector("#live .badge.busy") !== null`)
	s.screen("workers")
	s.visit("/", ".few .progress")
	s.screen("overview-active")
	s.visit("/jobs", `a[data-action="cancel"]`)
	s.screen("jobs-active")
	s.follow(`a[data-action="priority"]`, "#do")
	s.screen("priority")
	s.visit("/jobs", `a[data-action="limits"]`)
	s.follow(`a[data-action="limits"]`, "#do")
	s.fill("#limit-calls", "4")
	s.hours(1, "22:00", "06:00", "")
	s.hours(2, "12:00", "13:30", "0.5")
	s.screen("limits")
	s.follow(`button[value="rows"]`, `.hours tr:nth-child(7)`)
	s.follow(`button[value="drop:1"]`, `.hours tr:nth-child(2):last-child`)
	s.follow("#do", `#limit-zone[aria-invalid="true"]`)
	s.screen("limits-refused")
	s.fill("#limit-zone", "Asia/Shanghai")
	s.follow("#do", "#job-id")
	if got := s.text("#definition"); !strings.Contains(got, "4 calls at a time; 22:00–06:00 Asia/Shanghai: no limit\n") {
		t.Errorf("the running job's definition does not give its limits: %q", got)
	}
	s.visit("/jobs", `a[data-action="cancel"]`)
	s.follow(`a[data-action="cancel"]`, "#do")
	s.fill(`input[name="reason"]`, "not needed")
	s.screen("cancel")
	s.follow("#do", "#job-id")
	s.untilBadge("Cancelled")
	if got := s.text(".timeline"); !strings.Contains(got, "not needed") {
		t.Errorf("the timeline does not give the reason: %q", got)
	}
	s.see("#again")
	s.screen("job-cancelled")
	page := "/jobs/" + s.text("#job-id")
	s.follow("#failures h2 a", "table.tasks")
	if got := s.text("table.tasks"); strings.Count(got, "NoSuchKey") != 40 || !strings.Contains(got, `missing <b>\u202e.jpg`) {
		t.Errorf("the failed tasks are %.300q", got)
	}
	s.screen("failures")
	s.visit(page, "#again")
	s.follow("#again", "#do")
	s.screen("retry")
	s.follow("#in-wizard", "#manifest-key")
	s.visit(page+"/retry", "#do")
	s.follow("#do", "#job-id")
	s.untilBadge("Suspended")
	if got := s.text("#total"); got != "40" {
		t.Errorf("the new job has %s objects, want 40", got)
	}
	s.follow(`#buttons a[href$="/confirm"]`, "#do")
	s.follow("#do", "#job-id")
	s.untilBadge("Complete")
	if got := s.text("#failed"); got != "40" {
		t.Errorf("%s failed, want 40", got)
	}
	s.screen("job-all-failed")
}

// hours fills in a row of limits at certain hours.
func (s *site) hours(row int, from, to, rate string) {
	s.Helper()
	for name, value := range map[string]string{"from": from, "to": to, "rate": rate} {
		s.set(fmt.Sprintf(`.hours tbody tr:nth-child(%d) input[name="hours-%s"]`, row, name), value)
	}
}

// TestABadListIsExplained names the row that is wrong, and the file that is not there.
func TestABadListIsExplained(t *testing.T) {
	t.Parallel()
	s := openSite(t)
	s.objects("photos", "lists", 1, types.StorageClassStandard)
	s.put("lists", "bad.csv", "photos,2026/photo-00000.jpg\nphotos,a,b,c\n", types.StorageClassStandard)
	s.list("lists", "bad.csv")
	s.follow("#next", `input#manifest-key[aria-invalid="true"]`)
	if got := s.text(".wrong"); !strings.Contains(got, "line 2") {
		t.Errorf("the error does not name the row: %q", got)
	}
	s.screen("wizard-1-bad-row")
	s.set("#manifest-key", "nothing.csv")
	s.follow("#next", `input#manifest-key[aria-invalid="true"]`)
	s.until(`document.querySelector(".wrong").textContent.includes("nothing.csv")`)
	// A row that is wrong behind the preview is found while the job is prepared.
	s.put("lists", "late.csv", strings.Repeat("photos,2026/photo-00000.jpg\n", 50)+"photos,a,b,c\n", types.StorageClassStandard)
	s.set("#manifest-key", "late.csv")
	s.follow("#next", "#operation-delete")
	s.choose("#operation-delete", ".for-delete")
	s.screen("wizard-2-delete")
	s.follow("#next", "#description")
	s.follow("#next", "#start")
	s.screen("wizard-4-delete")
	s.follow("#create", "#job-id")
	s.untilBadge("Failed")
	if got := s.text(".problem"); !strings.Contains(got, "line 51") {
		t.Errorf("the job's page does not name the row: %q", got)
	}
	s.screen("job-failed")
}

// TestARoleMadeInTheWizardRunsTheJob makes a role with the least policy in step 3, and the job runs with it.
func TestARoleMadeInTheWizardRunsTheJob(t *testing.T) {
	t.Parallel()
	s := openSite(t)
	s.objects("photos", "lists", 20, types.StorageClassStandard)
	s.objects("backup", "lists", 0, "")
	s.list("lists", "photos.csv")
	s.follow("#next", "#target-bucket")
	s.fill("#target-bucket", "backup")
	s.follow("#next", "#new-role summary")
	s.open("#new-role", "#create-role")
	if got := s.value("#role-policy"); !strings.Contains(got, ":photos/*") || strings.Contains(got, `"*"`) {
		t.Errorf("the policy is not the least: %s", got)
	}
	s.screen("wizard-3-role")
	s.set("#role-name", "just for photos")
	s.follow("#create-role", `#role-name[aria-invalid="true"]`)
	s.screen("wizard-3-role-refused")
	s.set("#role-name", "just-for-photos")
	s.follow("#create-role", ".flash")
	s.until(`document.querySelector("#role").value.endsWith("/just-for-photos")`)
	s.screen("wizard-3-role-made")
	s.follow("#next", "#start")
	s.choose("#start", "#create-and-start")
	s.follow("#create-and-start", "#job-id")
	s.untilBadge("Complete")
	if got := s.text("#succeeded"); got != "20" {
		t.Errorf("%s succeeded, want 20", got)
	}
	if got := s.text("#definition"); !strings.Contains(got, "roleName/just-for-photos") {
		t.Error("the job ran as another role")
	}
	s.see("#report-manifest") // read as the role

	// The other screens of who may do what, and of the stores.
	s.visit("/access", "#roles")
	s.screen("access")
	s.follow("#new-principal", "#do")
	s.screen("principal-new")
	s.choose("#template-look")
	s.fill("#description", "for the dashboard")
	s.follow("#do", "#secret")
	s.screen("secret")
	key, secret := s.text("#new-access-key"), s.text("#new-secret-key")
	s.visit("/access", "#principals")
	if got := s.text("main"); !strings.Contains(got, key) || strings.Contains(got, secret) {
		t.Error("the list of principals lacks the new one, or shows its secret")
	}
	s.follow(`#principals a[data-action="rotate"]`, "#do")
	s.screen("rotate")
	s.visit("/access/roles/new", "#do")
	s.screen("role-new")
	s.visit("/storage", "#probe")
	s.screen("storage")
	s.fill("#bucket", "backup")
	s.follow("#try", "table.capabilities")
	s.screen("storage-tried")

	// The new principal may look, and nothing else.
	s.open("#account", "")
	s.follow("#sign-out", "#access-key")
	s.signIn(key, secret)
	s.visit("/jobs", "table.jobs")
	s.follow(`a[data-action="delete"], .what a`, "#job-id")
	s.visit("/access", "#roles")
	s.screen("access-denied")
}

// TestWithoutScript goes the whole way with script off: a page is then loaded again by the person, or by the browser
// itself.
func TestWithoutScript(t *testing.T) {
	t.Parallel()
	s := openSite(t)
	s.objects("photos", "lists", 3, types.StorageClassStandard)
	s.objects("backup", "lists", 0, "")
	s.scriptless = true
	if _, err := chromedp.Call(s.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	s.list("lists", "")
	s.follow("#browse", "#browser")
	s.follow(`#browser button[value="pick:photos.csv"]`, "#rows")
	s.follow("#next", "#target-bucket")
	s.fill("#target-bucket", "backup")
	s.follow("#next", "#new-role summary")
	s.open("#new-role", "#create-role")
	s.follow("#create-role", ".flash")
	s.follow("#next", "#start")
	s.follow("#create", "#job-id")
	s.see(`.under .badge.ask`) // Suspended: the browser loads the page every few seconds
	s.follow(`#buttons a[href$="/confirm"]`, "#do")
	s.follow("#do", "#job-id")
	s.see(`.under .badge.good`)
	s.see("#report-manifest")
	if got := s.text("#succeeded"); got != "3" {
		t.Errorf("%s succeeded, want 3", got)
	}
	s.visit("/jobs", "table.jobs")
	s.choose(`table.jobs input[name="id"]`)
	s.follow(`.bulk button[value="cancel"]`, ".problem") // it has ended
	if got := s.text(".problem"); !strings.Contains(got, "Complete") {
		t.Errorf("cancelling what has ended says %q", got)
	}
}

// TestHostileTextKeepsThePageWhole makes a job whose texts want to be markup, longer than any screen, or unseen.
func TestHostileTextKeepsThePageWhole(t *testing.T) {
	t.Parallel()
	s := openSite(t)
	s.objects("photos", "lists", 0, "")
	long := strings.Repeat("k", 1000)
	s.put("lists", "odd.csv", fmt.Sprintf("photos,%%3Cscript%%3Ealert(1)%%3C%%2Fscript%%3E%%E2%%80%%AE%%1B\nphotos,%s\nphotos,%s\n", long, strings.Repeat("%E7%85%A7", 300)), types.StorageClassStandard)
	s.list("lists", "odd.csv")
	s.follow("#preview", "#rows")
	s.screen("hostile-preview")
	s.follow("#next", "#operation-tagging")
	s.choose("#operation-tagging", `input[name="set-key"]`)
	s.fill(`.for-tagging tr:first-child input[name="set-key"]`, "k")
	s.fill(`.for-tagging tr:first-child input[name="set-value"]`, "v")
	s.screen("wizard-2-tagging")
	s.follow("#next", "#description")
	s.set("#description", `"><script>alert(2)</script>`+strings.Repeat("w", 200))
	s.follow("#next", "#start")
	s.screen("hostile-review")
	s.choose("#start", "#create-and-start")
	s.follow("#create-and-start", "#job-id")
	s.untilBadge("Complete")
	s.see("#again")
	s.open("#failures", "")
	if got := s.text("#failures"); !strings.Contains(got, `<script>alert(1)</script>\u202e\u001b`) {
		t.Errorf("the key is shown as %.200q", got)
	}
	s.screen("hostile-job")
	s.follow("#failures h2 a", "table.tasks")
	s.screen("hostile-failures")
	s.visit("/jobs", "table.jobs")
	s.screen("hostile-jobs")
}
