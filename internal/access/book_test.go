package access

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/drover-batch/drover/internal/job"
)

// memory is a KV in memory.
type memory struct {
	mu      sync.Mutex
	rev     uint64
	entries map[string]Entry
	changes chan Entry
}

func newMemory() *memory { return &memory{entries: map[string]Entry{}, changes: make(chan Entry, 100)} }

func (m *memory) put(key string, v []byte, deleted bool) uint64 {
	m.rev++
	e := Entry{key, v, m.rev, deleted}
	m.entries[key] = e
	m.changes <- e
	return m.rev
}

func (m *memory) Create(_ context.Context, key string, v []byte) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e, ok := m.entries[key]; ok && !e.Deleted {
		return 0, ErrExists
	}
	return m.put(key, v, false), nil
}

func (m *memory) Update(_ context.Context, key string, v []byte, rev uint64) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.entries[key].Rev != rev {
		return 0, fmt.Errorf("update: %w", ErrConflict)
	}
	return m.put(key, v, false), nil
}

func (m *memory) Delete(_ context.Context, key string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.put(key, nil, true)
	return nil
}

// lostKey is the key of the change that says that all records were lost.
const lostKey = "lost"

func (m *memory) lose() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.entries = map[string]Entry{}
	m.rev += 1000
	m.changes <- Entry{Key: lostKey}
}

func (m *memory) Watch(ctx context.Context, f func(Entry) error) error {
	m.mu.Lock()
	for _, e := range m.entries {
		if !e.Deleted {
			if err := f(e); err != nil {
				m.mu.Unlock()
				return err
			}
		}
	}
	m.mu.Unlock()
	if err := f(Entry{}); err != nil {
		return err
	}
	for {
		select {
		case e := <-m.changes:
			if e.Key == lostKey {
				return fmt.Errorf("watch: %w", ErrLost)
			}
			if err := f(e); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

const sealKey = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

// openBook makes a Book with a role "lender" and a principal "root" of the config, and runs it for the test's time.
func openBook(t *testing.T, kv KV) *Book {
	t.Helper()
	s, err := NewSealer(sealKey)
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewBook(BookOptions{
		KV: kv, Sealer: s, Regions: map[job.Region]job.Limits{"local": {}},
		Principals: []Principal{{AccessKey: "root", SecretKey: "s", Account: owner, Policy: FullAccess()}},
		Roles: []Role{{
			Account: owner, Name: "lender", Credentials: map[job.Region]Provider{
				AnyRegion: func(context.Context) (Keys, error) { return Keys{AccessKey: "lent", SecretKey: "x"}, nil },
			},
			Policy: mustPolicy(t, `{"version":"2.0","statement":[{"effect":"allow","action":"*","resource":"*"},
				{"effect":"deny","action":"cos:*","resource":"qcs::cos:::vault/*"}]}`),
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- b.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	<-b.Ready()
	return b
}

func TestPrincipalsAreMadeAndUnmade(t *testing.T) {
	t.Parallel()
	kv := newMemory()
	m := NewAdmin(openBook(t, kv), nil)
	root := job.Caller{Account: owner, Principal: "root"}
	p, err := m.CreatePrincipal(t.Context(), root, "for ci", mustPolicy(t, allow("cos:DescribeJob", "*")))
	if err != nil {
		t.Fatal(err)
	}
	if found, ok := m.book.Principal(p.AccessKey); !ok || found.SecretKey != p.SecretKey || found.Account != owner {
		t.Fatalf("the new principal is not found as it was made: %v", found)
	}
	for key, e := range kv.entries {
		if bytes.Contains(e.Value, []byte(p.SecretKey)) {
			t.Errorf("the secret lies open in record %s", key)
		}
	}
	list, err := m.ListPrincipals(t.Context(), root)
	if err != nil || len(list) != 2 || list[0].SecretKey != "" || list[1].SecretKey != "" {
		t.Errorf("listing: %v, %v; want two without secrets", list, err)
	}
	rotated, err := m.RotatePrincipal(t.Context(), root, p.AccessKey)
	if err != nil || rotated.SecretKey == p.SecretKey {
		t.Errorf("rotating: %v", err)
	}
	if found, _ := m.book.Principal(p.AccessKey); found.SecretKey != rotated.SecretKey {
		t.Error("the old secret is still good")
	}
	if _, err := m.SetDisabled(t.Context(), root, p.AccessKey, true); err != nil {
		t.Fatal(err)
	}
	if _, ok := m.book.Principal(p.AccessKey); ok {
		t.Error("a disabled principal is found")
	}
	if err := m.Allow(job.Caller{Account: owner, Principal: p.AccessKey}, DescribeJob, JobOf(owner, "", "")); job.CodeOf(err) != job.AccessDenied {
		t.Errorf("a disabled principal may: %v", err)
	}
	if _, err := m.SetDisabled(t.Context(), root, "root", true); job.CodeOf(err) != job.Conflict {
		t.Errorf("a principal of the config was disabled: %v", err)
	}
	// What was stored is there again after a restart.
	again := openBook(t, kv)
	if list := again.Principals(owner); len(list) != 2 || !(list[0].Disabled || list[1].Disabled) {
		t.Errorf("after a restart: %v", list)
	}
}

func TestWhatIsLostIsWrittenAgain(t *testing.T) {
	t.Parallel()
	kv := newMemory()
	m := NewAdmin(openBook(t, kv), nil)
	root := job.Caller{Account: owner, Principal: "root"}
	p, err := m.CreatePrincipal(t.Context(), root, "for ci", mustPolicy(t, allow("cos:DescribeJob", "*")))
	if err != nil {
		t.Fatal(err)
	}
	gone := Role{Name: "gone", Sources: map[job.Region]Source{AnyRegion: {From: "lender"}}}
	if _, err := m.CreateRole(t.Context(), root, gone); err != nil {
		t.Fatal(err)
	}
	if err := m.DeleteRole(t.Context(), root, gone.Name); err != nil {
		t.Fatal(err)
	}
	kv.lose()
	// A write after the loss is seen once the loss has been mended.
	if _, err := m.CreateRole(t.Context(), root, Role{Name: "late", Sources: map[job.Region]Source{AnyRegion: {From: "lender"}}}); err != nil {
		t.Fatal(err)
	}
	again := openBook(t, kv)
	if found, ok := again.Principal(p.AccessKey); !ok || found.SecretKey != p.SecretKey {
		t.Error("the principal is gone, or its secret is another")
	}
	if _, err := again.Role(owner, job.Role{Account: owner.UIN, Name: gone.Name}); job.CodeOf(err) != job.AccessDenied {
		t.Errorf("a deleted role is there again: %v", err)
	}
}

func TestRolesAreMadeAndUnmade(t *testing.T) {
	t.Parallel()
	kv := newMemory()
	m := NewAdmin(openBook(t, kv), nil)
	root := job.Caller{Account: owner, Principal: "root"}
	read := mustPolicy(t, allow("cos:GetObject", "*"))
	for name, c := range map[string]struct {
		source Source
		want   string
	}{
		"own":      {Source{Keys: Keys{AccessKey: "ak", SecretKey: "hidden-secret", SessionToken: "hidden-token"}}, "ak"},
		"borrowed": {Source{From: "lender"}, "lent"},
	} {
		r, err := m.CreateRole(t.Context(), root, Role{Name: name, Policy: read, Sources: map[job.Region]Source{AnyRegion: c.source}})
		if err != nil {
			t.Fatal(err)
		}
		for _, arn := range []string{r.QCS(), r.ARN()} {
			found, err := m.book.Role(owner, job.Role{ARN: arn, Account: owner.UIN, Name: name})
			if err != nil || found != r {
				t.Errorf("%s: %v", arn, err)
			}
		}
		p, _ := r.Provider("anywhere")
		if k, err := p(t.Context()); err != nil || k.AccessKey != c.want {
			t.Errorf("%s: keys %v, %v", name, k, err)
		}
		if _, err := m.CreateRole(t.Context(), root, Role{Name: name, Sources: r.Sources}); job.CodeOf(err) != job.Conflict {
			t.Errorf("a second %s: %v", name, err)
		}
	}
	for key, e := range kv.entries {
		if bytes.Contains(e.Value, []byte("hidden")) {
			t.Errorf("a secret lies open in record %s", key)
		}
	}
	other := job.Account{UIN: "100000000002"}
	if _, err := m.book.Role(other, job.Role{Account: owner.UIN, Name: "own"}); job.CodeOf(err) != job.AccessDenied {
		t.Errorf("another account has the role: %v", err)
	}
	if err := m.DeleteRole(t.Context(), root, "lender"); job.CodeOf(err) != job.Conflict {
		t.Errorf("a role of the config was deleted: %v", err)
	}
	if err := m.DeleteRole(t.Context(), root, "own"); err != nil {
		t.Fatal(err)
	}
	if _, err := m.Role(t.Context(), root, "own"); job.CodeOf(err) != job.AccessDenied {
		t.Errorf("the role is still there: %v", err)
	}
	if roles, err := m.ListRoles(t.Context(), root); err != nil || len(roles) != 2 {
		t.Errorf("roles: %v, %v", roles, err)
	}
}

func TestWithoutTheRightNothingIsChanged(t *testing.T) {
	t.Parallel()
	m := NewAdmin(openBook(t, newMemory()), nil)
	root := job.Caller{Account: owner, Principal: "root"}
	p, err := m.CreatePrincipal(t.Context(), root, "", mustPolicy(t, `{"version":"2.0","statement":[
		{"effect":"allow","action":["cos:CreateJob","cam:CreateRole"],"resource":"*"},
		{"effect":"allow","action":"iam:PassRole","resource":"arn:aws:iam::100000000001:role/mine"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	c := job.Caller{Account: owner, Principal: p.AccessKey}
	denied := func(name string, err error, action string) {
		t.Helper()
		if job.CodeOf(err) != job.AccessDenied || !strings.Contains(err.Error(), action) {
			t.Errorf("%s: got %v, want AccessDenied about %s", name, err, action)
		}
	}
	_, err = m.ListRoles(t.Context(), c)
	denied("ListRoles", err, "cam:ListRoles")
	denied("DeleteRole", m.DeleteRole(t.Context(), c, "lender"), "cam:DeleteRole")
	_, err = m.CreatePrincipal(t.Context(), c, "", FullAccess())
	denied("CreatePrincipal", err, "cam:CreateAccessKey")
	_, err = m.CreateRole(t.Context(), c, Role{Name: "x", Sources: map[job.Region]Source{AnyRegion: {From: "lender"}}})
	denied("CreateRole with another's credentials", err, "cam:PassRole")
	denied("MayCreate as lender", m.MayCreate(c, "local", job.Role{Account: owner.UIN, Name: "lender"}), "cam:PassRole")
	if err := m.MayCreate(c, "local", job.Role{Account: owner.UIN, Name: "mine"}); err != nil {
		t.Errorf("MayCreate as mine: %v", err)
	}
}

func TestSealedTextsOpenOnlyWhereTheyBelong(t *testing.T) {
	t.Parallel()
	s, err := NewSealer(sealKey)
	if err != nil {
		t.Fatal(err)
	}
	text := s.Seal("secret", "role.a")
	if got, err := s.Open(text, "role.a"); err != nil || got != "secret" {
		t.Errorf("got %q, %v", got, err)
	}
	other, err := NewSealer("/////////////////////////////////////////w8=")
	if err == nil {
		_, err = other.Open(text, "role.a")
	}
	if err == nil {
		t.Error("another key opens it")
	}
	for _, c := range [][2]string{{text, "role.b"}, {text[:len(text)-4] + "AAA=", "role.a"}, {"", "role.a"}, {"v1:", "role.a"}} {
		if got, err := s.Open(c[0], c[1]); err == nil {
			t.Errorf("Open(%q, %q) = %q", c[0], c[1], got)
		}
	}
	for _, key := range []string{"", "abc", sealKey + "00"} {
		if _, err := NewSealer(key); err == nil {
			t.Errorf("a key of %d characters is taken", len(key))
		}
	}
}

func TestARoleWithBorrowedKeysMayDoNoMoreThanItsLender(t *testing.T) {
	t.Parallel()
	m := NewAdmin(openBook(t, newMemory()), nil)
	root := job.Caller{Account: owner, Principal: "root"}
	for name, source := range map[string]Source{"own": {Keys: Keys{AccessKey: "ak", SecretKey: "s"}}, "borrowed": {From: "lender"}} {
		r, err := m.CreateRole(t.Context(), root, Role{Name: name, Policy: FullAccess(), Sources: map[job.Region]Source{AnyRegion: source}})
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Check(GetObject, Object(owner, "local", "photos", "k", "")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		err = r.Check(GetObject, Object(owner, "local", "vault", "k", ""))
		if (err != nil) != (name == "borrowed") || err != nil && !strings.Contains(err.Error(), "lends borrowed") {
			t.Errorf("%s in the vault: %v", name, err)
		}
	}
}
