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

// roleRecord is a Role as stored.
type roleRecord struct {
	UIN, AppID  string
	Name        string
	Description string
	Policy      Policy
	Sources     map[job.Region]sourceRecord
	Created     time.Time
}

type sourceRecord struct {
	From      string `json:",omitempty"`
	AccessKey string `json:",omitempty"`
	Secret    string `json:",omitempty"` // sealed
	Token     string `json:",omitempty"` // sealed
}

func (b *Book) applyRole(e Entry) error {
	if e.Deleted {
		for id, r := range b.roles {
			if r.rev > 0 && roleKey(id.uin, id.name) == e.Key {
				delete(b.roles, id)
			}
		}
		return nil
	}
	var rec roleRecord
	if err := json.Unmarshal(e.Value, &rec); err != nil {
		return fmt.Errorf("read the stored role %s: %w", e.Key, err)
	}
	id := roleID{rec.UIN, rec.Name}
	if old := b.roles[id]; old != nil && old.rev == 0 || roleKey(rec.UIN, rec.Name) != e.Key {
		return nil // the config has taken its place
	}
	r := &Role{
		Account: job.Account{UIN: rec.UIN, AppID: rec.AppID}, Name: rec.Name, Description: rec.Description, Policy: rec.Policy,
		Created: rec.Created, Credentials: map[job.Region]Provider{}, Sources: map[job.Region]Source{},
	}
	r.lender = func(name string) (*Role, error) { return b.lender(r.Account, name) }
	for region, s := range rec.Sources {
		source, err := b.open(e.Key, region, s)
		if err != nil {
			return fmt.Errorf("read the stored role %s: %w", r.QCS(), err)
		}
		r.Sources[region] = source
		r.Credentials[region] = b.provider(r, region, source)
	}
	b.roles[id] = &roleEntry{r, e.Rev}
	return nil
}

func (b *Book) open(key string, region job.Region, s sourceRecord) (Source, error) {
	source := Source{From: s.From, Keys: Keys{AccessKey: s.AccessKey}}
	for _, f := range []struct{ to, from *string }{{&source.Keys.SecretKey, &s.Secret}, {&source.Keys.SessionToken, &s.Token}} {
		if *f.from == "" {
			continue
		}
		sealer, err := b.sealer()
		if err == nil {
			*f.to, err = sealer.Open(*f.from, key+"."+string(region))
		}
		if err != nil {
			return Source{}, err
		}
	}
	return source, nil
}

// provider gives a stored role's keys: its own, or those that the config gives another role, found anew each time.
func (b *Book) provider(r *Role, region job.Region, s Source) Provider {
	if s.From == "" {
		return func(context.Context) (Keys, error) { return s.Keys, nil }
	}
	return func(ctx context.Context) (Keys, error) {
		from, err := b.lender(r.Account, s.From)
		if err != nil {
			return Keys{}, err
		}
		p, ok := from.Provider(region)
		if !ok {
			return Keys{}, job.Errorf(job.AccessDenied, "The role %s has no credentials for region %s.", s.From, region)
		}
		return p(ctx)
	}
}

// lender is a role of the config that others may take their keys from.
func (b *Book) lender(a job.Account, name string) (*Role, error) {
	from, err := b.Role(a, job.Role{ARN: name, Account: a.UIN, Name: name})
	if err != nil {
		return nil, err
	}
	if !from.FromConfig {
		return nil, job.Errorf(job.InvalidRequest, "The role %s is none of the server's configuration: only those lend their credentials.", job.Quote(name))
	}
	return from, nil
}

// Roles lists an account's roles by name.
func (b *Book) Roles(a job.Account) []*Role {
	b.mu.RLock()
	defer b.mu.RUnlock()
	var out []*Role
	for id, e := range b.roles {
		if id.uin == a.UIN {
			out = append(out, e.r)
		}
	}
	slices.SortFunc(out, func(x, y *Role) int { return strings.Compare(x.Name, y.Name) })
	return out
}

// CreateRole stores a role: its Account, Name, Description, Policy and Sources, a Source for at least one region or
// AnyRegion. Conflict when the account has a role of that name.
func (b *Book) CreateRole(ctx context.Context, r Role) (*Role, error) {
	kv, err := b.kv()
	if err != nil {
		return nil, err
	}
	if err := CheckName(r.Name); err != nil {
		return nil, err
	}
	if len(r.Sources) == 0 {
		return nil, job.FieldErrorf("credentials", "are missing; give the role keys of its own, or name a role of the configuration to take them from.")
	}
	taken := job.Errorf(job.Conflict, "The account has a role %s already: delete that one, or take another name.", job.Quote(r.Name))
	if _, err := b.Role(r.Account, job.Role{Account: r.Account.UIN, Name: r.Name}); err == nil {
		return nil, taken
	}
	key := roleKey(r.Account.UIN, r.Name)
	rec := roleRecord{
		UIN: r.Account.UIN, AppID: r.Account.AppID, Name: r.Name, Description: job.CleanText(r.Description, 256), Policy: r.Policy,
		Sources: map[job.Region]sourceRecord{}, Created: b.o.Now().Truncate(time.Second),
	}
	for region, s := range r.Sources {
		if rec.Sources[region], err = b.sealSource(r.Account, key, region, s); err != nil {
			return nil, err
		}
	}
	v, err := json.Marshal(rec)
	if err != nil {
		return nil, err
	}
	rev, err := kv.Create(ctx, key, v)
	if err := written(err, taken); err != nil {
		return nil, err
	}
	if err := b.await(ctx, rev); err != nil {
		return nil, err
	}
	return b.Role(r.Account, job.Role{ARN: r.QCS(), Account: r.Account.UIN, Name: r.Name})
}

func (b *Book) sealSource(a job.Account, key string, region job.Region, s Source) (sourceRecord, error) {
	if s.From != "" {
		if s.Keys != (Keys{}) {
			return sourceRecord{}, job.FieldErrorf("credentials", "give either keys or a role to take them from, not both.")
		}
		_, err := b.lender(a, s.From)
		return sourceRecord{From: s.From}, err
	}
	if s.Keys.AccessKey == "" || s.Keys.SecretKey == "" {
		return sourceRecord{}, job.FieldErrorf("credentials", "an access key or its secret is missing for region %s.", job.Quote(string(region)))
	}
	sealer, err := b.sealer()
	if err != nil {
		return sourceRecord{}, err
	}
	rec := sourceRecord{AccessKey: s.Keys.AccessKey, Secret: sealer.Seal(s.Keys.SecretKey, key+"."+string(region))}
	if s.Keys.SessionToken != "" {
		rec.Token = sealer.Seal(s.Keys.SessionToken, key+"."+string(region))
	}
	return rec, nil
}

// DeleteRole removes a role. Its jobs' further calls fail with AccessDenied.
func (b *Book) DeleteRole(ctx context.Context, a job.Account, name string) error {
	kv, err := b.kv()
	if err != nil {
		return err
	}
	r, err := b.Role(a, job.Role{ARN: name, Account: a.UIN, Name: name})
	if err != nil {
		return err
	}
	if r.FromConfig {
		return job.Errorf(job.Conflict, "The role %s stands in the server's configuration: take it out there.", job.Quote(name))
	}
	if err := kv.Delete(ctx, roleKey(a.UIN, name)); err != nil {
		return unavailable(err)
	}
	return b.awaitUntil(ctx, func() bool { return b.roles[roleID{a.UIN, name}] == nil || b.roles[roleID{a.UIN, name}].r != r })
}
