package localstore

import (
	"errors"
	"maps"
	"net"
	"slices"
	"strings"

	"github.com/cockroachdb/pebble/v2"
)

func (s *Store) loadBuckets() error {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{kindBucket}, UpperBound: []byte{kindBucket + 1}})
	if err != nil {
		return err
	}
	defer it.Close()
	buckets := map[string]*bucketRecord{}
	for ok := it.First(); ok; ok = it.Next() {
		b, err := decode[bucketRecord](it.Value())
		if err != nil {
			return err
		}
		buckets[string(it.Key()[1:])] = b
	}
	s.buckets.Store(&buckets)
	return it.Error()
}

func (s *Store) bucket(name string) (*bucketRecord, error) {
	if b, ok := (*s.buckets.Load())[name]; ok {
		return b, nil
	}
	return nil, errNoSuchBucket
}

// bucketNames lists the buckets in order.
func (s *Store) bucketNames() []string { return slices.Sorted(maps.Keys(*s.buckets.Load())) }

func (s *Store) createBucket(name, region string, acl *aclRecord) error {
	if !validBucketName(name) {
		return errInvalidBucketName
	}
	s.bucketMu.Lock()
	defer s.bucketMu.Unlock()
	if _, err := s.bucket(name); err == nil {
		return errBucketOwned
	}
	return s.storeBucket(name, &bucketRecord{Region: region, Created: s.now().UTC(), ACL: acl})
}

// updateBucket changes a bucket's record.
func (s *Store) updateBucket(name string, f func(*bucketRecord)) error {
	s.bucketMu.Lock()
	defer s.bucketMu.Unlock()
	old, err := s.bucket(name)
	if err != nil {
		return err
	}
	b := *old
	f(&b)
	return s.storeBucket(name, &b)
}

func (s *Store) storeBucket(name string, b *bucketRecord) error {
	if err := s.db.Set(bucketRow(name), encode(b), pebble.Sync); err != nil {
		return err
	}
	s.showBucket(name, b)
	return nil
}

// showBucket replaces a bucket's record in memory, or with nil takes it out. Readers hold no lock: they see the old map or
// the new one.
func (s *Store) showBucket(name string, b *bucketRecord) {
	next := maps.Clone(*s.buckets.Load())
	if b == nil {
		delete(next, name)
	} else {
		next[name] = b
	}
	s.buckets.Store(&next)
}

// deleteBucket removes a bucket that holds no version of anything, together with its unfinished uploads.
func (s *Store) deleteBucket(name string) error {
	s.bucketMu.Lock()
	defer s.bucketMu.Unlock()
	if _, err := s.bucket(name); err != nil {
		return err
	}
	rows := bucketPrefix(kindVersion, name)
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: rows, UpperBound: prefixEnd(rows)})
	if err != nil {
		return err
	}
	used := it.First()
	if err := errors.Join(it.Error(), it.Close()); err != nil {
		return err
	}
	if used {
		return errBucketNotEmpty
	}
	c := &change{batch: s.db.NewBatch()}
	defer c.batch.Close()
	err = s.eachUpload(name, "", func(key, id string, _ *uploadRecord) (bool, error) {
		return true, s.dropUpload(c, name, key, id, nil)
	})
	if err != nil {
		return err
	}
	if err := c.drop(bucketRow(name)); err != nil {
		return err
	}
	if err := s.commit(c); err != nil {
		return err
	}
	s.showBucket(name, nil)
	return nil
}

// validBucketName holds the naming rules of both S3 and COS: 3–63 of a-z 0-9 . -, beginning and ending with a letter or
// a digit, no empty label, no IP address.
func validBucketName(name string) bool {
	if len(name) < 3 || len(name) > 63 || net.ParseIP(name) != nil || strings.Contains(name, "..") {
		return false
	}
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
		case (c == '-' || c == '.') && i > 0 && i < len(name)-1:
		default:
			return false
		}
	}
	return true
}
