package admin

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/job"
)

// Role is a role as it is asked for and answered. Secrets are never answered.
type Role struct {
	Name        string                `json:"name"`
	ARN         string                `json:"arn,omitempty"` // answers only, as is all down to Created
	IAMARN      string                `json:"iamArn,omitempty"`
	FromConfig  bool                  `json:"fromConfig,omitempty"`
	Created     *time.Time            `json:"created,omitempty"`
	Description string                `json:"description,omitempty"`
	Credentials map[string]Credential `json:"credentials,omitempty"` // by region; "*" stands for all others
	Policy      json.RawMessage       `json:"policy"`
}

// Credential says where a role's keys are from: a role of the server's configuration, or given here.
type Credential struct {
	From         string `json:"from,omitempty"`
	AccessKey    string `json:"accessKey,omitempty"`
	SecretKey    string `json:"secretKey,omitempty"`
	SessionToken string `json:"sessionToken,omitempty"`
}

// Principal is a principal as it is asked for and answered. SecretKey stands only in the answers to create and rotate.
type Principal struct {
	AccessKey   string          `json:"accessKey,omitempty"`
	SecretKey   string          `json:"secretKey,omitempty"`
	UIN         string          `json:"uin,omitempty"`
	AppID       string          `json:"appid,omitempty"`
	Description string          `json:"description,omitempty"`
	Disabled    bool            `json:"disabled,omitempty"`
	FromConfig  bool            `json:"fromConfig,omitempty"`
	Created     *time.Time      `json:"created,omitempty"`
	Policy      json.RawMessage `json:"policy"`
}

// Roles and Principals are the answers to listings.
type (
	Roles struct {
		Roles []Role `json:"roles"`
	}
	Principals struct {
		Principals []Principal `json:"principals"`
	}
)

func fromRole(r *access.Role) Role {
	out := Role{
		Name: r.Name, ARN: r.QCS(), IAMARN: r.ARN(), FromConfig: r.FromConfig, Created: when(r.Created), Description: r.Description,
		Policy: json.RawMessage(r.Policy.String()), Credentials: map[string]Credential{},
	}
	for region := range r.Credentials {
		s := r.Sources[region]
		out.Credentials[string(region)] = Credential{From: s.From, AccessKey: s.Keys.AccessKey}
	}
	return out
}

func when(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func fromPrincipal(p access.Principal) Principal {
	return Principal{
		AccessKey: p.AccessKey, SecretKey: p.SecretKey, UIN: p.Account.UIN, AppID: p.Account.AppID, Description: p.Description,
		Disabled: p.Disabled, FromConfig: p.FromConfig, Created: when(p.Created), Policy: json.RawMessage(p.Policy.String()),
	}
}

func (s *server) listRoles(c call) (int, any, error) {
	roles, err := s.admin.ListRoles(c.Context(), c.caller)
	out := Roles{[]Role{}}
	for _, r := range roles {
		out.Roles = append(out.Roles, fromRole(r))
	}
	return http.StatusOK, out, err
}

func (s *server) getRole(c call) (int, any, error) {
	r, err := s.admin.Role(c.Context(), c.caller, c.PathValue("name"))
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, fromRole(r), nil
}

func (s *server) createRole(c call) (int, any, error) {
	var in Role
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	policy, err := access.ParsePolicy(in.Policy)
	if err != nil {
		return 0, nil, err
	}
	role := access.Role{Name: in.Name, Description: in.Description, Policy: policy, Sources: map[job.Region]access.Source{}}
	for region, k := range in.Credentials {
		role.Sources[job.Region(region)] = access.Source{
			From: k.From, Keys: access.Keys{AccessKey: k.AccessKey, SecretKey: k.SecretKey, SessionToken: k.SessionToken},
		}
	}
	r, err := s.admin.CreateRole(c.Context(), c.caller, role)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusCreated, fromRole(r), nil
}

func (s *server) deleteRole(c call) (int, any, error) {
	return http.StatusNoContent, nil, s.admin.DeleteRole(c.Context(), c.caller, c.PathValue("name"))
}

func (s *server) listPrincipals(c call) (int, any, error) {
	ps, err := s.admin.ListPrincipals(c.Context(), c.caller)
	out := Principals{[]Principal{}}
	for _, p := range ps {
		out.Principals = append(out.Principals, fromPrincipal(p))
	}
	return http.StatusOK, out, err
}

func (s *server) createPrincipal(c call) (int, any, error) {
	var in Principal
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	policy, err := access.ParsePolicy(in.Policy)
	if err != nil {
		return 0, nil, err
	}
	p, err := s.admin.CreatePrincipal(c.Context(), c.caller, in.Description, policy)
	return http.StatusCreated, fromPrincipal(p), err
}

func (s *server) disable(disabled bool) handler {
	return func(c call) (int, any, error) {
		p, err := s.admin.SetDisabled(c.Context(), c.caller, c.PathValue("id"), disabled)
		return http.StatusOK, fromPrincipal(p), err
	}
}

func (s *server) rotate(c call) (int, any, error) {
	p, err := s.admin.RotatePrincipal(c.Context(), c.caller, c.PathValue("id"))
	return http.StatusOK, fromPrincipal(p), err
}
