package console

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/job"
)

// maxForm bounds a posted form, in bytes.
const maxForm = 256 << 10

// call is one request, with who sent it and how it is to be answered.
type call struct {
	w http.ResponseWriter
	*http.Request
	caller    api.Caller
	signedIn  bool
	lang      language
	requestID string
}

type handler func(c *call) error

// poll reports whether a page asks for its own renewal: that is no sign of a person at the screen.
func (c *call) poll() bool { return c.Header.Get("HX-Request") == "true" }

func (s *server) handler() http.Handler {
	mux := http.NewServeMux()
	for _, rt := range routes {
		method, path, _ := strings.Cut(rt.pattern, " ")
		mux.Handle(method+" "+base+path, s.adapt(rt.handle(s), rt.open))
	}
	mux.Handle("GET "+base+"/assets/{hash}/{name}", http.HandlerFunc(serveAsset))
	mux.Handle(base+"/", s.adapt(noSuchPage, true))
	guard := http.NewCrossOriginProtection()
	guard.SetDenyHandler(s.adapt(crossOrigin, true))
	return s.secured(guard.Handler(mux))
}

// policy lets a page load what this server serves, and nothing else; its scripts and styles are files.
const policy = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"

func (s *server) secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		next.ServeHTTP(w, r)
	})
}

// adapt finds the session, calls the handler, and renders the error that it returns.
func (s *server) adapt(h handler, open bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &call{w: w, Request: r, lang: languageOf(r), requestID: s.o.NewRequestID()}
		w.Header().Set("X-Request-Id", c.requestID)
		c.caller, c.signedIn = s.sessions.of(r, !c.poll())
		if !c.signedIn && !open {
			s.askSignIn(c)
			return
		}
		if err := c.parseForm(); err != nil {
			s.renderError(c, err)
			return
		}
		if err := h(c); err != nil {
			s.renderError(c, err)
		}
	})
}

func (c *call) parseForm() error {
	err := c.ParseForm()
	if _, tooLong := errors.AsType[*http.MaxBytesError](err); tooLong {
		return job.Errorf(job.InvalidRequest, "The form is longer than %d bytes.", maxForm)
	}
	if err != nil {
		return &job.Error{Code: job.InvalidRequest, Message: "The form did not arrive as a whole: send it again.", Err: err}
	}
	return nil
}

// askSignIn sends a person to the sign-in page, and back from there to the page that was asked for.
func (s *server) askSignIn(c *call) {
	to := base + "/sign-in"
	if c.Method == http.MethodGet && c.RequestURI != base+"/" {
		to += "?next=" + url.QueryEscape(c.URL.RequestURI())
	}
	if c.poll() {
		c.w.Header().Set("HX-Redirect", base+"/sign-in")
		c.w.WriteHeader(http.StatusUnauthorized)
		return
	}
	http.Redirect(c.w, c.Request, to, http.StatusSeeOther)
}

// local gives a path of the console out of foreign text; other is for what is none.
func local(path, other string) string {
	u, err := url.Parse(path)
	if err != nil || u.IsAbs() || u.Host != "" || strings.Contains(path, `\`) ||
		u.Path != base && !strings.HasPrefix(u.Path, base+"/") {
		return other
	}
	return u.RequestURI()
}

// statuses gives every code of the domain its HTTP status.
var statuses = map[job.Code]int{
	job.InvalidArgument:  http.StatusBadRequest,
	job.InvalidRequest:   http.StatusBadRequest,
	job.MalformedXML:     http.StatusBadRequest,
	job.NoSuchJob:        http.StatusNotFound,
	job.NoSuchFile:       http.StatusNotFound,
	job.Precondition:     http.StatusConflict,
	job.Conflict:         http.StatusConflict,
	job.Duplicate:        http.StatusConflict,
	job.AccessDenied:     http.StatusForbidden,
	job.TooManyJobs:      http.StatusTooManyRequests,
	job.Throttled:        http.StatusTooManyRequests,
	job.Unavailable:      http.StatusServiceUnavailable,
	job.Internal:         http.StatusInternalServerError,
	job.NoSuchPrincipal:  http.StatusUnauthorized,
	job.BadSignature:     http.StatusUnauthorized,
	job.RequestExpired:   http.StatusUnauthorized,
	job.BadDigest:        http.StatusBadRequest,
	job.MethodNotAllowed: http.StatusMethodNotAllowed,
}

// errNoSuchPage is apart from the domain's errors: its status is 404.
var errNoSuchPage = job.Errorf(job.InvalidRequest, "There is no such page.")

func noSuchPage(*call) error { return errNoSuchPage }

func crossOrigin(*call) error {
	return job.Errorf(job.AccessDenied, "The form was sent from another site. Open the console and do it there.")
}

func statusOf(err error) int {
	if errors.Is(err, errNoSuchPage) {
		return http.StatusNotFound
	}
	if status, ok := statuses[job.CodeOf(err)]; ok {
		return status
	}
	return http.StatusInternalServerError
}

type errorPage struct {
	frame
	Status  string
	Heading string
	Message string
	Advice  string
	ID      string
}

// renderError shows an error, and logs it when it is ours.
func (s *server) renderError(c *call, err error) {
	status := statusOf(err)
	if status >= http.StatusInternalServerError && c.Context().Err() == nil {
		s.o.Logger.LogAttrs(c.Context(), slog.LevelError, "console request failed", slog.String("requestID", c.requestID),
			slog.String("method", c.Method), slog.String("path", c.URL.Path), slog.Any("err", err))
	}
	p := errorPage{Status: strconv.Itoa(status), Message: job.MessageOf(err), ID: c.requestID}
	p.Heading, p.Advice = errorWords(c.lang, status)
	p.frame = s.frame(c, p.Heading, "")
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		c.w.Header().Set("Retry-After", "1")
	}
	s.render(c, status, "error", p)
}

func errorWords(l language, status int) (heading, advice string) {
	switch status {
	case http.StatusForbidden:
		return l.t("Not allowed"), l.t("Ask whoever runs this server for the right, or sign in with other keys.")
	case http.StatusNotFound:
		return l.t("Not found"), l.t("It may have been deleted, or belong to another account. Look for it in the list of jobs.")
	case http.StatusConflict:
		return l.t("Not possible now"), l.t("The job has moved on in the meantime. Look at its page for what is possible now.")
	case http.StatusTooManyRequests:
		return l.t("Too many requests"), l.t("Wait a moment and try again.")
	case http.StatusServiceUnavailable:
		return l.t("Not available"), l.t("A part of the system does not answer. Try again in a few seconds.")
	case http.StatusInternalServerError:
		return l.t("Internal error"), l.t("Try again. If it stays, give the request id below to whoever runs this server: the log has the cause under it.")
	}
	return l.t("Not understood"), l.t("Go back, change what the message names, and send it again.")
}
