package probe_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-batch/drover/internal/object"
	"github.com/drover-batch/drover/internal/object/cephtest"
	"github.com/drover-batch/drover/internal/object/httpwire"
)

// cephOthers is what Ceph 16.2 does not do in either kind of bucket, and cephPlain and cephVersioned what it does not do
// in one alone. It is started with the classes STANDARD_IA, GLACIER and DEEP_ARCHIVE.
var (
	cephOthers = []string{
		"put-encryption ignored",
		"class-ONEZONE_IA refused", "class-INTELLIGENT_TIERING refused", "class-GLACIER_IR refused",
		"copy-tags-replaced ignored",
		"copy-tags-beside-metadata ignored",
		"copy-both-replaced ignored", // the copy's tags can no longer be read
		"copy-class-default ignored",
		"copy-encryption ignored",
		"copy-if-modified-since ignored", "copy-if-unmodified-since ignored", "copy-if-match ignored",
		"restore refused", "restore-refused refused",
	}
	cephPlain     = []string{"version-copy unknown", "version-tags unknown", "version-delete unknown"}
	cephVersioned = []string{"tags ignored"} // those of an object without its version are not deleted
)

// TestCeph probes a server that nobody of this project wrote, and that is known to lie.
func TestCeph(t *testing.T) {
	g := cephtest.Open(t)
	c := g.Wire(t, g.SecretKey)
	for _, v := range []struct {
		name string
		more []string
	}{{"plain", cephPlain}, {"versioned", cephVersioned}} {
		t.Run(v.name, func(t *testing.T) {
			b := g.Bucket(t, v.name == "versioned")
			_, err := c.Put(t.Context(), object.PutRequest{Bucket: b, Key: foreign, Body: strings.NewReader("x"), Size: 1})
			if err != nil {
				t.Fatal(err)
			}
			r := run(t, c, c, b, httpwire.S3)
			want := slices.Sorted(slices.Values(append(v.more, cephOthers...)))
			if diff := cmp.Diff(want, slices.Sorted(slices.Values(others(r)))); diff != "" {
				t.Errorf("(-want +got):\n%s\n%+v", diff, r.Capabilities)
			}
		})
	}
}
