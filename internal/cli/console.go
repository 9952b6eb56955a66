package cli

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"net/http"

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
		SpecJSON: func(s job.Spec) ([]byte, error) { return json.MarshalIndent(rest.FromSpec(s), "", "  ") },
		Version:  buildVersion().Version,
		Logger:   o.logger,
	})
}
