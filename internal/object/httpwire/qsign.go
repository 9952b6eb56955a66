package httpwire

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"hash"
	"strconv"
	"strings"
	"time"
)

// A signature's key time begins qBefore ago, so that a store whose clock is behind takes it, and is renewed every qStep.
const (
	qBefore = 10 * 60
	qStep   = 5 * 60
	qLasts  = 60 * 60
)

// qsign signs by COS's q-sign-algorithm=sha1 (Tencent doc page 436/7778). It keeps the key of the present key time.
// Owned by one goroutine at a time.
type qsign struct {
	secret  string
	start   int64
	keyTime string
	key     hash.Hash // HMAC under SignKey

	buf   []byte
	pairs []param // names escaped and in lower case
}

func newQSign() *qsign { return &qsign{buf: make([]byte, 0, 2048)} }

// sign writes all headers of this attempt to rq.out.
func (s *qsign) sign(rq *request, c Credentials, now time.Time) {
	if start := now.Unix()/qStep*qStep - qBefore; start != s.start || c.SecretKey != s.secret || s.key == nil {
		s.prepare(c.SecretKey, start, start+qLasts)
	}
	rq.out = append(rq.out[:0], rq.header...)
	rq.out = append(rq.out, field{"host", rq.host})
	if rq.size > 0 {
		rq.out = append(rq.out, field{"content-length", rq.length()})
	}
	if c.SessionToken != "" {
		rq.out = append(rq.out, field{"x-cos-security-token", c.SessionToken})
	}
	rq.out = append(rq.out, field{"authorization", s.authorization(rq, c.AccessKey)})
}

// prepare makes the key of a key time.
func (s *qsign) prepare(secret string, start, end int64) {
	s.secret, s.start = secret, start
	s.keyTime = strconv.FormatInt(start, 10) + ";" + strconv.FormatInt(end, 10)
	m := hmac.New(sha1.New, []byte(secret))
	m.Write([]byte(s.keyTime))
	s.key = hmac.New(sha1.New, []byte(hex.EncodeToString(m.Sum(nil))))
}

// authorization signs all of rq.out.
func (s *qsign) authorization(rq *request, accessKey string) string {
	b := s.buf[:0]
	for i := range len(rq.method) {
		b = append(b, lower[rq.method[i]])
	}
	b = append(b, '\n')
	b = append(b, rq.plain...)
	b = append(b, '\n')
	s.pairs = s.pairs[:0]
	for _, p := range rq.query {
		s.pair(rq, p.name, p.value)
	}
	b, params := s.list(rq, b)
	s.pairs = s.pairs[:0]
	for _, f := range rq.out {
		s.pair(rq, f.name, f.value)
	}
	b, headers := s.list(rq, b)

	sum := sha1.Sum(b)
	b = append(b[:0], "sha1\n"...)
	b = append(b, s.keyTime...)
	b = append(b, '\n')
	b = hex.AppendEncode(b, sum[:])
	b = append(b, '\n')
	s.key.Reset()
	s.key.Write(b)
	s.buf = s.key.Sum(b[:0])

	at := len(rq.text.b)
	b = append(rq.text.b, "q-sign-algorithm=sha1&q-ak="...)
	b = append(b, accessKey...)
	b = append(b, "&q-sign-time="...)
	b = append(b, s.keyTime...)
	b = append(b, "&q-key-time="...)
	b = append(b, s.keyTime...)
	b = append(b, "&q-header-list="...)
	b = append(b, headers...)
	b = append(b, "&q-url-param-list="...)
	b = append(b, params...)
	b = append(b, "&q-signature="...)
	rq.text.b = hex.AppendEncode(b, s.buf)
	return rq.text.since(at)
}

func (s *qsign) pair(rq *request, name, value string) {
	s.pairs = append(s.pairs, param{strings.ToLower(rq.text.escaped(name, false)), value})
}

// list writes s.pairs as k=v&k=v and a line's end, and returns their names as k;k.
func (s *qsign) list(rq *request, b []byte) (_ []byte, names string) {
	sortParams(s.pairs)
	at := len(rq.text.b)
	for i, p := range s.pairs {
		if i > 0 {
			b = append(b, '&')
			rq.text.b = append(rq.text.b, ';')
		}
		b = append(b, p.name...)
		b = append(b, '=')
		b = appendEscaped(b, p.value, false)
		rq.text.b = append(rq.text.b, p.name...)
	}
	return append(b, '\n'), rq.text.since(at)
}
