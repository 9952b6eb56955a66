package localstore

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/drover-batch/drover/internal/job"
)

// drainTime is how long Close waits for requests in flight before it cuts their connections.
const drainTime = 10 * time.Second

// Options say where a store lives and who may use it.
type Options struct {
	Dir          string                                       // its folder, made when missing; one store at a time holds it
	Listen       string                                       // default 127.0.0.1:0
	Region       string                                       // of buckets made without a LocationConstraint; default "local"
	AccessKey    string                                       // required; also the owner's id in listings and access lists
	SecretKey    string                                       // required
	Temporary    func(accessKey string) (TemporaryKeys, bool) // finds further keys; nil = there are none
	RestoreDelay time.Duration                                // how long a restore takes; 0 = by tier: Expedited 1 s, Standard 5 s, Bulk 10 s
	Now          func() time.Time                             // of objects and restores; default time.Now. Signatures are held against real time
	CallLog      io.Writer                                    // gets a line for each object call; nil = none
}

// Store is a running object store. Several may run in one process, each in its own folder.
type Store struct {
	o       Options
	db      *pebble.DB
	unlock  func() error // of the folder, after the database, which does not own its lock
	blobs   *blobs
	keys    stripes
	lastSeq atomic.Uint64
	log     *callLog

	bucketMu sync.RWMutex // held by every write: of an object for reading, of a bucket for writing
	buckets  atomic.Pointer[map[string]*bucketRecord]

	server  *http.Server
	url     string
	calls   sync.WaitGroup // requests being answered
	served  chan struct{}  // closed when the server's loop has ended
	signing signingKeys
	closing sync.Once
	closed  error
}

// Open starts a store: it listens and serves when Open returns. ctx is of the start alone; Close ends the store. A folder
// that another store holds, an address in use or missing keys are errors whose text says what to do.
func Open(ctx context.Context, o Options) (*Store, error) {
	if err := o.fill(); err != nil {
		return nil, err
	}
	s := &Store{o: o, keys: stripes{seed: maphash.MakeSeed()}, served: make(chan struct{})}
	s.log = newCallLog(o.CallLog)
	if err := s.openFolder(); err != nil {
		return nil, err
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", o.Listen)
	if err != nil {
		return nil, errors.Join(&job.Error{
			Code:    job.Unavailable,
			Message: fmt.Sprintf("The object store cannot listen on %s; give another address, or port 0 for a free one.", o.Listen),
			Err:     err,
		}, s.closeFolder())
	}
	s.url = "http://" + listener.Addr().String()
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute}
	go func() {
		defer close(s.served)
		s.server.Serve(listener) // returns when Close shuts the server down
	}()
	return s, nil
}

func (o *Options) fill() error {
	if o.Dir == "" {
		return job.FieldErrorf("Dir", "The object store needs a folder.")
	}
	if o.AccessKey == "" || o.SecretKey == "" {
		return job.FieldErrorf("AccessKey", "The object store needs an access key and a secret key.")
	}
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	if o.Region == "" {
		o.Region = "local"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return nil
}

func (s *Store) openFolder() error {
	dir, err := filepath.Abs(s.o.Dir) // the lock tells folders apart by name
	if err != nil {
		return fmt.Errorf("find the object store's folder %s: %w", s.o.Dir, err)
	}
	s.o.Dir = dir
	meta := filepath.Join(dir, "meta")
	if err := os.MkdirAll(meta, 0o700); err != nil {
		return fmt.Errorf("make the object store's folder: %w", err)
	}
	lock, err := pebble.LockDirectory(meta, vfs.Default)
	if err != nil {
		return &job.Error{
			Code:    job.Conflict,
			Message: fmt.Sprintf("The folder %s is in use by another object store; stop that one, or choose another folder.", s.o.Dir),
			Err:     err,
		}
	}
	if s.db, err = pebble.Open(meta, pebbleOptions(lock)); err != nil {
		return fmt.Errorf("open the object store in %s: %w", s.o.Dir, errors.Join(err, lock.Close()))
	}
	s.unlock = lock.Close
	if err := s.loadFolder(); err != nil {
		return fmt.Errorf("open the object store in %s: %w", s.o.Dir, errors.Join(err, s.closeFolder()))
	}
	return nil
}

func (s *Store) loadFolder() (err error) {
	if s.blobs, err = openBlobs(filepath.Join(s.o.Dir, "blobs")); err != nil {
		return err
	}
	// The folders themselves must last too: a synced file in a folder whose name is lost is lost.
	if err := errors.Join(syncDir(s.o.Dir), syncDir(filepath.Dir(s.o.Dir))); err != nil {
		return err
	}
	if err := s.blobs.sweep(s.db); err != nil {
		return err
	}
	return s.loadBuckets()
}

func (s *Store) closeFolder() error { return errors.Join(s.db.Close(), s.unlock()) }

// URL is the store's address, http://127.0.0.1:port.
func (s *Store) URL() string { return s.url }

// Close takes no new requests, waits up to ten seconds for those in flight, and lets go of the folder.
func (s *Store) Close() error {
	s.closing.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), drainTime)
		defer cancel()
		if err := s.server.Shutdown(ctx); err != nil {
			s.server.Close()
		}
		<-s.served
		s.calls.Wait()
		s.closed = s.closeFolder()
	})
	return s.closed
}

func (s *Store) now() time.Time { return s.o.Now() }

// nextSeq numbers versions by time, each larger than the one before.
func (s *Store) nextSeq() uint64 {
	for {
		last := s.lastSeq.Load()
		next := max(last+1, uint64(time.Now().UnixNano()))
		if s.lastSeq.CompareAndSwap(last, next) {
			return next
		}
	}
}
