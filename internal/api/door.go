package api

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"path"
	"strings"

	"github.com/drover-batch/drover/internal/job"
)

// Door is what the protocols' handlers have in common: each request gets an id, its body a bound; whoever sent it is found,
// its handler called, and what either returns rendered. C is a protocol's view of one request.
type Door[C any] struct {
	MaxBody int64                                                              // bytes
	NewID   func() string                                                      // of requests; nil = 26 random letters and digits
	Log     *slog.Logger                                                       // takes failures that are ours; nil = slog.Default()
	Begin   func(answer http.Header, id string)                                // sets the headers that every answer has
	Enter   func(r *http.Request, id string) (C, error)                        // authenticates
	Render  func(w http.ResponseWriter, r *http.Request, id string, err error) // writes an error
}

// Handler answers one call; an error that it returns is rendered, so it has written nothing then.
type Handler[C any] func(w http.ResponseWriter, c C) error

// Handle puts the door before a handler.
func (d Door[C]) Handle(h Handler[C]) http.Handler {
	newID := d.NewID
	if newID == nil {
		newID = rand.Text
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := newID()
		d.Begin(w.Header(), id)
		r.Body = http.MaxBytesReader(w, r.Body, d.MaxBody)
		c, err := d.Enter(r, id)
		if err == nil {
			err = h(w, c)
		}
		if err != nil {
			d.Render(w, r, id, err)
		}
	})
}

// Routes makes the handler of a protocol's paths, by the patterns of http.ServeMux; noSuch is for all other paths.
func (d Door[C]) Routes(routes map[string]Handler[C], noSuch Handler[C]) http.Handler {
	mux := http.NewServeMux()
	for pattern, h := range routes {
		mux.Handle(pattern, d.Handle(h))
	}
	none := d.Handle(noSuch)
	mux.Handle("/", none)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// The mux would send a client with // or .. in its path elsewhere, where its signature is not good.
		if sent := r.URL.Path; sent == "//" || sent != "/" && path.Clean("/"+sent) != strings.TrimSuffix(sent, "/") {
			none.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// ReadBody reads the whole body of a request that came through a Door; one that is too long, or was cut off, is
// InvalidRequest.
func ReadBody(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	if e, tooLong := errors.AsType[*http.MaxBytesError](err); tooLong {
		return nil, job.Errorf(job.InvalidRequest, "The body is longer than %d bytes.", e.Limit)
	}
	if err != nil {
		return nil, &job.Error{Code: job.InvalidRequest, Message: "The body did not arrive as a whole: send it again.", Err: err}
	}
	return body, nil
}

// Sentence is what a caller is told of an error. The causes of those that are ours stay in the log, where the request id
// finds them.
func Sentence(err error, requestID string) string {
	if message := job.MessageOf(err); message != "" {
		return message
	}
	return "Internal error: try again, and give the request id " + requestID + " when you report it."
}

// LogFailure logs a failure that is ours. That a client has gone is none.
func LogFailure(log *slog.Logger, r *http.Request, requestID string, err error) {
	if r.Context().Err() != nil {
		return
	}
	if log == nil {
		log = slog.Default()
	}
	log.LogAttrs(context.WithoutCancel(r.Context()), slog.LevelError, "request failed", slog.String("requestID", requestID),
		slog.String("method", r.Method), slog.String("path", strings.ToValidUTF8(r.URL.Path, "?")), slog.Any("err", err))
}
