package localstore

import (
	"errors"
	"hash/maphash"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2"
)

// stripes are the locks of keys: one writer at a time per key, readers of a body beside one another.
type stripes struct {
	seed  maphash.Seed
	locks [4096]sync.RWMutex
}

func (s *stripes) of(bucket, key string) *sync.RWMutex {
	var h maphash.Hash
	h.SetSeed(s.seed)
	h.WriteString(bucket)
	h.WriteByte('/')
	h.WriteString(key)
	return &s.locks[h.Sum64()%uint64(len(s.locks))]
}

// eachVersion calls f with a key's versions, newest first, until it returns false.
func (s *Store) eachVersion(bucket, key string, f func(*version) bool) error {
	from, to := keyRows(kindVersion, bucket, key)
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return err
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		v, err := decode[version](it.Value())
		if err != nil {
			return err
		}
		v.Key, v.Seq = cutVersionRow(bucket, it.Key())
		if !f(v) {
			return nil
		}
	}
	return it.Error()
}

// find gives a version of a key, the latest for the id "". It is nil when there is none.
func (s *Store) find(bucket, key, id string) (*version, error) {
	var found *version
	err := s.eachVersion(bucket, key, func(v *version) bool {
		if id == "" || v.id() == id {
			found = v
		}
		return found == nil
	})
	return found, err
}

// lookup is find for requests: what is not there is the protocol's error.
func (s *Store) lookup(bucket, key, id string) (*version, error) {
	if _, err := s.bucket(bucket); err != nil {
		return nil, err
	}
	v, err := s.find(bucket, key, id)
	switch {
	case err != nil:
		return nil, err
	case v == nil && id != "":
		return nil, errNoSuchVersion
	case v == nil:
		return nil, errNoSuchKey
	case v.Marker && id == "":
		return nil, errNoSuchKey.with("delete-marker", "true").with("version-id", v.id())
	case v.Marker:
		return nil, errMarkerMethod.with("delete-marker", "true").with("version-id", v.id())
	}
	return v, nil
}

// load is lookup together with the body, whose files stay until release.
func (s *Store) load(bucket, key, id string) (v *version, b *body, release func(), err error) {
	lock := s.keys.of(bucket, key)
	lock.RLock()
	defer lock.RUnlock()
	if v, err = s.lookup(bucket, key, id); err != nil {
		return nil, nil, nil, err
	}
	b = &body{segments: v.Segments, inline: map[string][]byte{}, size: v.Size, etag: v.ETag, crc64: v.CRC64}
	for _, seg := range v.Segments {
		if !seg.Inline {
			continue
		}
		data, closer, err := s.db.Get(blobRow(kindData, seg.Blob))
		if err != nil {
			return nil, nil, nil, err
		}
		b.inline[seg.Blob] = slices.Clone(data)
		closer.Close()
	}
	s.blobs.pin(v.Segments)
	return v, b, func() { s.blobs.unpin(v.Segments) }, nil
}

// change is what a write does to the key-value store, committed as one, and which files it leaves without a record.
type change struct {
	batch *pebble.Batch
	freed []segment
}

func (c *change) set(row []byte, record any) error { return c.batch.Set(row, encode(record), nil) }

func (c *change) drop(row []byte) error { return c.batch.Delete(row, nil) }

// take makes staged bytes part of the change.
func (c *change) take(segs []segment, inline map[string][]byte) error {
	var err error
	for _, seg := range segs {
		if data, ok := inline[seg.Blob]; ok {
			err = errors.Join(err, c.batch.Set(blobRow(kindData, seg.Blob), data, nil))
		} else if !seg.Inline {
			err = errors.Join(err, c.batch.Set(blobRow(kindFile, seg.Blob), nil, nil))
		}
	}
	return err
}

// free gives up stored bytes.
func (c *change) free(segs []segment) error {
	var err error
	for _, seg := range segs {
		kind := byte(kindFile)
		if seg.Inline {
			kind = kindData
		}
		err = errors.Join(err, c.drop(blobRow(kind, seg.Blob)))
	}
	c.freed = append(c.freed, segs...)
	return err
}

// removeVersion drops a version's row and its bytes.
func (c *change) removeVersion(bucket string, v *version) error {
	return errors.Join(c.drop(versionRow(bucket, v.Key, v.Seq)), c.free(v.Segments))
}

// inKey runs f as the only writer of a key and commits its change. The answer comes after the fsync that writers waiting
// together share.
func (s *Store) inKey(bucket, key string, f func(*bucketRecord, *change) error) error {
	s.bucketMu.RLock()
	defer s.bucketMu.RUnlock()
	b, err := s.bucket(bucket)
	if err != nil {
		return err
	}
	lock := s.keys.of(bucket, key)
	lock.Lock()
	defer lock.Unlock()
	c := &change{batch: s.db.NewBatch()}
	defer c.batch.Close()
	if err := f(b, c); err != nil {
		return err
	}
	return s.commit(c)
}

func (s *Store) commit(c *change) error {
	if c.batch.Empty() {
		return nil
	}
	if err := c.batch.Commit(pebble.Sync); err != nil {
		return err
	}
	s.blobs.remove(c.freed)
	return nil
}

// put makes v the latest version of its key, with a staged body. allowed may refuse, seeing the version before: nil
// when there is none, or a delete marker.
func (s *Store) put(bucket string, v *version, staged *body, allowed func(latest *version) error) error {
	err := s.inKey(bucket, v.Key, func(b *bucketRecord, c *change) error {
		if err := s.addVersion(b, bucket, v, c, allowed); err != nil {
			return err
		}
		return c.take(staged.segments, staged.inline)
	})
	if err != nil {
		s.blobs.remove(staged.segments)
	}
	return err
}

// addVersion numbers v and puts its row into the change; what it replaces goes.
func (s *Store) addVersion(b *bucketRecord, bucket string, v *version, c *change, allowed func(*version) error) error {
	var latest, null *version
	err := s.eachVersion(bucket, v.Key, func(o *version) bool {
		if latest == nil {
			latest = o
		}
		if o.Null {
			null = o
		}
		return b.Versioning != versioningEnabled && null == nil
	})
	if err != nil {
		return err
	}
	if allowed != nil {
		seen := latest
		if seen != nil && seen.Marker {
			seen = nil
		}
		if err := allowed(seen); err != nil {
			return err
		}
	}
	v.Seq = s.nextSeq()
	if latest != nil {
		v.Seq = max(v.Seq, latest.Seq+1)
	}
	v.Null = b.Versioning != versioningEnabled
	if v.Null && null != nil {
		if err := c.removeVersion(bucket, null); err != nil {
			return err
		}
	}
	return c.set(versionRow(bucket, v.Key, v.Seq), v)
}

// update changes a stored version's record.
func (s *Store) update(bucket, key, id string, f func(*version) error) (*version, error) {
	var v *version
	err := s.inKey(bucket, key, func(_ *bucketRecord, c *change) error {
		var err error
		if v, err = s.lookup(bucket, key, id); err != nil {
			return err
		}
		if err := f(v); err != nil {
			return err
		}
		return c.set(versionRow(bucket, key, v.Seq), v)
	})
	return v, err
}

// deleted tells what a delete did.
type deleted struct {
	marker  bool   // a delete marker was made or removed
	version string // of the marker made or the version removed; "" in a bucket without versions
}

// remove deletes a version, or without an id the object: by a delete marker where the bucket keeps versions. What is not
// there counts as deleted.
func (s *Store) remove(bucket, key, id string, allowed func(*version) error) (deleted, error) {
	var out deleted
	err := s.inKey(bucket, key, func(b *bucketRecord, c *change) error {
		v, err := s.find(bucket, key, id)
		if err != nil {
			return err
		}
		if allowed != nil {
			if err := allowed(v); err != nil {
				return err
			}
		}
		if id == "" && b.Versioning != "" {
			marker := &version{Key: key, Marker: true, Modified: s.now().UnixNano()}
			err := s.addVersion(b, bucket, marker, c, nil)
			out = deleted{marker: true, version: marker.id()}
			return err
		}
		if id != "" {
			out = deleted{version: id, marker: v != nil && v.Marker}
		}
		if v == nil {
			return nil
		}
		return c.removeVersion(bucket, v)
	})
	return out, err
}
