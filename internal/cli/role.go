package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/drover-batch/drover/client"
	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/config"
)

type roleCmd struct {
	Create roleCreateCmd `cmd:"" help:"Create a role that jobs can run as."`
	List   roleListCmd   `cmd:"" help:"List the account's roles."`
	Show   roleShowCmd   `cmd:"" help:"Show one role with its policy."`
	Delete roleDeleteCmd `cmd:"" help:"Delete a role; its jobs' further calls are refused."`
	Policy rolePolicyCmd `cmd:"" help:"Print the smallest policy with which a role can do a job."`
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
	k := client.Credential{From: c.From, AccessKey: c.AccessKey}
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
	server, err := c.connect(sh)
	if err != nil {
		return err
	}
	made, err := server.CreateRole(ctx, client.NewRole{
		Name: c.Name, Description: c.Description, Policy: policy, Credentials: map[string]client.Credential{c.Region: k},
	})
	if err != nil {
		return server.explain(err)
	}
	sh.printf("%s\n", made.ARN)
	return nil
}

type roleListCmd struct {
	serverFlags
	output
}

// Run lists roles.
func (c *roleListCmd) Run(ctx context.Context, sh *shell) error {
	server, err := c.connect(sh)
	if err != nil {
		return err
	}
	roles, err := server.Roles(ctx)
	if err != nil {
		return server.explain(err)
	}
	if c.json() {
		return sh.json(roles)
	}
	var rows [][]string
	for _, r := range roles {
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

type roleShowCmd struct {
	roleArg
	output
}

// Run shows a role.
func (c *roleShowCmd) Run(ctx context.Context, sh *shell) error {
	server, err := c.connect(sh)
	if err != nil {
		return err
	}
	r, err := server.Role(ctx, c.Name)
	if err != nil {
		return server.explain(err)
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
	server, err := c.connect(sh)
	if err != nil {
		return err
	}
	return server.explain(server.DeleteRole(ctx, c.Name))
}

type rolePolicyCmd struct {
	serverFlags
	Spec   string   `arg:"" placeholder:"FILE" help:"File with the job's definition as the JSON API takes it; - for stdin."`
	Source []string `placeholder:"BUCKET" help:"Bucket that the manifest names; may be repeated. Default: any bucket of the region."`
}

// Help says what it is for.
func (c *rolePolicyCmd) Help() string {
	return `The policy is in CAM's grammar, for drover role create --policy. It lets a role read the manifest, do the operation on objects of
the source buckets, and write and read the report; nothing else. The definition's token, description, priority and role do not
count and may be left out.`
}

// Run prints the policy.
func (c *rolePolicyCmd) Run(ctx context.Context, sh *shell) error {
	text, err := readInput(sh, c.Spec)
	if err != nil {
		return err
	}
	l := client.LeastPolicy{SourceBuckets: c.Source}
	if err := json.Unmarshal(text, &l.Spec); err != nil {
		return &problem{code: exitUsage, err: fmt.Errorf("%s: %w", c.Spec, err)}
	}
	server, err := c.connect(sh)
	if err != nil {
		return err
	}
	policy, err := server.LeastPolicy(ctx, l)
	if err != nil {
		return server.explain(err)
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, policy, "", "  "); err != nil {
		return err
	}
	sh.printf("%s\n", pretty.String())
	return nil
}

func readInput(sh *shell, name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(sh.Stdin)
	}
	return os.ReadFile(name)
}

// readPolicy reads --policy: full-access, or a file with the policy's JSON.
func readPolicy(name string) (json.RawMessage, error) {
	if name == "full-access" {
		return json.RawMessage(access.FullAccess().String()), nil
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	p, err := access.ParsePolicy(b)
	if err != nil {
		return nil, &problem{code: exitUsage, err: fmt.Errorf("%s: %w", name, err)}
	}
	return json.RawMessage(p.String()), nil
}
