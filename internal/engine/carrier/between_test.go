package carrier

import (
	"context"
	"errors"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/drover-batch/drover/internal/engine"
)

// refusing refuses the next messages as a leader does that is about to lose its place: for what is not stored.
type refusing struct {
	jetstream.JetStream
	with []error
}

func (r *refusing) PublishMsg(ctx context.Context, m *nats.Msg, o ...jetstream.PublishOpt) (*jetstream.PubAck, error) {
	if len(r.with) > 0 {
		err := r.with[0]
		r.with = r.with[1:]
		return nil, err
	}
	return r.JetStream.PublishMsg(ctx, m, o...)
}

func apiError(code jetstream.ErrorCode, text string) error {
	return &jetstream.APIError{ErrorCode: code, Description: text}
}

func TestRefusalForWhatIsNotStoredIsNone(t *testing.T) {
	t.Parallel()
	c, l := openLosing(t)
	r := &refusing{JetStream: l.JetStream}
	c.js, c.shared = r, true
	ctx := t.Context()
	underWay := apiError(jetstream.JSErrCodeStreamWrongLastSequenceConstant, "wrong last sequence")
	old := apiError(jetstream.JSErrCodeStreamWrongLastSequence, "wrong last sequence: 1")
	twice := apiError(codeStoreFailed, "maximum messages per subject exceeded")
	var rev uint64
	for _, s := range []struct {
		name string
		with []error
		do   func() error
	}{
		{"create", []error{underWay, old}, func() (err error) { rev, err = c.Create(ctx, engine.Jobs, "job.a", []byte("1")); return err }},
		{"update", []error{underWay, old, underWay}, func() (err error) {
			rev, err = c.Update(ctx, engine.Jobs, "job.a", []byte("2"), rev)
			return err
		}},
		{"no responders", []error{nats.ErrNoResponders, jetstream.ErrNoStreamResponse}, func() (err error) {
			rev, err = c.Update(ctx, engine.Jobs, "job.a", []byte("3"), rev)
			return err
		}},
		{"no leader", []error{apiError(10008, "temporarily unavailable"), apiError(10158, "duplicate is in process")}, func() error {
			return c.Delete(ctx, engine.Jobs, "job.a")
		}},
		{"publish", []error{twice}, func() error { return c.Publish(ctx, "a", 1, 1, nil) }},
		{"result", []error{twice}, func() error {
			return c.PublishResult(ctx, engine.ResultName{Job: "a", Attempt: "w"}, nil)
		}},
	} {
		r.with = s.with
		if err := s.do(); err != nil {
			t.Errorf("%s: %v", s.name, err)
		}
	}
	if got, err := c.Queued(ctx, "a", 1); err != nil || len(got) != 1 {
		t.Errorf("queued = %v, %v, want the chunk", got, err)
	}
	if got, err := c.ResultsOf(ctx, "a", 0, 0); err != nil || len(got) != 1 {
		t.Errorf("results = %v, %v, want the one", got, err)
	}
	// Real refusals are told at once.
	if err := c.Publish(ctx, "a", 1, 1, nil); !errors.Is(err, engine.ErrQueued) {
		t.Errorf("publish of a queued chunk = %v", err)
	}
	if _, err := c.Update(ctx, engine.Jobs, "job.a", nil, rev); !errors.Is(err, engine.ErrConflict) {
		t.Errorf("update of a deleted record = %v", err)
	}
}
