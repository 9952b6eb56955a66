package cli

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/drover-batch/drover/internal/api/admin"
	"github.com/drover-batch/drover/internal/config"
)

type roleCmd struct {
	Create roleCreateCmd `cmd:"" help:"Create a role that jobs can run as."`
	List   roleListCmd   `cmd:"" help:"List the account's roles."`
	Show   roleShowCmd   `cmd:"" help:"Show one role with its policy."`
	Delete roleDeleteCmd `cmd:"" help:"Delete a role; its jobs' further calls are refused."`
}

type roleCreateCmd struct {
	serverFlags
	Name         string `arg:"" help:"The role's name."`
	Policy       string `required:"" placeholder:"FILE|full-access" help:"What the role may do: a file with a policy in CAM's or IAM's grammar (JSON), or full-access."`
	Description  string `placeholder:"TEXT" help:"Description, at most 256 bytes."`
	Region       string `default:"*" placeholder:"REGION" help:"Region that the credentials are for; * for all."`
	From         string `placeholder:"ROLE" help:"Take the credentials of this role of the server's configuration."`
	AccessKey    string `placeholder:"KEY" help:"Access key of the role's own credentials."`
	SecretKey    string `placeholder:"env:NAME|file:PATH" help:"Secret of the role's own credentials, by reference."`
	SessionToken string `placeholder:"env:NAME|file:PATH" help:"Session token of temporary credentials, by reference."`
}

// Help says where the keys go.
func (c *roleCreateCmd) Help() string {
	return `The role's ARN is printed. Its credentials are those of another role of the configuration (--from), or its own, which the server
keeps encrypted. A policy allows nothing that it does not name.`
}

// Run creates the role.
func (c *roleCreateCmd) Run(ctx context.Context, sh *shell) error {
	if (c.From == "") == (c.AccessKey == "") || (c.AccessKey == "") != (c.SecretKey == "") {
		return usagef("", "give the role credentials: either --from ROLE, or --access-key and --secret-key")
	}
	policy, err := readPolicy(c.Policy)
	if err != nil {
		return err
	}
	k := admin.Credential{From: c.From, AccessKey: c.AccessKey}
	for _, f := range []struct {
		reference string
		to        *string
	}{{c.SecretKey, &k.SecretKey}, {c.SessionToken, &k.SessionToken}} {
		if f.reference == "" {
			continue
		}
		if *f.to, err = config.ReadSecret(f.reference, sh.Getenv); err != nil {
			return &problem{code: exitUsage, err: err}
		}
	}
	server, err := c.admin(sh)
	if err != nil {
		return err
	}
	var out admin.Role
	err = server.ask(ctx, http.MethodPost, "/roles", admin.Role{
		Name: c.Name, Description: c.Description, Policy: policy, Credentials: map[string]admin.Credential{c.Region: k},
	}, &out)
	if err != nil {
		return err
	}
	sh.printf("%s\n", out.ARN)
	return nil
}

type roleListCmd struct {
	serverFlags
	output
}

// Run lists roles.
func (c *roleListCmd) Run(ctx context.Context, sh *shell) error {
	server, err := c.admin(sh)
	if err != nil {
		return err
	}
	var out admin.Roles
	if err := server.ask(ctx, http.MethodGet, "/roles", nil, &out); err != nil {
		return err
	}
	if c.json() {
		return sh.json(out.Roles)
	}
	var rows [][]string
	for _, r := range out.Roles {
		rows = append(rows, []string{r.Name, r.ARN, madeBy(r.FromConfig), sh.foreign(r.Description)})
	}
	return sh.table([]string{"NAME", "ARN", "FROM", "DESCRIPTION"}, rows)
}

func madeBy(fromConfig bool) string {
	if fromConfig {
		return "config"
	}
	return "server"
}

type roleArg struct {
	serverFlags
	Name string `arg:"" help:"The role's name."`
}

func (a *roleArg) path() string { return "/roles/" + url.PathEscape(a.Name) }

type roleShowCmd struct {
	roleArg
	output
}

// Run shows a role.
func (c *roleShowCmd) Run(ctx context.Context, sh *shell) error {
	server, err := c.admin(sh)
	if err != nil {
		return err
	}
	var r admin.Role
	if err := server.ask(ctx, http.MethodGet, c.path(), nil, &r); err != nil {
		return err
	}
	if c.json() {
		return sh.json(r)
	}
	var regions []string
	for region := range r.Credentials {
		regions = append(regions, region)
	}
	slices.Sort(regions)
	return sh.table([]string{"FIELD", "VALUE"}, [][]string{
		{"name", r.Name},
		{"arn", r.ARN},
		{"iam arn", r.IAMARN},
		{"from", madeBy(r.FromConfig)},
		{"description", sh.foreign(r.Description)},
		{"regions", strings.Join(regions, " ")},
		{"policy", string(r.Policy)},
	})
}

type roleDeleteCmd struct{ roleArg }

// Run deletes a role.
func (c *roleDeleteCmd) Run(ctx context.Context, sh *shell) error {
	server, err := c.admin(sh)
	if err != nil {
		return err
	}
	return server.ask(ctx, http.MethodDelete, c.path(), nil, nil)
}
