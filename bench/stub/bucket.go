//go:build linux

package main

import (
	"bytes"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

const xmlns = ` xmlns="http://s3.amazonaws.com/doc/2006-03-01/"`

// bucket answers what is not about one object.
func (a *answerer) bucket(r request, path, query []byte) []byte {
	name := strings.TrimSuffix(string(path), "/")
	v, err := url.ParseQuery(string(query))
	if err != nil {
		return a.make("400 Bad Request", "", "<Error><Code>InvalidURI</Code></Error>")
	}
	if name == "__stats" {
		body := a.s.stats(v.Has("reset"))
		return append([]byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "+strconv.Itoa(len(body))+"\r\n\r\n"), body...)
	}
	if r.method[0] == 'P' && v.Has("delete") {
		return a.deleteMany(name, r.payload)
	}
	a.s.mu.Lock()
	a.s.calls["list"]++
	a.s.mu.Unlock()
	switch {
	case r.method[0] != 'G':
		return a.ok
	case name == "":
		return a.make("200 OK", "", `<ListAllMyBucketsResult`+xmlns+`><Owner><ID>a</ID></Owner><Buckets><Bucket><Name>src</Name><CreationDate>2026-01-02T03:04:05.000Z</CreationDate></Bucket><Bucket><Name>dst</Name><CreationDate>2026-01-02T03:04:05.000Z</CreationDate></Bucket></Buckets></ListAllMyBucketsResult>`)
	case v.Has("location"):
		return a.make("200 OK", "", `<LocationConstraint`+xmlns+`></LocationConstraint>`)
	case v.Has("versioning"):
		return a.make("200 OK", "", `<VersioningConfiguration`+xmlns+`></VersioningConfiguration>`)
	case v.Has("object-lock"):
		return a.make("404 Not Found", "", "<Error><Code>ObjectLockConfigurationNotFoundError</Code><Message>There is none.</Message></Error>")
	}
	return a.make("200 OK", "", a.list(name, v))
}

// list is ListObjects, versions 1 and 2, of the keys k/000000000 … of a bucket whose name begins with src.
func (a *answerer) list(bucket string, v url.Values) string {
	most := 1000
	if n, err := strconv.Atoi(v.Get("max-keys")); err == nil {
		most = min(n, most)
	}
	prefix := v.Get("prefix")
	var after string
	for _, p := range []string{"continuation-token", "start-after", "marker"} {
		if after == "" {
			after = v.Get(p)
		}
	}
	start := 0
	if num, ok := strings.CutPrefix(after, "k/"); ok {
		if n, err := strconv.Atoi(num); err == nil {
			start = n + 1
		}
	}
	var s strings.Builder
	s.WriteString(`<ListBucketResult` + xmlns + `><Name>` + bucket + `</Name><Prefix>` + prefix + `</Prefix>`)
	n, last, more := 0, "", false
	switch {
	case !strings.HasPrefix(bucket, "src"):
	case v.Get("delimiter") == "/" && !strings.HasPrefix(prefix, "k/"):
		if strings.HasPrefix("k/", prefix) && after == "" {
			s.WriteString(`<CommonPrefixes><Prefix>k/</Prefix></CommonPrefixes>`)
			n = 1
		}
	default:
		for i := start; i < a.s.keys; i++ {
			key := fmt.Sprintf("k/%09d", i)
			if !strings.HasPrefix(key, prefix) {
				continue
			}
			if more = n == most; more {
				break
			}
			fmt.Fprintf(&s, `<Contents><Key>%s</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>&quot;9b2cf535f27731c974343645a3985328&quot;</ETag><Size>%d</Size><StorageClass>STANDARD</StorageClass></Contents>`, key, a.s.size)
			n++
			last = key
		}
	}
	fmt.Fprintf(&s, `<KeyCount>%d</KeyCount><MaxKeys>%d</MaxKeys><IsTruncated>%v</IsTruncated>`, n, most, more)
	if more {
		s.WriteString(`<NextContinuationToken>` + last + `</NextContinuationToken><NextMarker>` + last + `</NextMarker>`)
	}
	s.WriteString(`</ListBucketResult>`)
	return s.String()
}

// deleteMany is DeleteObjects: one object call, which counts as a delete of each key that it names.
func (a *answerer) deleteMany(bucket string, body []byte) []byte {
	s := a.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.throttles() {
		return a.slow
	}
	s.note(a.now, "deletemany", nil, nil)
	var out strings.Builder
	out.WriteString(`<DeleteResult` + xmlns + `>`)
	for {
		_, rest, ok := bytes.Cut(body, []byte("<Key>"))
		if !ok {
			break
		}
		var key []byte
		key, body, _ = bytes.Cut(rest, []byte("</Key>"))
		s.deleted.add(append([]byte(bucket+"/"), key...))
		fmt.Fprintf(&out, "<Deleted><Key>%s</Key></Deleted>", key)
	}
	out.WriteString(`</DeleteResult>`)
	return a.make("200 OK", "", out.String())
}
