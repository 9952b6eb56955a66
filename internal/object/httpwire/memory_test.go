package httpwire

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/object/sockets"
)

// echo answers with what the request's key says, so that an answer in the wrong hands shows.
func echo(p string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
		h := w.Header()
		h.Set(p+"version-id", "v-"+id)
		switch {
		case strings.HasPrefix(id, "fail"):
			h.Set(p+"request-id", "request-"+id)
			w.WriteHeader(403)
			if r.Method != "HEAD" {
				_, _ = fmt.Fprintf(w, "<Error><Code>Code%s</Code><Message>message %s</Message></Error>", id, id)
			}
		case r.Header.Get(p+"copy-source") != "":
			_, _ = fmt.Fprintf(w, "<CopyObjectResult><ETag>&quot;e-%s&quot;</ETag></CopyObjectResult>", id)
		case r.Method == "DELETE":
			h.Set(p+"delete-marker", "true")
			w.WriteHeader(204)
		default:
			h.Set("ETag", `"e-`+id+`"`)
			h.Set("Content-Type", "type/"+id)
			h.Set(p+"storage-class", "CLASS_"+id)
			h.Set(p+"meta-name", "value-"+id)
			h.Set(p+"restore", `ongoing-request="true"`)
		}
	}
}

// What calls give back is the caller's: no later call writes over it.
func TestResultsOutliveTheirCalls(t *testing.T) {
	for _, d := range []Dialect{S3, COS} {
		t.Run(string(d), func(t *testing.T) {
			p := newDialect(d).restore
			p = strings.TrimSuffix(p, "restore")
			c, _ := start(t, d, echo(p))
			ctx := t.Context()
			var wg sync.WaitGroup
			for g := range 4 {
				wg.Go(func() { outlive(t, ctx, c, g) })
			}
			wg.Wait()
		})
	}
}

func outlive(t *testing.T, ctx context.Context, c *Client, g int) {
	type results struct {
		Copied object.CopyResult
		Info   object.Info
		Gone   object.DeleteResult
		Failed *object.Error
	}
	got, want := make([]results, 30), make([]results, 30)
	for i := range got {
		id := fmt.Sprintf("%d-%d", g, i)
		ref := object.Ref{Bucket: "b-125", Key: job.Key("k/" + id)}
		fails := object.Ref{Bucket: "b-125", Key: job.Key("k/fail" + id)}
		var errs [3]error
		got[i].Copied, errs[0] = c.Copy(ctx, object.CopyRequest{Source: ref, Bucket: ref.Bucket, Key: ref.Key})
		got[i].Info, errs[1] = c.Head(ctx, ref)
		got[i].Gone, errs[2] = c.Delete(ctx, ref)
		if err := errors.Join(errs[:]...); err != nil {
			t.Error(err)
			return
		}
		_, err := c.PutTags(ctx, fails, []object.Tag{{Key: "a", Value: id}})
		got[i].Failed, _ = errors.AsType[*object.Error](err)
		want[i] = results{
			Copied: object.CopyResult{Version: job.Version("v-" + id), HTTPStatus: 200},
			Info: object.Info{
				ETag: "e-" + id, Version: job.Version("v-" + id), Class: "CLASS_" + id,
				Meta:    object.Metadata{ContentType: "type/" + id, User: map[string]string{"name": "value-" + id}},
				Restore: &object.RestoreState{Ongoing: true},
			},
			Gone: object.DeleteResult{HTTPStatus: 204, DeleteMarker: true, Version: job.Version("v-" + id)},
			Failed: &object.Error{
				Op: "PutTags", Code: "Codefail" + id, Status: 403, Message: "message fail" + id, RequestID: "request-fail" + id,
			},
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// hold answers the first calls, and then no more.
func hold(calls int, waiting chan<- struct{}) func(nc net.Conn, r *bufio.Reader) {
	return func(nc net.Conn, r *bufio.Reader) {
		for range calls {
			if _, _, ok := hear(r); !ok {
				return
			}
			_, _ = io.WriteString(nc, empty200)
		}
		if _, _, ok := hear(r); ok {
			waiting <- struct{}{}
		}
		_, _ = io.Copy(io.Discard, r)
	}
}

type callKey struct{}

// One watch serves all calls under a context, and under contexts made of it that end with it.
func TestContextEndsALaterCallOnItsConnection(t *testing.T) {
	for name, derive := range map[string]func(ctx context.Context) context.Context{
		"the same": func(ctx context.Context) context.Context { return ctx },
		"one that ends with it": func(ctx context.Context) context.Context {
			return context.WithValue(ctx, callKey{}, 1)
		},
		"one that ends after it": func(ctx context.Context) context.Context {
			ctx, cancel := context.WithCancel(ctx)
			t.Cleanup(cancel)
			return ctx
		},
	} {
		t.Run(name, func(t *testing.T) {
			waiting := make(chan struct{}, 1)
			s := play(t, hold(3, waiting))
			c := client(t, s, Options{})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			for range 3 {
				if _, err := c.Head(derive(ctx), ref); err != nil {
					t.Fatal(err)
				}
			}
			go func() {
				<-waiting
				cancel()
			}()
			if _, err := c.Head(derive(ctx), ref); !errors.Is(err, context.Canceled) || s.conns.Load() != 1 {
				t.Errorf("%v over %d connections", err, s.conns.Load())
			}
		})
	}
}

// A context that ends takes only its own calls with it: not the connection that they used, nor another call on it.
func TestContextThatEndedLeavesTheConnection(t *testing.T) {
	s := play(t, answers(slices200(200)...))
	c := client(t, s, Options{MaxAttempts: 1})
	for i := range 100 {
		ctx, cancel := context.WithCancel(t.Context())
		if _, err := c.Head(ctx, ref); err != nil {
			t.Fatal(i, err)
		}
		go cancel() // it may come before, during or after the next call
		if _, err := c.Head(t.Context(), ref); err != nil {
			t.Fatal(i, err)
		}
	}
	if n := s.conns.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func slices200(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = empty200
	}
	return all
}

// Many contexts that end at any time, over few connections: each call ends by its own context or well.
func TestContextsThatEndAtAnyTime(t *testing.T) {
	c, _ := start(t, S3, echo("x-amz-"))
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 50 {
				id := fmt.Sprintf("%d-%d", g, i)
				ctx, cancel := context.WithCancel(t.Context())
				if i%3 == 0 {
					go cancel()
				}
				info, err := c.Head(ctx, object.Ref{Bucket: "b", Key: job.Key(id)})
				switch {
				case err == nil && info.ETag != "e-"+id:
					t.Errorf("%s got the answer of %s", id, info.ETag)
				case err != nil && (i%3 != 0 || !errors.Is(err, context.Canceled)):
					t.Errorf("%s: %v", id, err)
				}
				cancel()
			}
		})
	}
	wg.Wait()
}

// A connection has memory for an answer only while it reads one: also after answers that were too long for a buffer, that were
// taken as a stream, or that came in pieces.
func TestIdleConnectionsHaveNoBuffers(t *testing.T) {
	long := strings.Repeat("x", 3*sockets.BufferSize)
	s := play(t, func(nc net.Conn, r *bufio.Reader) {
		for _, answer := range []string{
			empty200,
			"HTTP/1.1 200 OK\r\nX-Long: " + long + "\r\nContent-Length: 0\r\n\r\n",
			"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
			"HTTP/1.1 200 OK\r\nContent-Length: " + strconv.Itoa(len(long)) + "\r\n\r\n" + long,
			empty200,
		} {
			if _, _, ok := hear(r); !ok {
				return
			}
			half := len(answer) / 2
			_, _ = io.WriteString(nc, answer[:half])
			_, _ = io.WriteString(nc, answer[half:])
		}
		_, _ = io.Copy(io.Discard, r)
	})
	c := client(t, s, Options{MaxAttempts: 1})
	for i, want := range []string{"", "", "abc", "abc", long, ""} {
		got, _, err := c.Get(t.Context(), ref, 0, -1)
		if err != nil {
			t.Fatal(i, err)
		}
		b, err := io.ReadAll(got)
		if string(b) != want || err != nil {
			t.Fatalf("%d: %d bytes, want %d, %v", i, len(b), len(want), err)
		}
		if err := got.Close(); err != nil {
			t.Fatal(i, err)
		}
		for _, p := range c.wire.idle {
			for _, nc := range p.conns {
				if nc.buf != nil || nc.lent != nil {
					t.Errorf("after answer %d an idle connection has a buffer of %d bytes", i, len(nc.buf))
				}
			}
		}
	}
	if n := s.conns.Load(); n != 1 {
		t.Errorf("%d connections", n)
	}
}
