package access

import (
	"context"
	"slices"

	"github.com/drover-batch/drover/internal/job"
)

// Authorizer asks callers' policies. It is safe for concurrent use.
type Authorizer struct{ directory Directory }

// NewAuthorizer makes an Authorizer of the principals of a Directory.
func NewAuthorizer(d Directory) *Authorizer { return &Authorizer{d} }

// Allow says whether a caller may do an action on a resource: AccessDenied that names both when not.
func (z *Authorizer) Allow(c job.Caller, a Action, on Resource) error {
	p, ok := z.directory.Principal(c.Principal)
	if !ok || p.Account.UIN != c.Account.UIN {
		return job.Errorf(job.AccessDenied, "The principal of the request is no more: sign with another.")
	}
	return p.Policy.Check("this access key", a, on)
}

// MayCreate says whether a caller may create a job that runs as a role: it needs cos:CreateJob, and cam:PassRole on the
// role.
func (z *Authorizer) MayCreate(c job.Caller, region job.Region, r job.Role) error {
	if err := z.Allow(c, CreateJob, JobOf(c.Account, region, "")); err != nil {
		return err
	}
	return z.Allow(c, PassRole, RoleOf(job.Account{UIN: r.Account}, r.Name))
}

// Policies knows what jobs need.
type Policies interface {
	// LeastPolicy gives the smallest policy with which a role can do a job, sources being the buckets that its manifest
	// names; none = any bucket of its region.
	LeastPolicy(s job.Spec, sources []job.Bucket) (Policy, error)
}

// Admin is the book as callers may use it: each sees and changes what its policy allows, within its account. It is what
// the JSON API, the command line and the console serve. Safe for concurrent use.
type Admin struct {
	book     *Book
	policies Policies
	*Authorizer
}

// NewAdmin makes an Admin of a book.
func NewAdmin(b *Book, p Policies) *Admin { return &Admin{b, p, NewAuthorizer(b)} }

// LeastPolicy gives the smallest policy with which a role of the caller's account can do a job, sources being the
// buckets that its manifest names; none = any bucket of its region. Of the spec, region, manifest, operation and report
// count. It needs no right: it tells nothing of the account.
func (m *Admin) LeastPolicy(_ context.Context, c job.Caller, s job.Spec, sources []job.Bucket) (Policy, error) {
	s.Account = c.Account
	return m.policies.LeastPolicy(s, sources)
}

// Lenders lists the roles whose credentials the caller may give to a new role: those of the configuration that it may
// pass.
func (m *Admin) Lenders(ctx context.Context, c job.Caller) ([]*Role, error) {
	all, err := m.Passable(ctx, c)
	return slices.DeleteFunc(all, func(r *Role) bool { return !r.FromConfig }), err
}

// Passable lists the roles of the account that the caller may pass to a job: those on which it has cam:PassRole.
func (m *Admin) Passable(_ context.Context, c job.Caller) ([]*Role, error) {
	all := m.book.Roles(c.Account)
	return slices.DeleteFunc(all, func(r *Role) bool {
		return m.Allow(c, PassRole, RoleOf(c.Account, r.Name)) != nil
	}), nil
}

// ListRoles lists the account's roles. It needs cam:ListRoles.
func (m *Admin) ListRoles(_ context.Context, c job.Caller) ([]*Role, error) {
	if err := m.Allow(c, ListRoles, AccountOf(c.Account)); err != nil {
		return nil, err
	}
	return m.book.Roles(c.Account), nil
}

// Role shows a role of the account by its name. It needs cam:GetRole.
func (m *Admin) Role(_ context.Context, c job.Caller, name string) (*Role, error) {
	if err := m.Allow(c, GetRole, RoleOf(c.Account, name)); err != nil {
		return nil, err
	}
	return m.book.Role(c.Account, job.Role{ARN: name, Account: c.Account.UIN, Name: name})
}

// CreateRole stores a role in the caller's account. It needs cam:CreateRole, and cam:PassRole on each role whose
// credentials it takes.
func (m *Admin) CreateRole(ctx context.Context, c job.Caller, r Role) (*Role, error) {
	r.Account = c.Account
	if err := m.Allow(c, CreateRole, RoleOf(c.Account, r.Name)); err != nil {
		return nil, err
	}
	for _, s := range r.Sources {
		if s.From == "" {
			continue
		}
		if err := m.Allow(c, PassRole, RoleOf(c.Account, s.From)); err != nil {
			return nil, err
		}
	}
	return m.book.CreateRole(ctx, r)
}

// DeleteRole removes a role of the account. It needs cam:DeleteRole.
func (m *Admin) DeleteRole(ctx context.Context, c job.Caller, name string) error {
	if err := m.Allow(c, DeleteRole, RoleOf(c.Account, name)); err != nil {
		return err
	}
	return m.book.DeleteRole(ctx, c.Account, name)
}

// ListPrincipals lists the account's principals, without secrets. It needs cam:ListAccessKeys.
func (m *Admin) ListPrincipals(_ context.Context, c job.Caller) ([]Principal, error) {
	if err := m.Allow(c, ListAccessKeys, AccountOf(c.Account)); err != nil {
		return nil, err
	}
	return m.book.Principals(c.Account), nil
}

// CreatePrincipal makes a principal of the caller's account; the answer has its secret. It needs cam:CreateAccessKey.
func (m *Admin) CreatePrincipal(ctx context.Context, c job.Caller, description string, p Policy) (Principal, error) {
	if err := m.Allow(c, CreateAccessKey, AccountOf(c.Account)); err != nil {
		return Principal{}, err
	}
	return m.book.CreatePrincipal(ctx, c.Account, description, p)
}

// SetDisabled disables or enables a principal of the account. It needs cam:UpdateAccessKey.
func (m *Admin) SetDisabled(ctx context.Context, c job.Caller, accessKey string, disabled bool) (Principal, error) {
	if err := m.Allow(c, UpdateAccessKey, AccountOf(c.Account)); err != nil {
		return Principal{}, err
	}
	return m.book.SetDisabled(ctx, c.Account, accessKey, disabled)
}

// RotatePrincipal gives a principal of the account a new secret, which the answer has. It needs cam:UpdateAccessKey.
func (m *Admin) RotatePrincipal(ctx context.Context, c job.Caller, accessKey string) (Principal, error) {
	if err := m.Allow(c, UpdateAccessKey, AccountOf(c.Account)); err != nil {
		return Principal{}, err
	}
	return m.book.RotatePrincipal(ctx, c.Account, accessKey)
}

// ListRegions lists the regions with their limits, whoever's they are. It needs cos:ListRegions on all of them.
func (m *Admin) ListRegions(_ context.Context, c job.Caller) ([]Region, error) {
	if err := m.Allow(c, ListRegions, RegionOf("")); err != nil {
		return nil, err
	}
	return m.book.Regions(), nil
}

// SetRegionLimits puts limits on all calls to a region, of all accounts. It needs cos:UpdateRegionLimits on it.
func (m *Admin) SetRegionLimits(ctx context.Context, c job.Caller, name job.Region, l job.Limits) (Region, error) {
	if err := m.Allow(c, UpdateRegionLimits, RegionOf(name)); err != nil {
		return Region{}, err
	}
	return m.book.SetRegionLimits(ctx, c, name, l)
}

// ClearRegionLimits puts the configuration's limits of a region in force again. It needs cos:UpdateRegionLimits on it.
func (m *Admin) ClearRegionLimits(ctx context.Context, c job.Caller, name job.Region) (Region, error) {
	if err := m.Allow(c, UpdateRegionLimits, RegionOf(name)); err != nil {
		return Region{}, err
	}
	return m.book.ClearRegionLimits(ctx, c, name)
}
