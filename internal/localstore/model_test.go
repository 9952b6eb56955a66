package localstore

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// model is what a bucket must hold: a key's versions, newest first, by the rules of S3 said the plain way.
type model struct {
	versioning string
	keys       map[string][]modelVersion
}

type modelVersion struct {
	id     string
	etag   string // "" for a delete marker
	marker bool
}

// add puts a version on top; without versions it replaces the one called null.
func (m *model) add(key string, v modelVersion) {
	vs := m.keys[key]
	if v.id == "null" {
		vs = slices.DeleteFunc(vs, func(o modelVersion) bool { return o.id == "null" })
	}
	m.keys[key] = append([]modelVersion{v}, vs...)
}

func (m *model) remove(key, id string) {
	m.keys[key] = slices.DeleteFunc(m.keys[key], func(o modelVersion) bool { return o.id == id })
}

// text lists all versions, or what is current.
func (m *model) text(versions bool) string {
	var b strings.Builder
	keys := make([]string, 0, len(m.keys))
	for key := range m.keys {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		for i, v := range m.keys[key] {
			if versions || i == 0 && !v.marker {
				fmt.Fprintf(&b, "%q %s %s %v\n", key, v.id, v.etag, i == 0)
			}
		}
	}
	return b.String()
}

func TestBucketsFollowTheModel(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), Options{Dir: t.TempDir(), AccessKey: "a", SecretKey: "b"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	round := 0
	rapid.Check(t, func(t *rapid.T) {
		round++
		bucket := fmt.Sprintf("bucket-%d", round)
		if err := s.createBucket(bucket, "local", nil); err != nil {
			t.Fatal(err)
		}
		m := &model{keys: map[string][]modelVersion{}}
		key := rapid.SampledFrom([]string{"k", "k/child", "k\x00", "/k", "a/../k", "k/"})
		t.Repeat(map[string]func(*rapid.T){
			"put":        func(t *rapid.T) { m.put(t, s, bucket, key.Draw(t, "key")) },
			"delete":     func(t *rapid.T) { m.delete(t, s, bucket, key.Draw(t, "key"), "") },
			"versioning": func(t *rapid.T) { m.setVersioning(t, s, bucket) },
			"delete a version": func(t *rapid.T) {
				k := key.Draw(t, "key")
				if vs := m.keys[k]; len(vs) > 0 {
					m.delete(t, s, bucket, k, vs[rapid.IntRange(0, len(vs)-1).Draw(t, "which")].id)
				}
			},
			"": func(t *rapid.T) { m.compare(t, s, bucket) },
		})
	})
}

func (m *model) put(t *rapid.T, s *Store, bucket, key string) {
	staged, err := s.blobs.stage(strings.NewReader(rapid.StringMatching(`[a-z]{0,4}`).Draw(t, "body")))
	if err != nil {
		t.Fatal(err)
	}
	v := &version{Key: key, ETag: staged.etag, Size: staged.size, Segments: staged.segments}
	if err := s.put(bucket, v, staged, nil); err != nil {
		t.Fatal(err)
	}
	if (v.id() == "null") != (m.versioning != versioningEnabled) {
		t.Fatalf("version %s while versioning is %q", v.id(), m.versioning)
	}
	m.add(key, modelVersion{id: v.id(), etag: v.ETag})
}

func (m *model) delete(t *rapid.T, s *Store, bucket, key, id string) {
	out, err := s.remove(bucket, key, id, nil)
	switch {
	case err != nil:
		t.Fatal(err)
	case id != "":
		m.remove(key, id)
	case m.versioning == "":
		m.remove(key, "null")
	default:
		m.add(key, modelVersion{id: out.version, marker: true})
	}
}

func (m *model) setVersioning(t *rapid.T, s *Store, bucket string) {
	m.versioning = rapid.SampledFrom([]string{versioningEnabled, versioningSuspended}).Draw(t, "versioning")
	if err := s.updateBucket(bucket, func(b *bucketRecord) { b.Versioning = m.versioning }); err != nil {
		t.Fatal(err)
	}
}

func (m *model) compare(t *rapid.T, s *Store, bucket string) {
	for _, versions := range []bool{false, true} {
		var b strings.Builder
		err := s.walk(listing{bucket: bucket, versions: versions}, func(row listed) bool {
			v := row.version
			fmt.Fprintf(&b, "%q %s %s %v\n", v.Key, v.id(), v.ETag, row.latest)
			if found, err := s.find(bucket, v.Key, v.id()); err != nil || found == nil || found.Seq != v.Seq {
				t.Fatalf("%q %s is listed and found as %+v, %v", v.Key, v.id(), found, err)
			}
			return true
		})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(m.text(versions), b.String()); d != "" {
			t.Fatal(d)
		}
	}
}
