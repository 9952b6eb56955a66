package localstore

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// The ways to send a body in signed or unsigned chunks, as x-amz-content-sha256 names them.
const (
	streamingPrefix   = "STREAMING-"
	streamingUnsigned = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	streamingSigned   = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	streamingTrailer  = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
)

const (
	maxUpload = 5 << 30 // bytes of a single PUT or part
	maxXML    = 4 << 20 // bytes of an XML body
)

// payload is a request's body with all that can be checked of it. Read it to its end, then call check.
type payload struct {
	r       io.Reader
	left    int64 // bytes that must still come; -1 = not said
	sums    []expected
	trailer http.Header // filled at the end of a chunked body
	algo    string      // of the checksum that the client sent or asked for
	sum     hash.Hash
	sent    string // the checksum in a header; "" when it comes in the trailer or not at all
}

// expected is a digest that the request announced.
type expected struct {
	hash   hash.Hash
	want   string
	encode func([]byte) string
	err    error
}

// payload opens the request's body, to be checked in full.
func (c *call) payload() (*payload, error) {
	p, err := c.rawPayload()
	if err == nil {
		err = c.findChecksum(p)
	}
	return p, err
}

// rawPayload opens the request's body without looking for S3's checksum of it.
func (c *call) rawPayload() (*payload, error) {
	p := &payload{r: c.r.Body, left: c.r.ContentLength, trailer: http.Header{}}
	if err := c.openChunks(p); err != nil {
		return nil, err
	}
	if p.left > maxUpload {
		return nil, errEntityTooLarge
	}
	if c.auth != nil && len(c.auth.payload) == sha256.Size*2 {
		p.sums = append(p.sums, expected{sha256.New(), c.auth.payload, hex.EncodeToString, errBadContentSHA})
	}
	if want := c.r.Header.Get("Content-Md5"); want != "" {
		if raw, err := base64.StdEncoding.DecodeString(want); err != nil || len(raw) != md5.Size {
			return nil, errInvalidDigest
		}
		p.sums = append(p.sums, expected{md5.New(), want, base64.StdEncoding.EncodeToString, errBadDigest})
	}
	for i := range p.sums {
		p.r = io.TeeReader(p.r, p.sums[i].hash)
	}
	return p, nil
}

// openChunks takes the transfer's own framing off the body.
func (c *call) openChunks(p *payload) error {
	if c.auth == nil || !strings.HasPrefix(c.auth.payload, streamingPrefix) {
		return nil
	}
	var err error
	if p.left, err = strconv.ParseInt(c.r.Header.Get("X-Amz-Decoded-Content-Length"), 10, 64); err != nil || p.left < 0 {
		return refuse(http.StatusLengthRequired, "MissingContentLength", "A streamed body needs x-amz-decoded-content-length.")
	}
	switch c.auth.payload {
	case streamingUnsigned:
		p.r = newChunkReader(c.r.Body, nil, p.trailer)
	case streamingSigned, streamingTrailer:
		p.r = newChunkReader(c.r.Body, c.auth, p.trailer)
	default:
		return errNotImplemented
	}
	return nil
}

// findChecksum looks for S3's checksum of the body: in a header, announced for the trailer, or asked for.
func (c *call) findChecksum(p *payload) error {
	h := c.r.Header
	for algo, newHash := range algorithms {
		if v := h.Get("X-Amz-Checksum-" + algo); v != "" {
			if raw, err := base64.StdEncoding.DecodeString(v); err != nil || len(raw) != newHash().Size() {
				return errInvalidRequest.because("Value for x-amz-checksum-%s header is invalid.", algo)
			}
			if p.algo != "" {
				return errInvalidRequest.because("Expecting a single x-amz-checksum- header. Multiple checksum types are not allowed.")
			}
			p.algo, p.sent = algo, v
		}
	}
	if p.algo == "" {
		if name, ok := strings.CutPrefix(strings.ToLower(h.Get("X-Amz-Trailer")), "x-amz-checksum-"); ok {
			p.algo = name
		} else {
			p.algo = c.askedAlgorithm()
		}
	}
	if p.algo == "" {
		return nil
	}
	newHash, ok := algorithms[p.algo]
	if !ok {
		return errInvalidRequest.because("The checksum algorithm %q is unknown.", p.algo)
	}
	p.sum = newHash()
	return nil
}

// askedAlgorithm is the checksum that the request asks the store to work out.
func (c *call) askedAlgorithm() string {
	for _, name := range []string{"X-Amz-Checksum-Algorithm", "X-Amz-Sdk-Checksum-Algorithm"} {
		if v := c.r.Header.Get(name); v != "" {
			return strings.ToLower(v)
		}
	}
	return ""
}

func (p *payload) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	if p.left >= 0 {
		if p.left -= int64(n); p.left < 0 {
			return n, errIncompleteBody
		}
	}
	if err == io.EOF && p.left > 0 || err == io.ErrUnexpectedEOF {
		return n, errIncompleteBody
	}
	return n, err
}

// check holds the body, read to its end, against all that was said of it, and gives its checksum: nil when none was sent
// or asked for.
func (p *payload) check() (*checksum, error) {
	for _, e := range p.sums {
		if e.encode(e.hash.Sum(nil)) != e.want {
			return nil, e.err
		}
	}
	if p.sum == nil {
		return nil, nil
	}
	got := encodeSum(p.sum)
	want := p.sent
	if want == "" {
		want = p.trailer.Get("X-Amz-Checksum-" + p.algo)
	}
	if want != "" && want != got {
		return nil, errBadDigest.because("The %s you specified did not match the calculated checksum.", strings.ToUpper(p.algo))
	}
	return &checksum{Algorithm: p.algo, Value: got}, nil
}

// stage makes the request's body durable and checks it.
func (c *call) stage(p *payload) (*body, *checksum, error) {
	staged, err := c.s.blobs.stage(io.LimitReader(p, maxUpload+1), p.sum)
	if err != nil {
		return nil, nil, err
	}
	sum, err := p.check()
	if err == nil && staged.size > maxUpload {
		err = errEntityTooLarge
	}
	if err != nil {
		c.s.blobs.remove(staged.segments)
		return nil, nil, err
	}
	return staged, sum, nil
}

// document reads a whole XML body.
func (c *call) document() ([]byte, error) {
	p, err := c.payload()
	if err != nil {
		return nil, err
	}
	return p.document()
}

func (p *payload) document() ([]byte, error) {
	var r io.Reader = p
	if p.sum != nil {
		r = io.TeeReader(p, p.sum)
	}
	var b bytes.Buffer
	n, err := b.ReadFrom(io.LimitReader(r, maxXML+1))
	if err != nil {
		return nil, err
	}
	if n > maxXML {
		return nil, errMalformedXML
	}
	if _, err := p.check(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
