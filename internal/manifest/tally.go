package manifest

import (
	"slices"
	"strings"

	"github.com/drover-batch/drover/internal/job"
)

// MaxClasses is how many storage classes a Tally tells apart; the objects of further ones are counted as of class "".
const MaxClasses = 32

// Tally counts what a list holds. Sizes and classes are 0 and "" where it has none. Owned by one goroutine.
type Tally struct {
	Rows    int64
	Sizes   job.Sizes
	Largest job.Entry     // the first of the largest objects
	Buckets []BucketTally // in the order in which they come first
	Classes []ClassTally  // likewise
}

// BucketTally is how many rows name a bucket.
type BucketTally struct {
	Bucket job.Bucket
	Rows   int64
}

// ClassTally is what of a list lies in a storage class.
type ClassTally struct {
	Class string // in upper case
	Rows  int64
	Sizes job.Sizes
}

// Add counts entries in.
func (t *Tally) Add(entries []job.Entry) {
	var bucket *BucketTally
	var class *ClassTally
	var name string // of the class, as written
	for i := range entries {
		e := &entries[i]
		if bucket == nil || bucket.Bucket != e.Bucket {
			bucket = t.bucket(e.Bucket)
		}
		if class == nil || name != e.Class {
			class, name = t.class(e.Class), e.Class
		}
		if e.Size > t.Sizes.Largest {
			t.Largest = *e
		}
		size := job.Sizes{Bytes: e.Size, Largest: e.Size}
		t.Rows++
		t.Sizes.Add(size)
		bucket.Rows++
		class.Rows++
		class.Sizes.Add(size)
	}
}

// bucket finds a bucket's count; Survey sees to it that there are few.
func (t *Tally) bucket(name job.Bucket) *BucketTally {
	i := slices.IndexFunc(t.Buckets, func(b BucketTally) bool { return b.Bucket == name })
	if i < 0 {
		i, t.Buckets = len(t.Buckets), append(t.Buckets, BucketTally{Bucket: name})
	}
	return &t.Buckets[i]
}

func (t *Tally) class(name string) *ClassTally {
	name = strings.ToUpper(name)
	named := func(c ClassTally) bool { return c.Class == name }
	i := slices.IndexFunc(t.Classes, named)
	if i < 0 && len(t.Classes) >= MaxClasses {
		name = ""
		i = slices.IndexFunc(t.Classes, named)
	}
	if i < 0 {
		i, t.Classes = len(t.Classes), append(t.Classes, ClassTally{Class: name})
	}
	return &t.Classes[i]
}
