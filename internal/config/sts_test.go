package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/access/rolestore"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/localstore"
	"github.com/drover-batch/drover/internal/object"
)

// tokens is the security token service of either provider, for roles and for web identities, and knows what it gave out.
type tokens struct {
	t    *testing.T
	life time.Duration

	mu    sync.Mutex
	given map[string]localstore.TemporaryKeys
	down  bool
	asked []string // what for, by whom
}

func (s *tokens) give() (key string, k localstore.TemporaryKeys) {
	key = fmt.Sprint("TEMP", len(s.given)+1)
	k = localstore.TemporaryKeys{
		SecretKey: "secret of " + key, SessionToken: "token of " + key, End: time.Now().Add(s.life).Truncate(time.Second),
	}
	s.given[key] = k
	return key, k
}

func (s *tokens) find(key string) (localstore.TemporaryKeys, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k, ok := s.given[key]
	return k, ok
}

func (s *tokens) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	signer := "nobody"
	if _, after, ok := strings.Cut(r.Header.Get("Authorization"), "Credential="); ok {
		signer, _, _ = strings.Cut(after, "/")
	}
	if action := r.Header.Get("X-TC-Action"); action != "" {
		var in struct{ RoleArn, ExternalID, WebIdentityToken, ProviderID string }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			s.t.Error(err)
		}
		s.asked = append(s.asked, strings.Join([]string{action, in.RoleArn, in.ExternalID, in.ProviderID, in.WebIdentityToken, signer}, " "))
		key, k := s.give()
		fmt.Fprintf(w, `{"Response":{"Credentials":{"Token":%q,"TmpSecretId":%q,"TmpSecretKey":%q},"ExpiredTime":%d,"RequestId":"r"}}`,
			k.SessionToken, key, k.SecretKey, k.End.Unix())
		return
	}
	_ = r.ParseForm()
	action := r.Form.Get("Action")
	s.asked = append(s.asked, strings.Join([]string{action, r.Form.Get("RoleArn"), r.Form.Get("ExternalId"), r.Form.Get("WebIdentityToken"), signer}, " "))
	key, k := s.give()
	fmt.Fprintf(w, `<%[1]sResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><%[1]sResult><Credentials>
		<AccessKeyId>%[2]s</AccessKeyId><SecretAccessKey>%[3]s</SecretAccessKey><SessionToken>%[4]s</SessionToken><Expiration>%[5]s</Expiration>
		</Credentials></%[1]sResult></%[1]sResponse>`, action, key, k.SecretKey, k.SessionToken, k.End.UTC().Format(time.RFC3339))
}

// TestTemporaryKeysAreRenewedUnderRunningCalls calls a store for several lives of its keys, through each of the sources
// of temporary keys, with the store holding every call against what the token service gave out.
func TestTemporaryKeysAreRenewedUnderRunningCalls(t *testing.T) {
	tokenFile := t.TempDir() + "/token"
	if err := os.WriteFile(tokenFile, []byte("pod-token"), 0o600); err != nil {
		t.Fatal(err)
	}
	none := "/nonexistent"
	t.Setenv("AWS_CONFIG_FILE", none)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", none)
	t.Run("roles", func(t *testing.T) {
		t.Setenv("AWS_ACCESS_KEY_ID", "AKIABASE")
		t.Setenv("AWS_SECRET_ACCESS_KEY", "s")
		all(t, []temporaryCase{
			{
				"AWS", "s3", `source: sts, role_arn: "arn:aws:iam::1:role/batch", external_id: x, region: us-east-1, endpoint: "URL"`, nil,
				"AssumeRole arn:aws:iam::1:role/batch x  AKIABASE",
			},
			{
				"Tencent Cloud", "cos", `source: sts, role_arn: "qcs::cam::uin/1:roleName/batch", external_id: x, endpoint: "URL"`,
				map[string]string{"TENCENTCLOUD_SECRET_ID": "AKIDBASE", "TENCENTCLOUD_SECRET_KEY": "s"},
				"AssumeRole qcs::cam::uin/1:roleName/batch x   AKIDBASE",
			},
		})
	})
	t.Run("web identities", func(t *testing.T) {
		t.Setenv("AWS_ACCESS_KEY_ID", "")
		t.Setenv("AWS_ROLE_ARN", "arn:aws:iam::1:role/pod")
		t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", tokenFile)
		all(t, []temporaryCase{
			{
				"AWS", "s3", `source: aws, region: us-east-1`,
				map[string]string{"AWS_ENDPOINT_URL_STS": "URL"},
				"AssumeRoleWithWebIdentity arn:aws:iam::1:role/pod  pod-token nobody",
			},
			{
				"Tencent Cloud", "cos", `source: tencent, endpoint: "URL"`, map[string]string{
					"TKE_WEB_IDENTITY_TOKEN_FILE": tokenFile, "TKE_ROLE_ARN": "qcs::cam::uin/1:roleName/pod", "TKE_PROVIDER_ID": "cls-1",
				}, "AssumeRoleWithWebIdentity qcs::cam::uin/1:roleName/pod  cls-1 pod-token nobody",
			},
		})
	})
}

// temporaryCase is one source of temporary keys. URL in it stands for that of the token service.
type temporaryCase struct {
	name, dialect, credential string
	env                       map[string]string
	asked                     string
}

// all runs the cases side by side.
func all(t *testing.T, cases []temporaryCase) {
	t.Helper()
	var wg sync.WaitGroup
	for _, c := range cases {
		sts := &tokens{t: t, life: 4 * time.Second, given: map[string]localstore.TemporaryKeys{}}
		service := httptest.NewServer(sts)
		t.Cleanup(service.Close)
		vars := map[string]string{}
		for name, value := range c.env {
			if vars[name] = strings.ReplaceAll(value, "URL", service.URL); strings.HasPrefix(name, "AWS_") {
				t.Setenv(name, vars[name]) // the SDK reads it itself
			}
		}
		f, err := Parse(t.TempDir()+"/d.yaml", []byte(`
engine: {dir: state}
regions: {local: {endpoint: "`+openStore(t, sts)+`", name: ap-test, dialect: `+c.dialect+`}}
roles: [{arn: "arn:aws:iam::1:role/r", policy: full-access, credentials: {local: {`+strings.ReplaceAll(c.credential, "URL", service.URL)+`}}}]
`), env(vars))
		if err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			callThroughLives(t, f, sts)
			sts.mu.Lock()
			defer sts.mu.Unlock()
			for _, what := range sts.asked {
				if what != c.asked {
					t.Errorf("%s: the service was asked for\n%q, want\n%q", c.name, what, c.asked)
				}
			}
			if n := len(sts.asked); n < 3 || n > 8 {
				t.Errorf("%s: the service was asked %d times", c.name, n)
			}
		})
	}
	wg.Wait()
}

// openStore opens a store that takes what the service gave out, with a bucket in it.
func openStore(t *testing.T, sts *tokens) (url string) {
	t.Helper()
	store, err := localstore.Open(t.Context(), localstore.Options{
		Dir: t.TempDir(), AccessKey: "owner", SecretKey: "owner-secret", Region: "ap-test", Temporary: sts.find,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	stock := s3.New(s3.Options{
		BaseEndpoint: new(store.URL()), Region: "ap-test", UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider("owner", "owner-secret", ""),
	})
	if _, err := stock.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: new("data-1250000000")}); err != nil {
		t.Fatal(err)
	}
	return store.URL()
}

// callThroughLives calls for more than two lives of the keys, during the second of which the service is away for a while.
func callThroughLives(t *testing.T, f *File, sts *tokens) {
	t.Helper()
	roles, err1 := f.Roles(t.Context())
	regions, err2 := f.Regions()
	book, err3 := access.NewBook(access.BookOptions{Roles: roles})
	if err := errors.Join(err1, err2, err3); err != nil {
		t.Error(err)
		return
	}
	stores, err := rolestore.New(rolestore.Options{Regions: regions, Default: "local", Roles: book})
	if err != nil {
		t.Error(err)
		return
	}
	defer stores.Close()
	store, err := stores.Store(t.Context(), job.Account{UIN: "1"}, job.Role{Account: "1", Name: "r"}, "local")
	if err != nil {
		t.Error(err)
		return
	}
	began := time.Now()
	var calls atomic.Int64
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			key := job.Key(fmt.Sprint("k", i))
			for time.Since(began) < 7*time.Second {
				_, err := store.Put(t.Context(), object.PutRequest{Bucket: "data-1250000000", Key: key, Body: strings.NewReader("x"), Size: 1})
				if err == nil {
					_, err = store.Head(t.Context(), object.Ref{Bucket: "data-1250000000", Key: key})
				}
				if err != nil {
					t.Error(err)
					return
				}
				calls.Add(2)
			}
		})
	}
	// The second timer is the first one's: after a halt of the machine both would be due, and could come in either order.
	away := time.AfterFunc(4500*time.Millisecond, func() {
		sts.setDown(true)
		time.AfterFunc(time.Second, func() { sts.setDown(false) })
	})
	wg.Wait()
	away.Stop()
	if calls.Load() < 100 {
		t.Errorf("%d calls only", calls.Load())
	}
}

func (s *tokens) setDown(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}
