package access

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/drover-batch/drover/internal/job"
)

// Keys sign calls to a store.
type Keys struct {
	AccessKey    string
	SecretKey    string
	SessionToken string // of temporary keys
}

// String leaves the secrets out, so that no %v can leak them.
func (k Keys) String() string { return fmt.Sprintf("keys %q", k.AccessKey) }

// GoString leaves the secrets out of %#v too.
func (k Keys) GoString() string { return k.String() }

// LogValue leaves the secrets out of logs.
func (k Keys) LogValue() slog.Value { return slog.StringValue(k.String()) }

// Provider gives the keys that are good now. It is asked before each call, so it keeps what it found until shortly
// before it expires. Safe for concurrent use.
type Provider func(ctx context.Context) (Keys, error)

// AnyRegion names the credentials of all regions that have none of their own.
const AnyRegion job.Region = "*"

// Role is a named right to act on buckets.
type Role struct {
	Account     job.Account
	Name        string
	Description string
	Policy      Policy
	Credentials map[job.Region]Provider
	FromConfig  bool // fixed while the process runs
	// For what was made at run time: where its keys come from, by region, and since when it is there.
	Sources map[job.Region]Source
	Created time.Time

	lender func(name string) (*Role, error) // finds the roles that Sources name; nil where there are none
}

// Source says where a role that was made at run time has the keys of a region from: a role of the config (From), or
// keys of its own.
type Source struct {
	From string // the name of a role of the same account
	Keys Keys
}

// QCS names the role as CAM does (Tencent doc page 436/33781).
func (r *Role) QCS() string { return "qcs::cam::uin/" + r.Account.UIN + ":roleName/" + r.Name }

// ARN names the role as IAM does.
func (r *Role) ARN() string { return "arn:aws:iam::" + r.Account.UIN + ":role/" + r.Name }

// Provider gives the role's keys for a region; false when it has none there.
func (r *Role) Provider(region job.Region) (Provider, bool) {
	p, ok := r.Credentials[region]
	if !ok {
		p, ok = r.Credentials[AnyRegion]
	}
	return p, ok
}

// Check is the policy's Check for what the role does. With borrowed keys it may do no more than the role that lends them:
// else whoever may make roles could make of them what the configuration keeps from everybody.
func (r *Role) Check(a Action, on Resource) error {
	if err := r.Policy.Check("the role "+r.Name, a, on); err != nil {
		return err
	}
	source, ok := r.Sources[on.region]
	if !ok {
		source = r.Sources[AnyRegion]
	}
	if source.From == "" {
		return nil
	}
	from, err := r.lender(source.From)
	if err != nil {
		return err
	}
	return from.Policy.Check("the role "+from.Name+", which lends "+r.Name+" its credentials,", a, on)
}

// maxName is how long a role's name may be (AWS IAM; CAM allows 128).
const maxName = 64

const nameBytes = "+=,.@_-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// CheckName refuses a name that no role can have; its error is InvalidArgument.
func CheckName(name string) error {
	if name == "" || len(name) > maxName || strings.Trim(name, nameBytes) != "" || strings.Trim(name, ".") == "" {
		return job.FieldErrorf("name", "%s is no name of a role; use 1 to %d letters, digits and + = , . @ _ -.", job.Quote(name), maxName)
	}
	return nil
}

func noSuchRole(r job.Role) error {
	return job.Errorf(job.AccessDenied, "There is no role %s in this account: create it, or name another.", job.Quote(r.ARN))
}
