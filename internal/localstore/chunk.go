package localstore

import (
	"bufio"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// maxChunkLine is the longest line of the framing, in bytes, and maxTrailers the number of trailers.
const (
	maxChunkLine = 4096
	maxTrailers  = 16
)

var emptySHA256 = hex.EncodeToString(sha256.New().Sum(nil))

// chunkReader takes the framing off a body sent as aws-chunked: chunks of `size[;chunk-signature=…]`, each signed over
// the one before when auth is set, then trailers (AWS S3 API, Signature Calculations: Chunked Upload, Trailing Headers).
type chunkReader struct {
	r       *bufio.Reader
	auth    *sigV4 // nil for unsigned chunks
	trailer http.Header

	left     int64 // of the current chunk
	previous string
	claimed  string // the current chunk's signature
	sum      hash.Hash
	started  bool
	err      error
}

func newChunkReader(r io.Reader, auth *sigV4, trailer http.Header) *chunkReader {
	c := &chunkReader{r: bufio.NewReaderSize(r, 16<<10), auth: auth, trailer: trailer, sum: sha256.New()}
	if auth != nil {
		c.previous = auth.signature
	}
	return c
}

func (c *chunkReader) Read(p []byte) (int, error) {
	if c.err == nil && c.left == 0 {
		c.err = c.nextChunk()
	}
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.r.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	if c.auth != nil {
		c.sum.Write(p[:n])
	}
	if err == io.EOF {
		err = errIncompleteBody
	}
	c.err = err
	return n, err
}

// nextChunk ends the chunk before and reads the head of the next. The last one's end is io.EOF.
func (c *chunkReader) nextChunk() error {
	if c.started {
		if err := c.endChunk(); err != nil {
			return err
		}
	}
	c.started = true
	line, err := c.line()
	if err != nil {
		return err
	}
	size, extension, _ := strings.Cut(line, ";")
	c.claimed = strings.TrimPrefix(extension, "chunk-signature=")
	if c.left, err = strconv.ParseInt(size, 16, 64); err != nil || c.left < 0 {
		return errInvalidRequest.because("The body's chunks do not parse.")
	}
	c.sum.Reset()
	if c.left > 0 {
		return nil
	}
	if err := c.verifyChunk(); err != nil {
		return err
	}
	if err := c.readTrailers(); err != nil {
		return err
	}
	return io.EOF
}

func (c *chunkReader) endChunk() error {
	if line, err := c.line(); err != nil || line != "" {
		return errors.Join(errIncompleteBody, err)
	}
	return c.verifyChunk()
}

func (c *chunkReader) verifyChunk() error {
	if c.auth == nil {
		return nil
	}
	return c.verify("AWS4-HMAC-SHA256-PAYLOAD", c.claimed, emptySHA256, hex.EncodeToString(c.sum.Sum(nil)))
}

func (c *chunkReader) verify(algorithm, claimed string, digests ...string) error {
	parts := append([]string{algorithm, c.auth.time, c.auth.scope, c.previous}, digests...)
	want := hex.EncodeToString(mac(c.auth.key, strings.Join(parts, "\n")))
	if subtle.ConstantTimeCompare([]byte(want), []byte(claimed)) != 1 {
		return errBadSignature
	}
	c.previous = want
	return nil
}

// readTrailers reads what follows the last chunk: `name:value` lines up to an empty one or the end.
func (c *chunkReader) readTrailers() error {
	var signed strings.Builder
	for range maxTrailers {
		line, err := c.line()
		if err == errIncompleteBody || err == nil && line == "" {
			return c.verifyTrailers(signed.String())
		}
		if err != nil {
			return err
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return errInvalidRequest.because("The body's trailers do not parse.")
		}
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		c.trailer.Set(name, value)
		if name != "x-amz-trailer-signature" {
			signed.WriteString(name + ":" + value + "\n")
		}
	}
	return errInvalidRequest.because("The body has too many trailers.")
}

func (c *chunkReader) verifyTrailers(signed string) error {
	if c.auth == nil || c.auth.payload != streamingTrailer {
		return nil
	}
	sum := sha256.Sum256([]byte(signed))
	return c.verify("AWS4-HMAC-SHA256-TRAILER", c.trailer.Get("X-Amz-Trailer-Signature"), hex.EncodeToString(sum[:]))
}

// line reads up to a line's end, which it takes off. The body's end is errIncompleteBody.
func (c *chunkReader) line() (string, error) {
	line, err := c.r.ReadSlice('\n')
	switch {
	case err == io.EOF || err == io.ErrUnexpectedEOF:
		return "", errIncompleteBody
	case err != nil || len(line) > maxChunkLine:
		return "", errInvalidRequest.because("A line of the body's framing is too long.")
	}
	return strings.TrimRight(string(line), "\r\n"), nil
}
