package rest

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/drover-batch/drover/client"
	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/api/apitest"
	"github.com/drover-batch/drover/internal/job"
)

// leastOf stands for what knows the needs of jobs.
type leastOf struct{}

func (leastOf) LeastPolicy(s job.Spec, sources []job.Bucket) (access.Policy, error) {
	var rights []access.Right
	for _, b := range sources {
		rights = append(rights, access.Right{Action: access.GetObject, On: access.ObjectsBelow(s.Account, s.Region, b, "")})
	}
	return access.PolicyOf(rights)
}

// openBook is a book where alice may do everything and bob nothing, with the role lender of the configuration.
func openBook(t *testing.T) *access.Book {
	t.Helper()
	sealer, err := access.NewSealer(access.NewSealerKey())
	if err != nil {
		t.Fatal(err)
	}
	root := alice
	root.Policy = access.FullAccess()
	book, err := access.NewBook(access.BookOptions{
		KV: &apitest.KV{}, Sealer: sealer, Principals: []access.Principal{root, bob},
		Regions: map[job.Region]job.Limits{"local": {Bounds: job.Bounds{Rate: 50}}, "far": {}},
		Roles: []access.Role{{Account: alice.Account, Name: "lender", Policy: access.FullAccess(), Credentials: map[job.Region]access.Provider{
			access.AnyRegion: func(context.Context) (access.Keys, error) { return access.Keys{}, nil },
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- book.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	<-book.Ready()
	return book
}

// ask sends a request of alice's that has to be answered well, and decodes the answer.
func ask[T any](w *world, method, target, body string, status int) T {
	w.t.Helper()
	resp, answer := w.send(alice, method, target, body)
	if resp.StatusCode != status {
		w.t.Fatalf("%s %s: %d %s", method, target, resp.StatusCode, answer)
	}
	if answer == "" {
		answer = "{}"
	}
	return answered[T](w.t, answer)
}

const readAll = `{"version":"2.0","statement":[{"effect":"allow","action":["cos:GetObject"],"resource":["*"]}]}`

func TestRolesAreMadeShownAndDeleted(t *testing.T) {
	t.Parallel()
	w := setup(t, 0)
	made := ask[client.Role](w, "POST", "/api/v1/roles",
		`{"name":"reader","description":"reads","credentials":{"*":{"from":"lender"}},"policy":`+readAll+`}`, 201)
	if made.ARN != "qcs::cam::uin/100000000001:roleName/reader" || made.IAMARN != "arn:aws:iam::100000000001:role/reader" || made.Credentials["*"].From != "lender" {
		t.Errorf("made %+v", made)
	}
	own := `{"name":"own","credentials":{"local":{"accessKey":"AK","secretKey":"hidden-1","sessionToken":"hidden-2"}},"policy":` + readAll + `}`
	if resp, body := w.send(alice, "POST", "/api/v1/roles", own); resp.StatusCode != 201 || strings.Contains(body, "hidden") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	var names []string
	for _, r := range ask[client.Roles](w, "GET", "/api/v1/roles", "", 200).Roles {
		names = append(names, r.Name)
	}
	if !slices.Equal(names, []string{"lender", "own", "reader"}) {
		t.Errorf("roles %v", names)
	}
	if got := ask[client.Role](w, "GET", "/api/v1/roles/reader", "", 200); string(got.Policy) != readAll || got.Description != "reads" {
		t.Errorf("shown %+v", got)
	}
	ask[struct{}](w, "DELETE", "/api/v1/roles/reader", "", 204)
	if resp, body := w.send(alice, "GET", "/api/v1/roles/reader", ""); resp.StatusCode != 403 || !strings.Contains(body, "There is no role") {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

func TestPrincipalsAreMadeAndTheirSecretIsShownOnce(t *testing.T) {
	t.Parallel()
	w := setup(t, 0)
	made := ask[client.Principal](w, "POST", "/api/v1/principals", `{"description":"ci","policy":`+readAll+`}`, 201)
	if made.SecretKey == "" || made.UIN != alice.Account.UIN || made.AppID != alice.Account.AppID {
		t.Errorf("made %+v", made)
	}
	if resp, body := w.send(alice, "GET", "/api/v1/principals", ""); resp.StatusCode != 200 || strings.Contains(body, made.SecretKey) || strings.Contains(body, "secretKey") {
		t.Errorf("the listing: %d %s", resp.StatusCode, body)
	}
	at := "/api/v1/principals/" + made.AccessKey
	ci := access.Principal{AccessKey: made.AccessKey, SecretKey: made.SecretKey}
	if resp, _ := w.send(ci, "GET", "/api/v1/jobs", ""); resp.StatusCode != 200 {
		t.Errorf("the new key: %s", resp.Status)
	}
	if got := ask[client.Principal](w, "POST", at+"/disable", "", 200); !got.Disabled || got.SecretKey != "" {
		t.Errorf("disabled %+v", got)
	}
	if resp, _ := w.send(ci, "GET", "/api/v1/jobs", ""); resp.StatusCode != 401 {
		t.Errorf("the disabled key: %s", resp.Status)
	}
	if got := ask[client.Principal](w, "POST", at+"/enable", "", 200); got.Disabled {
		t.Errorf("enabled %+v", got)
	}
	rotated := ask[client.Principal](w, "POST", at+"/rotate", "", 200)
	if resp, _ := w.send(ci, "GET", "/api/v1/jobs", ""); resp.StatusCode != 401 {
		t.Errorf("the old secret: %s", resp.Status)
	}
	ci.SecretKey = rotated.SecretKey
	if resp, _ := w.send(ci, "GET", "/api/v1/jobs", ""); resp.StatusCode != 200 {
		t.Errorf("the new secret: %s", resp.Status)
	}
}

func TestTheLeastPolicyIsAnswered(t *testing.T) {
	t.Parallel()
	w := setup(t, 0)
	spec := strings.Replace(restoreJSON, `"role": "batch"`, `"role": ""`, 1)
	got := ask[client.Policy](w, "POST", "/api/v1/policies/least", `{"spec":`+spec+`,"sourceBuckets":["photos"]}`, 200)
	if !strings.Contains(string(got.Policy), `qcs::cos::uid/1250000000:photos/*`) {
		t.Errorf("%s", got.Policy)
	}
}

func TestCallsOnAccessThatAreRefused(t *testing.T) {
	t.Parallel()
	w := setup(t, 0)
	for name, c := range map[string]struct {
		who                access.Principal
		method, path, body string
		status             int
		want               string
	}{
		"without the right":      {bob, "GET", "/api/v1/roles", "", 403, "cam:ListRoles"},
		"nor to make a role":     {bob, "POST", "/api/v1/roles", `{"name":"x","credentials":{},"policy":` + readAll + `}`, 403, "cam:CreateRole"},
		"nor to make a key":      {bob, "POST", "/api/v1/principals", `{"policy":` + readAll + `}`, 403, "cam:CreateAccessKey"},
		"nor to disable":         {bob, "POST", "/api/v1/principals/AKIDalice/disable", "", 403, "cam:UpdateAccessKey"},
		"another account's role": {bob, "GET", "/api/v1/roles/lender", "", 403, "cam:GetRole"},
		"another method":         {alice, "PATCH", "/api/v1/roles/lender", "", 405, "MethodNotAllowed"},
		"an unknown element":     {alice, "POST", "/api/v1/roles", `{"nam":"x"}`, 400, `"field":"nam"`},
		"two values":             {alice, "POST", "/api/v1/roles", `{"name":"x","policy":` + readAll + `}{}`, 400, "InvalidRequest"},
		"no policy":              {alice, "POST", "/api/v1/roles", `{"name":"x"}`, 400, `"field":"policy"`},
		"no name":                {alice, "POST", "/api/v1/roles", `{"name":"..","credentials":{"*":{"from":"lender"}},"policy":` + readAll + `}`, 400, `"field":"name"`},
		"no credentials":         {alice, "POST", "/api/v1/roles", `{"name":"x","policy":` + readAll + `}`, 400, `"field":"credentials"`},
		"a name that is taken":   {alice, "POST", "/api/v1/roles", `{"name":"lender","credentials":{"*":{"from":"lender"}},"policy":` + readAll + `}`, 409, "Conflict"},
		"one of the config":      {alice, "DELETE", "/api/v1/roles/lender", "", 409, "configuration"},
		"a bad policy":           {alice, "POST", "/api/v1/principals", `{"policy":{"version":"1"}}`, 400, `"field":"policy.version"`},
		"a key of the config":    {alice, "POST", "/api/v1/principals/AKIDalice/rotate", "", 409, "configuration"},
		"no such key":            {alice, "POST", "/api/v1/principals/AKIDnone/rotate", "", 400, "no principal"},
		"no operation":           {alice, "POST", "/api/v1/policies/least", `{"spec":{}}`, 400, `"field":"operation"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			resp, answer := w.send(c.who, c.method, c.path, c.body)
			if resp.StatusCode != c.status || !strings.Contains(answer, c.want) {
				t.Errorf("got %d %s, want %d with %q", resp.StatusCode, answer, c.status, c.want)
			}
		})
	}
}

// A browser that has signed in to the console needs no signature; a page of another site cannot use that.
func TestASessionStandsForASignature(t *testing.T) {
	t.Parallel()
	w := setup(t, 0)
	w.create()
	for name, c := range map[string]struct {
		method, target, body string
		header               http.Header
		status               int
	}{
		"reads":                         {"GET", "/api/v1/jobs/job-00001", "", http.Header{}, 200},
		"changes":                       {"PUT", "/api/v1/jobs/job-00001/priority", `{"priority":3}`, http.Header{"Sec-Fetch-Site": {"same-origin"}}, 200},
		"another site's page":           {"PUT", "/api/v1/jobs/job-00001/priority", `{"priority":9}`, http.Header{"Sec-Fetch-Site": {"cross-site"}}, 403},
		"a page of a neighbour":         {"PUT", "/api/v1/jobs/job-00001/priority", `{"priority":9}`, http.Header{"Sec-Fetch-Site": {"same-site"}}, 403},
		"an old browser":                {"POST", "/api/v1/jobs/job-00001/cancel", "", http.Header{"Origin": {"https://evil.example"}}, 403},
		"a session that is over":        {"GET", "/api/v1/jobs", "", http.Header{"Cookie": {"who=nobody"}}, 403},
		"a bad query":                   {"GET", "/api/v1/jobs?a;b", "", http.Header{}, 400},
		"a signature beside it decides": {"GET", "/api/v1/jobs", "", http.Header{"Authorization": {"AWS4-HMAC-SHA256 x"}}, 403},
		"an empty signature too":        {"GET", "/api/v1/jobs", "", http.Header{"Authorization": {""}}, 403},
		"too fast":                      {"GET", "/api/v1/jobs", "", http.Header{"Cookie": {"who=fast"}}, 429},
	} {
		r, err := http.NewRequestWithContext(t.Context(), c.method, w.url+c.target, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = c.header
		if r.Header.Get("Cookie") == "" {
			r.Header.Set("Cookie", "who=alice")
		}
		if c.body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != c.status {
			t.Errorf("%s: %s, want %d", name, resp.Status, c.status)
		}
	}
	if j, err := w.jobs.Job(t.Context(), api.Caller{Account: alice.Account}, "job-00001"); err != nil || j.Priority == 9 || j.Status != job.New {
		t.Errorf("the job is %s with priority %d, %v", j.Status, j.Priority, err)
	}
}

// sessionOf stands for the console's sessions.
func sessionOf(r *http.Request) (api.Caller, bool, error) {
	cookie, err := r.Cookie("who")
	switch {
	case err != nil || cookie.Value == "nobody":
		return api.Caller{}, false, nil
	case cookie.Value == "fast":
		return api.Caller{}, true, job.Errorf(job.Throttled, "Too fast.")
	}
	return api.Caller{Account: alice.Account, Principal: alice.AccessKey}, true, nil
}
