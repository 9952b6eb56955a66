// Package reporttest holds implementations of report.Sink to their contract.
package reporttest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-batch/drover/internal/report"
)

// Run tests the sinks that open makes. Each must be empty, or at least hold nothing under the names used here.
func Run(t *testing.T, open func(t *testing.T) report.Sink) {
	for name, test := range map[string]func(*testing.T, report.Sink){
		"what is put can be read":                   putGet,
		"a put replaces":                            replace,
		"a put reads from the present position":     position,
		"a put that ends short leaves the old":      short,
		"a missing file":                            missing,
		"a listing is by prefix, in byte order":     list,
		"a listing can be left":                     leave,
		"a deleted file is gone, again is no error": remove,
		"an ended context":                          ended,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

func put(t *testing.T, s report.Sink, name, body string) {
	t.Helper()
	if err := s.Put(t.Context(), name, strings.NewReader(body), int64(len(body)), report.ContentTypeCSV); err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, s report.Sink, name, body string) {
	t.Helper()
	got, err := s.Get(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != body {
		t.Errorf("%s holds %q, want %q", name, got, body)
	}
}

func names(t *testing.T, s report.Sink, prefix string) []string {
	t.Helper()
	var got []string
	for name, err := range s.List(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, name)
	}
	return got
}

func putGet(t *testing.T, s report.Sink) {
	put(t, s, "job-1/results/00000001-failed.csv", "a,b\n")
	put(t, s, "job-1/manifest.json", "")
	put(t, s, "top", "t")
	want(t, s, "job-1/results/00000001-failed.csv", "a,b\n")
	want(t, s, "job-1/manifest.json", "")
	want(t, s, "top", "t")
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	put(t, s, "big", string(big))
	want(t, s, "big", string(big))
}

func replace(t *testing.T, s report.Sink) {
	put(t, s, "a/b", "a long first content")
	put(t, s, "a/b", "short")
	want(t, s, "a/b", "short")
	if d := cmp.Diff([]string{"a/b"}, names(t, s, "")); d != "" {
		t.Error(d)
	}
}

func position(t *testing.T, s report.Sink) {
	r := strings.NewReader("0123456789")
	if _, err := r.Seek(3, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), "part", r, 4, report.ContentTypeText); err != nil {
		t.Fatal(err)
	}
	want(t, s, "part", "3456")
}

func short(t *testing.T, s report.Sink) {
	put(t, s, "a", "old")
	if err := s.Put(t.Context(), "a", strings.NewReader("ne"), 3, report.ContentTypeText); err == nil {
		t.Error("a body that ended early was stored")
	}
	if err := s.Put(t.Context(), "b", strings.NewReader(""), 3, report.ContentTypeText); err == nil {
		t.Error("no body was stored")
	}
	want(t, s, "a", "old")
	if d := cmp.Diff([]string{"a"}, names(t, s, "")); d != "" {
		t.Error(d)
	}
}

func missing(t *testing.T, s report.Sink) {
	if _, err := s.Get(t.Context(), "no/such"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want fs.ErrNotExist", err)
	}
	if got := names(t, s, "no/such"); len(got) != 0 {
		t.Errorf("listed %q", got)
	}
}

func list(t *testing.T, s report.Sink) {
	all := []string{"a-b", "a/1", "a/b/2", "a/b-3", "a0", "b"}
	for _, n := range slices.Backward(all) {
		put(t, s, n, n)
	}
	slices.Sort(all)
	for _, prefix := range []string{"", "a", "a/", "a/b", "a/b/", "b", "c"} {
		var expect []string
		for _, n := range all {
			if strings.HasPrefix(n, prefix) {
				expect = append(expect, n)
			}
		}
		if d := cmp.Diff(expect, names(t, s, prefix)); d != "" {
			t.Errorf("prefix %q (-want +got):\n%s", prefix, d)
		}
	}
}

func leave(t *testing.T, s report.Sink) {
	put(t, s, "x/1", "")
	put(t, s, "x/2", "")
	put(t, s, "y", "")
	n := 0
	for range s.List(t.Context(), "") {
		n++
		break
	}
	if n != 1 {
		t.Errorf("%d names", n)
	}
}

func remove(t *testing.T, s report.Sink) {
	put(t, s, "d/1", "1")
	put(t, s, "d/2", "2")
	for range 2 {
		if err := s.Delete(t.Context(), "d/1"); err != nil {
			t.Fatal(err)
		}
	}
	if d := cmp.Diff([]string{"d/2"}, names(t, s, "d/")); d != "" {
		t.Error(d)
	}
	if _, err := s.Get(t.Context(), "d/1"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, want fs.ErrNotExist", err)
	}
}

func ended(t *testing.T, s report.Sink) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Put(ctx, "a", strings.NewReader("a"), 1, report.ContentTypeText); !errors.Is(err, context.Canceled) {
		t.Errorf("Put: %v", err)
	}
	if _, err := s.Get(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("Get: %v", err)
	}
	if err := s.Delete(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("Delete: %v", err)
	}
	for _, err := range s.List(ctx, "") {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("List: %v", err)
		}
	}
}
