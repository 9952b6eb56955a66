package console

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/job"
)

// roleForm is what a person has typed of a new role. The keys are never sent back to a page.
type roleForm struct {
	name, description, from, policy string
	keys                            access.Keys
	errs                            map[string]string // by input
}

// ownKeys is the choice of keys that are typed in.
const ownKeys = "own"

func roleFormOf(v url.Values) roleForm {
	return roleForm{
		name: strings.TrimSpace(v.Get("role-name")), description: v.Get("role-description"), from: v.Get("role-from"), policy: v.Get("role-policy"),
		keys: access.Keys{
			AccessKey: strings.TrimSpace(v.Get("role-access-key")), SecretKey: strings.TrimSpace(v.Get("role-secret-key")), SessionToken: strings.TrimSpace(v.Get("role-token")),
		},
		errs: map[string]string{},
	}
}

// newRole are the fields of a new role, on its own page and in the wizard.
type newRole struct {
	Name, Description        input
	From                     choice
	AccessKey, Secret, Token input
	Policy                   area
	Problem                  string
	Open                     bool // in the wizard: it is being filled in
}

func (s *server) newRole(c *call, f roleForm) (*newRole, error) {
	l := c.lang
	lenders, err := s.o.Access.Lenders(c.Context(), c.caller)
	if err != nil {
		return nil, err
	}
	n := &newRole{
		Name:        input{Name: "role-name", Label: l.t("Name of the role"), Hint: l.t("1–64 letters, digits and + = , . @ _ -"), Value: f.name, Type: "text", Error: f.errs["role-name"]},
		Description: input{Name: "role-description", Label: l.t("What it is for (optional)"), Value: f.description, Type: "text"},
		From:        choice{Name: "role-from", Label: l.t("Keys for the store"), Hint: l.t("The role signs its calls to the store with them."), Error: f.errs["role-from"]},
		AccessKey:   input{Name: "role-access-key", Label: l.t("Access key"), Type: "text"},
		Secret:      input{Name: "role-secret-key", Label: l.t("Secret key"), Type: "password"},
		Token:       input{Name: "role-token", Label: l.t("Session token (of temporary keys only)"), Type: "password"},
		Policy: area{
			Name: "role-policy", Label: l.t("Policy"), Hint: l.t("In the grammar of CAM, or of IAM."), Value: f.policy, Rows: 16, Error: f.errs["role-policy"],
		},
		Problem: f.errs[""],
	}
	var all []option
	for _, r := range lenders {
		all = append(all, option{Value: r.Name, Text: l.t("Those of the role %s", visible(r.Name))})
	}
	all = append(all, option{Value: ownKeys + ":", Text: l.t("Keys of its own")})
	chosen := f.from
	if chosen == "" {
		chosen = all[0].Value
	}
	n.From.Options = pick(chosen, all...)
	return n, nil
}

// makeRole creates the role. What is wrong with the form stands in it; the error is another one.
func (s *server) makeRole(c *call, f *roleForm) (*access.Role, error) {
	if err := access.CheckName(f.name); err != nil {
		f.errs["role-name"] = strings.TrimPrefix(job.MessageOf(err), "name: ")
	}
	policy, err := access.ParsePolicy([]byte(f.policy))
	if err != nil {
		f.errs["role-policy"] = job.MessageOf(err)
	}
	if len(f.errs) > 0 {
		return nil, nil
	}
	source := access.Source{From: f.from}
	if f.from == ownKeys+":" {
		source = access.Source{Keys: f.keys}
	}
	r, err := s.o.Access.CreateRole(c.Context(), c.caller, access.Role{
		Name: f.name, Description: f.description, Policy: policy, Sources: map[job.Region]access.Source{access.AnyRegion: source},
	})
	e, ours := errors.AsType[*job.Error](err)
	switch {
	case err == nil:
		return r, nil
	case !ours || statusOf(err) >= http.StatusInternalServerError:
		return nil, err
	case e.Field == "credentials":
		f.errs["role-from"] = strings.TrimPrefix(e.Message, "credentials: ")
	case e.Code == job.Conflict:
		f.errs["role-name"] = e.Message
	default:
		f.errs[""] = e.Message
	}
	return nil, nil
}

// createRole makes a role out of the wizard's third step, and chooses it.
func (w *wizard) createRole() error {
	if w.s.o.Access == nil {
		return errNoSuchPage
	}
	f := roleFormOf(w.c.PostForm)
	w.role = &f
	r, err := w.s.makeRole(w.c, &f)
	if err != nil || r == nil {
		return err
	}
	w.role = nil
	w.f.Set("role", r.QCS())
	w.done = w.c.lang.t("The role %s was created and is chosen.", visible(r.Name))
	return nil
}

// leastRole is the form of a role with the least policy that the job needs, as far as its list is known.
func (w *wizard) leastRole() (roleForm, []job.Bucket, error) {
	spec, _ := w.f.spec(w.c.lang, w.c.caller.Account)
	f := roleForm{errs: map[string]string{}}
	if spec.Operation == nil {
		return f, nil, nil
	}
	sources := w.sources()
	policy, err := w.s.o.Access.LeastPolicy(w.c.Context(), w.c.caller, spec, sources)
	if err != nil {
		if statusOf(err) >= http.StatusInternalServerError {
			return f, nil, err
		}
		return f, sources, nil // the job is not whole yet: there is nothing to propose
	}
	f.policy = indented(policy.String())
	f.name = "batch-" + spec.Operation.Name()
	return f, sources, nil
}

// sources are the buckets that the first rows of the list name.
func (w *wizard) sources() []job.Bucket {
	if w.preview == nil && w.f.Get("preview-role") != "" && w.f.text("manifest-key") != "" {
		if p, err := w.s.look(w.c, w.f, w.f.Get("preview-role")); err == nil {
			w.preview = p
		}
	}
	if w.preview == nil {
		return nil
	}
	all := slices.Clone(w.preview.buckets)
	slices.Sort(all)
	return slices.Compact(all)
}
