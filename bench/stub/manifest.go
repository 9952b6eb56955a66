//go:build linux

package main

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
)

// The bucket lists holds a CSV manifest of any length: list-N.csv names the first N objects of the bucket src.
const (
	manifests   = "lists/list-"
	manifestRow = "src,k/000000000\n"
)

// manifest answers GET and HEAD of one; nil when the object is none.
func (a *answerer) manifest(r request, path []byte) []byte {
	name, ok := strings.CutPrefix(string(path), manifests)
	if !ok || r.method[0] != 'G' && r.method[0] != 'H' {
		return nil
	}
	rows, err := strconv.ParseInt(strings.TrimSuffix(name, ".csv"), 10, 64)
	if err != nil || rows < 0 {
		return a.make("404 Not Found", "", "<Error><Code>NoSuchKey</Code></Error>")
	}
	size := rows * int64(len(manifestRow))
	from, to := int64(0), size // to is behind the last byte
	status, partial := "200 OK", ""
	if lo, hi, ok := bytes.Cut(bytes.TrimPrefix(bytes.TrimSpace(r.byteRange), []byte("bytes=")), []byte("-")); ok {
		from = int64(number(lo))
		if len(hi) > 0 {
			to = min(size, int64(number(hi))+1)
		}
		if from >= size {
			return a.make("416 Requested Range Not Satisfiable", "", "<Error><Code>InvalidRange</Code></Error>")
		}
		status, partial = "206 Partial Content", fmt.Sprintf("Content-Range: bytes %d-%d/%d\r\n", from, to-1, size)
	}
	head := fmt.Appendf(nil, "HTTP/1.1 %s\r\n%sLast-Modified: Fri, 02 Jan 2026 03:04:05 GMT\r\nETag: \"list-%d\"\r\n%sContent-Type: text/csv\r\nContent-Length: %d\r\n\r\n",
		status, a.common(), rows, partial, to-from)
	if r.method[0] == 'H' {
		return head
	}
	width := int64(len(manifestRow))
	for n := from / width; n*width < to; n++ {
		row := fmt.Sprintf("src,k/%09d\n", n)
		head = append(head, row[max(0, from-n*width):min(width, to-n*width)]...)
	}
	return head
}
