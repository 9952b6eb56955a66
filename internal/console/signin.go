package console

import (
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/drover-batch/drover/internal/job"
)

const maxAccessKey = 256 // bytes

type signInPage struct {
	frame
	AccessKey string
	Next      string
	Error     string
}

func (s *server) signInPage(c *call) error {
	next := local(c.FormValue("next"), base+"/")
	if c.signedIn {
		http.Redirect(c.w, c.Request, next, http.StatusSeeOther)
		return nil
	}
	p := signInPage{frame: s.frame(c, c.lang.t("Sign in"), ""), Next: next}
	s.render(c, http.StatusOK, "sign-in", p)
	return nil
}

func (s *server) signIn(c *call) error {
	accessKey := c.PostFormValue("access-key")
	next := local(c.PostFormValue("next"), base+"/")
	host, _, err := net.SplitHostPort(c.RemoteAddr)
	if err != nil {
		host = c.RemoteAddr
	}
	if len(accessKey) > maxAccessKey {
		return job.Errorf(job.InvalidRequest, "The access key is longer than %d bytes.", maxAccessKey)
	}
	who := []string{"from " + host, "key " + accessKey}
	refuse := func(status int, text string) error {
		p := signInPage{frame: s.frame(c, c.lang.t("Sign in"), ""), AccessKey: accessKey, Next: next, Error: text}
		s.render(c, status, "sign-in", p)
		return nil
	}
	if wait := s.throttle.wait(who...); wait > 0 {
		seconds := int64((wait + time.Second - 1) / time.Second)
		c.w.Header().Set("Retry-After", number(seconds))
		return refuse(http.StatusTooManyRequests, c.lang.t("Too many tries. Wait %s seconds and try again.", number(seconds)))
	}
	caller, err := s.o.SignIn(accessKey, c.PostFormValue("secret-key"))
	if err != nil {
		if code := job.CodeOf(err); code == job.Internal || code == job.Unavailable {
			return err
		}
		s.throttle.fail(who...)
		s.o.Logger.LogAttrs(c.Context(), slog.LevelWarn, "sign-in refused", slog.String("from", host), slog.String("requestID", c.requestID))
		return refuse(http.StatusUnauthorized, c.lang.t("This access key and secret key do not belong together here. Check both."))
	}
	s.throttle.succeed(who...)
	value := s.sessions.begin(caller)
	if value == "" {
		return job.Errorf(job.Unavailable, "Too many people are signed in. Try again later.")
	}
	if old, err := c.Cookie(sessionCookie); err == nil {
		s.sessions.end(old.Value)
	}
	s.setCookie(c, sessionCookie, value, s.o.Lifetime)
	s.o.Logger.LogAttrs(c.Context(), slog.LevelInfo, "signed in", slog.String("principal", caller.Principal), slog.String("from", host))
	http.Redirect(c.w, c.Request, next, http.StatusSeeOther)
	return nil
}

func (s *server) signOut(c *call) error {
	if cookie, err := c.Cookie(sessionCookie); err == nil {
		s.sessions.end(cookie.Value)
	}
	s.setCookie(c, sessionCookie, "", -time.Second)
	http.Redirect(c.w, c.Request, base+"/sign-in", http.StatusSeeOther)
	return nil
}

// The cookies that hold what a person likes.
const (
	languageCookie = "drover-language"
	themeCookie    = "drover-theme"
	keepLikes      = 365 * 24 * time.Hour
)

// preferences sets language and theme and goes back.
func (s *server) preferences(c *call) error {
	if l := language(c.PostFormValue("language")); l == english || l == chinese {
		s.setCookie(c, languageCookie, string(l), keepLikes)
	}
	if t := c.PostFormValue("theme"); t == "light" || t == "dark" || t == "auto" {
		s.setCookie(c, themeCookie, t, keepLikes)
	}
	http.Redirect(c.w, c.Request, local(c.PostFormValue("back"), base+"/"), http.StatusSeeOther)
	return nil
}
