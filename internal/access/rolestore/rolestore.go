// Package rolestore opens the configured regions as a role: with the role's own keys, and within its policy. A call that
// the policy does not allow is AccessDenied and is never made. What a policy says is asked anew at each call, so that a
// role that was narrowed or deleted stops its running jobs.
package rolestore

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/object/httpwire"
	"github.com/drover-batch/drover/internal/object/window"
)

// Region is a store endpoint.
type Region struct {
	Wire     httpwire.Options // all but Credentials
	Rate     float64          // calls a second of all roles together, retries included; 0 = as many as the store takes
	Burst    int              // default: one second's calls
	Bytes    int64            // bytes a second of bodies, and of copies whose size is known; 0 = as many as can be
	InFlight int              // calls at a time; 0 = as many as the store takes
	ByBucket bool             // the store counts calls by bucket
}

// Roles finds roles.
type Roles interface {
	// Role is AccessDenied when the account has no such role.
	Role(a job.Account, r job.Role) (*access.Role, error)
}

// Options set up Stores. Regions and Roles are required.
type Options struct {
	Regions map[job.Region]Region
	Default job.Region
	Roles   Roles
	Limits  Limits // of regions, set while running; nil = none are. KeepLimits follows them
	// Observe is told of every call that was made: its region and name, the store's error code ("" when it went well),
	// and how long it took, retries included. Default: nobody is told.
	Observe func(region job.Region, op, code string, took time.Duration)
}

// Stores opens regions as roles. It is safe for concurrent use. Close it.
type Stores struct {
	o    Options
	room atomic.Pointer[func(n int)]

	mu      sync.Mutex
	clients map[clientID]*httpwire.Client
	bounds  map[job.Region]window.Bounds // in force
}

type clientID struct {
	uin, role string
	region    job.Region
}

// New makes Stores. It refuses options of a region that cannot work.
func New(o Options) (*Stores, error) {
	if o.Observe == nil {
		o.Observe = func(job.Region, string, string, time.Duration) {}
	}
	s := &Stores{o: o, clients: map[clientID]*httpwire.Client{}, bounds: map[job.Region]window.Bounds{}}
	if _, ok := o.Regions[o.Default]; !ok {
		return nil, fmt.Errorf("the default region %q is not among the regions", o.Default)
	}
	s.o.Regions = maps.Clone(o.Regions)
	for name, r := range o.Regions {
		if r.Wire.Breaker == nil {
			r.Wire.Breaker = httpwire.NewBreaker(nil) // one for all roles: it is the endpoint that is away
		}
		if r.Wire.Load == nil {
			r.Wire.Load = window.NewSet(r.ByBucket, r.bounds(), s.tellRoom) // and its load
		}
		s.o.Regions[name] = r
		c, err := httpwire.Open(r.Wire)
		if err != nil {
			return nil, fmt.Errorf("region %s: %w", name, err)
		}
		s.bounds[name] = r.bounds()
		c.Close()
	}
	if o.Limits != nil {
		s.limit(1) // whoever else is there is not known yet
	}
	return s, nil
}

// Default is the region of a job that names none.
func (s *Stores) Default() job.Region { return s.o.Default }

// Store opens a region as a role of an account; "" is the default region. It calls nothing yet. Errors: AccessDenied
// when the account has no such role or the role no credentials for the region, InvalidArgument for an unknown region.
func (s *Stores) Store(_ context.Context, a job.Account, r job.Role, region job.Region) (object.Store, error) {
	if region == "" {
		region = s.o.Default
	}
	cfg, ok := s.o.Regions[region]
	if !ok {
		return nil, job.Errorf(job.InvalidArgument, "There is no region %s here; there are %s.", job.Quote(string(region)), s.names())
	}
	role, err := s.o.Roles.Role(a, r)
	if err != nil {
		return nil, err
	}
	if _, ok := role.Provider(region); !ok {
		return nil, noCredentials(role, region)
	}
	client, err := s.client(a, r, region, cfg)
	if err != nil {
		return nil, err
	}
	called := &observed{store: client, region: region, observe: s.o.Observe}
	return &guarded{store: called, region: region, role: func() (*access.Role, error) { return s.o.Roles.Role(a, r) }}, nil
}

// Away reports since when a region's store has not answered; false while it does.
func (s *Stores) Away(region job.Region) (since time.Time, away bool) {
	if region == "" {
		region = s.o.Default
	}
	if b := s.o.Regions[region].Wire.Breaker; b != nil {
		return b.Away()
	}
	return time.Time{}, false
}

func noCredentials(r *access.Role, region job.Region) error {
	return job.Errorf(job.AccessDenied, "The role %s has no credentials for region %s: give it some, or name another role.", r.Name, region)
}

func (s *Stores) names() string {
	var names []string
	for name := range s.o.Regions {
		names = append(names, string(name))
	}
	slices.Sort(names)
	return fmt.Sprint(names)
}

// client gives the one client of a role in a region. Its keys are asked of the role at each call.
func (s *Stores) client(a job.Account, r job.Role, region job.Region, cfg Region) (*httpwire.Client, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := clientID{r.Account, r.Name, region}
	if c := s.clients[id]; c != nil {
		return c, nil
	}
	o := cfg.Wire
	o.Credentials = func(ctx context.Context) (httpwire.Credentials, error) {
		role, err := s.o.Roles.Role(a, r)
		if err != nil {
			return httpwire.Credentials{}, err
		}
		p, ok := role.Provider(region)
		if !ok {
			return httpwire.Credentials{}, noCredentials(role, region)
		}
		k, err := p(ctx)
		return httpwire.Credentials{AccessKey: k.AccessKey, SecretKey: k.SecretKey, SessionToken: k.SessionToken}, err
	}
	c, err := httpwire.Open(o)
	if err != nil {
		return nil, fmt.Errorf("region %s: %w", region, err)
	}
	s.clients[id] = c
	return c, nil
}

// Close closes all connections.
func (s *Stores) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, c := range s.clients {
		c.Close()
		delete(s.clients, id)
	}
}

// bounds are what the configuration allows this process.
func (r Region) bounds() window.Bounds {
	if r.Rate > 0 && r.Burst <= 0 {
		r.Burst = max(int(r.Rate), 1)
	}
	return window.Bounds{Rate: r.Rate, Burst: r.Burst, Bytes: float64(r.Bytes), InFlight: r.InFlight}
}

// Limits are those that the configuration sets.
func (r Region) Limits() job.Limits {
	return job.Limits{Bounds: job.Bounds{Rate: r.Rate, Bytes: r.Bytes, Calls: r.InFlight}}
}
