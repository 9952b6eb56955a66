package console

import (
	"crypto/rand"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/drover-batch/drover/internal/api"
)

const (
	sessionCookie = "drover-session"
	maxSessions   = 10_000
)

type session struct {
	caller api.Caller
	begun  time.Time
	used   time.Time
}

// sessions are who is signed in, in memory: a restart signs everybody out. Safe for concurrent use.
type sessions struct {
	now            func() time.Time
	idle, lifetime time.Duration

	mu   sync.Mutex
	live map[string]session // by the cookie's value
}

func newSessions(now func() time.Time, idle, lifetime time.Duration) *sessions {
	return &sessions{now: now, idle: idle, lifetime: lifetime, live: map[string]session{}}
}

// begin signs a caller in and gives the cookie's value; "" when there are too many sessions.
func (s *sessions) begin(c api.Caller) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.live, func(_ string, v session) bool { return s.over(v) })
	if len(s.live) >= maxSessions {
		return ""
	}
	value := rand.Text()
	s.live[value] = session{caller: c, begun: s.now(), used: s.now()}
	return value
}

// find gives who is signed in by a cookie's value; touch says that a person used it now.
func (s *sessions) find(value string, touch bool) (api.Caller, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.live[value]
	if !ok {
		return api.Caller{}, false
	}
	if s.over(v) {
		delete(s.live, value)
		return api.Caller{}, false
	}
	if touch {
		v.used = s.now()
		s.live[value] = v
	}
	return v.caller, true
}

// of gives who is signed in with the browser that sent a request.
func (s *sessions) of(r *http.Request, touch bool) (api.Caller, bool) {
	for _, cookie := range r.CookiesNamed(sessionCookie) {
		if c, ok := s.find(cookie.Value, touch); ok {
			return c, true
		}
	}
	return api.Caller{}, false
}

func (s *sessions) over(v session) bool {
	now := s.now()
	return now.Sub(v.used) >= s.idle || now.Sub(v.begun) >= s.lifetime
}

func (s *sessions) end(value string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.live, value)
}

// setCookie sets a cookie that no script can read and no other site's form sends; maxAge < 0 takes it away.
func (s *server) setCookie(c *call, name, value string, maxAge time.Duration) {
	path := base
	if name == sessionCookie {
		path = "/" // the JSON API takes it too
	}
	cookie := &http.Cookie{
		Name: name, Value: value, Path: path, MaxAge: int(maxAge / time.Second),
		HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: s.o.SecureCookies || c.TLS != nil,
	}
	http.SetCookie(c.w, cookie)
}

// What a sender may get wrong before it has to wait, and for how long it waits then: twice as long each further time.
const (
	freeTries = 5
	firstWait = 2 * time.Second
	longWait  = time.Minute
	forgetTry = 15 * time.Minute
	maxTries  = 10_000
)

type tries struct {
	failed int
	last   time.Time
}

// throttle slows down whoever guesses keys, by the sender's address and by the access key. Safe for concurrent use.
type throttle struct {
	now func() time.Time

	mu sync.Mutex
	by map[string]tries
}

func newThrottle(now func() time.Time) *throttle {
	return &throttle{now: now, by: map[string]tries{}}
}

// wait tells how long none of the names may try again.
func (t *throttle) wait(names ...string) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	longest := time.Duration(0)
	for _, name := range names {
		v := t.by[name]
		if v.failed < freeTries {
			continue
		}
		pause := longWait
		if n := v.failed - freeTries; n < 5 {
			pause = min(firstWait<<n, longWait)
		}
		longest = max(longest, v.last.Add(pause).Sub(t.now()))
	}
	return longest
}

func (t *throttle) fail(names ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.by) >= maxTries {
		maps.DeleteFunc(t.by, func(_ string, v tries) bool { return t.now().Sub(v.last) >= forgetTry })
	}
	for _, name := range names {
		v, known := t.by[name]
		if !known && len(t.by) >= maxTries {
			continue
		}
		if t.now().Sub(v.last) >= forgetTry {
			v.failed = 0
		}
		t.by[name] = tries{failed: v.failed + 1, last: t.now()}
	}
}

func (t *throttle) succeed(names ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, name := range names {
		delete(t.by, name)
	}
}
