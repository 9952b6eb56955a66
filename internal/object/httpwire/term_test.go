package httpwire

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/object/window"
)

// turns is a gate whose turn may take its time.
type turns struct{ enter func() }

func (g turns) Enter(context.Context) error { g.enter(); return nil }
func (g turns) Leave()                      {}
func (g turns) Moved(int64)                 {}

// A process that is stopped after its call was given a turn, or a call that waits out its term between attempts, must not
// send what another may have sent meanwhile.
func TestNoAttemptBeginsPastItsCallersTerm(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		load    bool
		ends    string // when the term does
		answers int32  // calls that reach the store
	}{
		{"before the call", false, "", 0},
		{"before the call, under load", true, "", 0},
		{"while the caller's turn is waited for", true, "turn", 0},
		{"between attempts", false, "attempt", 1},
		{"between attempts, under load", true, "attempt", 1},
		{"never", true, "never", 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var over atomic.Bool
			over.Store(c.ends == "")
			var n atomic.Int32
			plain, _ := start(t, S3, func(w http.ResponseWriter, _ *http.Request) {
				if n.Add(1); c.ends == "attempt" {
					over.Store(true)
				}
				w.WriteHeader(http.StatusInternalServerError)
			})
			o := plain.o
			if c.load {
				o.Load = window.NewSet(false, window.Bounds{}, nil)
			}
			s, _ := openAt(t, o)
			s.o.MaxAttempts = 3
			at := time.Now().Add(time.Hour)
			s.now = func() time.Time { return at }
			ctx := object.WithTerm(t.Context(), func(now time.Time) bool {
				if !now.Equal(at) && time.Since(now).Abs() > time.Minute { // connections ask by the system's own clock
					t.Errorf("asked for %s, and it is %s", now, at)
				}
				return over.Load()
			})
			ctx = object.WithGate(ctx, turns{func() {
				if c.ends == "turn" {
					over.Store(true)
				}
			}})
			_, err := s.Copy(ctx, object.CopyRequest{Source: ref, Bucket: "b", Key: "k"})
			if got := errors.Is(err, object.ErrWaitEnded); got != (c.ends != "never") {
				t.Errorf("the call ended with %v", err)
			}
			if n.Load() != c.answers {
				t.Errorf("%d attempts reached the store, want %d", n.Load(), c.answers)
			}
		})
	}
}
