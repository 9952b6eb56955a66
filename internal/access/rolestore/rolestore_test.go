package rolestore

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/localstore"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/object/httpwire"
	"github.com/drover-batch/drover/internal/object/window"
	"github.com/drover-batch/drover/internal/operation"
)

var (
	owner    = job.Account{UIN: "100000000001", AppID: "1250000000"}
	roleName = job.Role{ARN: "qcs::cam::uin/100000000001:roleName/r", Account: owner.UIN, Name: "r"}
)

// one is a role that can be changed under a test's hands.
type one struct{ role *access.Role }

func (o *one) Role(a job.Account, r job.Role) (*access.Role, error) {
	if o.role == nil || a.UIN != o.role.Account.UIN || r.Name != o.role.Name {
		return nil, job.Errorf(job.AccessDenied, "There is no such role.")
	}
	return o.role, nil
}

func roleWith(t *testing.T, statements string) *access.Role {
	t.Helper()
	p, err := access.ParsePolicy([]byte(`{"version":"2.0","statement":[` + statements + `]}`))
	if err != nil {
		t.Fatal(err)
	}
	return &access.Role{Account: owner, Name: "r", Policy: p, Credentials: map[job.Region]access.Provider{
		"local": func(context.Context) (access.Keys, error) { return access.Keys{AccessKey: "a", SecretKey: "s"}, nil },
	}}
}

// TestNothingIsCalledWithoutTheRight calls every method as a role that may do nothing, on a store that panics.
func TestNothingIsCalledWithoutTheRight(t *testing.T) {
	t.Parallel()
	var store object.Store = &guarded{
		region: "local", role: func() (*access.Role, error) { return roleWith(t, ""), nil },
	}
	v := reflect.ValueOf(store)
	called := 0
	for i := range v.NumMethod() {
		m := v.Method(i)
		var in []reflect.Value
		for a := range m.Type().NumIn() {
			v := reflect.Zero(m.Type().In(a))
			if v.Kind() == reflect.Slice { // a call for several objects is for one
				v = reflect.MakeSlice(v.Type(), 1, 1)
			}
			in = append(in, v)
		}
		in[0] = reflect.ValueOf(t.Context())
		out := m.Call(in)
		last, _ := out[len(out)-1].Interface().(error)
		if name := v.Type().Method(i).Name; name == "List" {
			for _, err := range store.List(t.Context(), "b", object.ListOptions{}) {
				last = err
			}
		}
		e, ok := errors.AsType[*object.Error](last)
		if !ok || e.Code != object.CodeAccessDenied || e.Status != 403 || object.Retryable(e) || !strings.Contains(e.Message, "cos:") {
			t.Errorf("%s: %v", v.Type().Method(i).Name, last)
		}
		called++
	}
	if called < 13 {
		t.Errorf("%d methods only", called)
	}
}

func TestCopyNeedsBothEnds(t *testing.T) {
	t.Parallel()
	copyTo := func(key job.Key, tags []object.Tag) object.CopyRequest {
		c := object.CopyRequest{Source: object.Ref{Bucket: "src", Key: "a"}, Bucket: "dst", Key: key, Tags: tags}
		if tags != nil {
			c.TaggingDirective = object.DirectiveReplace
		}
		return c
	}
	const read = `{"effect":"allow","action":"cos:GetObject","resource":"arn:aws:s3:::src/*"}`
	const write = `{"effect":"allow","action":"s3:PutObject","resource":"arn:aws:s3:::dst/in/*"}`
	for _, c := range []struct {
		name, policy string
		request      object.CopyRequest
		missing      string // "" = allowed
	}{
		{"both", read + "," + write, copyTo("in/a", nil), ""},
		{"no read", write, copyTo("in/a", nil), "cos:GetObject"},
		{"no write", read, copyTo("in/a", nil), "cos:PutObjectCopy"},
		{"outside the prefix", read + "," + write, copyTo("out/a", nil), "dst/out/a"},
		{"tags without their right", read + "," + write, copyTo("in/a", []object.Tag{{Key: "k"}}), "cos:PutObjectTagging"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			made := &copies{}
			g := &guarded{store: made, region: "local", role: func() (*access.Role, error) { return roleWith(t, c.policy), nil }}
			_, err := g.Copy(t.Context(), c.request)
			if c.missing == "" && (err != nil || made.n != 1) {
				t.Errorf("%v, %d calls", err, made.n)
			}
			if c.missing != "" && (err == nil || !strings.Contains(err.Error(), c.missing) || made.n != 0) {
				t.Errorf("%v, %d calls; want an error about %s and none", err, made.n, c.missing)
			}
		})
	}
}

type copies struct {
	object.Store
	n int
}

func (c *copies) Copy(context.Context, object.CopyRequest) (object.CopyResult, error) {
	c.n++
	return object.CopyResult{}, nil
}

func TestCheckNamesAllThatIsMissing(t *testing.T) {
	t.Parallel()
	spec := job.Spec{
		Account: owner, Role: roleName, Region: "local",
		Manifest:  job.Manifest{Location: job.Location{Bucket: "batch", Key: "list.csv"}},
		Operation: &operation.Copy{TargetBucket: "dst", PrefixReplace: true, PrefixTo: "in/"},
		Report:    job.Report{Enabled: true, Bucket: "reports", Prefix: "nightly"},
	}
	const manifest = `{"effect":"allow","action":"cos:GetObject","resource":"arn:aws:s3:::batch/list.csv"}`
	const source = `{"effect":"allow","action":"cos:GetObject","resource":"qcs::cos:local:uid/1250000000:src/2025/*"}`
	const target = `{"effect":"allow","action":"cos:PutObject","resource":"arn:aws:s3:::dst/in/*"}`
	const report = `{"effect":"allow","action":["s3:PutObject","s3:ListBucket"],"resource":["arn:aws:s3:::reports","arn:aws:s3:::reports/nightly/*"]}`
	for _, c := range []struct {
		name, policy string
		missing      []string
	}{
		{"all there", manifest + "," + source + "," + target + "," + report, nil},
		{"the manifest", source + "," + target + "," + report, []string{"cos:GetObject", "batch/list.csv"}},
		{"the source", manifest + "," + target + "," + report, []string{"cos:GetObject", "src/*"}},
		{"the target", manifest + "," + source + "," + report, []string{"cos:PutObjectCopy", "dst/in/*"}},
		{"the report", manifest + "," + source + "," + target, []string{"cos:PutObject", "reports/nightly/", "cos:GetBucket"}},
		{"everything", "", []string{"batch/list.csv", "src/*", "dst/in/*", "reports/nightly/"}},
		{"a deny", manifest + "," + source + "," + target + "," + report + `,{"effect":"deny","action":"cos:Put*","resource":"arn:aws:s3:::dst/*"}`, []string{"denies", "dst/in/*"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s, err := New(Options{
				Default: "local", Roles: &one{roleWith(t, c.policy)},
				Regions: map[job.Region]Region{"local": {Wire: httpwire.Options{Endpoint: "http://127.0.0.1:1"}}},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			err = s.Check(t.Context(), spec, []job.Bucket{"src"})
			if len(c.missing) == 0 != (err == nil) {
				t.Fatalf("got %v", err)
			}
			for _, want := range c.missing {
				if job.CodeOf(err) != job.AccessDenied || !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want AccessDenied about %s", err, want)
				}
			}
		})
	}
}

// TestAStoreOpenedAsARoleFollowsTheRole uses the embedded store: what the role may, then may no more, then is no more.
func TestAStoreOpenedAsARoleFollowsTheRole(t *testing.T) {
	t.Parallel()
	ls, err := localstore.Open(t.Context(), localstore.Options{
		Dir: t.TempDir(), Listen: "127.0.0.1:0", Region: "local", AccessKey: "a", SecretKey: "s",
	})
	if err != nil {
		t.Fatal(err)
	}
	defer ls.Close()
	var seen []string
	roles := &one{roleWith(t, `{"effect":"allow","action":"*","resource":"*"}`)}
	s, err := New(Options{
		Default: "local", Roles: roles,
		Regions: map[job.Region]Region{
			"local": {Wire: httpwire.Options{Endpoint: ls.URL(), Region: "local"}, Rate: 1000, InFlight: 2}, "far": {Wire: httpwire.Options{Endpoint: ls.URL()}},
		},
		Observe: func(r job.Region, op, code string, _ time.Duration) { seen = append(seen, fmt.Sprint(r, op, code)) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	store, err := s.Store(t.Context(), owner, roleName, "")
	if err != nil {
		t.Fatal(err)
	}
	ref := object.Ref{Bucket: "none", Key: "k"}
	if _, err := store.Head(t.Context(), ref); object.StatusOf(err) != 404 {
		t.Errorf("as it may: %v", err)
	}
	roles.role = roleWith(t, "")
	if _, err := store.Head(t.Context(), ref); object.CodeOf(err) != object.CodeAccessDenied {
		t.Errorf("narrowed: %v", err)
	}
	roles.role = nil
	if _, err := store.Head(t.Context(), ref); object.CodeOf(err) != object.CodeAccessDenied {
		t.Errorf("deleted: %v", err)
	}
	if len(seen) != 1 || !strings.HasPrefix(seen[0], "localHeadNo") {
		t.Errorf("calls seen: %q, want the first one only", seen)
	}
	roles.role = roleWith(t, "")
	for _, c := range []struct {
		account job.Account
		role    job.Role
		region  job.Region
		want    job.Code
	}{
		{owner, roleName, "nowhere", job.InvalidArgument},
		{owner, roleName, "far", job.AccessDenied}, // no credentials there
		{owner, job.Role{Account: owner.UIN, Name: "other"}, "local", job.AccessDenied},
		{job.Account{UIN: "100000000002"}, roleName, "local", job.AccessDenied},
	} {
		if _, err := s.Store(t.Context(), c.account, c.role, c.region); job.CodeOf(err) != c.want {
			t.Errorf("%v: got %v, want %s", c, err, c.want)
		}
	}
}

// TestLimitsHold: a region's bounds hold for the calls of all its roles together.
func TestLimitsHold(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		region Region
		want   window.Bounds
	}{
		"none":            {Region{}, window.Bounds{}},
		"a rate":          {Region{Rate: 10}, window.Bounds{Rate: 10, Burst: 10}},
		"a low rate":      {Region{Rate: 0.5}, window.Bounds{Rate: 0.5, Burst: 1}},
		"all that is":     {Region{Rate: 10, Burst: 5, Bytes: 9, InFlight: 2}, window.Bounds{Rate: 10, Burst: 5, Bytes: 9, InFlight: 2}},
		"calls at a time": {Region{InFlight: 2}, window.Bounds{InFlight: 2}},
	} {
		if got := tc.region.bounds(); got != tc.want {
			t.Errorf("%s: %+v, want %+v", name, got, tc.want)
		}
	}
	roles := &one{roleWith(t, `{"effect":"allow","action":"*","resource":"*"}`)}
	s, err := New(Options{Default: "a", Roles: roles, Regions: map[job.Region]Region{"a": {Wire: httpwire.Options{Endpoint: "http://127.0.0.1:1"}, InFlight: 2}}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	load := s.o.Regions["a"].Wire.Load
	for range 2 {
		if err := load.Bounds.Enter(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := load.Bounds.Enter(ctx); err == nil {
		t.Error("a third call ran")
	}
}

// TestAStoreThatIsAwayIsWaitedFor has a region whose store drops connections before it is there again: the calls of its
// roles must not use up their attempts on it.
func TestAStoreThatIsAwayIsWaitedFor(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) <= 4 {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(http.StatusOK)
	}))
	defer server.Close()
	s, err := New(Options{
		Regions: map[job.Region]Region{"local": {Wire: httpwire.Options{Endpoint: server.URL, MaxAttempts: 2}}}, Default: "local",
		Roles: &one{roleWith(t, `{"effect":"allow","action":"*","resource":"*"}`)},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	store, err := s.Store(t.Context(), owner, roleName, "local")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.Head(t.Context(), object.Ref{Bucket: "b", Key: "k"}); err != nil || asked.Load() != 5 {
		t.Errorf("after %d attempts: %v", asked.Load(), err)
	}
}
