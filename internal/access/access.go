// Package access knows who may call: principals by their access key, and the two signatures that requests carry, Tencent
// COS's q-sign (page 436/7778) and AWS's Signature Version 4.
//
// Both are verified over the request as it was received: the Host, the path and the query that the client saw. Whatever
// stands between a client and this process must leave those alone. No error of this package holds a secret key, nor an
// access key (people mix the two up), nor a signature that would have matched.
package access

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/drover-batch/drover/internal/job"
)

// MaxSkew is how far a client's clock may be off.
const MaxSkew = 15 * time.Minute

// Principal is a caller: a pair of keys, the account that it acts for, and what it may do there.
type Principal struct {
	AccessKey   string
	SecretKey   string
	Account     job.Account
	Policy      Policy // asked by Authorizer
	Description string
	Disabled    bool // in listings only: Directory finds no disabled principal
	FromConfig  bool // fixed while the process runs
	Created     time.Time
}

// String leaves the secret out, so that no %v can leak it.
func (p Principal) String() string {
	return fmt.Sprintf("principal %q of account %s", p.AccessKey, p.Account.UIN)
}

// GoString leaves the secret out of %#v too.
func (p Principal) GoString() string { return p.String() }

// LogValue leaves the secret out of logs.
func (p Principal) LogValue() slog.Value { return slog.StringValue(p.String()) }

// Directory finds principals. It is safe for concurrent use.
type Directory interface {
	// Principal finds the owner of an access key; false when nobody has it.
	Principal(accessKey string) (Principal, bool)
}

type static map[string]Principal

func (s static) Principal(accessKey string) (Principal, bool) {
	p, ok := s[accessKey]
	return p, ok
}

// Static is a fixed Directory. Of two principals with one access key the later counts.
func Static(ps ...Principal) Directory {
	s := make(static, len(ps))
	for _, p := range ps {
		s[p.AccessKey] = p
	}
	return s
}

// Verifier verifies signatures. It is safe for concurrent use.
type Verifier struct {
	directory Directory
	now       func() time.Time
	admit     func(Principal) error // nil = everybody
	asStore   bool
}

// NewVerifier makes a Verifier; now nil means time.Now.
func NewVerifier(d Directory, now func() time.Time) *Verifier {
	if now == nil {
		now = time.Now
	}
	return &Verifier{directory: d, now: now}
}

// Limited gives a Verifier that asks admit once a signature was found good, and returns its error instead of the
// principal when there is one.
func (v *Verifier) Limited(admit func(Principal) error) *Verifier {
	return &Verifier{directory: v.directory, now: v.now, admit: admit, asStore: v.asStore}
}

// AsStore gives a Verifier whose QSign takes what COS's object stores take beside that: signatures in the query
// (presigned URLs), and those that do not cover the host.
func (v *Verifier) AsStore() *Verifier {
	return &Verifier{directory: v.directory, now: v.now, admit: v.admit, asStore: true}
}

// verified ends a verification that went well.
func (v *Verifier) verified(p Principal) (Principal, error) {
	if v.admit != nil {
		if err := v.admit(p); err != nil {
			return Principal{}, err
		}
	}
	return p, nil
}

// principal finds the owner of an access key that a request names.
func (v *Verifier) principal(accessKey string) (Principal, error) {
	p, ok := v.directory.Principal(accessKey)
	if !ok || accessKey == "" || p.SecretKey == "" {
		return Principal{}, job.Errorf(job.NoSuchPrincipal,
			"The access key of the request is not known here: check the key, and that it is meant for this server.")
	}
	return p, nil
}

// mismatch is the one answer to a signature that differs. It does not say which part did: the server cannot know.
func mismatch(host string) error {
	return job.Errorf(job.BadSignature,
		"The signature of the request does not match: check the secret key, and that no proxy changes the Host (%.64q arrived here), the path, the query or a signed header.", host)
}
