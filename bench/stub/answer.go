//go:build linux

package main

import (
	"bytes"
	"net/http"
	"strconv"
	"time"
)

// answerer makes answers; each loop and each TLS connection owns one.
type answerer struct {
	s   *store
	rng uint64
	now time.Time
	sec int64 // that the canned answers were made for

	copied, head, accepted, ok, put, none, tags, slow, slowHead []byte
}

func newAnswerer(s *store, seed uint64) *answerer {
	a := &answerer{s: s, rng: 88172645463325252 + seed}
	a.tick(time.Now())
	return a
}

const ids = "x-amz-id-2: Uuag1LuByRx9e6j5Onimru9pO4ZVKnJ2Qz7/C1NPcfTWAtRPfTaOFg==\r\nx-amz-request-id: 656c76696e6727732072657175657374\r\n"

// tick says what time it is; the answers carry it, so they are made anew once a second.
func (a *answerer) tick(now time.Time) {
	a.now = now
	if now.Unix() == a.sec {
		return
	}
	a.sec = now.Unix()
	const etag = `"9b2cf535f27731c974343645a3985328"`
	a.copied = a.make("200 OK", "x-amz-version-id: QvzQ6dUGhxQHG9jWGl4IBhN8uQzW.3lV\r\nx-amz-copy-source-version-id: 3HL4kqtJvjVBH40Nrjfkd3ur2WkT9Wj0\r\n",
		`<CopyObjectResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>&quot;9b2cf535f27731c974343645a3985328&quot;</ETag></CopyObjectResult>`)
	a.accepted = a.make("202 Accepted", "", "")
	a.ok = a.make("200 OK", "", "")
	a.put = a.make("200 OK", "ETag: "+etag+"\r\n", "")
	a.tags = a.make("200 OK", "", `<Tagging xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><TagSet></TagSet></Tagging>`)
	a.slow = a.make("503 Slow Down", "", `<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message><RequestId>656c76696e6727732072657175657374</RequestId><HostId>Uuag1LuByRx9e6j5Onimru9pO4ZVKnJ2Qz7</HostId></Error>`)
	a.slowHead = a.slow[:bytes.Index(a.slow, headEnd)+len(headEnd)]
	a.none = []byte("HTTP/1.1 204 No Content\r\n" + a.common() + "\r\n")
	a.head = []byte("HTTP/1.1 200 OK\r\n" + a.common() + "Last-Modified: Fri, 02 Jan 2026 03:04:05 GMT\r\nETag: " + etag +
		"\r\nAccept-Ranges: bytes\r\nContent-Type: binary/octet-stream\r\nContent-Length: " + strconv.Itoa(a.s.size) + "\r\n\r\n")
}

func (a *answerer) common() string {
	return ids + "Date: " + a.now.UTC().Format(http.TimeFormat) + "\r\nServer: AmazonS3\r\n"
}

// make gives an answer with an XML body, or none.
func (a *answerer) make(status, headers, body string) []byte {
	if body != "" {
		headers += "Content-Type: application/xml\r\n"
		body = `<?xml version="1.0" encoding="UTF-8"?>` + "\n" + body
	}
	return []byte("HTTP/1.1 " + status + "\r\n" + a.common() + headers + "Content-Length: " + strconv.Itoa(len(body)) + "\r\n\r\n" + body)
}

// random gives numbers in [0, 1) from a fixed seed.
func (a *answerer) random() float64 {
	a.rng ^= a.rng << 13
	a.rng ^= a.rng >> 7
	a.rng ^= a.rng << 17
	return float64(a.rng>>11) / (1 << 53)
}

// answer gives the whole answer to a request; it may be shared, so nobody writes to it.
func (a *answerer) answer(r request) []byte {
	path, query, _ := bytes.Cut(r.path[1:], []byte("?"))
	slash := bytes.IndexByte(path, '/')
	if slash < 0 || slash+1 == len(path) {
		return a.bucket(r, path, query)
	}
	if ans := a.manifest(r, path); ans != nil {
		return ans
	}
	kind, ans := a.kind(r, query)
	s := a.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.throttles() {
		if r.method[0] == 'H' {
			return a.slowHead
		}
		return a.slow
	}
	var counts *keyCounts
	switch kind {
	case "copy", "put", "restore", "tagging", "acl":
		counts = &s.written
	case "delete":
		counts = &s.deleted
	}
	s.note(a.now, kind, counts, path)
	return ans
}

// kind names an object call and gives its answer.
func (a *answerer) kind(r request, query []byte) (string, []byte) {
	has := func(s string) bool { return len(query) > 0 && bytes.Contains(query, []byte(s)) }
	switch string(r.method) {
	case "PUT":
		switch {
		case has("tagging"):
			return "tagging", a.ok
		case has("acl"):
			return "acl", a.ok
		case r.copies:
			return "copy", a.copied
		}
		return "put", a.put
	case "POST":
		if has("restore") {
			return "restore", a.accepted
		}
		return "other", a.ok
	case "HEAD":
		return "head", a.head
	case "DELETE":
		return "delete", a.none
	}
	if has("tagging") {
		return "gettagging", a.tags
	}
	return "get", append(bytes.Clone(a.head), make([]byte, a.s.size)...)
}

// throttles reports whether an object call is refused, and counts it then. The lock is held.
func (a *answerer) throttles() bool {
	s := a.s
	if s.err > 0 && a.random() < s.err || s.limit > 0 && !s.admit(a.now) {
		s.calls["503"]++
		return true
	}
	return false
}
