package access

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/drover-batch/drover/internal/job"
)

// principalRecord is a Principal as stored.
type principalRecord struct {
	AccessKey   string
	Secret      string // sealed
	UIN, AppID  string
	Policy      Policy
	Description string
	Disabled    bool
	Created     time.Time
}

func (b *Book) applyPrincipal(e Entry) error {
	if e.Deleted {
		for key, p := range b.principals {
			if p.rev > 0 && principalKey(key) == e.Key {
				delete(b.principals, key)
			}
		}
		return nil
	}
	var rec principalRecord
	if err := json.Unmarshal(e.Value, &rec); err != nil {
		return fmt.Errorf("read the stored principal %s: %w", e.Key, err)
	}
	if old := b.principals[rec.AccessKey]; old != nil && old.rev == 0 || principalKey(rec.AccessKey) != e.Key {
		return nil // the config has taken its place
	}
	s, err := b.sealer()
	if err != nil {
		return fmt.Errorf("read the stored principal %s: %w", rec.AccessKey, err)
	}
	secret, err := s.Open(rec.Secret, e.Key)
	if err != nil {
		return fmt.Errorf("read the stored principal %s: %w", rec.AccessKey, err)
	}
	b.principals[rec.AccessKey] = &principalEntry{rev: e.Rev, p: Principal{
		AccessKey: rec.AccessKey, SecretKey: secret, Account: job.Account{UIN: rec.UIN, AppID: rec.AppID}, Policy: rec.Policy,
		Description: rec.Description, Disabled: rec.Disabled, Created: rec.Created,
	}}
	return nil
}

func (b *Book) seal(p Principal) ([]byte, error) {
	s, err := b.sealer()
	if err != nil {
		return nil, err
	}
	return json.Marshal(principalRecord{
		AccessKey: p.AccessKey, Secret: s.Seal(p.SecretKey, principalKey(p.AccessKey)), UIN: p.Account.UIN, AppID: p.Account.AppID,
		Policy: p.Policy, Description: p.Description, Disabled: p.Disabled, Created: p.Created,
	})
}

// Principals lists an account's principals by access key, without their secrets.
func (b *Book) Principals(a job.Account) []Principal {
	b.mu.RLock()
	defer b.mu.RUnlock()
	var out []Principal
	for _, e := range b.principals {
		if e.p.Account.UIN == a.UIN {
			p := e.p
			p.SecretKey = ""
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(x, y Principal) int { return strings.Compare(x.AccessKey, y.AccessKey) })
	return out
}

// CreatePrincipal makes a principal with a new pair of keys. The answer is the only one that holds the secret.
func (b *Book) CreatePrincipal(ctx context.Context, a job.Account, description string, policy Policy) (Principal, error) {
	kv, err := b.kv()
	if err != nil {
		return Principal{}, err
	}
	p := Principal{
		AccessKey: newAccessKey(), SecretKey: newSecret(), Account: a, Policy: policy,
		Description: job.CleanText(description, 256), Created: b.o.Now().Truncate(time.Second),
	}
	v, err := b.seal(p)
	if err != nil {
		return Principal{}, err
	}
	rev, err := kv.Create(ctx, principalKey(p.AccessKey), v)
	if err = written(err, job.Errorf(job.Conflict, "The access key is taken: try again.")); err != nil {
		return Principal{}, err
	}
	return p, b.await(ctx, rev)
}

// SetDisabled disables or enables a principal; from then on its signatures are refused, or good again.
func (b *Book) SetDisabled(ctx context.Context, a job.Account, accessKey string, disabled bool) (Principal, error) {
	p, err := b.changePrincipal(ctx, a, accessKey, func(p *Principal) { p.Disabled = disabled })
	p.SecretKey = ""
	return p, err
}

// RotatePrincipal gives a principal a new secret; the old one is void at once. The answer alone holds the new one.
func (b *Book) RotatePrincipal(ctx context.Context, a job.Account, accessKey string) (Principal, error) {
	return b.changePrincipal(ctx, a, accessKey, func(p *Principal) { p.SecretKey = newSecret() })
}

func (b *Book) changePrincipal(ctx context.Context, a job.Account, accessKey string, f func(*Principal)) (Principal, error) {
	kv, err := b.kv()
	if err != nil {
		return Principal{}, err
	}
	b.mu.RLock()
	e := b.principals[accessKey]
	b.mu.RUnlock()
	switch {
	case e == nil || e.p.Account.UIN != a.UIN:
		return Principal{}, job.Errorf(job.InvalidArgument, "There is no principal %s in this account.", job.Quote(accessKey))
	case e.rev == 0:
		return Principal{}, job.Errorf(job.Conflict, "The principal %s stands in the server's configuration: change it there.", job.Quote(accessKey))
	}
	p := e.p
	f(&p)
	v, err := b.seal(p)
	if err != nil {
		return Principal{}, err
	}
	rev, err := kv.Update(ctx, principalKey(accessKey), v, e.rev)
	if err := written(err, nil); err != nil {
		return Principal{}, err
	}
	return p, b.await(ctx, rev)
}
