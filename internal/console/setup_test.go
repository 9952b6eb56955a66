package console

import (
	"context"
	"errors"
	"flag"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/api/apitest"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/object/httpwire"
	"github.com/drover-batch/drover/internal/operation"
)

var update = flag.Bool("update", false, "write the golden pages anew")

var (
	someone = job.Account{UIN: "100000000001", AppID: "1250000000"}
	other   = job.Account{UIN: "100000000002", AppID: "1250000001"}
	role    = job.Role{ARN: "qcs::cam::uin/100000000001:roleName/reader", Account: "100000000001", Name: "reader"}
	start   = time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC)
)

// fixture is a console over jobs in memory, with a person at it.
type fixture struct {
	*testing.T
	jobs      *apitest.Jobs
	admin     *access.Admin
	living    Living
	livingErr error
	stores    *fakeStores
	sdk       *s3.Client // of the store that openStore starts
	server    *server
	url       string
	client    *http.Client

	mu  sync.Mutex
	now time.Time
}

// fakeStores gives one store, or the error that a test wants, and counts how often it was asked.
type fakeStores struct {
	store object.Store
	err   error
	asked int
}

func (f *fakeStores) Store(context.Context, job.Account, job.Role, job.Region) (object.Store, error) {
	f.asked++
	return f.store, f.err
}

func (f *fixture) clock() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

func (f *fixture) pass(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
}

func setup(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{T: t, now: start, stores: &fakeStores{err: job.Errorf(job.AccessDenied, "No store in this test.")}}
	f.jobs, f.admin = apitest.New(f.clock), newAdmin(t, f)
	h, err := New(Options{
		Jobs: f.jobs, Stores: f.stores, Default: "ap-chengdu", Version: "1.2.3", Now: f.clock,
		Logger: slog.New(slog.DiscardHandler), NewRequestID: func() string { return "REQUEST" },
		SignIn: func(accessKey, secretKey string) (api.Caller, error) {
			switch accessKey + " " + secretKey {
			case "alice s3cret", "bob s3cret", "carol s3cret":
				return api.Caller{Account: someone, Principal: accessKey}, nil
			case "broken s3cret":
				return api.Caller{}, errors.New("the directory is on fire")
			}
			return api.Caller{}, job.Errorf(job.NoSuchPrincipal, "Nobody.")
		},
		Roles: func(ctx context.Context, c api.Caller) ([]job.Role, error) {
			roles, err := f.admin.Passable(ctx, c)
			var out []job.Role
			for _, r := range roles {
				out = append(out, job.Role{ARN: r.QCS(), Account: r.Account.UIN, Name: r.Name})
			}
			return out, err
		},
		Access: f.admin, Living: func(context.Context) (Living, error) { return f.living, f.livingErr },
		Definitions: []Protocol{
			{"JSON", func(s job.Spec) ([]byte, bool) { return []byte(`{"operation": "` + s.Operation.Name() + `"}`), true }},
			{"COS XML", func(s job.Spec) ([]byte, bool) {
				return []byte("<a>\n  <b>" + hostile + "</b>\n</a>\n"), s.Operation.Name() != "delete"
			}},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	f.server = h.server
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	f.url = srv.URL
	f.client = &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return f
}

// signedIn is setup with alice at the screen.
func signedIn(t *testing.T) *fixture {
	t.Helper()
	f := setup(t)
	f.signIn("alice")
	return f
}

// signIn puts another person at the screen.
func (f *fixture) signIn(accessKey string) {
	f.Helper()
	if res, _ := f.post("/sign-in", url.Values{"access-key": {accessKey}, "secret-key": {"s3cret"}}); res.StatusCode != http.StatusSeeOther {
		f.Fatalf("signing in answers %d", res.StatusCode)
	}
}

func (f *fixture) send(method, path string, form url.Values, headers ...string) (*http.Response, string) {
	f.Helper()
	r, err := http.NewRequestWithContext(f.Context(), method, f.url+base+path, strings.NewReader(form.Encode()))
	if err != nil {
		f.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := f.client.Do(r)
	if err != nil {
		f.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		f.Fatal(err)
	}
	return res, string(body)
}

func (f *fixture) get(path string, headers ...string) (*http.Response, string) {
	f.Helper()
	return f.send(http.MethodGet, path, nil, headers...)
}

func (f *fixture) post(path string, form url.Values, headers ...string) (*http.Response, string) {
	f.Helper()
	return f.send(http.MethodPost, path, form, headers...)
}

var hashes = regexp.MustCompile(`/assets/[0-9a-f]{12}/`)

// golden compares a page with the one that is kept.
func (f *fixture) golden(name, page string) {
	f.Helper()
	page = hashes.ReplaceAllString(page, "/assets/HASH/")
	page = regexp.MustCompile(`(name="token" value=")[0-9a-f-]{36}`).ReplaceAllString(page, "${1}TOKEN")
	page = regexp.MustCompile(`\n\s*\n+`).ReplaceAllString(page, "\n")
	file := filepath.Join("testdata", name+".html")
	if *update {
		if err := os.WriteFile(file, []byte(page), 0o644); err != nil {
			f.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		f.Fatal(err)
	}
	if diff := cmp.Diff(string(want), page); diff != "" {
		f.Errorf("%s (-want +got; -update writes it anew):\n%s", file, diff)
	}
}

// spec is a good job.
func spec(change func(*job.Spec)) job.Spec {
	s := job.Spec{
		Token: string(job.NewID()), Account: someone, Region: "ap-chengdu", Description: "nightly", ConfirmationRequired: true,
		Manifest: job.Manifest{
			Format: job.FormatCSV, Fields: []job.Field{job.FieldBucket, job.FieldKey},
			Location: job.Location{Bucket: "lists-1250000000", Key: "in/list.csv", ETag: "0f343b0931126a20f133d67c2b018a3b"},
		},
		Operation: &operation.Copy{TargetBucket: "backup-1250000000", StorageClass: "STANDARD", ACL: operation.DirectiveCopy, Metadata: operation.DirectiveCopy, Tagging: operation.DirectiveCopy},
		Priority:  10,
		Report:    job.Report{Enabled: true, Bucket: "lists-1250000000", Prefix: "reports", Scope: job.AllTasks},
		Role:      role, Request: job.Request{Protocol: "json"},
	}
	if change != nil {
		change(&s)
	}
	return s
}

// add makes a job and changes it as the engine would.
func (f *fixture) add(s job.Spec, change func(*job.Job)) job.ID {
	f.Helper()
	j, err := f.jobs.Create(f.Context(), api.Caller{Account: s.Account, Principal: "alice"}, s)
	if err != nil {
		f.Fatal(err)
	}
	if change != nil {
		f.jobs.Set(j.ID, change)
	}
	return j.ID
}

var jobCaller = api.Caller{Account: someone, Principal: "alice"}

func storeKeys(context.Context) (httpwire.Credentials, error) {
	return httpwire.Credentials{AccessKey: "key", SecretKey: "secret"}, nil
}
