package objecttest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

func (s *suite) roundTrip() {
	for _, body := range []string{"", "x", "hello, world\x00\xff"} {
		before := time.Now()
		put := s.put("k", body)
		i := s.head(s.ref("k"))
		if i.Size != int64(len(body)) || i.ETag == "" || i.ETag != put.ETag || i.Class != "STANDARD" || i.Restore != nil {
			s.Errorf("head: %+v after %+v", i, put)
		}
		if strings.Contains(i.ETag, `"`) {
			s.Errorf("ETag %q has quotes", i.ETag)
		}
		if s.Elapse == nil && i.LastModified.Sub(before).Abs() > time.Hour || i.LastModified.IsZero() {
			s.Errorf("last modified %v, put at %v", i.LastModified, before)
		}
		s.same("body", s.get(s.ref("k"), 0, -1), body)
		rc, info, err := s.Store.Get(s.ctx, s.ref("k"), 0, -1)
		s.ok(err, "get")
		rc.Close()
		s.same("get tells what head tells", info, i)
	}
}

// meta has all that an object carries.
func meta() object.Metadata {
	return object.Metadata{
		CacheControl: "max-age=5", ContentDisposition: `attachment; filename="a b.txt"`, ContentEncoding: "gzip",
		ContentLanguage: "zh-CN", ContentType: "text/x-thing; charset=utf-8", Expires: "Wed, 21 Oct 2026 07:28:00 GMT",
		User: map[string]string{"colour": "blue", "two-words": "a  b", "percent": "a%20+b=c&d", "quote": `"q"`},
	}
}

func (s *suite) metadata() {
	s.putRequest(object.PutRequest{
		Bucket: s.Bucket, Key: "k", Meta: meta(), Tags: []object.Tag{{Key: "a b", Value: "c+d=e/f"}, {Key: "empty"}},
	}, "body")
	i := s.head(s.ref("k"))
	s.same("metadata", i.Meta, meta())
	s.same("tags", sorted(s.tagsOf(s.ref("k"))), []object.Tag{{Key: "a b", Value: "c+d=e/f"}, {Key: "empty"}})

	uni := object.Metadata{User: map[string]string{"name": "naïve 名前"}}
	s.putRequest(object.PutRequest{Bucket: s.Bucket, Key: "u", Meta: uni}, "body")
	got := s.head(s.ref("u")).Meta.User
	s.putRequest(object.PutRequest{Bucket: s.Bucket, Key: "u2", Meta: object.Metadata{User: got}}, "body")
	s.same("what was read can be written", s.head(s.ref("u2")).Meta.User, got)
}

func sorted(tags []object.Tag) []object.Tag {
	return slices.SortedFunc(slices.Values(tags), func(a, b object.Tag) int { return strings.Compare(a.Key, b.Key) })
}

func (s *suite) largeBody() {
	const size = 3 << 20
	body := strings.Repeat("0123456789abcde\n", size/16)
	s.put("big", body)
	if got := s.get(s.ref("big"), 0, -1); got != body {
		s.Errorf("%d bytes came back of %d", len(got), len(body))
	}
	if got := s.get(s.ref("big"), size-20, -1); got != body[size-20:] {
		s.Errorf("end: %q", got)
	}
	// A reader may stop in the middle.
	rc, info, err := s.Store.Get(s.ctx, s.ref("big"), 5, -1)
	s.ok(err, "get")
	b := make([]byte, 10)
	_, err = io.ReadFull(rc, b)
	s.ok(err, "read")
	s.ok(rc.Close(), "close")
	if string(b) != body[5:15] || info.Size != size {
		s.Errorf("got %q of %d", b, info.Size)
	}
}

func (s *suite) ranges() {
	s.put("k", "0123456789")
	for _, v := range []struct {
		offset, length int64
		want           string
	}{{0, 3, "012"}, {2, 5, "23456"}, {9, 1, "9"}, {4, -1, "456789"}, {8, 100, "89"}, {3, 0, ""}} {
		s.same(fmt.Sprint(v.offset, "+", v.length), s.get(s.ref("k"), v.offset, v.length), v.want)
	}
	_, _, err := s.Store.Get(s.ctx, s.ref("k"), 10, -1)
	s.fails(err, "a range behind the end", 416, "InvalidRange")
	_, info, err := s.Store.Get(s.ctx, s.ref("k"), 2, 3)
	s.ok(err, "get")
	s.same("size with a range", info.Size, int64(10))
}

func (s *suite) replace() {
	s.putRequest(object.PutRequest{Bucket: s.Bucket, Key: "k", Meta: meta(), Tags: []object.Tag{{Key: "a", Value: "b"}}}, "one")
	s.put("k", "second")
	i := s.head(s.ref("k"))
	if i.Size != 6 || len(i.Meta.User) != 0 || i.TagCount != 0 || len(s.tagsOf(s.ref("k"))) != 0 {
		s.Errorf("left over: %+v", i)
	}
}

// oddKeyList has keys that servers, proxies and signers are known to mix up.
func oddKeyList() []string {
	return []string{
		"plain", "a b", "a+b", "a%20b", "a%2Bb", "%", "%2F", "a//b", "/lead", "//lead", "trail/", "a/./b", "a/../b", "./a", "../a", "..", ".",
		"ünïcode/日本語/😀", "e\u0301", "\u00e9", `back\slash`, "ctl\x01", "esc\x1b[0m", "del\x7f", "new\nline", "cr\rhere", "tab\there", `q"uo'te`,
		"<xml>&amp;", "a?b=c&d", "a#b", "a;b:c@d=e,f$g", "*(!)'~", "[x]{y}|^`", " lead and trail ", "k", "k/child", "k/child/",
		"K", strings.Repeat("s", 256) + "/x", strings.Repeat("0123456789", 80), "?", "#", "&", "versionId", "acl", "AWS?acl",
	}
}

func (s *suite) oddKeys() {
	keys := oddKeyList()
	if s.Binary {
		keys = append(keys, "\xff\xfe", "a\x80/b")
	}
	keys = slices.DeleteFunc(keys, func(k string) bool { return slices.Contains(s.SkipKeys, k) })
	for _, k := range keys {
		s.putRequest(object.PutRequest{Bucket: s.Bucket, Key: job.Key(k), Meta: object.Metadata{User: map[string]string{"n": "1"}}}, "body of "+k)
	}
	for _, k := range keys {
		s.same(fmt.Sprintf("get %q", k), s.get(s.ref(k), 0, -1), "body of "+k)
		s.copy(object.CopyRequest{Source: s.ref(k), Bucket: s.Other, Key: job.Key(k)})
		dst := object.Ref{Bucket: s.Other, Key: job.Key(k)}
		s.same(fmt.Sprintf("copied %q", k), s.get(dst, 0, -1), "body of "+k)
		_, err := s.Store.PutTags(s.ctx, dst, []object.Tag{{Key: "k", Value: "v"}})
		s.ok(err, "tag %q", k)
		s.same(fmt.Sprintf("tags of %q", k), s.tagsOf(dst), []object.Tag{{Key: "k", Value: "v"}})
	}
	slices.Sort(keys)
	var listed []string
	for _, e := range s.list(s.Bucket, object.ListOptions{PageSize: 7}) {
		listed = append(listed, string(e.Key))
	}
	s.same("listed keys", listed, keys)
	for _, k := range keys {
		_, err := s.Store.Delete(s.ctx, s.ref(k))
		s.ok(err, "delete %q", k)
	}
	if left := s.list(s.Bucket, object.ListOptions{}); len(left) != 0 {
		s.Errorf("%d keys are left, the first %q", len(left), left[0].Key)
	}
}

func (s *suite) delete() {
	s.put("k", "x")
	for range 2 {
		r, err := s.Store.Delete(s.ctx, s.ref("k"))
		s.ok(err, "delete")
		s.same("delete", r, object.DeleteResult{HTTPStatus: 204})
	}
	_, err := s.Store.Head(s.ctx, s.ref("k"))
	s.fails(err, "head of a deleted object", 404, object.CodeNoSuchKey)
	_, err = s.Store.Delete(s.ctx, object.Ref{Bucket: s.Missing, Key: "k"})
	s.fails(err, "delete in no bucket", 404, object.CodeNoSuchBucket)
}

func (s *suite) missing() {
	gone := s.ref("not/there")
	nowhere := object.Ref{Bucket: s.Missing, Key: "k"}
	for _, v := range []struct {
		what string
		code string
		call func(object.Ref) error
	}{
		{"head", object.CodeNoSuchKey, func(r object.Ref) error { _, err := s.Store.Head(s.ctx, r); return err }},
		{"get", object.CodeNoSuchKey, func(r object.Ref) error { _, _, err := s.Store.Get(s.ctx, r, 0, -1); return err }},
		{"tags", object.CodeNoSuchKey, func(r object.Ref) error { _, err := s.Store.Tags(s.ctx, r); return err }},
		{"put tags", object.CodeNoSuchKey, func(r object.Ref) error { _, err := s.Store.PutTags(s.ctx, r, nil); return err }},
		{"delete tags", object.CodeNoSuchKey, func(r object.Ref) error { _, err := s.Store.DeleteTags(s.ctx, r); return err }},
	} {
		s.fails(v.call(gone), v.what+" of no object", 404, v.code)
		want := object.CodeNoSuchBucket
		if v.what == "head" {
			want = object.CodeNoSuchKey // a HEAD's error has no body to tell
		}
		s.fails(v.call(nowhere), v.what+" in no bucket", 404, want)
	}
	_, err := s.Store.HeadBucket(s.ctx, s.Missing)
	s.fails(err, "head of no bucket", 404, object.CodeNoSuchBucket)
	for _, err := range s.Store.List(s.ctx, s.Missing, object.ListOptions{}) {
		s.fails(err, "list of no bucket", 404, object.CodeNoSuchBucket)
	}
	_, err = s.Store.Put(s.ctx, object.PutRequest{Bucket: s.Missing, Key: "k", Body: strings.NewReader(""), Size: 0})
	s.fails(err, "put into no bucket", 404, object.CodeNoSuchBucket)
}

func (s *suite) forged() {
	if s.Forged == nil {
		return
	}
	s.put("k", "x")
	const wrong = "SignatureDoesNotMatch"
	_, err := s.Forged.Head(s.ctx, s.ref("k"))
	s.fails(err, "head", 403, object.CodeAccessDenied)
	_, _, err = s.Forged.Get(s.ctx, s.ref("k"), 0, -1)
	s.fails(err, "get", 403, wrong)
	_, err = s.Forged.Put(s.ctx, object.PutRequest{Bucket: s.Bucket, Key: "k", Body: strings.NewReader("evil"), Size: 4})
	s.fails(err, "put", 403, wrong)
	_, err = s.Forged.Delete(s.ctx, s.ref("k"))
	s.fails(err, "delete", 403, wrong)
	s.same("the object", s.get(s.ref("k"), 0, -1), "x")
}

func (s *suite) headBucket() {
	i, err := s.Store.HeadBucket(s.ctx, s.Bucket)
	s.ok(err, "head bucket")
	s.same("region", i.Region, s.Region)
}

func (s *suite) sideBySide() {
	s.put("src", "body")
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 10 {
				key := job.Key(fmt.Sprintf("dst/%d/%d", w, i))
				_, err := s.Store.Copy(s.ctx, object.CopyRequest{Source: s.ref("src"), Bucket: s.Bucket, Key: key})
				if err != nil {
					s.Errorf("copy: %v", err)
				}
				if _, err = s.Store.PutTags(s.ctx, object.Ref{Bucket: s.Bucket, Key: key}, []object.Tag{{Key: "w", Value: fmt.Sprint(w)}}); err != nil {
					s.Errorf("tag: %v", err)
				}
			}
		})
	}
	wg.Wait()
	s.same("copies", len(s.list(s.Bucket, object.ListOptions{Prefix: "dst/", PageSize: 33})), 80)
}

func (s *suite) cancelled() {
	s.put("k", "x")
	ctx, cancel := context.WithCancel(s.ctx)
	cancel()
	_, err := s.Store.Head(ctx, s.ref("k"))
	if !errors.Is(err, context.Canceled) || !object.Retryable(err) {
		s.Errorf("head: %v", err)
	}
	n := 0
	for _, err := range s.Store.List(ctx, s.Bucket, object.ListOptions{}) {
		n++
		if !errors.Is(err, context.Canceled) {
			s.Errorf("list: %v", err)
		}
	}
	s.same("errors of a listing", n, 1)
}
