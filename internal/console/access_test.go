package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/job"
)

// records are an access.KV in memory.
type records struct {
	mu   sync.Mutex
	all  map[string]access.Entry
	rev  uint64
	news chan access.Entry
}

func (r *records) write(key string, v []byte, deleted bool) (uint64, error) {
	r.rev++
	e := access.Entry{Key: key, Value: v, Rev: r.rev, Deleted: deleted}
	r.all[key] = e
	r.news <- e
	return r.rev, nil
}

func (r *records) Create(_ context.Context, key string, v []byte) (uint64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e, ok := r.all[key]; ok && !e.Deleted {
		return 0, access.ErrExists
	}
	return r.write(key, v, false)
}

func (r *records) Update(_ context.Context, key string, v []byte, _ uint64) (uint64, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.write(key, v, false)
}

func (r *records) Delete(_ context.Context, key string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, err := r.write(key, nil, true)
	return err
}

func (r *records) Watch(ctx context.Context, f func(access.Entry) error) error {
	if err := f(access.Entry{}); err != nil {
		return err
	}
	for {
		select {
		case e := <-r.news:
			if err := f(e); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// leastOf stands for the stores, which know what a job needs.
type leastOf struct{}

func (leastOf) LeastPolicy(s job.Spec, sources []job.Bucket) (access.Policy, error) {
	if s.Operation.Validate() != nil {
		return access.Policy{}, job.Errorf(job.InvalidRequest, "The job is not whole.")
	}
	if len(sources) == 0 {
		sources = []job.Bucket{"*"}
	}
	var rights []access.Right
	for _, b := range sources {
		rights = append(rights, access.Right{Action: access.GetObject, On: access.ObjectsBelow(s.Account, s.Region, b, "")})
	}
	return access.PolicyOf(rights)
}

// newAdmin makes a directory with alice, who may do everything, bob, who may look at jobs, and carol, who may look at
// regions, with one role to lend its keys.
func newAdmin(t *testing.T, f *fixture) *access.Admin {
	t.Helper()
	sealer, err := access.NewSealer(access.NewSealerKey())
	if err != nil {
		t.Fatal(err)
	}
	look, err := access.ParsePolicy([]byte(policyTemplates["look"]))
	if err != nil {
		t.Fatal(err)
	}
	regions, err := access.ParsePolicy([]byte(`{"version":"2.0","statement":[{"effect":"allow","action":"cos:ListRegions","resource":"*"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	keys := access.Keys{AccessKey: "key", SecretKey: "secret"}
	book, err := access.NewBook(access.BookOptions{
		Principals: []access.Principal{
			{AccessKey: "alice", SecretKey: "s3cret", Account: someone, Policy: access.FullAccess()},
			{AccessKey: "bob", SecretKey: "s3cret", Account: someone, Policy: look},
			{AccessKey: "carol", SecretKey: "s3cret", Account: someone, Policy: regions},
		},
		Regions: map[job.Region]job.Limits{"ap-chengdu": {Bounds: job.Bounds{Rate: 200, Calls: 32}}},
		Roles: []access.Role{{
			Account: someone, Name: "reader", Policy: access.FullAccess(),
			Credentials: map[job.Region]access.Provider{access.AnyRegion: func(context.Context) (access.Keys, error) { return keys, nil }},
		}},
		KV: &records{all: map[string]access.Entry{}, news: make(chan access.Entry, 10)}, Sealer: sealer, Now: f.clock,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- book.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	<-book.Ready()
	return access.NewAdmin(book, leastOf{})
}

func TestAccessPages(t *testing.T) {
	t.Parallel()
	f := signedIn(t)
	_, page := f.get("/access/roles/new")
	f.golden("role-new", page)
	policy := url.Values{"role-name": {"copier"}, "role-description": {hostile}, "role-from": {"reader"}, "role-policy": {access.FullAccess().String()}}
	if res, _ := f.post("/access/roles", policy); res.StatusCode != http.StatusSeeOther {
		t.Fatalf("making a role answers %d", res.StatusCode)
	}
	res, page := f.post("/access/roles", url.Values{"role-name": {"no good name"}, "role-from": {"own:"}, "role-policy": {"{" + hostile}})
	if res.StatusCode != http.StatusUnprocessableEntity || strings.Count(page, `aria-invalid="true"`) != 2 {
		t.Errorf("a bad role answers %d", res.StatusCode)
	}
	f.golden("role-refused", page)
	res, page = f.post("/access/roles", policy)
	if res.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(page, "has a role") {
		t.Errorf("the same name again answers %d", res.StatusCode)
	}
	_, page = f.post("/access/roles", url.Values{"role-name": {"own"}, "role-from": {"own:"}, "role-access-key": {"AK"}, "role-secret-key": {""}, "role-policy": {access.FullAccess().String()}})
	if !strings.Contains(page, "its secret is missing") {
		t.Error("keys without a secret are not explained")
	}
	if res, _ := f.post("/access/roles", url.Values{"role-name": {"own"}, "role-from": {"own:"}, "role-access-key": {"AK"}, "role-secret-key": {"TOPSECRET"}, "role-policy": {access.FullAccess().String()}}); res.StatusCode != http.StatusSeeOther {
		t.Errorf("a role with its own keys answers %d", res.StatusCode)
	}
	_, page = f.get("/access/principals/new")
	f.golden("principal-new", page)
	res, page = f.post("/access/principals", url.Values{"template": {"own"}, "policy": {"{}"}})
	if res.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(page, "policy.version") {
		t.Errorf("a bad policy answers %d", res.StatusCode)
	}
	res, page = f.post("/access/principals", url.Values{"template": {"look"}, "description": {hostile}})
	if res.StatusCode != http.StatusOK {
		t.Fatalf("making a principal answers %d", res.StatusCode)
	}
	_, rest, _ := strings.Cut(page, `id="new-access-key">`)
	key, _, _ := strings.Cut(rest, "<")
	_, rest, _ = strings.Cut(page, `id="new-secret-key">`)
	secret, _, _ := strings.Cut(rest, "<")
	f.golden("principal-made", strings.ReplaceAll(strings.ReplaceAll(page, key, "KEY"), secret, "SECRET"))
	_, page = f.get("/access")
	if strings.Contains(page, secret) || strings.Contains(page, "TOPSECRET") {
		t.Error("a secret is shown again")
	}
	f.golden("access", strings.ReplaceAll(page, key, "KEY"))
	for _, a := range []string{"disable", "enable", "rotate"} {
		_, page := f.get("/access/principals/" + key + "/" + a)
		f.golden("principal-"+a, strings.ReplaceAll(page, key, "KEY"))
	}
	if res, _ := f.post("/access/principals/"+key+"/disable", url.Values{}); res.StatusCode != http.StatusSeeOther {
		t.Errorf("disabling answers %d", res.StatusCode)
	}
	if _, page := f.get("/access?done=principal-disabled"); !strings.Contains(page, "Disabled") || !strings.Contains(page, "The principal is disabled.") {
		t.Error("the disabled principal is not shown as such")
	}
	_, page = f.post("/access/principals/"+key+"/rotate", url.Values{})
	if !strings.Contains(page, "new-secret-key") || strings.Contains(page, secret) {
		t.Error("there is no new secret")
	}
	_, page = f.get("/access/roles/copier/delete")
	f.golden("role-delete", page)
	if res, _ := f.post("/access/roles/copier/delete", url.Values{}); res.StatusCode != http.StatusSeeOther {
		t.Errorf("deleting answers %d", res.StatusCode)
	}
	for path, want := range map[string]int{
		"/access/roles/reader/delete": http.StatusConflict, "/access/roles/copier/delete": http.StatusForbidden,
		"/access/principals/alice/disable": http.StatusConflict, "/access/principals/nobody/rotate": http.StatusBadRequest,
		"/access/principals/" + key + "/explode": http.StatusNotFound,
	} {
		if res, _ := f.post(path, url.Values{}); res.StatusCode != want {
			t.Errorf("%s answers %d, want %d", path, res.StatusCode, want)
		}
	}
}

func TestWhoMayNotSeeAccessIsToldSo(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.signIn("bob")
	res, page := f.get("/access")
	if res.StatusCode != http.StatusOK || strings.Contains(page, ">reader<") || strings.Contains(page, "<code>alice") {
		t.Errorf("the page answers %d", res.StatusCode)
	}
	f.golden("access-denied", page)
	res, page = f.post("/access/roles", url.Values{"role-name": {"mine"}, "role-from": {"reader"}, "role-policy": {access.FullAccess().String()}})
	if res.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(page, "cam:CreateRole") {
		t.Errorf("making a role answers %d", res.StatusCode)
	}
	res, page = f.post("/access/principals", url.Values{"template": {"all"}})
	if res.StatusCode != http.StatusForbidden || !strings.Contains(page, "cam:CreateAccessKey") {
		t.Errorf("making a principal answers %d", res.StatusCode)
	}
}

// TestAMadeRoleIsChosen goes through the wizard's third step.
func TestAMadeRoleIsChosen(t *testing.T) {
	t.Parallel()
	f := signedIn(t)
	f.openStore()
	f.put("in/list.csv", "photos,a.jpg\npictures,c.jpg\n")
	_, page := f.get("/jobs/new")
	_, page = f.step(page, "next", "format", "csv", "manifest-bucket", "lists", "manifest-key", "in/list.csv")
	_, page = f.step(page, "next", "target-bucket", "backup")
	f.atStep(page, 3)
	for _, want := range []string{"photos, pictures", "name/cos:GetObject", ":photos/*", ":pictures/*"} {
		if !strings.Contains(page, want) {
			t.Errorf("the offered role lacks %q", want)
		}
	}
	f.golden("wizard-3-role", page)
	res, again := f.step(page, "create-role", "role-name", "bad name")
	if res.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(again, "no name of a role") {
		t.Errorf("a bad name answers %d", res.StatusCode)
	}
	_, page = f.step(page, "create-role", "role-name", "copier")
	f.atStep(page, 3)
	f.golden("wizard-3-role-made", page)
	_, page = f.step(page, "next")
	f.atStep(page, 4)
	res, _ = f.step(page, "create")
	if res.StatusCode != http.StatusSeeOther {
		t.Fatalf("creating answers %d", res.StatusCode)
	}
	j, err := f.jobs.Job(t.Context(), jobCaller, "job-00001")
	if err != nil || j.Spec.Role.Name != "copier" {
		t.Errorf("the job runs as %q, %v", j.Spec.Role.Name, err)
	}
}
