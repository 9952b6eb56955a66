package cli

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"maps"
	"slices"

	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/api/coscontrol"
	"github.com/drover-batch/drover/internal/api/rest"
	"github.com/drover-batch/drover/internal/api/s3control"
	"github.com/drover-batch/drover/internal/console"
	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object/httpwire"
)

// newConsole makes the console: principals sign in, and pass the roles that their policies let them.
func (s *serving) newConsole(jobs api.Jobs, admin *access.Admin) (*console.Console, error) {
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
		Access: admin, Living: s.living, Stores: s.stores, Regions: s.shownRegions(), Default: s.o.region, SecureCookies: s.o.certificate != nil,
		Definitions: definitions, Version: buildVersion().Version, Logger: s.o.logger,
	})
}

// definitions are the APIs that the console shows a job in.
var definitions = []console.Protocol{
	{Name: "JSON", Define: func(s job.Spec) ([]byte, bool) {
		b, err := json.MarshalIndent(rest.FromSpec(s), "", "  ")
		return b, err == nil
	}},
	{Name: "COS XML", Define: coscontrol.Definition},
	{Name: "S3 XML", Define: s3control.Definition},
}

// shownRegions are the regions as the console shows them, by name.
func (s *serving) shownRegions() []console.Region {
	var out []console.Region
	for _, name := range slices.Sorted(maps.Keys(s.o.regions)) {
		r := s.o.regions[name]
		v := console.Region{Name: name, Endpoint: r.Wire.Endpoint, Dialect: string(r.Wire.Dialect)}
		if v.Dialect == "" {
			v.Dialect = string(httpwire.S3)
		}
		out = append(out, v)
	}
	return out
}

// living asks the carrier who works on its jobs.
func (s *serving) living(ctx context.Context) (console.Living, error) {
	found, err := engine.ReadLiving(ctx, s.node.carrier)
	var out console.Living
	for _, n := range found.Nodes {
		v := console.LiveNode{ID: n.ID, Name: n.Name, Started: n.Started, Leads: len(n.Leads), Disk: -1, DiskLow: n.Disk.Low()}
		if n.Disk.Size > 0 {
			v.Disk = int(100 * n.Disk.Free / n.Disk.Size)
		}
		out.Nodes = append(out.Nodes, v)
	}
	for _, w := range found.Workers {
		out.Workers = append(out.Workers, console.LiveWorker(w))
	}
	return out, err
}
