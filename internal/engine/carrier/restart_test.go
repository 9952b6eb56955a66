package carrier_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/engine/carrier"
	"github.com/drover-batch/drover/internal/job"
)

const jobA job.ID = "0a4f2b53-6a1c-4cbb-9f7b-0d3c5a1e7f10"

const (
	// childFolder names the folder that a child process of TestKill works in.
	childFolder = "CARRIER_TEST_FOLDER"
	// childNode has the settings of a child process that is a node of a cluster.
	childNode = "CARRIER_TEST_NODE"
)

func TestMain(m *testing.M) {
	var err error
	if dir := os.Getenv(childFolder); dir != "" {
		err = child(dir)
	} else if settings := os.Getenv(childNode); settings != "" {
		err = node(settings)
	} else {
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// node is a node of a cluster until its standard input ends. It says when it is ready.
func node(settings string) error {
	var o carrier.Options
	if err := json.Unmarshal([]byte(settings), &o); err != nil {
		return err
	}
	c, err := carrier.Open(context.Background(), o)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	_, err = io.Copy(io.Discard, os.Stdin)
	return errors.Join(err, c.Close())
}

// child writes records, chunks and results for as long as it lives, and prints a number once all three of that number
// were stored.
func child(dir string) error {
	ctx := context.Background()
	c, err := carrier.Open(ctx, carrier.Options{Dir: dir, Sync: true})
	if err != nil {
		return err
	}
	if err := c.Open(ctx, jobA); err != nil {
		return err
	}
	var rev uint64
	for i := int64(0); ; i++ {
		if rev == 0 {
			rev, err = c.Create(ctx, engine.Jobs, "cursor.a", fmt.Append(nil, i))
		} else {
			rev, err = c.Update(ctx, engine.Jobs, "cursor.a", fmt.Append(nil, i), rev)
		}
		if err == nil {
			err = c.Publish(ctx, jobA, 1, i, fmt.Append(nil, i))
		}
		if err == nil {
			err = c.PublishResult(ctx, engine.ResultName{Job: jobA, Phase: 1, Chunk: i, Attempt: "w"}, make([]byte, 10_000))
		}
		if err == nil && i%2 == 0 { // some claims are out when the process dies
			_, err = c.Claim(ctx, jobA, 0)
		}
		if err != nil {
			return err
		}
		fmt.Println(i)
	}
}

func TestKillKeepsWhatWasAcknowledged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), exe)
	cmd.Env = append(os.Environ(), childFolder+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var told int64
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, err := fmt.Sscan(lines.Text(), &told); err != nil {
			t.Fatal(err)
		}
		if told == 300 {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait() // was killed
	if told < 300 {
		t.Fatalf("the child got to %d only", told)
	}
	checkStored(t, open(t, carrier.Options{Dir: dir, Sync: true}), told)
}

// checkStored wants all numbers up to told, and perhaps the one that was under way.
func checkStored(t *testing.T, c *carrier.Carrier, told int64) {
	t.Helper()
	ctx := t.Context()
	r, err := c.Get(ctx, engine.Jobs, "cursor.a")
	if err != nil {
		t.Fatal(err)
	}
	var cursor int64
	if _, err := fmt.Sscan(string(r.Value), &cursor); err != nil || cursor < told || cursor > told+1 {
		t.Errorf("cursor = %q, want %d or the next", r.Value, told)
	}
	if _, err := c.Update(ctx, engine.Jobs, "cursor.a", nil, r.Rev); err != nil {
		t.Error(err)
	}
	if err := c.Open(ctx, jobA); err != nil {
		t.Fatal(err)
	}
	for want := range told + 1 {
		l, err := c.Claim(ctx, jobA, 0)
		if err != nil || l == nil {
			t.Fatalf("claim of chunk %d: %v, %v", want, l, err)
		}
		if l.Chunk() != want || l.Attempt() != 1 || string(l.Data()) != fmt.Sprint(want) {
			t.Fatalf("chunk %d, attempt %d, data %q, want chunk %d", l.Chunk(), l.Attempt(), l.Data(), want)
		}
	}
	if got := chunksOfResults(t, c); int64(len(got)) < told+1 || !slices.IsSorted(got) || got[told] != told {
		t.Errorf("%d results, want at least %d", len(got), told+1)
	}
}

var errStop = errors.New("seen enough")

func chunksOfResults(t *testing.T, c *carrier.Carrier) []int64 {
	t.Helper()
	var got []int64
	err := c.Results(t.Context(), jobA, 0, time.Minute, func(r engine.Result) error {
		if r.Seq == 0 {
			return errStop
		}
		got = append(got, r.Name.Chunk)
		return nil
	})
	if !errors.Is(err, errStop) {
		t.Fatal(err)
	}
	return got
}

func TestRestartKeepsEverything(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ctx := t.Context()
	c := open(t, carrier.Options{Dir: dir})
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	rev, err := c.Create(ctx, engine.Jobs, "job.a", []byte("v"))
	ok(err)
	_, err = c.Create(ctx, engine.Jobs, "job.gone", []byte("v"))
	ok(err)
	ok(c.Delete(ctx, engine.Jobs, "job.gone"))
	ok(c.Open(ctx, jobA))
	for i := range int64(4) {
		ok(c.Publish(ctx, jobA, 1, i, []byte("data")))
		ok(c.PublishResult(ctx, engine.ResultName{Job: jobA, Phase: 1, Chunk: i, Attempt: "w"}, []byte("result")))
	}
	acked, err := c.Claim(ctx, jobA, 0)
	ok(err)
	ok(acked.Ack(ctx))
	_, err = c.Claim(ctx, jobA, 0) // out when it ends
	ok(err)
	ok(c.Close())

	c = open(t, carrier.Options{Dir: dir})
	if l, err := c.Claim(ctx, jobA, 0); l != nil || err != nil {
		t.Errorf("claim before Open = %v, %v, want none", l, err)
	}
	r, err := c.Get(ctx, engine.Jobs, "job.a")
	ok(err)
	if diff := cmp.Diff(engine.Record{Key: "job.a", Value: []byte("v"), Rev: rev}, r); diff != "" {
		t.Error(diff)
	}
	if _, err := c.Get(ctx, engine.Jobs, "job.gone"); !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("get of a deleted record: %v", err)
	}
	if _, err := c.Create(ctx, engine.Jobs, "job.gone", nil); err != nil {
		t.Error(err)
	}
	ok(c.Open(ctx, jobA))
	for _, want := range []int64{1, 2, 3} {
		l, err := c.Claim(ctx, jobA, 0)
		ok(err)
		if l == nil || l.Chunk() != want {
			t.Fatalf("claimed %v, want chunk %d", l, want)
		}
	}
	if diff := cmp.Diff([]int64{0, 1, 2, 3}, chunksOfResults(t, c)); diff != "" {
		t.Error(diff)
	}
}

func TestOneProcessHoldsAFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c := open(t, carrier.Options{Dir: dir})
	_, err := carrier.Open(t.Context(), carrier.Options{Dir: dir})
	if job.CodeOf(err) != job.Unavailable || !strings.Contains(job.MessageOf(err), dir) {
		t.Errorf("second open = %v", err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	open(t, carrier.Options{Dir: dir})
}

func TestCloseEndsWaitingCalls(t *testing.T) {
	t.Parallel()
	c := open(t, carrier.Options{})
	ctx := t.Context()
	if err := c.Open(ctx, jobA); err != nil {
		t.Fatal(err)
	}
	started := make(chan struct{}, 2)
	ended := make(chan error, 3)
	go func() {
		ended <- c.Watch(ctx, engine.Jobs, func(engine.Record) error { started <- struct{}{}; return nil })
	}()
	go func() {
		ended <- c.Results(ctx, jobA, 0, time.Hour, func(engine.Result) error { started <- struct{}{}; return nil })
	}()
	<-started
	<-started
	go func() {
		_, err := c.Claim(ctx, jobA, time.Hour)
		ended <- err
	}()
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := <-ended; err == nil {
			t.Error("a call on a closed carrier ended without an error")
		}
	}
	<-ended // the claim's: that it ends is all, for it may not have begun before
	if _, err := c.Put(ctx, engine.Jobs, "job.a", nil); err == nil {
		t.Error("a closed carrier took a record")
	}
}

// Not parallel: others' goroutines would be taken for its own.
func TestCloseLeavesNoGoroutine(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	c, err := carrier.Open(context.Background(), carrier.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	stop := func(engine.Record) error { return errStop }
	if err := c.Watch(t.Context(), engine.Jobs, stop); !errors.Is(err, errStop) {
		t.Error(err)
	}
	chunksOfResults(t, c)
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func TestResultsHaveABoundOfTheirOwn(t *testing.T) {
	t.Parallel()
	c := open(t, carrier.Options{MaxResults: 1 << 20})
	var err error
	n := int64(0)
	for ; err == nil && n < 100; n++ {
		err = c.PublishResult(t.Context(), engine.ResultName{Job: jobA, Phase: 1, Chunk: n, Attempt: "w"}, make([]byte, 50_000))
	}
	if !errors.Is(err, engine.ErrFull) {
		t.Errorf("publish of result %d = %v, want full", n, err)
	}
	for n := range int64(100) { // chunks go on
		if err := c.Publish(t.Context(), jobA, 1, n, make([]byte, 50_000)); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFullStreamsSayFull(t *testing.T) {
	t.Parallel()
	c := open(t, carrier.Options{MaxStore: 1 << 20})
	ctx := t.Context()
	var err error
	n := int64(0)
	for ; err == nil; n++ {
		err = c.Publish(ctx, jobA, 1, n, make([]byte, 50_000))
	}
	if !errors.Is(err, engine.ErrFull) {
		t.Errorf("publish of chunk %d = %v, want full", n, err)
	}
	if err := c.Publish(ctx, jobA, 1, 0, make([]byte, 50_000)); !errors.Is(err, engine.ErrQueued) {
		t.Errorf("publish of a chunk that a full stream has = %v, want queued", err)
	}
	err = nil
	for n = 0; err == nil; n++ {
		err = c.PublishResult(ctx, engine.ResultName{Job: jobA, Phase: 1, Chunk: n, Attempt: "w"}, make([]byte, 50_000))
	}
	if !errors.Is(err, engine.ErrFull) {
		t.Errorf("publish of result %d = %v, want full", n, err)
	}
	// Records are still taken, and emptying helps.
	if _, err := c.Put(ctx, engine.Jobs, "ckpt.a", make([]byte, 500_000)); err != nil {
		t.Error(err)
	}
	if err := c.PurgeResults(ctx, jobA, 0); err != nil {
		t.Fatal(err)
	}
	if err := c.PublishResult(ctx, engine.ResultName{Job: jobA, Phase: 1, Attempt: "w"}, make([]byte, 50_000)); err != nil {
		t.Error(err)
	}
}
