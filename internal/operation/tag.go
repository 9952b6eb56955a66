package operation

import (
	"context"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// The limits of an object's tags (AWS S3 API, Tencent Cloud 436/10881): how many, and characters of key and value.
const (
	maxTags     = 10
	maxTagKey   = 128
	maxTagValue = 256

	codeNoSuchTagSet = "NoSuchTagSet" // COS's answer for an object without tags
	codeInvalidTag   = "InvalidTag"
)

func checkTags(p *job.Problems, field string, tags []job.Tag) {
	if len(tags) > maxTags {
		p.Addf(field, "has %d tags; an object has at most %d.", len(tags), maxTags)
		return
	}
	seen := map[string]bool{}
	for _, t := range tags {
		switch {
		case t.Key == "":
			p.Addf(field, "has a tag with an empty key; give it 1–%d characters.", maxTagKey)
		case utf8.RuneCountInString(t.Key) > maxTagKey:
			p.Addf(field, "the key %s has %d characters; at most %d are allowed.", job.Quote(t.Key), utf8.RuneCountInString(t.Key), maxTagKey)
		case utf8.RuneCountInString(t.Value) > maxTagValue:
			p.Addf(field, "the value of %s has %d characters; at most %d are allowed.", job.Quote(t.Key), utf8.RuneCountInString(t.Value), maxTagValue)
		case !tagText(t.Key) || !tagText(t.Value):
			p.Addf(field, "the tag %s holds control characters or bytes that are no UTF-8; use letters, digits, blanks and + - = . _ : / @.", job.Quote(t.Key))
		case seen[t.Key]:
			p.Addf(field, "has the key %s twice; keys must differ.", job.Quote(t.Key))
		}
		seen[t.Key] = true
	}
}

func tagText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// mergeTags puts added over old, keeping the order of what was there, and refuses what no object can hold.
func mergeTags(old, added []job.Tag) ([]job.Tag, error) {
	merged := slices.Clone(old)
	for _, t := range added {
		if i := slices.IndexFunc(merged, func(m job.Tag) bool { return m.Key == t.Key }); i >= 0 {
			merged[i] = t
		} else {
			merged = append(merged, t)
		}
	}
	if len(merged) > maxTags {
		return nil, refusef(codeInvalidTag, "The object has %d tags, and with those to add it would have %d; an object has at most %d.",
			len(old), len(merged), maxTags)
	}
	return merged, nil
}

// readTags gives an object's tags; having none is no error in any store's words.
func readTags(ctx context.Context, s object.Tagger, r object.Ref) ([]job.Tag, error) {
	tags, err := s.Tags(ctx, r)
	if object.CodeOf(err) == codeNoSuchTagSet {
		return nil, nil
	}
	return tags, err
}
