package console

import (
	"net/http"
	"net/url"
	"slices"

	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/job"
)

// policyTemplates are what most principals are for.
var policyTemplates = map[string]string{
	"all": `{"version":"2.0","statement":[{"effect":"allow","action":"*","resource":"*"}]}`,
	"jobs": `{"version":"2.0","statement":[{"effect":"allow","action":["name/cos:CreateJob","name/cos:DescribeJob","name/cos:ListJobs",` +
		`"name/cos:UpdateJobPriority","name/cos:UpdateJobStatus","name/cos:DeleteJob","name/cos:GetJobTagging","name/cos:PutJobTagging","name/cam:PassRole"],"resource":"*"}]}`,
	"look": `{"version":"2.0","statement":[{"effect":"allow","action":["name/cos:DescribeJob","name/cos:ListJobs","name/cos:GetJobTagging"],"resource":"*"}]}`,
}

type principalForm struct {
	description, template, policy string
	errs                          map[string]string
}

func (s *server) newPrincipalPage(c *call) error {
	if s.o.Access == nil {
		return errNoSuchPage
	}
	s.renderPrincipalForm(c, http.StatusOK, principalForm{template: "jobs", policy: indented(policyTemplates["look"])})
	return nil
}

func (s *server) renderPrincipalForm(c *call, status int, f principalForm) {
	l := c.lang
	p := accessForm{
		frame: s.frame(c, l.t("Create a principal"), menuAccess), Action: base + "/access/principals", Heading: l.t("Create a principal"), Button: l.t("Create principal"),
		Says:        l.t("A principal is a pair of keys of your account, for a person or a program. Its secret is shown once, on the next page."),
		Description: input{Name: "description", Label: l.t("What it is for (optional)"), Hint: l.t("At most 256 bytes."), Value: f.description, Type: "text"},
		Template: choice{Name: "template", Label: l.t("What it may do"), Options: pick(f.template,
			option{Value: "jobs", Text: l.t("Create and steer jobs"), Hint: l.t("All that concerns jobs, with every role of the account.")},
			option{Value: "look", Text: l.t("Look at jobs"), Hint: l.t("Lists and job pages only.")},
			option{Value: "all", Text: l.t("Everything"), Hint: l.t("Roles and principals too.")},
			option{Value: "own", Text: l.t("A policy of its own")})},
		Policy:  area{Name: "policy", Label: l.t("Policy"), Hint: l.t("In the grammar of CAM, or of IAM."), Error: f.errs["policy"], Value: f.policy, Rows: 14},
		Problem: f.errs[""],
	}
	p.Crumbs = s.accessCrumbs(c)
	s.render(c, status, "access-new", p)
}

// secretPage shows a secret, once.
type secretPage struct {
	frame
	Heading, AccessKey, SecretKey string
}

func (s *server) createPrincipal(c *call) error {
	if s.o.Access == nil {
		return errNoSuchPage
	}
	f := principalForm{
		description: c.PostFormValue("description"), template: c.PostFormValue("template"), policy: c.PostFormValue("policy"), errs: map[string]string{},
	}
	text, ok := policyTemplates[f.template]
	if !ok {
		text = f.policy
	}
	policy, err := access.ParsePolicy([]byte(text))
	if err != nil {
		f.errs["policy"] = job.MessageOf(err)
		s.renderPrincipalForm(c, http.StatusUnprocessableEntity, f)
		return nil
	}
	one, err := s.o.Access.CreatePrincipal(c.Context(), c.caller, f.description, policy)
	if err != nil {
		if status := statusOf(err); status >= http.StatusInternalServerError {
			return err
		}
		f.errs[""] = job.MessageOf(err)
		s.renderPrincipalForm(c, statusOf(err), f)
		return nil
	}
	s.showSecret(c, c.lang.t("The principal was created"), one)
	return nil
}

// showSecret answers a request that made a secret: no other page has it, and no cache keeps it.
func (s *server) showSecret(c *call, heading string, p access.Principal) {
	page := secretPage{frame: s.frame(c, heading, menuAccess), Heading: heading, AccessKey: p.AccessKey, SecretKey: p.SecretKey}
	page.Crumbs = s.accessCrumbs(c)
	s.render(c, http.StatusOK, "access-secret", page)
}

func (s *server) askPrincipal(c *call) error {
	if s.o.Access == nil {
		return errNoSuchPage
	}
	l, key := c.lang, c.PathValue("key")
	principals, err := s.o.Access.ListPrincipals(c.Context(), c.caller)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(principals, func(p access.Principal) bool { return p.AccessKey == key }) {
		return job.Errorf(job.InvalidArgument, "There is no principal %s in this account.", job.Quote(key))
	}
	p := askPage{Action: base + "/access/principals/" + url.PathEscape(key) + "/" + c.PathValue("action"), Name: visible(key), Danger: true}
	switch c.PathValue("action") {
	case "disable":
		p.Heading, p.Says = l.t("Disable the principal"), l.t("Its signatures are refused from now on, until it is enabled again. Its jobs go on.")
	case "enable":
		p.Heading, p.Says, p.Danger = l.t("Enable the principal"), l.t("Its signatures are good again."), false
	case "rotate":
		p.Heading, p.Says = l.t("Make a new secret"), l.t("The present secret is void at once: whatever signs with it is refused until it has the new one.")
	default:
		return errNoSuchPage
	}
	p.frame, p.Button = s.frame(c, p.Heading, menuAccess), p.Heading
	p.Crumbs = s.accessCrumbs(c)
	s.render(c, http.StatusOK, "access-ask", p)
	return nil
}

func (s *server) actOnPrincipal(c *call) error {
	if s.o.Access == nil {
		return errNoSuchPage
	}
	key, a := c.PathValue("key"), c.PathValue("action")
	switch a {
	case "rotate":
		p, err := s.o.Access.RotatePrincipal(c.Context(), c.caller, key)
		if err != nil {
			return err
		}
		s.showSecret(c, c.lang.t("The principal has a new secret"), p)
		return nil
	case "disable", "enable":
		if _, err := s.o.Access.SetDisabled(c.Context(), c.caller, key, a == "disable"); err != nil {
			return err
		}
		http.Redirect(c.w, c.Request, base+"/access?done=principal-"+a+"d", http.StatusSeeOther)
		return nil
	}
	return errNoSuchPage
}
