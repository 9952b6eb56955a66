package localstore

import (
	"crypto/rand"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	maxKey = 1024 // bytes
	s3XML  = "http://s3.amazonaws.com/doc/2006-03-01/"
)

// dialect is what the two protocols spell differently.
type dialect struct {
	name   string
	prefix string // of headers
	xmlns  string
	groups string // what the URI of a group of an access list begins with
}

var (
	dialectS3  = dialect{name: "s3", prefix: "X-Amz-", xmlns: s3XML, groups: s3Groups}
	dialectCOS = dialect{name: "cos", prefix: "X-Cos-", groups: cosGroups}
)

func (d dialect) cos() bool { return d.name == dialectCOS.name }

// call is one request being answered.
type call struct {
	s      *Store
	w      http.ResponseWriter
	r      *http.Request
	d      dialect
	auth   *sigV4            // nil for COS
	query  map[string]string // by name in lower case: COS's own SDK writes versionId in three ways
	bucket string
	key    string
	id     string
	at     time.Time
	op     string
	status int
}

// ServeHTTP answers one request in either dialect.
func (s *Store) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.calls.Add(1)
	defer s.calls.Done()
	c := &call{s: s, w: w, r: r, d: dialectS3, id: newRequestID(), at: time.Now(), op: "-"}
	if isQSign(r) {
		c.d = dialectCOS
	}
	err := c.serve()
	if err != nil {
		c.fail(err)
	}
	if c.key != "" { // DeleteObjects writes its own lines
		s.log.record(c.at, c.op, c.bucket, c.key, c.status, c.id)
	}
}

func newRequestID() string {
	var raw [8]byte
	rand.Read(raw[:])
	return strings.ToUpper(hex.EncodeToString(raw[:]))
}

func (c *call) serve() error {
	c.w.Header().Set(c.d.prefix+"Request-Id", c.id)
	if err := c.address(); err != nil {
		return err
	}
	handler := c.route()
	if err := c.authenticate(); err != nil {
		return err
	}
	for name := range c.r.Header {
		if strings.HasPrefix(name, c.d.prefix) && strings.Contains(name, "Server-Side-Encryption-Customer-") {
			return errNotImplemented.because("This store does not keep objects under a customer's key (SSE-C).")
		}
	}
	return handler(c)
}

// address finds the bucket and the key, and reads the query.
func (c *call) address() error {
	query, err := url.ParseQuery(c.r.URL.RawQuery)
	if err != nil {
		return errInvalidURI
	}
	c.query = map[string]string{}
	for name, values := range query {
		c.query[strings.ToLower(name)] = values[0]
	}
	path := strings.TrimPrefix(c.r.URL.Path, "/")
	bucket, ok := hostBucket(c.r.Host, c.d.cos())
	if ok {
		c.bucket, c.key = bucket, path
	} else {
		c.bucket, c.key, _ = strings.Cut(path, "/")
	}
	if !utf8.ValidString(path) || c.bucket == "" && c.key != "" {
		return errInvalidURI
	}
	if len(c.key) > maxKey {
		return errKeyTooLong
	}
	return nil
}

// hostBucket takes the bucket from the Host header, when it is there: always for COS but at an address without names or
// the service's own host, and for S3 at hosts of the forms in the package's comment.
func hostBucket(host string, cos bool) (string, bool) {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	first, _, dotted := strings.Cut(host, ".")
	if !dotted || net.ParseIP(host) != nil || first == "s3" || first == "cos" || first == "service" {
		return "", false
	}
	for _, service := range []string{".s3.", ".s3-", ".cos."} {
		if bucket, _, ok := strings.Cut(host, service); ok {
			return bucket, true
		}
	}
	if bucket, ok := strings.CutSuffix(host, ".localhost"); ok && !cos {
		return bucket, true
	}
	return first, cos
}

// hostRegion is the region in a COS host, <bucket>.cos.<region>.…
func hostRegion(host string) string {
	_, after, ok := strings.Cut(host, ".cos.")
	if !ok {
		return ""
	}
	region, _, ok := strings.Cut(after, ".")
	if !ok || region == "localhost" {
		return ""
	}
	return region
}

// header reads a header of the dialect, x-amz-… or x-cos-….
func (c *call) header(name string) string { return c.r.Header.Get(c.d.prefix + name) }

// set sets a header of the dialect in the answer, unless the value is "".
func (c *call) set(name, value string) {
	if value != "" {
		c.w.Header().Set(c.d.prefix+name, value)
	}
}

func (c *call) has(parameter string) bool {
	_, ok := c.query[parameter]
	return ok
}

// done answers without a body.
func (c *call) done(status int) error {
	c.status = status
	c.w.WriteHeader(status)
	return nil
}

// xml answers with a document whose root has the given name.
func (c *call) xml(root string, document any) error {
	return c.writeXML(http.StatusOK, c.d.xmlns, root, document)
}

func (c *call) writeXML(status int, space, root string, document any) error {
	var b strings.Builder
	b.WriteString(xml.Header)
	enc := xml.NewEncoder(&b)
	if err := enc.EncodeElement(document, xml.StartElement{Name: xml.Name{Space: space, Local: root}}); err != nil {
		return err
	}
	c.status = status
	h := c.w.Header()
	h.Set("Content-Type", "application/xml")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	c.w.WriteHeader(status)
	io.WriteString(c.w, b.String())
	return nil
}

// fail answers an error. One that no client caused is told as InternalError.
func (c *call) fail(err error) {
	e, ok := errors.AsType[*apiError](err)
	if !ok {
		e = errInternal.because("The store met an internal error: %v.", err)
	}
	for name, value := range e.headers {
		c.set(name, value)
	}
	if c.r.Method == http.MethodHead || e.status == http.StatusNotModified {
		c.done(e.status)
		return
	}
	out := errorOut{Code: e.code, Message: e.message, Resource: c.r.URL.Path, RequestID: c.id}
	if c.d.cos() {
		out.TraceID = c.id
	}
	c.writeXML(e.status, "", "Error", out)
}
