package httpwire

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"slices"
	"strings"
	"time"
)

const (
	emptyHash       = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	unsignedPayload = "UNSIGNED-PAYLOAD"
	v4Algorithm     = "AWS4-HMAC-SHA256"
)

// v4 signs by Signature Version 4 for service s3 (AWS S3 API, "Authenticating requests: using the Authorization
// header"). It keeps the day's key. Owned by one goroutine at a time.
type v4 struct {
	region string // where the request names none

	secret string
	day    string
	place  string    // the key's region
	key    hash.Hash // HMAC under the day's key
	second int64
	stamp  string // of second: 20060102T150405Z
	scope  string // <day>/<region>/s3/aws4_request

	buf   []byte
	names []byte // of the signed headers, joined
}

func newV4(region string) *v4 {
	return &v4{region: region, buf: make([]byte, 0, 2048)}
}

// sign appends the signature's headers to rq. Streamed bodies are covered by their signed Content-MD5 instead of a
// payload hash, so that they need not be read a third time.
func (s *v4) sign(rq *request, c Credentials, now time.Time) {
	region := s.region
	if rq.place != nil && rq.place.region != "" {
		region = rq.place.region
	}
	s.prepare(c.SecretKey, region, now.UTC())
	payload := emptyHash
	switch {
	case rq.body != nil:
		payload = unsignedPayload
	case len(rq.xml) > 0:
		sum := sha256.Sum256(rq.xml)
		at := len(rq.text.b)
		rq.text.b = hex.AppendEncode(rq.text.b, sum[:])
		payload = rq.text.since(at)
	}
	// About in their order, so that little is left to sort.
	rq.out = append(rq.out[:0], field{"host", rq.host}, field{"x-amz-content-sha256", payload})
	rq.out = append(append(rq.out, rq.header...), field{"x-amz-date", s.stamp})
	if rq.size > 0 {
		rq.out = append(rq.out, field{"content-length", rq.length()})
	}
	if c.SessionToken != "" {
		rq.out = append(rq.out, field{"x-amz-security-token", c.SessionToken})
	}
	sortFields(rq.out)
	s.canonical(rq, payload)
	rq.out = append(rq.out, field{"authorization", s.authorization(rq, c.AccessKey)})
}

// prepare makes the key of the day, and the second's time stamp.
func (s *v4) prepare(secret, region string, now time.Time) {
	if sec := now.Unix(); sec != s.second || s.stamp == "" {
		s.second, s.stamp = sec, now.Format("20060102T150405Z")
	}
	if day := s.stamp[:8]; day != s.day || region != s.place || secret != s.secret || s.key == nil {
		s.day, s.place, s.secret = day, region, secret
		s.scope = day + "/" + region + "/s3/aws4_request"
		key := []byte("AWS4" + secret)
		for _, part := range []string{day, region, "s3", "aws4_request"} {
			m := hmac.New(sha256.New, key)
			m.Write([]byte(part))
			key = m.Sum(nil)
		}
		s.key = hmac.New(sha256.New, key)
	}
}

// canonical writes the canonical request into s.buf and the signed headers' names into s.names.
func (s *v4) canonical(rq *request, payload string) {
	b := append(s.buf[:0], rq.method...)
	b = append(b, '\n')
	b = append(b, rq.path...)
	b = append(b, '\n')
	b = appendQuery(b, rq.query)
	b = append(b, '\n')
	for _, f := range rq.out {
		b = append(b, f.name...)
		b = append(b, ':')
		b = appendSqueezed(b, f.value)
		b = append(b, '\n')
	}
	s.names = s.names[:0]
	for i, f := range rq.out {
		if i > 0 {
			s.names = append(s.names, ';')
		}
		s.names = append(s.names, f.name...)
	}
	b = append(b, '\n')
	b = append(b, s.names...)
	b = append(b, '\n')
	s.buf = append(b, payload...)
}

// authorization signs the canonical request in s.buf.
func (s *v4) authorization(rq *request, accessKey string) string {
	sum := sha256.Sum256(s.buf)
	b := s.buf[:0]
	b = append(b, v4Algorithm+"\n"...)
	b = append(b, s.stamp...)
	b = append(b, '\n')
	b = append(b, s.scope...)
	b = append(b, '\n')
	b = hex.AppendEncode(b, sum[:])
	s.key.Reset()
	s.key.Write(b)
	s.buf = s.key.Sum(b[:0])

	at := len(rq.text.b)
	b = append(rq.text.b, v4Algorithm+" Credential="...)
	b = append(b, accessKey...)
	b = append(b, '/')
	b = append(b, s.scope...)
	b = append(b, ", SignedHeaders="...)
	b = append(b, s.names...)
	b = append(b, ", Signature="...)
	rq.text.b = hex.AppendEncode(b, s.buf)
	return rq.text.since(at)
}

// appendSqueezed writes a value with runs of blanks as one.
func appendSqueezed(b []byte, v string) []byte {
	if strings.IndexByte(v, ' ') < 0 {
		return append(b, v...)
	}
	for i := range len(v) {
		if v[i] == ' ' && i > 0 && v[i-1] == ' ' {
			continue
		}
		b = append(b, v[i])
	}
	return b
}

func sortFields(f fields) {
	slices.SortFunc(f, func(a, b field) int { return strings.Compare(a.name, b.name) })
}
