package localstore_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/google/go-cmp/cmp"

	"github.com/drover-batch/drover/internal/localstore"
)

func copyInput(to, from string, change ...func(*s3.CopyObjectInput)) *s3.CopyObjectInput {
	in := &s3.CopyObjectInput{Bucket: bucket, Key: aws.String(to), CopySource: aws.String(*bucket + "/" + from)}
	for _, f := range change {
		f(in)
	}
	return in
}

// state is what a copy can change.
type state struct {
	Body, Type, Meta, Class, SSE, Tags string
}

func stateOf(t *testing.T, c *s3.Client, key string) state {
	t.Helper()
	body, out := get(t, c, key)
	tags := must(c.GetObjectTagging(t.Context(), &s3.GetObjectTaggingInput{Bucket: bucket, Key: aws.String(key)}))(t)
	return state{body, aws.ToString(out.ContentType), out.Metadata["m"], string(out.StorageClass), string(out.ServerSideEncryption), tagText(tags.TagSet)}
}

func TestCopiesFollowTheirDirectives(t *testing.T) {
	t.Parallel()
	c, _ := setup(t, localstore.Options{})
	source := func(key string) {
		put(t, c, key, string(big), func(in *s3.PutObjectInput) {
			in.ContentType, in.Metadata, in.Tagging = aws.String("text/x"), map[string]string{"m": "1"}, aws.String("t=1")
			in.StorageClass, in.ServerSideEncryption = types.StorageClassStandardIa, types.ServerSideEncryptionAes256
		})
	}
	was := state{string(big), "text/x", "1", "STANDARD_IA", "AES256", "t=1"}
	tests := map[string]struct {
		change func(*s3.CopyObjectInput)
		want   func(*state)
	}{
		"no directives: class and encryption are the request's": {
			func(*s3.CopyObjectInput) {}, func(s *state) { s.Class, s.SSE = "", "" },
		},
		"COPY ignores new metadata and tags": {
			func(in *s3.CopyObjectInput) {
				in.MetadataDirective, in.TaggingDirective = types.MetadataDirectiveCopy, types.TaggingDirectiveCopy
				in.ContentType, in.Tagging, in.Metadata = aws.String("text/y"), aws.String("z=9"), map[string]string{"m": "2"}
			}, func(s *state) { s.Class, s.SSE = "", "" },
		},
		"REPLACE takes new metadata, keeps tags": {
			func(in *s3.CopyObjectInput) {
				in.MetadataDirective, in.ContentType, in.Metadata = types.MetadataDirectiveReplace, aws.String("text/y"), map[string]string{"m": "2"}
			}, func(s *state) { s.Class, s.SSE, s.Type, s.Meta = "", "", "text/y", "2" },
		},
		"REPLACE takes new tags, keeps metadata": {
			func(in *s3.CopyObjectInput) {
				in.TaggingDirective, in.Tagging = types.TaggingDirectiveReplace, aws.String("z=9&y=8")
			}, func(s *state) { s.Class, s.SSE, s.Tags = "", "", "z=9 y=8" },
		},
		"class and encryption": {
			func(in *s3.CopyObjectInput) {
				in.StorageClass, in.ServerSideEncryption = types.StorageClassOnezoneIa, types.ServerSideEncryptionAes256
			}, func(s *state) { s.Class = "ONEZONE_IA" },
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			source("from")
			must(c.CopyObject(t.Context(), copyInput("to", "from", tt.change)))(t)
			want := was
			tt.want(&want)
			if d := cmp.Diff(want, stateOf(t, c, "to")); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(was, stateOf(t, c, "from")); d != "" {
				t.Errorf("the source changed: %s", d)
			}
		})
	}
	t.Run("onto itself", func(t *testing.T) {
		source("from")
		_, err := c.CopyObject(t.Context(), copyInput("from", "from"))
		refused(t, err, 400, "InvalidRequest")
		_, err = c.CopyObject(t.Context(), copyInput("from", "from", func(in *s3.CopyObjectInput) { in.StorageClass = types.StorageClassStandardIa }))
		refused(t, err, 400, "InvalidRequest")
		must(c.CopyObject(t.Context(), copyInput("from", "from", func(in *s3.CopyObjectInput) { in.StorageClass = types.StorageClassOnezoneIa })))(t)
		want := was
		want.Class, want.SSE = "ONEZONE_IA", ""
		if d := cmp.Diff(want, stateOf(t, c, "from")); d != "" {
			t.Error(d)
		}
		must(c.CopyObject(t.Context(), copyInput("from", "from", func(in *s3.CopyObjectInput) {
			in.MetadataDirective, in.ContentType = types.MetadataDirectiveReplace, aws.String("text/y")
		})))(t)
		want = state{string(big), "text/y", "", "", "", "t=1"}
		if d := cmp.Diff(want, stateOf(t, c, "from")); d != "" {
			t.Error(d)
		}
	})
}

func TestConditions(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	c, _ := setup(t, localstore.Options{Now: func() time.Time { return now }})
	etag := put(t, c, "k", "body").ETag
	wrong, any := aws.String(`"00"`), aws.String("*")
	past, future := aws.Time(now.Add(-time.Hour)), aws.Time(now.Add(time.Hour))

	copies := map[string]struct {
		change func(*s3.CopyObjectInput)
		ok     bool
	}{
		"if-match":                   {func(in *s3.CopyObjectInput) { in.CopySourceIfMatch = etag }, true},
		"if-match wrong":             {func(in *s3.CopyObjectInput) { in.CopySourceIfMatch = wrong }, false},
		"if-none-match":              {func(in *s3.CopyObjectInput) { in.CopySourceIfNoneMatch = wrong }, true},
		"if-none-match same":         {func(in *s3.CopyObjectInput) { in.CopySourceIfNoneMatch = etag }, false},
		"if-modified-since past":     {func(in *s3.CopyObjectInput) { in.CopySourceIfModifiedSince = past }, true},
		"if-modified-since future":   {func(in *s3.CopyObjectInput) { in.CopySourceIfModifiedSince = future }, false},
		"if-unmodified-since past":   {func(in *s3.CopyObjectInput) { in.CopySourceIfUnmodifiedSince = past }, false},
		"if-unmodified-since future": {func(in *s3.CopyObjectInput) { in.CopySourceIfUnmodifiedSince = future }, true},
		"destination none, exists":   {func(in *s3.CopyObjectInput) { in.Key, in.IfNoneMatch = aws.String("k2"), any }, false},
		"destination none, is new":   {func(in *s3.CopyObjectInput) { in.Key, in.IfNoneMatch = aws.String("new-copy"), any }, true},
		"destination match, wrong":   {func(in *s3.CopyObjectInput) { in.Key, in.IfMatch = aws.String("k2"), wrong }, false},
		"match wins over unmodified": {func(in *s3.CopyObjectInput) { in.CopySourceIfMatch, in.CopySourceIfUnmodifiedSince = etag, past }, true},
		"none-match over modified":   {func(in *s3.CopyObjectInput) { in.CopySourceIfNoneMatch, in.CopySourceIfModifiedSince = etag, past }, false},
	}
	put(t, c, "k2", "other")
	for name, tt := range copies {
		t.Run("copy "+name, func(t *testing.T) {
			_, err := c.CopyObject(t.Context(), copyInput("to "+name, "k", tt.change))
			if tt.ok && err != nil {
				t.Error(err)
			} else if !tt.ok {
				refused(t, err, 412, "PreconditionFailed")
			}
		})
	}
	puts := map[string]struct {
		key         string
		match, none *string
		status      int
		code        string
	}{
		"none, exists":   {"k", nil, any, 412, "PreconditionFailed"},
		"none, is new":   {"new-put", nil, any, 0, ""},
		"match":          {"k", etag, nil, 0, ""},
		"match wrong":    {"k", wrong, nil, 412, "PreconditionFailed"},
		"match, is none": {"nothing", etag, nil, 404, "NoSuchKey"},
	}
	for name, tt := range puts {
		t.Run("put "+name, func(t *testing.T) {
			_, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: &tt.key, IfMatch: tt.match, IfNoneMatch: tt.none})
			if tt.status != 0 {
				refused(t, err, tt.status, tt.code)
			} else if err != nil {
				t.Error(err)
			}
			put(t, c, "k", "body")
		})
	}
	gets := map[string]struct {
		change func(*s3.GetObjectInput)
		status int
	}{
		"if-match wrong":            {func(in *s3.GetObjectInput) { in.IfMatch = wrong }, http.StatusPreconditionFailed},
		"if-none-match":             {func(in *s3.GetObjectInput) { in.IfNoneMatch = etag }, http.StatusNotModified},
		"if-modified-since future":  {func(in *s3.GetObjectInput) { in.IfModifiedSince = future }, http.StatusNotModified},
		"if-unmodified-since past":  {func(in *s3.GetObjectInput) { in.IfUnmodifiedSince = past }, http.StatusPreconditionFailed},
		"if-match":                  {func(in *s3.GetObjectInput) { in.IfMatch = etag }, 0},
		"if-modified-since past":    {func(in *s3.GetObjectInput) { in.IfModifiedSince = past }, 0},
		"if-none-match other":       {func(in *s3.GetObjectInput) { in.IfNoneMatch = wrong }, 0},
		"if-unmodified-since later": {func(in *s3.GetObjectInput) { in.IfUnmodifiedSince = future }, 0},
	}
	for name, tt := range gets {
		t.Run("get "+name, func(t *testing.T) {
			in := &s3.GetObjectInput{Bucket: bucket, Key: aws.String("k")}
			tt.change(in)
			_, err := c.GetObject(t.Context(), in)
			if got := statusOf(err); got != tt.status {
				t.Errorf("status %d (%v), want %d", got, err, tt.status)
			}
		})
	}
}

func TestRanges(t *testing.T) {
	t.Parallel()
	c, _ := setup(t, localstore.Options{})
	put(t, c, "small", "0123456789")
	put(t, c, "big", string(big))
	put(t, c, "empty", "")
	for _, tt := range []struct{ key, spec, want, place string }{
		{"small", "bytes=2-4", "234", "bytes 2-4/10"},
		{"small", "bytes=7-", "789", "bytes 7-9/10"},
		{"small", "bytes=-3", "789", "bytes 7-9/10"},
		{"small", "bytes=-30", "0123456789", "bytes 0-9/10"},
		{"small", "bytes=8-99", "89", "bytes 8-9/10"},
		{"small", "bytes=5-2", "0123456789", ""},
		{"small", "bytes=0-1,4-5", "0123456789", ""},
		{"small", "lines=1-2", "0123456789", ""},
		{"big", "bytes=100000-100015", string(big[100000:100016]), "bytes 100000-100015/160000"},
	} {
		text, out := get(t, c, tt.key, func(in *s3.GetObjectInput) { in.Range = &tt.spec })
		if text != tt.want || aws.ToString(out.ContentRange) != tt.place {
			t.Errorf("%s of %s is %q at %q", tt.spec, tt.key, text, aws.ToString(out.ContentRange))
		}
	}
	for key, spec := range map[string]string{"small": "bytes=10-", "empty": "bytes=0-"} {
		_, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: &key, Range: &spec})
		refused(t, err, 416, "InvalidRange")
	}
	out := must(c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: bucket, Key: aws.String("small"), Range: aws.String("bytes=1-3")}))(t)
	if *out.ContentLength != 3 {
		t.Errorf("HEAD of a range says %d bytes", *out.ContentLength)
	}
}
