package operation

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// Verify says how a copy is looked at after it was made: stores exist that answer success and leave out what they do
// not know.
type Verify string

// The ways. "" is off.
const (
	VerifyOff Verify = "off"
	// VerifyHead compares size, metadata and tags, and the class and encryption that were asked for. It costs up to
	// four calls more a copy: HEAD and the tags, of the source and of the copy.
	VerifyHead Verify = "head"
	// VerifyChecksum compares the bytes too: by the ETags where both are MD5s, and else by reading both objects.
	VerifyChecksum Verify = "checksum"
)

const codeVerifyFailed = "VerifyFailed"

// verifies reports whether copies are looked at.
func (c *Copy) verifies() bool { return c.Verify == VerifyHead || c.Verify == VerifyChecksum }

// foresee learns what the copy is to have, where the store is not left to take it over from the source.
func (w *copying) foresee(ctx context.Context) error {
	if w.foreseen {
		return nil
	}
	if err := w.head(ctx); err != nil {
		return err
	}
	w.meta, w.tags = w.source.Meta, w.req.Tags
	if w.req.MetadataDirective == object.DirectiveReplace {
		w.meta = w.req.Meta
	}
	if w.req.TaggingDirective != object.DirectiveReplace {
		var err error
		if w.tags, err = readTags(ctx, w.store, w.req.Source); err != nil {
			return during("reading the source's tags", err)
		}
	}
	w.foreseen = true
	return nil
}

// verify holds the copy against what was asked for. The note says what could not be compared.
func (w *copying) verify(ctx context.Context, made object.CopyResult) (note string, err error) {
	if !w.verifies() {
		return "", nil
	}
	const doing = "looking at the copy, which the store says is made"
	r := object.Ref{Bucket: w.req.Bucket, Key: w.req.Key, Version: made.Version}
	info, err := w.target.Head(ctx, r)
	if object.StatusOf(err) == 404 {
		return "", w.differs(made, []string{"it is not there"})
	}
	if err != nil {
		return "", during(doing, err)
	}
	wrong := w.differences(info)
	tags, err := readTags(ctx, w.target, r)
	switch {
	case err != nil && object.StatusOf(err) == 200:
		wrong = append(wrong, "its tags cannot be read")
	case err != nil:
		return "", during(doing, err)
	case !sameTags(tags, w.tags):
		wrong = append(wrong, fmt.Sprintf("its tags are %s, not %s", tagList(tags), tagList(w.tags)))
	}
	if len(wrong) == 0 && w.Verify == VerifyChecksum && !sameMD5(*w.source, info) {
		note, err = w.compare(ctx, r, info)
		if errors.Is(err, errOtherBytes) {
			err, wrong = nil, append(wrong, "its bytes are not those of its source")
		}
		if err != nil {
			return "", during(doing, err)
		}
	}
	if len(wrong) > 0 {
		return "", w.differs(made, wrong)
	}
	return note, nil
}

func (w *copying) differs(made object.CopyResult, wrong []string) error {
	return &refusal{
		code: codeVerifyFailed, status: made.HTTPStatus,
		message: "The store says that the copy is made, but " + strings.Join(wrong, "; ") + ".",
	}
}

// differences names what HEAD shows otherwise than it should be.
func (w *copying) differences(got object.Info) []string {
	var wrong []string
	unequal := func(what, got, want string) {
		if got = strings.Trim(got, " \t"); got != strings.Trim(want, " \t") {
			wrong = append(wrong, fmt.Sprintf("its %s is %s, not %s", what, job.Quote(got), job.Quote(want)))
		}
	}
	if got.Size != w.source.Size {
		wrong = append(wrong, fmt.Sprintf("its size is %d bytes, not %d", got.Size, w.source.Size))
	}
	if w.req.Class != "" {
		unequal("class", strings.ToUpper(got.Class), w.req.Class)
	}
	if w.req.SSE != "" && sse(got.SSE) != sse(w.req.SSE) {
		unequal("encryption", got.SSE, w.req.SSE)
	}
	given := headersOf(&w.meta)
	for i, h := range headersOf(&got.Meta) {
		if h.name != "ContentType" || *given[i].value != "" { // a store may fill in a type
			unequal(h.name, *h.value, *given[i].value)
		}
	}
	names := map[string]bool{}
	for _, m := range []map[string]string{w.meta.User, got.Meta.User} {
		for name := range m {
			names[name] = true
		}
	}
	for _, name := range sortedKeys(names) {
		unequal("metadata "+job.Quote(name), got.Meta.User[name], w.meta.User[name])
	}
	return wrong
}

func sortedKeys(m map[string]bool) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// sse gives one word for what the stores call differently.
func sse(word string) string {
	if strings.EqualFold(word, object.SSEKMSCOS) {
		return object.SSEKMS
	}
	return strings.ToLower(word)
}

func tagList(tags []job.Tag) string {
	if len(tags) == 0 {
		return "none"
	}
	all := make([]string, len(tags))
	for i, t := range tags {
		all[i] = job.Quote(t.Key + "=" + t.Value)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// sameMD5 reports whether the ETags prove that two objects have the same bytes. ETags that are no MD5s, or differ, prove
// nothing: some stores make up those of encrypted objects.
func sameMD5(a, b object.Info) bool {
	return len(a.ETag) == 32 && a.ETag == b.ETag && sse(a.SSE) != object.SSEKMS && sse(b.SSE) != object.SSEKMS
}

var errOtherBytes = errors.New("the bytes differ")

// compare reads both objects.
func (w *copying) compare(ctx context.Context, made object.Ref, info object.Info) (note string, err error) {
	if archived(info.Class) {
		return "The copy lies in an archive class, so that its bytes could not be compared.", nil
	}
	want, source, err := w.store.Get(ctx, w.req.Source, 0, -1)
	if err != nil {
		return "", err
	}
	defer want.Close()
	if source.ETag != w.source.ETag {
		return "The source was changed after the copy, so that their bytes could not be compared.", nil
	}
	got, _, err := w.target.Get(ctx, made, 0, -1)
	if err != nil {
		return "", err
	}
	defer got.Close()
	return "", sameBytes(want, got)
}

// sameBytes reads both to their ends; errOtherBytes says that they differ.
func sameBytes(a, b io.Reader) error {
	const size = 64 << 10
	left, right := make([]byte, size), make([]byte, size)
	for {
		n, errA := io.ReadFull(a, left)
		m, errB := io.ReadFull(b, right)
		for _, err := range []error{errA, errB} {
			if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
				return err
			}
		}
		if !bytes.Equal(left[:n], right[:m]) {
			return errOtherBytes
		}
		if errA != nil || errB != nil {
			return nil
		}
	}
}
