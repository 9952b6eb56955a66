package httpwire

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/hex"
	"hash"
	"slices"
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

	sum   hash.Hash
	buf   []byte
	pairs []param // escaped, names in lower case
	hex   [40]byte
}

func newQSign() *qsign { return &qsign{sum: sha1.New(), buf: make([]byte, 0, 2048)} }

// sign writes all headers of this attempt to rq.out.
func (s *qsign) sign(rq *request, c Credentials, now time.Time) {
	if start := now.Unix()/qStep*qStep - qBefore; start != s.start || c.SecretKey != s.secret || s.key == nil {
		s.prepare(c.SecretKey, start, start+qLasts)
	}
	rq.out = append(rq.out[:0], rq.header...)
	rq.out = append(rq.out, field{"host", rq.host})
	if rq.size > 0 {
		rq.out = append(rq.out, field{"content-length", strconv.FormatInt(rq.size, 10)})
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
	b := append(s.buf[:0], strings.ToLower(rq.method)...)
	b = append(b, '\n')
	b = append(b, rq.plain...)
	b = append(b, '\n')
	s.pairs = s.pairs[:0]
	for _, p := range rq.query {
		s.pair(p.name, p.value)
	}
	var params, headers string
	b, params = s.list(b)
	s.pairs = s.pairs[:0]
	for _, f := range rq.out {
		s.pair(f.name, f.value)
	}
	b, headers = s.list(b)

	s.sum.Reset()
	s.sum.Write(b)
	b = append(b[:0], "sha1\n"...)
	b = append(b, s.keyTime...)
	b = append(b, '\n')
	b = appendHex(b, s.hex[:], s.sum)
	b = append(b, '\n')
	s.key.Reset()
	s.key.Write(b)
	b = append(b[:0], "q-sign-algorithm=sha1&q-ak="...)
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
	b = appendHex(b, s.hex[:], s.key)
	s.buf = b
	return string(b)
}

func (s *qsign) pair(name, value string) {
	name = strings.ToLower(string(appendEscaped(nil, name, false)))
	s.pairs = append(s.pairs, param{name, value})
}

// list writes s.pairs as k=v&k=v and a line's end, and returns their names as k;k.
func (s *qsign) list(b []byte) (_ []byte, names string) {
	slices.SortFunc(s.pairs, func(x, y param) int {
		return cmp.Or(strings.Compare(x.name, y.name), strings.Compare(x.value, y.value))
	})
	list := make([]byte, 0, 256)
	for i, p := range s.pairs {
		if i > 0 {
			b = append(b, '&')
			list = append(list, ';')
		}
		b = append(b, p.name...)
		b = append(b, '=')
		b = appendEscaped(b, p.value, false)
		list = append(list, p.name...)
	}
	return append(b, '\n'), string(list)
}

// appendHex writes h's sum in hexadecimal; scratch has room for it.
func appendHex(b, scratch []byte, h hash.Hash) []byte {
	at := len(b)
	b = h.Sum(b)
	hex.Encode(scratch, b[at:])
	return append(b[:at], scratch...)
}
