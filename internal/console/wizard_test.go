package console

import (
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/localstore"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/object/httpwire"
	"github.com/drover-batch/drover/internal/operation"
)

// openStore gives the console a real store with a bucket lists.
func (f *fixture) openStore() {
	f.Helper()
	srv, err := localstore.Open(f.Context(), localstore.Options{
		Dir: f.TempDir(), Listen: "127.0.0.1:0", Region: "ap-chengdu", AccessKey: "key", SecretKey: "secret",
	})
	if err != nil {
		f.Fatal(err)
	}
	client, err := httpwire.Open(httpwire.Options{Endpoint: srv.URL(), Region: "ap-chengdu", Credentials: storeKeys})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() {
		client.Close()
		if err := srv.Close(); err != nil {
			f.Error(err)
		}
	})
	f.stores.store, f.stores.err = client, nil
	f.sdk = s3.New(s3.Options{
		BaseEndpoint: aws.String(srv.URL()), Region: "ap-chengdu", UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
	})
	if _, err := f.sdk.CreateBucket(f.Context(), &s3.CreateBucketInput{Bucket: aws.String("lists")}); err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) put(key, body string) {
	f.Helper()
	_, err := f.stores.store.Put(f.Context(), object.PutRequest{Bucket: "lists", Key: job.Key(key), Body: strings.NewReader(body), Size: int64(len(body))})
	if err != nil {
		f.Fatal(err)
	}
}

var (
	anArea   = regexp.MustCompile(`(?s)<textarea name="([^"]*)"[^>]*>(.*?)</textarea>`)
	anInput  = regexp.MustCompile(`<input ([^>]*)>`)
	aSelect  = regexp.MustCompile(`(?s)<select name="([^"]*)".*?</select>`)
	anOption = regexp.MustCompile(`<option(?: value="([^"]*)")?( selected)?>([^<]*)`)
	attr     = regexp.MustCompile(`([a-z-]+)="([^"]*)"`)
)

// fields gives what a browser would send of the wizard's form.
func fields(page string) url.Values {
	_, form, _ := strings.Cut(page, `id="wizard"`)
	form, _, _ = strings.Cut(form, "</form>")
	out := url.Values{}
	for _, m := range anInput.FindAllStringSubmatch(form, -1) {
		attrs := map[string]string{}
		for _, a := range attr.FindAllStringSubmatch(m[1], -1) {
			attrs[a[1]] = a[2]
		}
		if t := attrs["type"]; (t == "radio" || t == "checkbox") && !strings.HasSuffix(m[1], "checked") {
			continue
		}
		out.Add(attrs["name"], attrs["value"])
	}
	for _, m := range anArea.FindAllStringSubmatch(form, -1) {
		out.Add(m[1], html.UnescapeString(m[2]))
	}
	for _, m := range aSelect.FindAllStringSubmatch(form, -1) {
		options := anOption.FindAllStringSubmatch(m[0], -1)
		chosen := options[0]
		for _, o := range options {
			if o[2] != "" {
				chosen = o
			}
		}
		value := chosen[1]
		if !strings.Contains(chosen[0], "value=") {
			value = chosen[3]
		}
		out.Add(m[1], value)
	}
	return out
}

// step posts a step of the wizard with some inputs changed.
func (f *fixture) step(page, do string, changes ...string) (*http.Response, string) {
	f.Helper()
	form := fields(page)
	for i := 0; i < len(changes); i += 2 {
		form.Set(changes[i], changes[i+1])
	}
	form.Set("do", do)
	return f.post("/jobs/new", form)
}

func (f *fixture) atStep(page string, want int) {
	f.Helper()
	if !strings.Contains(page, fmt.Sprintf(`name="step" value="%d"`, want)) {
		f.Errorf("the page is not step %d", want)
	}
}

func TestTheWizard(t *testing.T) {
	t.Parallel()
	f := signedIn(t)
	f.openStore()
	f.put("in/list.csv", "photos,a%20b.jpg\nphotos,c.jpg\n")
	_, page := f.get("/jobs/new")
	f.golden("wizard-1", page)
	_, page = f.step(page, "preview", "format", "csv", "manifest-bucket", "lists", "manifest-key", "in/list.csv")
	f.golden("wizard-1-preview", page)
	_, page = f.step(page, "next")
	f.atStep(page, 2)
	_, page = f.step(page, "example", "target-bucket", "backup", "prefix", "add", "prefix-to", "x/")
	if !strings.Contains(page, "<code>a b.jpg</code> → <code>x/a b.jpg</code>") {
		t.Error("the example does not show what becomes of the key")
	}
	_, page = f.step(page, "rows", "metadata", "add", "metadata-name", "Content-Type", "metadata-value", "image/jpeg",
		"tags", "replace", "acl", "replace", "acl-list", "", "grant-id", "qcs::cam::uin/100000000002:uin/100000000002", "grant-permission", "READ")
	f.golden("wizard-2-copy", page)
	_, page = f.step(page, "next")
	f.golden("wizard-3", page)
	_, page = f.step(page, "next", "description", "by hand", "priority", "12")
	f.golden("wizard-4", page)
	_, back := f.step(page, "back")
	f.atStep(back, 3)
	_, back = f.step(page, "goto:2")
	f.atStep(back, 2)
	if _, again := f.step(page, "goto:4"); !strings.Contains(again, `name="step" value="4"`) {
		t.Error("a step that is not behind cannot be gone to")
	}

	res, _ := f.step(page, "create")
	first := res.Header.Get("Location")
	if res.StatusCode != http.StatusSeeOther || !strings.HasPrefix(first, base+"/jobs/job-00001") {
		t.Fatalf("creating answers %d, %q", res.StatusCode, first)
	}
	res, _ = f.step(page, "create")
	if got := res.Header.Get("Location"); got != base+"/jobs/job-00001?done=duplicate" {
		t.Errorf("the second click leads to %q", got)
	}
	j, err := f.jobs.Job(t.Context(), jobCaller, "job-00001")
	if err != nil {
		t.Fatal(err)
	}
	want := spec(func(s *job.Spec) {
		s.Token, s.Description, s.Priority = j.Spec.Token, "by hand", 12
		s.Manifest.Location = job.Location{Bucket: "lists", Key: "in/list.csv", ETag: j.Spec.Manifest.Location.ETag}
		s.Report.Bucket = "lists"
		s.Operation = &operation.Copy{
			TargetBucket: "backup", PrefixReplace: true, PrefixTo: "x/", StorageClass: "STANDARD", ACL: operation.DirectiveReplace,
			Grants:   []object.Grant{{Grantee: object.Grantee{ID: "qcs::cam::uin/100000000002:uin/100000000002"}, Permission: "READ"}},
			Metadata: operation.DirectiveAdd, NewMetadata: object.Metadata{ContentType: "image/jpeg"},
			Tagging: operation.DirectiveReplace, NewTags: []job.Tag{},
		}
	})
	if diff := cmp.Diff(want, j.Spec); diff != "" {
		t.Errorf("the job is not what was asked for (-want +got):\n%s", diff)
	}
	if len(j.Spec.Manifest.Location.ETag) != 32 {
		t.Errorf("the list was not pinned: %q", j.Spec.Manifest.Location.ETag)
	}
}

// TestWhatIsWrongStandsBesideItsInput walks each step with a value that is refused.
func TestWhatIsWrongStandsBesideItsInput(t *testing.T) {
	t.Parallel()
	f := signedIn(t)
	f.openStore()
	f.put("list.csv", "photos,a.jpg\n")
	f.put("bad.csv", "photos,a.jpg\nphotos,b.jpg,x\n")
	f.put("empty.csv", "")
	_, first := f.get("/jobs/new")
	_, second := f.step(first, "next", "format", "csv", "manifest-bucket", "lists", "manifest-key", "list.csv")
	_, third := f.step(second, "next", "target-bucket", "backup")
	f.atStep(third, 3)
	for _, c := range []struct {
		page, input, says string
		changes           []string
	}{
		{first, "manifest-bucket", "empty", []string{"format", "csv", "manifest-key", "list.csv"}},
		{first, "manifest-key", "empty", []string{"format", "csv", "manifest-bucket", "lists"}},
		{first, "manifest-key", "no object", []string{"format", "csv", "manifest-bucket", "lists", "manifest-key", "none.csv"}},
		{first, "manifest-key", "no object", []string{"format", "csv", "manifest-bucket", "nobodys", "manifest-key", "list.csv"}},
		{first, "manifest-key", "line 2", []string{"format", "csv", "manifest-bucket", "lists", "manifest-key", "bad.csv"}},
		{first, "manifest-key", "empty", []string{"format", "csv", "manifest-bucket", "lists", "manifest-key", "empty.csv"}},
		{first, "manifest-key", "list.csv", []string{"format", "inventory", "manifest-bucket", "lists", "manifest-key", "list.csv"}},
		{first, "", "Bucket 0 times", []string{"format", "csv", "column", "Key", "manifest-bucket", "lists", "manifest-key", "list.csv"}},
		{first, "preview-role", "no role that you may pass", []string{"format", "csv", "manifest-bucket", "lists", "manifest-key", "list.csv", "preview-role", "qcs::cam::uin/100000000001:roleName/root"}},
		{second, "target-bucket", "empty", nil},
		{second, "", "give the prefix", []string{"target-bucket", "backup", "prefix", "add"}},
		{second, "", "nothing is given", []string{"target-bucket", "backup", "acl", "replace"}},
		{second, "", "nothing is given", []string{"target-bucket", "backup", "metadata", "add"}},
		{second, "", "nothing is given", []string{"target-bucket", "backup", "tags", "add"}},
		{second, "class", "no storage class", []string{"target-bucket", "backup", "class", "COLD"}},
		{second, "since", "write the time", []string{"target-bucket", "backup", "since", "yesterday"}},
		{second, "days", "1–365", []string{"operation", "restore", "days", "0"}},
		{second, "days", "1–365", []string{"operation", "restore", "days", "366"}},
		{second, "days", "whole number", []string{"operation", "restore", "days", "a few"}},
		{second, "", "no tier", []string{"operation", "restore", "tier", "Expedited"}},
		{second, "", "tag", []string{"operation", "tagging", "tagging", "add"}},
		{second, "", "missing", []string{"operation", "explode"}},
		{third, "priority", "positive", []string{"priority", "0"}},
		{third, "priority", "positive", []string{"priority", "x"}},
		{third, "description", "257 bytes", []string{"description", strings.Repeat("x", 257)}},
		{third, "report-bucket", "empty", []string{"report-bucket", ""}},
		{third, "role", "names no role", []string{"role", ""}},
	} {
		res, page := f.step(c.page, "next", c.changes...)
		if res.StatusCode != http.StatusUnprocessableEntity {
			t.Errorf("%v: answers %d", c.changes, res.StatusCode)
		}
		_, wrong, _ := strings.Cut(page, `class="wrong"`)
		if !strings.Contains(wrong[:min(len(wrong), 600)], c.says) {
			t.Errorf("%v: does not say %q", c.changes, c.says)
		}
		if c.input != "" && !regexp.MustCompile(`name="`+c.input+`"[^>]* aria-invalid="true"`).MatchString(page) {
			t.Errorf("%v: %s is not marked", c.changes, c.input)
		}
	}
}

// What is not among the values of the last step could not be checked before the job is made.
func TestTheReviewShowsAllThatWasTyped(t *testing.T) {
	t.Parallel()
	f := signedIn(t)
	_, page := f.get("/jobs/new")
	_, page = f.step(page, "next", "manifest-bucket", "lists", "manifest-key", "manifest.json", "manifest-etag", "etag", "preview-role", "")
	_, second := f.step(page, "next", "target-bucket", "backup", "acl", "replace", "grant-id", "qcs::cam::uin/2:uin/2", "grant-permission", "FULL_CONTROL",
		"metadata", "add", "metadata-name", "Content-Type", "metadata-value", "image/jpeg", "tags", "add", "tag-key", "team", "tag-value", "blue",
		"since", "2026-01-02T15:04:05Z", "until", "2026-02-02T15:04:05Z")
	f.atStep(second, 3)
	_, page = f.step(second, "next", "role", role.ARN, "job-tag-key", "cost", "job-tag-value", "42")
	f.atStep(page, lastStep)
	_, cards, _ := strings.Cut(page, `class="part"`)
	cards, _, _ = strings.Cut(cards, `class="same"`)
	for _, shown := range []string{"FULL_CONTROL qcs::cam::uin/2:uin/2", "Content-Type: image/jpeg", "team=blue", "2026-01-02T15:04:05Z", "2026-02-02T15:04:05Z", "cost=42"} {
		if !strings.Contains(cards, shown) {
			t.Errorf("%q is not shown", shown)
		}
	}
	_, page = f.step(second, "goto:2")
	_, page = f.step(page, "next", "operation", "tagging", "set-key", "team", "set-value", "red")
	_, page = f.step(page, "next", "role", role.ARN)
	_, cards, _ = strings.Cut(page, `class="part"`)
	if cards, _, _ = strings.Cut(cards, `class="same"`); !strings.Contains(cards, "team=red") {
		t.Error("the tag to set is not shown")
	}
}

func TestNothingIsReadAsARoleThatMayNotBePassed(t *testing.T) {
	t.Parallel()
	f := signedIn(t)
	_, first := f.get("/jobs/new")
	for _, arn := range []string{"", "qcs::cam::uin/100000000001:roleName/root", "x"} {
		for _, do := range []string{"preview", "browse", "folder:a/", "pick:a"} {
			res, _ := f.step(first, do, "manifest-bucket", "lists", "manifest-key", "list.csv", "preview-role", arn)
			if res.StatusCode != http.StatusUnprocessableEntity || f.stores.asked > 0 {
				t.Errorf("%s as %q answers %d, the store was asked %d times", do, arn, res.StatusCode, f.stores.asked)
			}
		}
	}
	// Without a role the wizard goes on, and says so.
	res, page := f.step(first, "next", "manifest-bucket", "lists", "manifest-key", "list.csv", "preview-role", "")
	if res.StatusCode != http.StatusOK || f.stores.asked > 0 || !strings.Contains(page, "checked when the job is prepared") {
		t.Errorf("without a role it answers %d", res.StatusCode)
	}
	f.atStep(page, 2)
	// A role that has no right to the list is no reason to stop either.
	res, page = f.step(first, "next", "manifest-bucket", "lists", "manifest-key", "list.csv")
	if res.StatusCode != http.StatusOK || f.stores.asked == 0 || !strings.Contains(page, "No store in this test.") {
		t.Errorf("with a role without the right it answers %d", res.StatusCode)
	}
	f.atStep(page, 2)
}

func TestBrowsing(t *testing.T) {
	t.Parallel()
	f := signedIn(t)
	f.openStore()
	for _, key := range []string{"a.csv", "in/x.csv", "in/y.csv", "in/deep/z.csv", "out/1", "out/2", "zz<b>"} {
		f.put(key, "photos,a.jpg\n")
	}
	_, first := f.get("/jobs/new")
	offered := func(do string) []string {
		_, page := f.step(first, do, "format", "csv", "manifest-bucket", "lists")
		var out []string
		for _, m := range regexp.MustCompile(`value="((?:pick|folder):[^"]*)"`).FindAllStringSubmatch(page, -1) {
			out = append(out, m[1])
		}
		return out
	}
	if diff := cmp.Diff([]string{"pick:a.csv", "folder:in/", "folder:out/", "pick:zz&lt;b&gt;"}, offered("browse")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"folder:", "folder:in/deep/", "pick:in/x.csv", "pick:in/y.csv"}, offered("folder:in/")); diff != "" {
		t.Error(diff)
	}
	_, page := f.step(first, "pick:in/x.csv", "format", "csv", "manifest-bucket", "lists")
	if !strings.Contains(page, `id="manifest-key" type="text" value="in/x.csv"`) || !strings.Contains(page, `id="rows"`) {
		t.Error("what was picked is not taken over and shown")
	}
	f.put("/top.csv", "photos,a.jpg\n")
	_, page = f.step(first, "pick:/top.csv", "format", "csv", "manifest-bucket", "lists")
	if !strings.Contains(page, `id="manifest-key" type="text" value="/top.csv"`) || !strings.Contains(page, `id="rows"`) {
		t.Error("a key that begins with a slash cannot be picked")
	}
	_, page = f.step(first, "browse", "manifest-bucket", "nobodys")
	if !strings.Contains(page, "there is no bucket") {
		t.Error("a bucket that is not there is not told")
	}
}

func TestTheServiceHasTheLastWord(t *testing.T) {
	t.Parallel()
	f := signedIn(t)
	f.openStore()
	f.put("list.csv", "photos,a.jpg\n")
	_, page := f.get("/jobs/new")
	_, page = f.step(page, "next", "format", "csv", "manifest-bucket", "lists", "manifest-key", "list.csv")
	_, page = f.step(page, "next", "operation", "delete")
	_, page = f.step(page, "next", "report", "no")
	f.golden("wizard-4-delete", page)
	f.jobs.Err = func(string) error { return job.Errorf(job.TooManyJobs, "The account has 8,000 jobs.") }
	res, refused := f.step(page, "create")
	if res.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(refused, "The account has 8,000 jobs.") {
		t.Errorf("a quota answers %d", res.StatusCode)
	}
	f.jobs.Err = func(string) error { return job.FieldErrorf("RoleArn", "there is no such role.") }
	_, refused = f.step(page, "create")
	f.atStep(refused, 3)
	f.jobs.Err = func(string) error { return job.Errorf(job.Unavailable, "The job store does not answer.") }
	if res, _ := f.step(page, "create"); res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("an engine that is away answers %d", res.StatusCode)
	}
	f.jobs.Err = nil
	if res, _ := f.step(page, "create", "start", "yes"); res.StatusCode != http.StatusSeeOther {
		t.Errorf("at last it answers %d", res.StatusCode)
	}
	if j, _ := f.jobs.Job(t.Context(), jobCaller, "job-00001"); j.Spec.ConfirmationRequired || j.Spec.Report.Enabled {
		t.Error("it was to start at once, without a report")
	}
	if res, _ := f.post("/jobs/new", url.Values{"step": {"9"}}); res.StatusCode != http.StatusNotFound {
		t.Errorf("a step that is none answers %d", res.StatusCode)
	}
	if res, _ := f.post("/jobs/new", url.Values{"step": {"1"}, "x": {strings.Repeat("x", maxForm)}}); res.StatusCode != http.StatusBadRequest {
		t.Errorf("a form that is too long answers %d", res.StatusCode)
	}
}

// TestAFormGivesBackTheSpecThatFilledIt is what cloning rests on.
func TestAFormGivesBackTheSpecThatFilledIt(t *testing.T) {
	t.Parallel()
	full := &operation.Copy{
		TargetBucket: "backup", TargetRegion: "ap-beijing", PrefixReplace: true, PrefixFrom: "a/", PrefixTo: "b/", StorageClass: "DEEP_ARCHIVE", SSE: "AES256",
		ACL: operation.DirectiveAdd, Metadata: operation.DirectiveReplace, Tagging: operation.DirectiveAdd,
		Grants: []object.Grant{
			{Grantee: object.Grantee{ID: "qcs::cam::uin/1:uin/1"}, Permission: "FULL_CONTROL"},
			{Grantee: object.Grantee{URI: "http://cam.qcloud.com/groups/global/AllUsers"}, Permission: "READ"},
		},
		NewMetadata:     object.Metadata{CacheControl: "no-cache", Expires: "0", User: map[string]string{"a": "1", "b": ""}},
		NewTags:         []job.Tag{{Key: "k", Value: "v"}, {Key: "empty"}},
		IfModifiedSince: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), IfUnmodifiedSince: time.Date(2026, 2, 2, 3, 4, 5, 0, time.UTC),
	}
	plain := &operation.Copy{TargetBucket: "backup", Metadata: operation.DirectiveCopy, Tagging: operation.DirectiveCopy}
	canned := &operation.Copy{TargetBucket: "backup", ACL: operation.DirectiveReplace, CannedACL: "public-read", PrefixReplace: true, PrefixFrom: "cut/", Metadata: operation.DirectiveCopy, Tagging: operation.DirectiveCopy}
	for name, change := range map[string]func(*job.Spec){
		"copy":        func(s *job.Spec) { s.Operation = full },
		"plain copy":  func(s *job.Spec) { s.Operation = plain },
		"canned list": func(s *job.Spec) { s.Operation = canned },
		"restore":     func(s *job.Spec) { s.Operation = &operation.Restore{Days: 365, Tier: "Bulk"} },
		"delete":      func(s *job.Spec) { s.Operation = &operation.Delete{} },
		"tags": func(s *job.Spec) {
			s.Operation = &operation.Tagging{Directive: operation.DirectiveAdd, Tags: []job.Tag{{Key: "a", Value: "b"}}}
		},
		"no tags": func(s *job.Spec) {
			s.Operation = &operation.Tagging{Directive: operation.DirectiveReplace, Tags: []job.Tag{}}
		},
		"inventory":    func(s *job.Spec) { s.Manifest.Format, s.Manifest.Fields = job.FormatInventory, nil },
		"odd columns":  func(s *job.Spec) { s.Manifest.Fields = []job.Field{"Ignore", "Key", "VersionId", "Bucket", "Ignore"} },
		"no report":    func(s *job.Spec) { s.Report = job.Report{} },
		"failed only":  func(s *job.Spec) { s.Report.Scope = job.FailedTasksOnly },
		"runs at once": nil,
		"key of its own": func(s *job.Spec) {
			s.Operation = &operation.Copy{
				TargetBucket: "backup", SSE: "aws:kms", SSEKey: "key-1", Metadata: operation.DirectiveCopy, Tagging: operation.DirectiveCopy,
			}
		},
		"account's key": func(s *job.Spec) {
			s.Operation = &operation.Copy{TargetBucket: "backup", SSE: "cos/kms", Metadata: operation.DirectiveCopy, Tagging: operation.DirectiveCopy}
		},
		"list of the S3 API": func(s *job.Spec) { s.Manifest.PlusSpace = true },
		"version of a list":  func(s *job.Spec) { s.Manifest.Location.Version = "v1" },
		"report elsewhere":   func(s *job.Spec) { s.Report.Region = "ap-beijing" },
	} {
		want := spec(change)
		want.ConfirmationRequired = true // a clone waits again
		f := newForm("other", want.Token)
		f.fill(want)
		got, problems := f.spec(english, someone)
		if diff := cmp.Diff(want, got); diff != "" || len(problems) > 0 {
			t.Errorf("%s: %v (-want +got):\n%s", name, problems, diff)
		}
	}
}

// FuzzForm posts whatever: a page comes back, and no job is made of what Validate refuses.
func FuzzForm(f *testing.F) {
	f.Add("operation", "copy", "column", "Key", "priority", "9")
	f.Add("manifest-key", "\x00", "days", "-1", "role", "qcs::cam::uin/:roleName/")
	f.Fuzz(func(t *testing.T, a, b, c, d, e, g string) {
		v := newForm("r", "token").Values
		for _, p := range [][2]string{{a, b}, {c, d}, {e, g}} {
			v.Add(p[0], p[1])
		}
		form := formOf(v)
		spec, problems := form.spec(english, someone)
		_ = spec.Validate()
		_ = problems.Err()
		for _, h := range form.hidden(1) {
			if !slices.ContainsFunc(inputs[:], func(names []string) bool { return slices.Contains(names, h.Name) }) {
				t.Errorf("%q was taken over", h.Name)
			}
		}
		if _, err := command(spec, "r"); spec.Operation != nil && err == nil {
			_ = operation.Describe(spec.Operation)
		}
	})
}
