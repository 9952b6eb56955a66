package rest

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/drover-batch/drover/client"
	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/job"
)

// admin is for the calls that show and change principals, roles and the limits of regions.
func (s *server) admin(h handler) handler {
	if s.access == nil {
		return func(http.ResponseWriter, call) error {
			return job.Errorf(job.InvalidRequest, "This server keeps no principals, roles or limits of regions.")
		}
	}
	return h
}

func fromRole(r *access.Role) client.Role {
	out := client.Role{
		Name: r.Name, ARN: r.QCS(), IAMARN: r.ARN(), FromConfig: r.FromConfig, Created: when(r.Created), Description: r.Description,
		Policy: json.RawMessage(r.Policy.String()), Credentials: map[string]client.Credential{},
	}
	for region := range r.Credentials {
		source := r.Sources[region]
		out.Credentials[string(region)] = client.Credential{From: source.From, AccessKey: source.Keys.AccessKey}
	}
	return out
}

func when(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func fromPrincipal(p access.Principal) client.Principal {
	return client.Principal{
		AccessKey: p.AccessKey, SecretKey: p.SecretKey, UIN: p.Account.UIN, AppID: p.Account.AppID, Description: p.Description,
		Disabled: p.Disabled, FromConfig: p.FromConfig, Created: when(p.Created), Policy: json.RawMessage(p.Policy.String()),
	}
}

func (s *server) listRoles(w http.ResponseWriter, c call) error {
	roles, err := s.access.ListRoles(c.Context(), c.caller)
	if err != nil {
		return err
	}
	out := client.Roles{Roles: []client.Role{}}
	for _, r := range roles {
		out.Roles = append(out.Roles, fromRole(r))
	}
	return writeJSON(w, http.StatusOK, out)
}

func (s *server) getRole(w http.ResponseWriter, c call) error {
	r, err := s.access.Role(c.Context(), c.caller, c.PathValue("name"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, fromRole(r))
}

func (s *server) createRole(w http.ResponseWriter, c call) error {
	var in client.NewRole
	if err := decodeJSON(c.body, &in, false); err != nil {
		return err
	}
	policy, err := access.ParsePolicy(in.Policy)
	if err != nil {
		return err
	}
	role := access.Role{Name: in.Name, Description: in.Description, Policy: policy, Sources: map[job.Region]access.Source{}}
	for region, k := range in.Credentials {
		role.Sources[job.Region(region)] = access.Source{
			From: k.From, Keys: access.Keys{AccessKey: k.AccessKey, SecretKey: k.SecretKey, SessionToken: k.SessionToken},
		}
	}
	r, err := s.access.CreateRole(c.Context(), c.caller, role)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, fromRole(r))
}

func (s *server) deleteRole(w http.ResponseWriter, c call) error {
	if err := s.access.DeleteRole(c.Context(), c.caller, c.PathValue("name")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// leastPolicy answers what a role needs to do a job. Nothing is made of it.
func (s *server) leastPolicy(w http.ResponseWriter, c call) error {
	var in client.LeastPolicy
	if err := decodeJSON(c.body, &in, false); err != nil {
		return err
	}
	if in.Spec.Role == "" {
		in.Spec.Role = "any" // it is the role that is looked for
	}
	spec, err := toSpec(in.Spec, c.caller.Account)
	if err != nil {
		return err
	}
	sources := make([]job.Bucket, len(in.SourceBuckets))
	for i, b := range in.SourceBuckets {
		sources[i] = job.Bucket(b)
	}
	policy, err := s.access.LeastPolicy(c.Context(), c.caller, spec, sources)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, client.Policy{Policy: json.RawMessage(policy.String())})
}

func (s *server) listPrincipals(w http.ResponseWriter, c call) error {
	principals, err := s.access.ListPrincipals(c.Context(), c.caller)
	if err != nil {
		return err
	}
	out := client.Principals{Principals: []client.Principal{}}
	for _, p := range principals {
		out.Principals = append(out.Principals, fromPrincipal(p))
	}
	return writeJSON(w, http.StatusOK, out)
}

func (s *server) createPrincipal(w http.ResponseWriter, c call) error {
	var in client.NewPrincipal
	if err := decodeJSON(c.body, &in, false); err != nil {
		return err
	}
	policy, err := access.ParsePolicy(in.Policy)
	if err != nil {
		return err
	}
	p, err := s.access.CreatePrincipal(c.Context(), c.caller, in.Description, policy)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, fromPrincipal(p))
}

func (s *server) disable(disabled bool) handler {
	return func(w http.ResponseWriter, c call) error {
		p, err := s.access.SetDisabled(c.Context(), c.caller, c.PathValue("id"), disabled)
		if err != nil {
			return err
		}
		return writeJSON(w, http.StatusOK, fromPrincipal(p))
	}
}

func (s *server) rotate(w http.ResponseWriter, c call) error {
	p, err := s.access.RotatePrincipal(c.Context(), c.caller, c.PathValue("id"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, fromPrincipal(p))
}
