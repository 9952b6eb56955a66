package admin

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/job"
)

// start serves a book of the config alone: root may do all, nobody nothing.
func start(t *testing.T) string {
	t.Helper()
	account := job.Account{UIN: "100000000001", AppID: "1250000000"}
	book, err := access.NewBook(access.BookOptions{
		Principals: []access.Principal{
			{AccessKey: "root", SecretKey: "hidden-root", Account: account, Policy: access.FullAccess()},
			{AccessKey: "nobody", SecretKey: "hidden-nobody", Account: account},
		},
		Roles: []access.Role{{Account: account, Name: "batch", Policy: access.FullAccess(), Credentials: map[job.Region]access.Provider{
			access.AnyRegion: func(context.Context) (access.Keys, error) { return access.Keys{}, nil },
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(New(access.NewAdmin(book, nil), access.NewVerifier(book, nil), slog.New(slog.DiscardHandler)))
	t.Cleanup(s.Close)
	return s.URL
}

func send(t *testing.T, url, key, method, path, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(body))
	hash := hex.EncodeToString(sum[:])
	r.Header.Set("X-Amz-Content-Sha256", hash)
	if key != "" {
		keys := aws.Credentials{AccessKeyID: key, SecretAccessKey: "hidden-" + key}
		if err := v4.NewSigner().SignHTTP(t.Context(), keys, r, hash, "s3", "us-east-1", time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(answer, []byte("hidden-")) {
		t.Errorf("%s %s: the answer has a secret in it", method, path)
	}
	return resp.StatusCode, string(answer)
}

func TestCalls(t *testing.T) {
	t.Parallel()
	url := start(t)
	const policy = `"policy":{"version":"2.0","statement":[]}`
	for name, c := range map[string]struct {
		key, method, path, body string
		status                  int
		want                    string
	}{
		"the roles":                {"root", "GET", "/api/v1/roles", "", 200, `"arn":"qcs::cam::uin/100000000001:roleName/batch","iamArn":"arn:aws:iam::100000000001:role/batch"`},
		"a role":                   {"root", "GET", "/api/v1/roles/batch", "", 200, `"fromConfig":true`},
		"no such role":             {"root", "GET", "/api/v1/roles/none", "", 403, "There is no role"},
		"the principals":           {"root", "GET", "/api/v1/principals", "", 200, `"accessKey":"nobody"`},
		"unsigned":                 {"", "GET", "/api/v1/roles", "", 403, "AccessDenied"},
		"without the right":        {"nobody", "GET", "/api/v1/roles", "", 403, "cam:ListRoles"},
		"nor to disable":           {"nobody", "POST", "/api/v1/principals/root/disable", "", 403, "cam:UpdateAccessKey"},
		"another method":           {"root", "PATCH", "/api/v1/roles/batch", "", 405, "MethodNotAllowed"},
		"an unknown element":       {"root", "POST", "/api/v1/roles", `{"nam":"x"}`, 400, "InvalidRequest"},
		"two values":               {"root", "POST", "/api/v1/roles", `{"name":"x",` + policy + `}{}`, 400, "InvalidRequest"},
		"no policy":                {"root", "POST", "/api/v1/roles", `{"name":"x"}`, 400, `"field":"policy"`},
		"a bad policy":             {"root", "POST", "/api/v1/principals", `{"policy":{"version":"1"}}`, 400, `"field":"policy.version"`},
		"nowhere to keep a role":   {"root", "POST", "/api/v1/roles", `{"name":"x",` + policy + `,"credentials":{"*":{"from":"batch"}}}`, 400, "configuration"},
		"nowhere to keep a key":    {"root", "POST", "/api/v1/principals", `{` + policy + `}`, 400, "configuration"},
		"a body that is too long":  {"root", "POST", "/api/v1/roles", strings.Repeat("x", maxBody+1), 400, "longer than"},
		"a principal of no config": {"root", "POST", "/api/v1/principals/x/rotate", "", 400, "configuration"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, answer := send(t, url, c.key, c.method, c.path, c.body)
			if status != c.status || !strings.Contains(answer, c.want) {
				t.Errorf("got %d %s, want %d with %q", status, answer, c.status, c.want)
			}
		})
	}
}
