package localstore

import (
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"
)

const (
	minPartSize = 5 << 20 // bytes, of all parts but the last
	maxParts    = 10000
)

func (s *Store) createUpload(bucket, key string, u *uploadRecord) (id string, err error) {
	id = newBlobID()
	return id, s.inKey(bucket, key, func(_ *bucketRecord, c *change) error {
		return c.set(uploadRow(bucket, key, id), u)
	})
}

func (s *Store) upload(bucket, key, id string) (*uploadRecord, error) {
	if _, err := s.bucket(bucket); err != nil {
		return nil, err
	}
	data, closer, err := s.db.Get(uploadRow(bucket, key, id))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil, errNoSuchUpload
	}
	if err != nil {
		return nil, err
	}
	defer closer.Close()
	return decode[uploadRecord](data)
}

// putPart adds a staged part to an upload, in place of one of the same number.
func (s *Store) putPart(bucket, key, id string, number int, staged *body, sum *checksum) (*partRecord, error) {
	p := &partRecord{Number: number, Modified: s.now().UnixNano(), ETag: staged.etag, CRC64: staged.crc64, Sum: sum}
	if len(staged.segments) > 0 {
		p.Segment = staged.segments[0]
	}
	err := s.inKey(bucket, key, func(_ *bucketRecord, c *change) error {
		if _, err := s.upload(bucket, key, id); err != nil {
			return err
		}
		data, closer, err := s.db.Get(partRow(id, number))
		if err == nil {
			old, err := decode[partRecord](data)
			closer.Close()
			if err != nil {
				return err
			}
			if err := c.free(old.segments()); err != nil {
				return err
			}
		} else if !errors.Is(err, pebble.ErrNotFound) {
			return err
		}
		return errors.Join(c.take(staged.segments, staged.inline), c.set(partRow(id, number), p))
	})
	if err != nil {
		s.blobs.remove(staged.segments)
	}
	return p, err
}

func (p *partRecord) segments() []segment {
	if p.Segment.Size == 0 {
		return nil
	}
	return []segment{p.Segment}
}

// parts gives an upload's parts in order.
func (s *Store) parts(id string) ([]*partRecord, error) {
	from, to := partRows(id)
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: to})
	if err != nil {
		return nil, err
	}
	defer it.Close()
	var out []*partRecord
	for ok := it.First(); ok; ok = it.Next() {
		p, err := decode[partRecord](it.Value())
		if err != nil {
			return nil, err
		}
		p.Number = int(binary.BigEndian.Uint32(it.Key()[len(from):]))
		out = append(out, p)
	}
	return out, it.Error()
}

// dropUpload ends an upload: its rows go, and the bytes of all parts but those kept.
func (s *Store) dropUpload(c *change, bucket, key, id string, kept map[int]bool) error {
	parts, err := s.parts(id)
	if err != nil {
		return err
	}
	for _, p := range parts {
		if err := c.drop(partRow(id, p.Number)); err != nil {
			return err
		}
		if !kept[p.Number] {
			if err := c.free(p.segments()); err != nil {
				return err
			}
		}
	}
	return c.drop(uploadRow(bucket, key, id))
}

func (s *Store) abortUpload(bucket, key, id string) error {
	return s.inKey(bucket, key, func(_ *bucketRecord, c *change) error {
		if _, err := s.upload(bucket, key, id); err != nil {
			return err
		}
		return s.dropUpload(c, bucket, key, id, nil)
	})
}

// chosenPart is a part as the completing request names it.
type chosenPart struct {
	Number int
	ETag   string // without quotes
}

// completeUpload makes the chosen parts one object. No byte is moved: the parts' blobs become its segments.
// checked may refuse the object made, allowed the one that it would replace.
func (s *Store) completeUpload(
	bucket, key, id string, chosen []chosenPart, checked, allowed func(*version) error,
) (*version, error) {
	var v *version
	err := s.inKey(bucket, key, func(b *bucketRecord, c *change) error {
		u, err := s.upload(bucket, key, id)
		if err != nil {
			return err
		}
		stored, err := s.parts(id)
		if err != nil {
			return err
		}
		parts, err := pickParts(stored, chosen)
		if err != nil {
			return err
		}
		if v, err = joinParts(u, parts); err != nil {
			return err
		}
		if err := checked(v); err != nil {
			return err
		}
		v.Key, v.Modified = key, s.now().UnixNano()
		kept := map[int]bool{}
		for _, p := range parts {
			kept[p.Number] = true
		}
		return errors.Join(s.addVersion(b, bucket, v, c, allowed), s.dropUpload(c, bucket, key, id, kept))
	})
	return v, err
}

// pickParts finds the chosen parts and holds them against the rules of S3.
func pickParts(stored []*partRecord, chosen []chosenPart) ([]*partRecord, error) {
	if len(chosen) == 0 {
		return nil, errMalformedXML
	}
	var out []*partRecord
	for i, want := range chosen {
		if i > 0 && want.Number <= chosen[i-1].Number {
			return nil, errInvalidPartOrder
		}
		at := slices.IndexFunc(stored, func(p *partRecord) bool { return p.Number == want.Number })
		if at < 0 || stored[at].ETag != want.ETag {
			return nil, errInvalidPart
		}
		out = append(out, stored[at])
	}
	for _, p := range out[:len(out)-1] {
		if p.Segment.Size < minPartSize {
			return nil, errEntityTooSmall
		}
	}
	return out, nil
}

func joinParts(u *uploadRecord, parts []*partRecord) (*version, error) {
	v := &version{attributes: u.attributes, Parts: true}
	digest := md5.New()
	for _, p := range parts {
		raw, err := hex.DecodeString(p.ETag)
		if err != nil {
			return nil, err
		}
		digest.Write(raw)
		v.CRC64 = combineCRC(v.CRC64, p.CRC64, p.Segment.Size, ecmaPolynomial, 64)
		v.Size += p.Segment.Size
		seg := p.Segment
		if p.Sum != nil {
			seg.Sum = p.Sum.Value
		}
		if seg.Size > 0 {
			v.Segments = append(v.Segments, seg)
		}
	}
	v.ETag = fmt.Sprintf("%x-%d", digest.Sum(nil), len(parts))
	if u.Algorithm != "" {
		sum, err := joinSums(u, parts)
		if err != nil {
			return nil, err
		}
		v.Sum = sum
	}
	return v, nil
}

// eachUpload calls f with a bucket's unfinished uploads below a prefix in order of key, until it returns false.
func (s *Store) eachUpload(bucket, prefix string, f func(key, id string, u *uploadRecord) (bool, error)) error {
	from := appendEscaped(bucketPrefix(kindUpload, bucket), prefix)
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: prefixEnd(from)})
	if err != nil {
		return err
	}
	defer it.Close()
	for ok := it.First(); ok; ok = it.Next() {
		u, err := decode[uploadRecord](it.Value())
		if err != nil {
			return err
		}
		key, id := cutUploadRow(bucket, it.Key())
		if more, err := f(key, id, u); err != nil || !more {
			return err
		}
	}
	return it.Error()
}
