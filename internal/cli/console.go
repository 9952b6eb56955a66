package cli

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/api/rest"
	"github.com/drover-batch/drover/internal/console"
	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/job"
)

// newConsole makes dev's console: one principal, one role, one region.
func newConsole(o devOptions, jobs api.Jobs, stores engine.Stores) (http.Handler, error) {
	caller := api.Caller{Account: job.Account{UIN: devUIN, AppID: devAppID}, Principal: o.accessKey}
	return console.New(console.Options{
		Jobs: jobs,
		SignIn: func(accessKey, secretKey string) (api.Caller, error) {
			same := subtle.ConstantTimeCompare([]byte(accessKey), []byte(o.accessKey)) &
				subtle.ConstantTimeCompare([]byte(secretKey), []byte(o.secretKey))
			if same != 1 {
				return api.Caller{}, job.Errorf(job.AccessDenied, "There is no such pair of keys.")
			}
			return caller, nil
		},
		Roles: func(context.Context, api.Caller) ([]job.Role, error) {
			return []job.Role{{ARN: devRoleARN, Account: devUIN, Name: devRoleName}}, nil
		},
		Stores:   stores,
		Default:  stores.Default(),
		SpecJSON: specJSON,
		Version:  buildVersion().Version,
		Logger:   o.logger,
	})
}

// newServedConsole makes the console of drover serve: its principals sign in, and pass the roles that their policies let
// them.
func (s *serving) newServedConsole(jobs api.Jobs, region job.Region, secure bool) (http.Handler, error) {
	z := access.NewAuthorizer(s.book)
	regions := make([]job.Region, 0, len(s.file.Effective.Regions))
	for name := range s.file.Effective.Regions {
		regions = append(regions, job.Region(name))
	}
	slices.Sort(regions)
	return console.New(console.Options{
		Jobs: jobs,
		SignIn: func(accessKey, secretKey string) (api.Caller, error) {
			p, ok := s.book.Principal(accessKey)
			if same := subtle.ConstantTimeCompare([]byte(secretKey), []byte(p.SecretKey)); !ok || p.SecretKey == "" || same != 1 {
				return api.Caller{}, job.Errorf(job.AccessDenied, "There is no such pair of keys.")
			}
			return api.Caller{Account: p.Account, Principal: p.AccessKey}, nil
		},
		Roles: func(_ context.Context, c api.Caller) ([]job.Role, error) {
			var out []job.Role
			for _, r := range s.book.Roles(c.Account) {
				if z.Allow(c, access.PassRole, access.RoleOf(c.Account, r.Name)) == nil {
					out = append(out, job.Role{ARN: "qcs::cam::uin/" + c.Account.UIN + ":roleName/" + r.Name, Account: c.Account.UIN, Name: r.Name})
				}
			}
			return out, nil
		},
		Stores: s.stores, Regions: regions, Default: region, SecureCookies: secure,
		SpecJSON: specJSON, Version: buildVersion().Version, Logger: s.logger,
	})
}

func specJSON(s job.Spec) ([]byte, error) { return json.MarshalIndent(rest.FromSpec(s), "", "  ") }
