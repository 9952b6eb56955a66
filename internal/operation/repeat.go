package operation

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// explained is an answer of a store to which the task's own earlier success leads, so that it is no failure. W is what
// the task wants of the object.
type explained[W any] struct {
	code   string // the store's
	status int
	always bool // the answer speaks for itself: it need not be a second attempt
	// check looks at the object, where the answer alone does not show that the work is done.
	check func(ctx context.Context, s object.Store, want W) (bool, error)
	note  string
}

// The tables, one an operation. Tagging has none: putting the same tags again is answered as the first time.
var (
	copyExplained = []explained[object.CopyRequest]{
		{
			code: object.CodePreconditionFailed, status: 412, check: selfCopyDone,
			note: "An earlier attempt made this copy; since then the object no longer meets the job's conditions.",
		},
		{
			code: object.CodeInvalidObjectState, status: 403, check: selfCopyDone,
			note: "An earlier attempt made this copy; since then the object lies in its archive class.",
		},
	}

	restoreExplained = []explained[object.RestoreRequest]{
		{
			code: object.CodeRestoreInProgress, status: 409, always: true,
			note: "The object was being restored already.",
		},
	}

	deleteExplained = []explained[object.Ref]{
		{
			code: object.CodeNoSuchKey, status: 404,
			note: "An earlier attempt deleted it.",
		},
		{
			code: object.CodeNoSuchVersion, status: 404,
			note: "An earlier attempt deleted this version.",
		},
	}
)

// explain looks an error up in a table. Its own error is one of the look at the object.
func explain[W any](
	ctx context.Context, s object.Store, table []explained[W], repeat bool, want W, err error,
) (note string, ok bool, lookErr error) {
	for _, row := range table {
		if row.code != object.CodeOf(err) || row.status != object.StatusOf(err) || !repeat && !row.always {
			continue
		}
		if row.check == nil {
			return row.note, true, nil
		}
		ok, lookErr = row.check(ctx, s, want)
		return row.note, ok, lookErr
	}
	return "", false, nil
}

// selfCopyDone reports whether an object that is copied onto itself is as the copy would leave it. A copy to another
// place is not explained by its own success: it leaves its source as it was.
func selfCopyDone(ctx context.Context, s object.Store, want object.CopyRequest) (bool, error) {
	if want.Source != (object.Ref{Bucket: want.Bucket, Key: want.Key}) {
		return false, nil
	}
	info, err := s.Head(ctx, want.Source)
	if err != nil {
		return false, err
	}
	switch {
	case want.Class != "" && !strings.EqualFold(info.Class, want.Class),
		want.SSE != "" && !strings.EqualFold(info.SSE, want.SSE),
		want.MetadataDirective == object.DirectiveReplace && !sameMetadata(info.Meta, want.Meta):
		return false, nil
	}
	if want.TaggingDirective != object.DirectiveReplace {
		return true, nil
	}
	tags, err := readTags(ctx, s, want.Source)
	if err != nil {
		return false, err
	}
	return sameTags(tags, want.Tags), nil
}

// sameMetadata compares what an object has with what it was given; a store may have filled in a content type.
func sameMetadata(got, given object.Metadata) bool {
	if given.ContentType == "" {
		got.ContentType = ""
	}
	if !maps.Equal(got.User, given.User) {
		return false
	}
	for i, h := range headersOf(&got) {
		if *h.value != *headersOf(&given)[i].value {
			return false
		}
	}
	return true
}

func sameTags(a, b []job.Tag) bool {
	byKey := func(x, y job.Tag) int { return strings.Compare(x.Key, y.Key) }
	return slices.Equal(slices.SortedFunc(slices.Values(a), byKey), slices.SortedFunc(slices.Values(b), byKey))
}
