package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	// maxEvent bounds one event of a stream, in bytes.
	maxEvent = 8 << 20
	// maxAttempts is how often Watch connects in vain before it gives up.
	maxAttempts = 10
)

// stop wraps an error that connecting again cannot mend.
type stop struct{ err error }

func (s stop) Error() string { return s.err.Error() }

// errBroken says that a stream ended before its job did.
var errBroken = errors.New("the connection broke")

// Watch calls f with the job as it is now and at each change, until it has ended (nil is returned), f fails, or ctx
// ends. When the connection breaks it connects again; f may then see a job as it saw it before. It gives up at once
// when the first connection fails, and after ten attempts in vain later.
func (c *Client) Watch(ctx context.Context, id string, f func(Job) error) error {
	connected, attempts := false, 0
	for {
		final := false
		err := c.watchOnce(ctx, id, func(j Job) error {
			connected, attempts = true, 0
			final = j.Final()
			if err := f(j); err != nil {
				return stop{err}
			}
			return nil
		})
		if s, ok := errors.AsType[stop](err); ok {
			return s.err
		}
		switch {
		case final:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			err = errBroken
		}
		attempts++
		if !connected || !worthRetrying(err) || attempts > maxAttempts {
			return fmt.Errorf("watch job %s: %w", id, err)
		}
		if err := sleep(ctx, c.retryDelay<<min(attempts-1, 4)); err != nil {
			return err
		}
	}
}

// worthRetrying reports whether the same request may be answered later.
func worthRetrying(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return !ok || e.Status >= 500 || e.Status == http.StatusTooManyRequests
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// watchOnce reads one stream to its end.
func (c *Client) watchOnce(ctx context.Context, id string, f func(Job) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	dead := time.AfterFunc(c.idle, func() { cancel(errBroken) })
	defer dead.Stop()
	resp, err := c.send(ctx, http.MethodGet, jobPath(id, "/events"), nil, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return readEvents(resp.Body, func() { dead.Reset(c.idle) }, func(event string, data []byte) error {
		switch event {
		case "job":
			var j Job
			if err := json.Unmarshal(data, &j); err != nil {
				return stop{fmt.Errorf("decode an event: %w", err)}
			}
			return f(j)
		case "error":
			e := new(Error)
			if err := json.Unmarshal(data, e); err != nil {
				return errBroken
			}
			return e
		}
		return nil
	})
}

// readEvents reads server-sent events (WHATWG HTML, "Server-sent events"), of which the fields event and data are used.
// alive is called for every line, comments included. An event that the end of the stream cuts off is dropped.
func readEvents(r io.Reader, alive func(), f func(event string, data []byte) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxEvent)
	var event string
	var data []byte
	for lines.Scan() {
		alive()
		line := lines.Bytes()
		if len(line) == 0 {
			if data != nil {
				if err := f(event, data); err != nil {
					return err
				}
			}
			event, data = "", nil
			continue
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(name) {
		case "event":
			event = string(value)
		case "data":
			if data != nil {
				data = append(data, '\n')
			}
			data = append(data, value...)
			if data == nil {
				data = []byte{}
			}
			if len(data) > maxEvent {
				return errBroken
			}
		}
	}
	return lines.Err()
}
