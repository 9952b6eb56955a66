package rest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/job"
)

// stream writes server-sent events (WHATWG HTML, "Server-sent events").
type stream struct {
	w        http.ResponseWriter
	control  *http.ResponseController
	patience time.Duration // how long one write may take
	begun    bool
}

// send writes a piece at once. The server's own limit for writing is for short answers: each piece gets a new one.
func (st *stream) send(text string) error {
	if !st.begun {
		st.begun = true
		st.w.Header().Set("Content-Type", "text/event-stream")
		st.w.Header().Set("Cache-Control", "no-store")
		st.w.Header().Set("X-Accel-Buffering", "no")
		st.w.WriteHeader(http.StatusOK)
	}
	if err := st.control.SetWriteDeadline(time.Now().Add(st.patience)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	if _, err := st.w.Write([]byte(text)); err != nil {
		return err
	}
	return st.control.Flush()
}

// event writes one event; JSON has no line breaks, so its data is one line.
func (st *stream) event(name string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return st.send(fmt.Sprintf("event: %s\ndata: %s\n\n", name, data))
}

// events follows a job until it has ended or the client has gone, with a comment now and then so that both sides, and
// what is between them, know that the other is there. An error after the first event becomes an event itself.
func (s *server) events(w http.ResponseWriter, c call) error {
	id, err := api.ParseID(c.PathValue("id"))
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(c.Context())
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel()
	changes, ended := make(chan job.Job), make(chan error, 1)
	watching.Go(func() {
		ended <- s.jobs.Watch(ctx, c.caller, id, func(j job.Job) error {
			select {
			case changes <- j:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	})
	st := &stream{w: w, control: http.NewResponseController(w), patience: 2 * s.heartbeat}
	// The request has been read; the server's limit for reading it must not end a stream.
	_ = st.control.SetReadDeadline(time.Time{})
	beat := time.NewTicker(s.heartbeat)
	defer beat.Stop()
	for {
		select {
		case j := <-changes:
			err = st.event("job", FromJob(j))
		case <-beat.C:
			err = st.send(": still there\n\n")
		case err := <-ended:
			return s.endStream(st, c, err)
		}
		if err != nil {
			return nil // the client has gone: nobody is left to be told
		}
	}
}

// endStream says why watching ended, when it did so by an error.
func (s *server) endStream(st *stream, c call, err error) error {
	switch {
	case err == nil || c.Context().Err() != nil:
		return nil
	case !st.begun:
		return err
	}
	p := problem(c.requestID, err)
	s.logOurs(c.Request, p, err)
	_ = st.event("error", p)
	return nil
}
