package console

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/job"
)

var right = url.Values{"access-key": {"alice"}, "secret-key": {"s3cret"}}

func TestWhoHasNotSignedInIsSentToSignIn(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for _, path := range []string{"/", "/jobs", "/jobs/new", "/jobs/job-00001", "/jobs/job-00001/cancel", "/jobs/job-00001/report/0", "/storage"} {
		res, body := f.get(path)
		if to := res.Header.Get("Location"); res.StatusCode != http.StatusSeeOther || !strings.HasPrefix(to, base+"/sign-in") || strings.Contains(body, "job-") && path == "/" {
			t.Errorf("%s answers %d to %q", path, res.StatusCode, to)
		}
	}
	for _, path := range []string{"/jobs/new", "/jobs/actions", "/jobs/job-00001/cancel"} {
		if res, _ := f.post(path, url.Values{}); res.StatusCode != http.StatusSeeOther {
			t.Errorf("posting to %s answers %d", path, res.StatusCode)
		}
	}
	res, _ := f.get("/jobs", "HX-Request", "true")
	if res.StatusCode != http.StatusUnauthorized || res.Header.Get("HX-Redirect") != base+"/sign-in" {
		t.Errorf("a renewal without a session answers %d %q", res.StatusCode, res.Header.Get("HX-Redirect"))
	}
}

func TestSigningInLeadsBackToThePageButToNoOtherSite(t *testing.T) {
	t.Parallel()
	for next, want := range map[string]string{
		"": base + "/", base + "/jobs?tab=active": base + "/jobs?tab=active", "https://evil.example/": base + "/", "//evil.example/console/": base + "/",
		`/\evil.example`: base + "/", "/elsewhere": base + "/", base + "x": base + "/", "javascript:alert(1)": base + "/",
	} {
		f := setup(t)
		form := url.Values{"next": {next}, "access-key": {"alice"}, "secret-key": {"s3cret"}}
		res, _ := f.post("/sign-in", form)
		if got := res.Header.Get("Location"); got != want {
			t.Errorf("next %q leads to %q, want %q", next, got, want)
		}
		cookie := res.Header.Get("Set-Cookie")
		for _, part := range []string{"HttpOnly", "SameSite=Lax", "Path=/;"} {
			if !strings.Contains(cookie, part) {
				t.Errorf("the cookie %q lacks %s", cookie, part)
			}
		}
	}
}

func TestASessionEnds(t *testing.T) {
	t.Parallel()
	alive := func(f *fixture, headers ...string) bool {
		res, _ := f.get("/jobs", headers...)
		return res.StatusCode == http.StatusOK
	}
	t.Run("when nobody uses it", func(t *testing.T) {
		t.Parallel()
		f := signedIn(t)
		f.pass(29 * time.Minute)
		if !alive(f) {
			t.Fatal("it ended early")
		}
		f.pass(29 * time.Minute)
		if !alive(f) {
			t.Fatal("its use did not keep it")
		}
		f.pass(30 * time.Minute)
		if alive(f) {
			t.Fatal("it goes on")
		}
	})
	t.Run("though a page that is left open renews itself", func(t *testing.T) {
		t.Parallel()
		f := signedIn(t)
		for range 29 {
			f.pass(time.Minute)
			if !alive(f, "HX-Request", "true") {
				t.Fatal("it ended early")
			}
		}
		f.pass(time.Minute)
		if alive(f, "HX-Request", "true") {
			t.Fatal("it goes on")
		}
	})
	t.Run("after its lifetime", func(t *testing.T) {
		t.Parallel()
		f := signedIn(t)
		for range 12*4 - 1 {
			f.pass(15 * time.Minute)
			if !alive(f) {
				t.Fatal("it ended early")
			}
		}
		f.pass(15 * time.Minute)
		if alive(f) {
			t.Fatal("it goes on")
		}
	})
	t.Run("by signing out", func(t *testing.T) {
		t.Parallel()
		f := signedIn(t)
		u, _ := url.Parse(f.url + base)
		kept := f.client.Jar.Cookies(u)
		f.post("/sign-out", url.Values{})
		f.client.Jar.SetCookies(u, kept)
		if alive(f) {
			t.Fatal("the old cookie still works")
		}
	})
}

func TestGuessingIsSlowedDown(t *testing.T) {
	t.Parallel()
	f := setup(t)
	wrong := url.Values{"access-key": {"alice"}, "secret-key": {"guess"}}
	for range freeTries {
		if res, body := f.post("/sign-in", wrong); res.StatusCode != http.StatusUnauthorized || strings.Contains(body, "guess") {
			t.Fatalf("a wrong secret answers %d", res.StatusCode)
		}
	}
	res, _ := f.post("/sign-in", right)
	if res.StatusCode != http.StatusTooManyRequests || res.Header.Get("Retry-After") != "2" {
		t.Fatalf("one more try answers %d, Retry-After %q", res.StatusCode, res.Header.Get("Retry-After"))
	}
	f.pass(2 * time.Second)
	if res, _ := f.post("/sign-in", wrong); res.StatusCode != http.StatusUnauthorized {
		t.Fatalf("after the wait a try answers %d", res.StatusCode)
	}
	f.pass(2 * time.Second)
	if res, _ := f.post("/sign-in", right); res.StatusCode != http.StatusTooManyRequests {
		t.Fatalf("the wait does not grow: %d", res.StatusCode)
	}
	f.pass(2 * time.Second)
	if res, _ := f.post("/sign-in", right); res.StatusCode != http.StatusSeeOther {
		t.Fatalf("the right keys answer %d", res.StatusCode)
	}
}

func TestAnotherSitesFormIsRefused(t *testing.T) {
	t.Parallel()
	f := signedIn(t)
	id := f.add(spec(nil), func(j *job.Job) { j.Status = job.Active })
	for _, headers := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://evil.example"}} {
		res, _ := f.post("/jobs/"+string(id)+"/pause", url.Values{}, headers...)
		if res.StatusCode != http.StatusForbidden {
			t.Errorf("with %v it answers %d", headers, res.StatusCode)
		}
	}
	if res, _ := f.post("/jobs/"+string(id)+"/pause", url.Values{}, "Sec-Fetch-Site", "same-origin"); res.StatusCode != http.StatusSeeOther {
		t.Errorf("our own form answers %d", res.StatusCode)
	}
}

func TestEveryAnswerForbidsForeignCode(t *testing.T) {
	t.Parallel()
	f := signedIn(t)
	for _, path := range []string{"/", "/jobs", "/jobs/new", "/storage", "/nothing", "/jobs/absent", "/sign-in", "/assets/x/y"} {
		res, body := f.get(path)
		if got := res.Header.Get("Content-Security-Policy"); got != policy {
			t.Errorf("%s has the policy %q", path, got)
		}
		for _, inline := range []string{"<script>", " style=", "<style", " onclick", "hx-on", "javascript:"} {
			if strings.Contains(body, inline) {
				t.Errorf("%s has %q in it", path, inline)
			}
		}
	}
}

func TestAssetsKeepForever(t *testing.T) {
	t.Parallel()
	f := setup(t)
	for name := range assets {
		res, _ := f.get(strings.TrimPrefix(assetURL(name), base))
		if res.StatusCode != http.StatusOK || !strings.Contains(res.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s answers %d, %q", name, res.StatusCode, res.Header.Get("Cache-Control"))
		}
	}
}

// TestEveryFormNeedsASessionAndItsOwnSite goes through all routes, so that none is forgotten.
func TestEveryFormNeedsASessionAndItsOwnSite(t *testing.T) {
	t.Parallel()
	nobody, somebody := setup(t), signedIn(t)
	wild := regexp.MustCompile(`\{[a-z]+\}`)
	posts := 0
	for _, rt := range routes {
		method, path, _ := strings.Cut(rt.pattern, " ")
		path = strings.TrimSuffix(wild.ReplaceAllString(path, "some-thing"), "{$}")
		if !rt.open {
			if res, _ := nobody.send(method, path, url.Values{}); res.StatusCode != http.StatusSeeOther || !strings.HasPrefix(res.Header.Get("Location"), base+"/sign-in") {
				t.Errorf("%s without a session answers %d", rt.pattern, res.StatusCode)
			}
		}
		if method != http.MethodPost {
			continue
		}
		posts++
		if res, _ := somebody.post(path, url.Values{}, "Sec-Fetch-Site", "cross-site"); res.StatusCode != http.StatusForbidden {
			t.Errorf("%s from another site answers %d", rt.pattern, res.StatusCode)
		}
	}
	if posts < 10 {
		t.Errorf("only %d forms were tried", posts)
	}
}
