package console

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/job"
)

// Access is the directory of roles, principals and limits of regions, as each caller's policy lets it be used: access.Admin. Safe for
// concurrent use.
type Access interface {
	ListRoles(ctx context.Context, c job.Caller) ([]*access.Role, error)
	Role(ctx context.Context, c job.Caller, name string) (*access.Role, error)
	CreateRole(ctx context.Context, c job.Caller, r access.Role) (*access.Role, error)
	DeleteRole(ctx context.Context, c job.Caller, name string) error
	// Passable are the roles that the caller may pass to a job, Lenders those of them whose keys a new role may take.
	Passable(ctx context.Context, c job.Caller) ([]*access.Role, error)
	Lenders(ctx context.Context, c job.Caller) ([]*access.Role, error)
	LeastPolicy(ctx context.Context, c job.Caller, s job.Spec, sources []job.Bucket) (access.Policy, error)

	ListPrincipals(ctx context.Context, c job.Caller) ([]access.Principal, error)
	CreatePrincipal(ctx context.Context, c job.Caller, description string, p access.Policy) (access.Principal, error)
	SetDisabled(ctx context.Context, c job.Caller, accessKey string, disabled bool) (access.Principal, error)
	RotatePrincipal(ctx context.Context, c job.Caller, accessKey string) (access.Principal, error)

	ListRegions(ctx context.Context, c job.Caller) ([]access.Region, error)
	SetRegionLimits(ctx context.Context, c job.Caller, name job.Region, l job.Limits) (access.Region, error)
	ClearRegionLimits(ctx context.Context, c job.Caller, name job.Region) (access.Region, error)
	// Allow is AccessDenied for what the caller's policy does not allow: what cannot be done is not offered.
	Allow(c job.Caller, a access.Action, on access.Resource) error
}

type accessPage struct {
	frame
	Roles             []roleView
	RolesProblem      string
	Principals        []principalView
	PrincipalsProblem string
}

type roleView struct {
	Name, ARN, Description string
	Keys                   []pair // region and where its keys come from
	Policy                 string
	FromConfig             bool
	Created                moment
	Passable               bool
	Delete                 string // URL
}

type principalView struct {
	Key, Description string
	Policy           string
	Status           badge
	FromConfig       bool
	Self             bool // the one who looks
	Created          moment
	Actions          []button
}

// access shows who may do what, as far as the caller may know.
func (s *server) access(c *call) error {
	if s.o.Access == nil {
		return errNoSuchPage
	}
	ctx, l, now := c.Context(), c.lang, s.o.Now()
	p := accessPage{frame: s.frame(c, l.t("Access"), menuAccess)}
	p.CLI = "drover role list\ndrover principal list"
	passable, err := s.roles(c)
	if err != nil {
		return err
	}
	roles, err := s.o.Access.ListRoles(ctx, c.caller)
	if err != nil && !s.shown(err, &p.RolesProblem) {
		return err
	}
	for _, r := range roles {
		v := roleView{
			Name: visible(r.Name), ARN: visible(r.QCS()), Description: visible(r.Description), Policy: indented(r.Policy.String()), FromConfig: r.FromConfig,
			Created: l.moment(r.Created, now), Passable: slices.ContainsFunc(passable, func(p job.Role) bool { return p.ARN == r.QCS() }),
		}
		for region := range r.Credentials {
			v.Keys = append(v.Keys, pair{Name: l.regionText(region), Value: l.keysFrom(r, region)})
		}
		slices.SortFunc(v.Keys, func(a, b pair) int { return strings.Compare(a.Name, b.Name) })
		if !r.FromConfig {
			v.Delete = roleURL(r.Name) + "/delete"
		}
		p.Roles = append(p.Roles, v)
	}
	principals, err := s.o.Access.ListPrincipals(ctx, c.caller)
	if err != nil && !s.shown(err, &p.PrincipalsProblem) {
		return err
	}
	for _, one := range principals {
		v := principalView{
			Key: visible(one.AccessKey), Description: visible(one.Description), Policy: indented(one.Policy.String()), FromConfig: one.FromConfig,
			Self: one.AccessKey == c.caller.Principal, Created: l.moment(one.Created, now), Status: badge{l.t("Enabled"), "check", "good"},
		}
		if one.Disabled {
			v.Status = badge{l.t("Disabled"), "stop", "gone"}
		}
		if !one.FromConfig {
			v.Actions = l.principalButtons(one)
		}
		p.Principals = append(p.Principals, v)
	}
	s.render(c, http.StatusOK, "access", p)
	return nil
}

// shown puts an error that is about the caller's rights, and not a failure, into a part of a page.
func (s *server) shown(err error, into *string) bool {
	*into = job.MessageOf(err)
	return job.CodeOf(err) == job.AccessDenied
}

func (l language) regionText(r job.Region) string {
	if r == access.AnyRegion {
		return l.t("all regions")
	}
	return string(r)
}

func (l language) keysFrom(r *access.Role, region job.Region) string {
	source, ok := r.Sources[region]
	switch {
	case !ok:
		return l.t("keys of the server's configuration")
	case source.From != "":
		return l.t("keys of the role %s", visible(source.From))
	}
	return l.t("keys of its own (%s)", visible(source.Keys.AccessKey))
}

func (l language) principalButtons(p access.Principal) []button {
	at := base + "/access/principals/" + url.PathEscape(p.AccessKey)
	disable := button{Action: "disable", Text: l.t("Disable"), Icon: "stop", URL: at + "/disable", Allowed: true, Danger: true}
	if p.Disabled {
		disable = button{Action: "enable", Text: l.t("Enable"), Icon: "check", URL: at + "/enable", Allowed: true}
	}
	return []button{disable, {Action: "rotate", Text: l.t("New secret"), Icon: "again", URL: at + "/rotate", Allowed: true}}
}

func roleURL(name string) string { return base + "/access/roles/" + url.PathEscape(name) }

// listOfStrings is a list of strings over several lines, as json.Indent writes it.
var listOfStrings = regexp.MustCompile(`\[\s*(?:"(?:[^"\\]|\\.)*",?\s*)+\]`)

// betweenStrings are the breaks in such a list.
var betweenStrings = regexp.MustCompile(`\n\s*`)

// indented lays JSON out for people, with short lists of strings on one line.
func indented(text string) string {
	var b bytes.Buffer
	if json.Indent(&b, []byte(text), "", "  ") != nil {
		return visible(text)
	}
	flat := listOfStrings.ReplaceAllStringFunc(b.String(), func(list string) string {
		one := betweenStrings.ReplaceAllString(list, " ")
		if one = strings.Replace(strings.Replace(one, "[ ", "[", 1), " ]", "]", 1); len(one) > 100 {
			return list
		}
		return one
	})
	lines := strings.Split(flat, "\n")
	for i, line := range lines {
		lines[i] = visible(line)
	}
	return strings.Join(lines, "\n")
}

// roles are those that the caller may pass to a job.
func (s *server) roles(c *call) ([]job.Role, error) { return s.o.Roles(c.Context(), c.caller) }

// accessForm is the page of a new role or principal.
type accessForm struct {
	frame
	Action      string // URL
	Heading     string
	Says        string
	Name        input // of a role
	Description input
	Role        *newRole
	Template    choice // of a principal's policy
	Policy      area
	Problem     string
	Button      string
}

// area is a field of many lines.
type area struct {
	Name, Label, Hint, Error, Value string
	Rows                            int
}

func (s *server) newRolePage(c *call) error {
	if s.o.Access == nil {
		return errNoSuchPage
	}
	policy := `{"version":"2.0","statement":[{"effect":"allow","action":["name/cos:GetObject"],"resource":["qcs::cos:*:uid/` + c.caller.Account.AppID + `:BUCKET/*"]}]}`
	return s.renderRoleForm(c, http.StatusOK, roleForm{name: "", policy: indented(policy)})
}

func (s *server) renderRoleForm(c *call, status int, f roleForm) error {
	l := c.lang
	n, err := s.newRole(c, f)
	if err != nil {
		return err
	}
	p := accessForm{
		frame: s.frame(c, l.t("Create a role"), menuAccess), Action: base + "/access/roles", Heading: l.t("Create a role"), Role: n, Button: l.t("Create role"),
		Says: l.t("A job reads, writes and reports with the rights of its role. Give it no more than its jobs need."),
	}
	p.Crumbs = s.accessCrumbs(c)
	s.render(c, status, "access-new", p)
	return nil
}

func (s *server) accessCrumbs(c *call) []link {
	return []link{{Text: c.lang.t("Access"), URL: base + "/access"}}
}

func (s *server) createRole(c *call) error {
	if s.o.Access == nil {
		return errNoSuchPage
	}
	f := roleFormOf(c.PostForm)
	if _, err := s.makeRole(c, &f); err != nil {
		return err
	}
	if len(f.errs) > 0 {
		return s.renderRoleForm(c, http.StatusUnprocessableEntity, f)
	}
	http.Redirect(c.w, c.Request, base+"/access?done=role", http.StatusSeeOther)
	return nil
}

// askPage asks once more before something that cannot be taken back.
type askPage struct {
	frame
	Action, Heading, Says, Name, Button string
	Danger                              bool
}

func (s *server) askDeleteRole(c *call) error {
	if s.o.Access == nil {
		return errNoSuchPage
	}
	r, err := s.o.Access.Role(c.Context(), c.caller, c.PathValue("name"))
	if err != nil {
		return err
	}
	p := askPage{
		frame: s.frame(c, c.lang.t("Delete the role"), menuAccess), Action: roleURL(r.Name) + "/delete", Heading: c.lang.t("Delete the role"), Name: visible(r.Name),
		Says: c.lang.t("Jobs that run with it fail with AccessDenied from now on."), Button: c.lang.t("Delete the role"), Danger: true,
	}
	p.Crumbs = s.accessCrumbs(c)
	s.render(c, http.StatusOK, "access-ask", p)
	return nil
}

func (s *server) deleteRole(c *call) error {
	if s.o.Access == nil {
		return errNoSuchPage
	}
	if err := s.o.Access.DeleteRole(c.Context(), c.caller, c.PathValue("name")); err != nil {
		return err
	}
	http.Redirect(c.w, c.Request, base+"/access?done=role-deleted", http.StatusSeeOther)
	return nil
}
