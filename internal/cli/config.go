package cli

import (
	"context"

	"github.com/drover-batch/drover/internal/config"
)

type configCmd struct {
	Check configCheckCmd `cmd:"" help:"Check a configuration file, and show what is in force and where it comes from."`
}

type configCheckCmd struct {
	output
	Config  string `required:"" placeholder:"FILE" help:"The configuration file."`
	Secrets bool   `default:"true" negatable:"" help:"Follow each reference to a secret, too."`
}

// Help says what is checked.
func (c *configCheckCmd) Help() string {
	return `Nothing is called and nothing is changed. Secrets are shown as the references that they are in the file. With --no-secrets the
references are not followed, for a file that is checked elsewhere than where it is used.`
}

// Run checks and shows.
func (c *configCheckCmd) Run(ctx context.Context, sh *shell) error {
	f, err := config.Load(c.Config, sh.Getenv)
	if err != nil {
		return err
	}
	settings, err := f.Settings()
	if err != nil {
		return err
	}
	if c.json() {
		type setting struct {
			Key    string `json:"key"`
			Value  string `json:"value"`
			Source string `json:"source"`
		}
		out := []setting{}
		for _, s := range settings {
			out = append(out, setting(s))
		}
		err = sh.json(out)
	} else {
		var rows [][]string
		for _, s := range settings {
			rows = append(rows, []string{s.Key, sh.foreign(s.Value), s.Source})
		}
		err = sh.table([]string{"KEY", "VALUE", "SOURCE"}, rows)
	}
	if err == nil && c.Secrets {
		err = f.Verify(ctx)
	}
	if err == nil {
		err = checkEnginePlace(f, c.Secrets)
	}
	return err
}
