package cli

import (
	"context"

	"github.com/drover-batch/drover/client"
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
	server, err := c.connect(sh)
	if err != nil {
		return err
	}
	p, err := server.CreatePrincipal(ctx, client.NewPrincipal{Description: c.Description, Policy: policy})
	if err != nil {
		return server.explain(err)
	}
	return c.show(sh, p)
}

// show prints the pair of keys of an answer that holds a secret.
func (o output) show(sh *shell, p client.Principal) error {
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
	server, err := c.connect(sh)
	if err != nil {
		return err
	}
	principals, err := server.Principals(ctx)
	if err != nil {
		return server.explain(err)
	}
	if c.json() {
		return sh.json(principals)
	}
	var rows [][]string
	for _, p := range principals {
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

// call makes one of the client's calls on the principal.
func (a *principalArg) call(sh *shell, f func(*client.Client, string) (client.Principal, error)) (client.Principal, error) {
	server, err := a.connect(sh)
	if err != nil {
		return client.Principal{}, err
	}
	p, err := f(server.Client, a.AccessKey)
	return p, server.explain(err)
}

type principalDisableCmd struct{ principalArg }

// Run disables the principal.
func (c *principalDisableCmd) Run(ctx context.Context, sh *shell) error {
	_, err := c.call(sh, func(server *client.Client, key string) (client.Principal, error) {
		return server.DisablePrincipal(ctx, key)
	})
	return err
}

type principalEnableCmd struct{ principalArg }

// Run enables the principal.
func (c *principalEnableCmd) Run(ctx context.Context, sh *shell) error {
	_, err := c.call(sh, func(server *client.Client, key string) (client.Principal, error) {
		return server.EnablePrincipal(ctx, key)
	})
	return err
}

type principalRotateCmd struct {
	principalArg
	output
}

// Run rotates the principal's secret.
func (c *principalRotateCmd) Run(ctx context.Context, sh *shell) error {
	p, err := c.call(sh, func(server *client.Client, key string) (client.Principal, error) {
		return server.RotatePrincipal(ctx, key)
	})
	if err != nil {
		return err
	}
	return c.show(sh, p)
}
