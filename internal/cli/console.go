package cli

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"maps"
	"slices"

	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/api/rest"
	"github.com/drover-batch/drover/internal/console"
	"github.com/drover-batch/drover/internal/job"
)

// newConsole makes the console: principals sign in, and pass the roles that their policies let them.
func (s *serving) newConsole(jobs api.Jobs, admin *access.Admin) (*console.Console, error) {
	regions := slices.Sorted(maps.Keys(s.o.regions))
	return console.New(console.Options{
		Jobs: jobs,
		SignIn: func(accessKey, secretKey string) (api.Caller, error) {
			p, ok := s.book.Principal(accessKey)
			if same := subtle.ConstantTimeCompare([]byte(secretKey), []byte(p.SecretKey)); !ok || p.SecretKey == "" || same != 1 {
				return api.Caller{}, job.Errorf(job.AccessDenied, "There is no such pair of keys.")
			}
			return api.Caller{Account: p.Account, Principal: p.AccessKey}, nil
		},
		Roles: func(ctx context.Context, c api.Caller) ([]job.Role, error) {
			roles, err := admin.Passable(ctx, c)
			var out []job.Role
			for _, r := range roles {
				out = append(out, job.Role{ARN: r.QCS(), Account: c.Account.UIN, Name: r.Name})
			}
			return out, err
		},
		Stores: s.stores, Regions: regions, Default: s.o.region, SecureCookies: s.o.certificate != nil,
		SpecJSON: specJSON, Version: buildVersion().Version, Logger: s.o.logger,
	})
}

func specJSON(s job.Spec) ([]byte, error) { return json.MarshalIndent(rest.FromSpec(s), "", "  ") }
