// Package credentials finds the keys that calls to stores are signed with, by the SDKs of AWS and of Tencent Cloud: their
// chains of sources, and the roles that their security token services (STS) give temporary keys for. Keys with an end are
// renewed ahead of it, while calls go on with those that are there. It is the only importer of these parts of the SDKs.
package credentials

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"time"

	"github.com/drover-batch/drover/internal/access"
)

// Role is a role to assume.
type Role struct {
	ARN         string        // qcs::… of Tencent's CAM, or arn:… of AWS's IAM: that says whose STS is asked
	SessionName string        // "" = drover
	ExternalID  string        // "" = none
	Duration    time.Duration // of the keys; 0 = an hour
	Endpoint    string        // URL of STS; "" = the provider's own
	Region      string        // of STS; "" = the chain's
}

// Assume gives the keys of a role, which is assumed with keys of the provider's chain.
func Assume(ctx context.Context, r Role, getenv func(string) string) (access.Provider, error) {
	if r.SessionName == "" {
		r.SessionName = "drover"
	}
	if r.Duration == 0 {
		r.Duration = time.Hour
	}
	if strings.HasPrefix(r.ARN, "qcs:") {
		return renewing(tencentRole(r, getenv)), nil
	}
	ask, err := awsRole(ctx, r)
	if err != nil {
		return nil, err
	}
	return renewing(ask), nil
}

// temporary are keys with an end; a zero end means that they have none.
type temporary struct {
	access.Keys
	end time.Time
}

// ask brings new keys.
type ask func(ctx context.Context) (temporary, error)

// How keys are renewed.
const (
	reserve  = 5 * time.Minute  // before their end, or a third of their life where that is less
	arrival  = 10 * time.Second // before their end they are not signed with, or a tenth of their life: a call must arrive in time
	patience = 10 * time.Second
	minPause = time.Second // between two questions, when the first was answered badly
)

// unavailable is an error of a source that may answer later. Its Timeout tells drivers that the call may be repeated.
type unavailable struct{ err error }

func (e *unavailable) Error() string { return e.err.Error() }
func (e *unavailable) Unwrap() error { return e.err }
func (e *unavailable) Timeout() bool { return true }

// renewal is what a renewing provider has.
type renewal struct {
	have  temporary
	due   time.Time // when they are renewed; zero = never
	tried time.Time // when that was last tried in vain
	err   error     // what came of it
}

// ended reports whether no call should be signed with the keys any more.
func (r *renewal) ended(now time.Time) bool {
	return r.have.AccessKey == "" || !r.have.end.IsZero() && !now.Before(r.have.end)
}

// wanted reports whether it is time to ask for new keys.
func (r *renewal) wanted(now time.Time) bool {
	return now.Sub(r.tried) >= r.pause(now) && (r.ended(now) || !r.due.IsZero() && !now.Before(r.due))
}

// pause is how long to wait until a source that did not answer is asked again: longer while there are keys.
func (r *renewal) pause(now time.Time) time.Duration {
	if r.ended(now) {
		return minPause
	}
	return max(minPause, r.have.end.Sub(r.due)/20)
}

// renewing keeps the keys of a source until shortly before their end. One caller at a time renews them; the others use
// what is there and wait only where there is nothing. When the source does not answer, the old keys do until their end.
func renewing(source ask) access.Provider {
	r := &renewer{source: source, turn: make(chan struct{}, 1)}
	r.state.Store(new(renewal))
	return r.keys
}

type renewer struct {
	source ask
	turn   chan struct{} // holds an element while the source is asked
	state  atomic.Pointer[renewal]
}

func (r *renewer) keys(ctx context.Context) (access.Keys, error) {
	s := r.state.Load()
	switch now := time.Now(); {
	case s.ended(now):
		select {
		case r.turn <- struct{}{}:
			r.renew(ctx)
			<-r.turn
		case <-ctx.Done():
		}
	case s.wanted(now):
		select {
		case r.turn <- struct{}{}:
			r.renew(ctx)
			<-r.turn
		default:
		}
	default:
		return s.have.Keys, nil
	}
	s = r.state.Load()
	switch {
	case !s.ended(time.Now()):
		return s.have.Keys, nil
	case ctx.Err() != nil:
		return access.Keys{}, context.Cause(ctx)
	}
	return access.Keys{}, s.err
}

// renew asks for new keys, unless another caller was faster. The turn is held.
func (r *renewer) renew(ctx context.Context) {
	old, now := r.state.Load(), time.Now()
	if !old.wanted(now) {
		return
	}
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	got, err := r.source(bounded)
	if err != nil && ctx.Err() != nil {
		return // this caller gave up; that is no answer for the others
	}
	now = time.Now()
	fresh := &renewal{have: got}
	switch {
	case err != nil:
		fresh = &renewal{have: old.have, due: old.due, tried: now, err: err}
	case fresh.ended(now):
		fresh.tried, fresh.err = now, &unavailable{errors.New("the keys were over when they came: is this machine's clock right?")}
	case !got.end.IsZero():
		life := got.end.Sub(now)
		fresh.due = got.end.Add(-min(reserve, life/3))
		fresh.have.end = got.end.Add(-min(arrival, life/10))
	}
	r.state.Store(fresh)
}
