//go:build linux

package main

import "bytes"

// request is the head of one request; its slices alias the connection's buffer.
type request struct {
	method, path []byte
	payload      []byte // unless it is chunked
	body         int    // its length
	chunked      bool
	copies       bool // it names a copy source
	expects      bool // 100-continue
	closes       bool
	byteRange    []byte // of a GET
}

var headEnd = []byte("\r\n\r\n")

// parse takes one request off the front of b. size is how long it is with its body, 0 when it is not all there yet;
// ok is false when it is no request.
func parse(b []byte) (r request, size int, ok bool) {
	end := bytes.Index(b, headEnd)
	if end < 0 {
		return r, 0, true
	}
	head := b[:end+2]
	nl := bytes.IndexByte(head, '\r')
	line := head[:nl]
	sp, last := bytes.IndexByte(line, ' '), bytes.LastIndexByte(line, ' ')
	if sp < 1 || last <= sp+1 || line[sp+1] != '/' {
		return r, 0, false
	}
	r.method, r.path = line[:sp], line[sp+1:last]
	for h := head[nl+2:]; len(h) > 0; {
		k := bytes.IndexByte(h, '\n')
		if colon := bytes.IndexByte(h[:k], ':'); colon > 0 {
			r.header(h[:colon], h[colon+1:k])
		}
		h = h[k+1:]
	}
	size = len(head) + 2
	if r.chunked {
		z := bytes.Index(b[size:], []byte("0\r\n\r\n"))
		if z < 0 {
			return r, 0, true
		}
		return r, size + z + 5, true
	}
	if len(b) < size+r.body {
		return r, 0, true
	}
	r.payload = b[size : size+r.body]
	return r, size + r.body, true
}

// header looks at the few that matter; their lengths tell them apart.
func (r *request) header(name, value []byte) {
	switch len(name) {
	case 5:
		if is(name, "range") {
			r.byteRange = value
		}
	case 14:
		if is(name, "content-length") {
			r.body = number(value)
		}
	case 17:
		switch {
		case is(name, "transfer-encoding"):
			r.chunked = bytes.Contains(value, []byte("chunked"))
		case is(name, "x-amz-copy-source"), is(name, "x-cos-copy-source"):
			r.copies = true
		}
	case 6:
		if is(name, "expect") {
			r.expects = true
		}
	case 10:
		if is(name, "connection") {
			r.closes = bytes.Contains(value, []byte("close"))
		}
	}
}

// is compares a header's name with one in lower case.
func is(name []byte, lower string) bool {
	if len(name) != len(lower) {
		return false
	}
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

func number(b []byte) int {
	n := 0
	for _, c := range b {
		if '0' <= c && c <= '9' {
			n = n*10 + int(c-'0')
		}
	}
	return n
}
