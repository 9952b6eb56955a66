//go:build linux

package main

import (
	"bytes"
	"strconv"
	"strings"
	"testing"
	"time"
)

func newStore(b behaviour) *store {
	s := &store{behaviour: b}
	s.stats(true)
	return s
}

func get(t *testing.T, a *answerer, head string) string {
	t.Helper()
	r, size, ok := parse([]byte(head + "\r\n\r\n"))
	if !ok || size != len(head)+4 {
		t.Fatalf("parse(%q) = size %d, ok %v", head, size, ok)
	}
	return string(a.answer(r))
}

func TestRequestsAreTakenWhole(t *testing.T) {
	t.Parallel()
	const put = "PUT /b/k HTTP/1.1\r\nContent-Length: 3\r\nX-Amz-Copy-Source: a/b\r\n\r\nabc"
	for n := range len(put) {
		if _, size, ok := parse([]byte(put[:n])); size != 0 || !ok {
			t.Fatalf("of %d bytes: size %d, ok %v", n, size, ok)
		}
	}
	r, size, ok := parse([]byte(put + "GET"))
	if size != len(put) || !ok || !r.copies || string(r.path) != "/b/k" {
		t.Fatalf("size %d, ok %v, %+v", size, ok, r)
	}
	if _, _, ok := parse([]byte("no request\r\n\r\n")); ok {
		t.Error("what is no request was taken for one")
	}
}

func TestCallsAreCountedByKey(t *testing.T) {
	t.Parallel()
	a := newAnswerer(newStore(behaviour{}), 0)
	for _, key := range []string{"000000001", "000000002", "000000001", "other", "other"} {
		if ans := get(t, a, "PUT /dst/k/"+key+" HTTP/1.1\r\nx-amz-copy-source: src/k"); !strings.Contains(ans, "CopyObjectResult") {
			t.Fatal(ans)
		}
	}
	get(t, a, "DELETE /dst/k/000000001 HTTP/1.1")
	const body = "<Delete><Object><Key>k/000000002</Key></Object><Object><Key>k/000000003</Key></Object></Delete>"
	r, _, ok := parse([]byte("POST /dst?delete= HTTP/1.1\r\ncontent-length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body))
	if ans := string(a.answer(r)); !ok || !strings.Contains(ans, "<Deleted><Key>k/000000003</Key></Deleted>") {
		t.Fatal(ans)
	}
	got := string(a.s.stats(false))
	for _, want := range []string{`"copy":5`, `"delete":1`, `"written":{"distinct":3,"repeated":2}`, `"deletemany":1`, `"deleted":{"distinct":3,"repeated":0}`} {
		if !strings.Contains(got, want) {
			t.Errorf("stats lack %s: %s", want, got)
		}
	}
}

func TestLimitGivesOutItsBurstAndThenItsRate(t *testing.T) {
	t.Parallel()
	s := newStore(behaviour{limit: 100, burst: 10})
	a := newAnswerer(s, 0)
	start := s.filled
	good := 0
	for i := range 1000 { // a second
		a.tick(start.Add(time.Duration(i) * time.Millisecond))
		if !strings.Contains(get(t, a, "HEAD /b/k HTTP/1.1"), "503") {
			good++
		}
	}
	if good < 105 || good > 111 {
		t.Errorf("%d of 1000 calls in a second were let through, want about 110", good)
	}
}

func TestListingPages(t *testing.T) {
	t.Parallel()
	a := newAnswerer(newStore(behaviour{keys: 1500}), 0)
	page := get(t, a, "GET /src/?list-type=2&prefix=k/ HTTP/1.1")
	if n := strings.Count(page, "<Key>"); n != 1000 || !strings.Contains(page, "<NextContinuationToken>k/000000999<") {
		t.Errorf("first page: %d keys", n)
	}
	page = get(t, a, "GET /src/?list-type=2&prefix=k/&continuation-token=k/000000999 HTTP/1.1")
	if n := strings.Count(page, "<Key>"); n != 500 || !strings.Contains(page, "<IsTruncated>false<") {
		t.Errorf("second page: %d keys", n)
	}
	if page = get(t, a, "GET /dst/?list-type=2 HTTP/1.1"); bytes.Contains([]byte(page), []byte("<Key>")) {
		t.Error("the destination's listing shows keys")
	}
}

func TestManifestsAreReadInRanges(t *testing.T) {
	t.Parallel()
	a := newAnswerer(newStore(behaviour{}), 0)
	const whole = "src,k/000000000\nsrc,k/000000001\nsrc,k/000000002\n"
	ans := get(t, a, "GET /lists/list-3.csv HTTP/1.1")
	if _, body, _ := strings.Cut(ans, "\r\n\r\n"); !strings.HasPrefix(ans, "HTTP/1.1 200 OK\r\n") || body != whole {
		t.Errorf("got %q", ans)
	}
	for r, want := range map[string]string{"bytes=5-20": whole[5:21], "bytes=40-": whole[40:], "bytes=0-0": "s", "bytes=47-99": "\n"} {
		ans := get(t, a, "GET /lists/list-3.csv HTTP/1.1\r\nRange: "+r)
		if _, body, _ := strings.Cut(ans, "\r\n\r\n"); !strings.HasPrefix(ans, "HTTP/1.1 206 ") || body != want {
			t.Errorf("%s: got %q, want %q", r, ans, want)
		}
	}
	if ans := get(t, a, "GET /lists/list-3.csv HTTP/1.1\r\nRange: bytes=48-"); !strings.HasPrefix(ans, "HTTP/1.1 416 ") {
		t.Errorf("past the end: %q", ans)
	}
}
