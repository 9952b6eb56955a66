package access

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/drover-batch/drover/internal/job"
)

// Errors of a KV; implementations wrap them.
var (
	ErrExists   = errors.New("record exists")
	ErrConflict = errors.New("record was changed by another")
	ErrLost     = errors.New("the records were lost and made again, empty")
)

// Entry is a stored record. Revisions grow with each write.
type Entry struct {
	Key     string
	Value   []byte
	Rev     uint64
	Deleted bool
}

// KV stores what was made at run time. Keys are letters, digits and dots.
type KV interface {
	Create(ctx context.Context, key string, v []byte) (rev uint64, err error)             // ErrExists
	Update(ctx context.Context, key string, v []byte, rev uint64) (now uint64, err error) // ErrConflict
	Delete(ctx context.Context, key string) error                                         // no error when absent
	// Watch calls f for each present record, then once with the zero Entry, then for each change, until ctx ends or f
	// fails, or with ErrLost when all records were lost.
	Watch(ctx context.Context, f func(Entry) error) error
}

// BookOptions set up a Book. The zero value is an empty one that nothing can be added to.
type BookOptions struct {
	Principals []Principal               // of the config
	Roles      []Role                    // of the config
	Regions    map[job.Region]job.Limits // of the config, with its limits on each process's calls
	KV         KV                        // nil = nothing is made at run time
	Sealer     *Sealer                   // nil = no secrets can be stored
	Now        func() time.Time
}

// Book knows all principals and roles: those of the config, which come first, and those made at run time; and the limits
// on the calls to regions that were set at run time. It is safe for concurrent use.
type Book struct {
	o     BookOptions
	ready chan struct{}

	mu         sync.RWMutex
	changed    chan struct{}     // closed and replaced with each record seen
	seen       uint64            // the highest revision seen
	stored     map[string][]byte // the records as they are, by key
	principals map[string]*principalEntry
	roles      map[roleID]*roleEntry
	regions    map[job.Region]regionEntry // those whose limits were set
}

type roleID struct{ uin, name string }

type principalEntry struct {
	p   Principal
	rev uint64 // 0 = of the config
}

type roleEntry struct {
	r   *Role
	rev uint64
}

// NewBook makes a Book of what the config says; Run adds the rest.
func NewBook(o BookOptions) (*Book, error) {
	if o.Now == nil {
		o.Now = func() time.Time { return time.Now().UTC() }
	}
	b := &Book{
		o: o, ready: make(chan struct{}), changed: make(chan struct{}),
		stored: map[string][]byte{}, principals: map[string]*principalEntry{}, roles: map[roleID]*roleEntry{}, regions: map[job.Region]regionEntry{},
	}
	for _, p := range o.Principals {
		if b.principals[p.AccessKey] != nil {
			return nil, fmt.Errorf("the access key of two principals is the same (%s)", p.AccessKey)
		}
		p.FromConfig = true
		b.principals[p.AccessKey] = &principalEntry{p: p}
	}
	for _, r := range o.Roles {
		id := roleID{r.Account.UIN, r.Name}
		if b.roles[id] != nil {
			return nil, fmt.Errorf("there are two roles %s", r.QCS())
		}
		r.FromConfig = true
		b.roles[id] = &roleEntry{r: &r}
	}
	return b, nil
}

// Ready is closed once all that was stored is known.
func (b *Book) Ready() <-chan struct{} { return b.ready }

// Run follows what is stored until ctx ends. What is lost is written again.
func (b *Book) Run(ctx context.Context) error {
	if b.o.KV == nil {
		close(b.ready)
		<-ctx.Done()
		return nil
	}
	seen := sync.OnceFunc(func() { close(b.ready) })
	var err error
	for err == nil {
		err = b.o.KV.Watch(ctx, func(e Entry) error {
			if e.Key == "" {
				seen()
				return nil
			}
			return b.apply(e)
		})
		if errors.Is(err, ErrLost) {
			err = b.restore(ctx)
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	return fmt.Errorf("follow the stored principals, roles and limits: %w", err)
}

// restore writes what is known again. Several processes may do so at once: the first to write a record wins.
func (b *Book) restore(ctx context.Context) error {
	b.mu.RLock()
	stored := maps.Clone(b.stored)
	b.mu.RUnlock()
	for key, v := range stored {
		if _, err := b.o.KV.Create(ctx, key, v); err != nil && !errors.Is(err, ErrExists) {
			return fmt.Errorf("write %s again, which was lost: %w", key, err)
		}
	}
	return nil
}

func (b *Book) apply(e Entry) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var err error
	switch kind, _, _ := strings.Cut(e.Key, "."); kind {
	case "principal":
		err = b.applyPrincipal(e)
	case "role":
		err = b.applyRole(e)
	case "region":
		err = b.applyRegion(e)
	}
	if b.stored[e.Key] = e.Value; e.Deleted {
		delete(b.stored, e.Key)
	}
	b.seen = max(b.seen, e.Rev)
	close(b.changed)
	b.changed = make(chan struct{})
	return err
}

// await waits until a write has been seen, so that who made it finds it.
func (b *Book) await(ctx context.Context, rev uint64) error {
	return b.awaitUntil(ctx, func() bool { return b.seen >= rev })
}

func (b *Book) awaitUntil(ctx context.Context, done func() bool) error {
	for {
		b.mu.RLock()
		ok, ch := done(), b.changed
		b.mu.RUnlock()
		if ok {
			return nil
		}
		select {
		case <-ch:
		case <-ctx.Done():
			return unavailable(context.Cause(ctx))
		}
	}
}

// Principal implements Directory: disabled principals are not found.
func (b *Book) Principal(accessKey string) (Principal, bool) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	e := b.principals[accessKey]
	if e == nil || e.p.Disabled {
		return Principal{}, false
	}
	return e.p, true
}

// Role finds the role that a job of an account names; both spellings of its name find the same one. AccessDenied when
// the account has no such role: those of other accounts are as good as absent.
func (b *Book) Role(a job.Account, r job.Role) (*Role, error) {
	if r.Account != a.UIN {
		return nil, noSuchRole(r)
	}
	b.mu.RLock()
	defer b.mu.RUnlock()
	e := b.roles[roleID{r.Account, r.Name}]
	if e == nil {
		return nil, noSuchRole(r)
	}
	return e.r, nil
}

func unavailable(err error) error {
	return &job.Error{Code: job.Unavailable, Message: "The store of principals, roles and limits does not answer. Try again in a few seconds.", Err: err}
}

// written turns what a KV answers into what callers see.
func written(err error, exists error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrExists):
		return exists
	case errors.Is(err, ErrConflict):
		return changedMeanwhile()
	}
	return unavailable(err)
}

func changedMeanwhile() error {
	return job.Errorf(job.Conflict, "Somebody else changed it at the same time: look at it again, and repeat.")
}

func (b *Book) kv() (KV, error) {
	if b.o.KV == nil {
		return nil, job.Errorf(job.InvalidRequest, "This server keeps no principals, roles or limits of its own: add them to its configuration.")
	}
	return b.o.KV, nil
}

func (b *Book) sealer() (*Sealer, error) {
	if b.o.Sealer == nil {
		return nil, job.Errorf(job.InvalidRequest, "This server has no key to encrypt secrets with: set engine.secrets_key in its configuration.")
	}
	return b.o.Sealer, nil
}

func principalKey(accessKey string) string {
	return "principal." + hex.EncodeToString([]byte(accessKey))
}

func roleKey(uin, name string) string {
	return "role." + hex.EncodeToString([]byte(uin)) + "." + hex.EncodeToString([]byte(name))
}
