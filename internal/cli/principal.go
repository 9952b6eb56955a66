package cli

import (
	"context"
	"net/http"
	"net/url"

	"github.com/drover-batch/drover/internal/api/admin"
)

type principalCmd struct {
	Create  principalCreateCmd  `cmd:"" help:"Create an access key of the caller's account."`
	List    principalListCmd    `cmd:"" help:"List the account's access keys."`
	Disable principalDisableCmd `cmd:"" help:"Disable an access key: its requests are refused at once."`
	Enable  principalEnableCmd  `cmd:"" help:"Enable an access key again."`
	Rotate  principalRotateCmd  `cmd:"" help:"Give an access key a new secret; the old one is void at once."`
}

type principalCreateCmd struct {
	serverFlags
	output
	Policy      string `required:"" placeholder:"FILE|full-access" help:"What may be done with the key: a file with a policy in CAM's or IAM's grammar (JSON), or full-access."`
	Description string `placeholder:"TEXT" help:"Description, at most 256 bytes."`
}

// Help says that the secret is shown once.
func (c *principalCreateCmd) Help() string {
	return `The access key and its secret are printed, the secret this one time: the server keeps it encrypted and shows it to nobody.`
}

// Run creates the principal.
func (c *principalCreateCmd) Run(ctx context.Context, sh *shell) error {
	policy, err := readPolicy(c.Policy)
	if err != nil {
		return err
	}
	return c.show(ctx, sh, &c.serverFlags, "/principals", admin.Principal{Description: c.Description, Policy: policy})
}

// show sends a request whose answer holds a secret, and prints the pair of keys.
func (o output) show(ctx context.Context, sh *shell, f *serverFlags, path string, in any) error {
	server, err := f.admin(sh)
	if err != nil {
		return err
	}
	var p admin.Principal
	if err := server.ask(ctx, http.MethodPost, path, in, &p); err != nil {
		return err
	}
	if o.json() {
		return sh.json(p)
	}
	sh.printf("DROVER_ACCESS_KEY=%s\nDROVER_SECRET_KEY=%s\n", p.AccessKey, p.SecretKey)
	return nil
}

type principalListCmd struct {
	serverFlags
	output
}

// Run lists principals.
func (c *principalListCmd) Run(ctx context.Context, sh *shell) error {
	server, err := c.admin(sh)
	if err != nil {
		return err
	}
	var out admin.Principals
	if err := server.ask(ctx, http.MethodGet, "/principals", nil, &out); err != nil {
		return err
	}
	if c.json() {
		return sh.json(out.Principals)
	}
	var rows [][]string
	for _, p := range out.Principals {
		state := "enabled"
		if p.Disabled {
			state = "disabled"
		}
		rows = append(rows, []string{sh.foreign(p.AccessKey), state, madeBy(p.FromConfig), sh.foreign(p.Description)})
	}
	return sh.table([]string{"ACCESS KEY", "STATE", "FROM", "DESCRIPTION"}, rows)
}

type principalArg struct {
	serverFlags
	AccessKey string `arg:"" help:"The access key."`
}

func (a *principalArg) path(verb string) string {
	return "/principals/" + url.PathEscape(a.AccessKey) + "/" + verb
}

func (a *principalArg) post(ctx context.Context, sh *shell, verb string) error {
	server, err := a.admin(sh)
	if err != nil {
		return err
	}
	return server.ask(ctx, http.MethodPost, a.path(verb), nil, nil)
}

type principalDisableCmd struct{ principalArg }

// Run disables the principal.
func (c *principalDisableCmd) Run(ctx context.Context, sh *shell) error {
	return c.post(ctx, sh, "disable")
}

type principalEnableCmd struct{ principalArg }

// Run enables the principal.
func (c *principalEnableCmd) Run(ctx context.Context, sh *shell) error {
	return c.post(ctx, sh, "enable")
}

type principalRotateCmd struct {
	principalArg
	output
}

// Run rotates the principal's secret.
func (c *principalRotateCmd) Run(ctx context.Context, sh *shell) error {
	return c.show(ctx, sh, &c.serverFlags, c.path("rotate"), nil)
}
