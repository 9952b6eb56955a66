package localstore

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/cockroachdb/pebble/v2"
)

// listing walks a bucket's versions in order of key, newest first within one, or only what is current.
type listing struct {
	bucket    string
	prefix    string
	delimiter string
	after     string // a key or common prefix: the walk begins behind it
	versions  bool   // all versions and delete markers
	version   string // with versions: begin behind this version of the key after
}

// listed is one row of a listing: a version, or a common prefix.
type listed struct {
	prefix  string
	version *version
	latest  bool
}

// commonPrefix is what a key is rolled up to; "" when it is not.
func (l *listing) commonPrefix(key string) string {
	if l.delimiter == "" || !strings.HasPrefix(key, l.prefix) {
		return ""
	}
	at := strings.Index(key[len(l.prefix):], l.delimiter)
	if at < 0 {
		return ""
	}
	return key[:len(l.prefix)+at+len(l.delimiter)]
}

// walk calls f with the rows in order until it returns false.
func (s *Store) walk(l listing, f func(listed) bool) error {
	lower := appendEscaped(bucketPrefix(kindVersion, l.bucket), l.prefix)
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: prefixEnd(lower)})
	if err != nil {
		return err
	}
	defer it.Close()
	from, last, err := s.walkStart(l)
	if err != nil {
		return err
	}
	ok := it.First()
	if bytes.Compare(from, lower) > 0 {
		ok = it.SeekGE(from)
	}
	for ok {
		key, seq := cutVersionRow(l.bucket, it.Key())
		latest := key != last
		last = key
		if !latest && !l.versions {
			_, next := keyRows(kindVersion, l.bucket, key)
			ok = it.SeekGE(next)
			continue
		}
		v, err := decode[version](it.Value())
		if err != nil {
			return err
		}
		v.Key, v.Seq = key, seq
		row := listed{version: v, latest: latest}
		switch cp := l.commonPrefix(key); {
		case v.Marker && !l.versions:
			ok = it.Next()
			continue
		case cp != "":
			row = listed{prefix: cp}
			ok = it.SeekGE(prefixEnd(appendEscaped(bucketPrefix(kindVersion, l.bucket), cp)))
		default:
			ok = it.Next()
		}
		if !f(row) {
			return nil
		}
	}
	return it.Error()
}

// walkStart gives the row to begin at, and the key of which rows before were listed.
func (s *Store) walkStart(l listing) (from []byte, last string, err error) {
	if l.after == "" {
		return nil, "", nil
	}
	if l.commonPrefix(l.after) == l.after {
		return prefixEnd(appendEscaped(bucketPrefix(kindVersion, l.bucket), l.after)), "", nil
	}
	_, past := keyRows(kindVersion, l.bucket, l.after)
	if !l.versions || l.version == "" {
		return past, "", nil
	}
	seq, err := strconv.ParseUint(l.version, 16, 64)
	if l.version == "null" {
		var v *version
		if v, err = s.find(l.bucket, l.after, "null"); v == nil && err == nil {
			return past, l.after, nil
		} else if err == nil {
			seq = v.Seq
		}
	}
	if err != nil {
		return nil, "", errInvalidArgument.because("Invalid version id specified.")
	}
	return append(versionRow(l.bucket, l.after, seq), 0), l.after, nil
}
