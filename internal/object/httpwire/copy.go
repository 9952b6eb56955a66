package httpwire

import (
	"bytes"
	"context"
	"encoding/xml"
	"strings"
	"time"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// Copy implements object.Copier. An answer 200 that holds an error is that error, with the status 200 (AWS S3 API,
// CopyObject; Tencent doc page 436/10881).
func (c *Client) Copy(ctx context.Context, r object.CopyRequest) (object.CopyResult, error) {
	rq := c.onObject("Copy", "PUT", object.Ref{Bucket: r.Bucket, Key: r.Key})
	defer c.free(rq)
	rq.slow, rq.within = true, r.Size
	c.setCopyHeaders(rq, &r)
	conditional := !r.IfModifiedSince.IsZero() || !r.IfUnmodifiedSince.IsZero() || r.IfMatch != ""
	rq.once = conditional && r.Source.Bucket == r.Bucket && r.Source.Key == r.Key
	rq.check = (*Client).checkCopy
	a, err := c.call(ctx, rq)
	if err != nil {
		return object.CopyResult{}, err
	}
	return a.copied, nil
}

func (c *Client) setCopyHeaders(rq *request, r *object.CopyRequest) {
	d := c.d
	if r.Source.Key == "" || !bucketName(string(r.Source.Bucket)) {
		rq.refuse("The source of a copy must be a bucket and a key.")
		return
	}
	at := len(rq.text.b)
	rq.text.b = c.appendCopySource(rq.text.b, r.Source, r.SourceRegion)
	rq.set(d.copySource, rq.text.since(at))
	rq.setIf(d.class, r.Class)
	d.setSSE(rq, r.SSE, r.SSEKey)
	rq.setIf(d.metaDirective, d.directive(r.MetadataDirective))
	if r.MetadataDirective == object.DirectiveReplace {
		d.setMetadata(rq, r.Meta)
	}
	rq.setIf(d.tagDirective, d.directive(r.TaggingDirective))
	if r.TaggingDirective == object.DirectiveReplace && len(r.Tags) > 0 {
		rq.set(d.tagging, encodeTags(r.Tags))
	}
	rq.setIf(d.acl, r.CannedACL)
	d.setGrants(rq, r.Grants)
	if !r.IfModifiedSince.IsZero() {
		rq.set(d.ifModified, rq.text.date(r.IfModifiedSince))
	}
	if !r.IfUnmodifiedSince.IsZero() {
		rq.set(d.ifUnmodified, rq.text.date(r.IfUnmodifiedSince))
	}
	if r.IfMatch != "" {
		rq.set(d.ifMatch, rq.text.join(`"`, r.IfMatch, `"`))
	}
}

// copySource is bucket/key for s3 and host/key for cos, the key encoded.
func (c *Client) copySource(r object.Ref, region job.Region) string {
	return string(c.appendCopySource(nil, r, region))
}

func (c *Client) appendCopySource(b []byte, r object.Ref, region job.Region) []byte {
	b = append(b, r.Bucket...)
	if c.d.cos {
		b = append(append(b, '.'), c.sourceSuffix(region)...)
	}
	b = append(b, '/')
	b = appendEscaped(b, string(r.Key), true)
	if r.Version != "" {
		b = append(b, "?versionId="...)
		b = appendEscaped(b, string(r.Version), false)
	}
	return b
}

// checkCopy reads the answer to a copy: a scan where it looks as expected, the XML parser where it does not.
func (c *Client) checkCopy(rq *request, a *response) *object.Error {
	version, ok := scanCopyResult(a.data)
	if !ok {
		var x xmlCopyResult
		err := xml.Unmarshal(a.data, &x)
		switch {
		case err == nil && x.XMLName.Local == "Error":
			return c.failure(rq, a, a.data)
		case err != nil || x.XMLName.Local != "CopyObjectResult" || x.ETag == "":
			return badAnswer(rq, a, "The store's answer to a copy is no CopyObjectResult.")
		}
		version = x.VersionID
	}
	if v := a.header.peek(c.d.version); v != "" {
		version = v
	}
	a.copied = object.CopyResult{Version: job.Version(strings.Clone(version)), HTTPStatus: a.status}
	return nil
}

type xmlCopyResult struct {
	XMLName   xml.Name
	ETag      string `xml:"ETag"`
	VersionID string `xml:"VersionId"`
}

// scanCopyResult reads a CopyObjectResult of the usual shape, with an ETag, without a parser. It says false for whatever is not one.
// The version is a part of body.
func scanCopyResult(body []byte) (version string, ok bool) {
	b := bytes.TrimSpace(body)
	if bytes.HasPrefix(b, []byte("<?xml ")) {
		_, rest, ok := bytes.Cut(b, []byte("?>"))
		if !ok {
			return "", false
		}
		b = bytes.TrimSpace(rest)
	}
	b, ok = bytes.CutPrefix(b, []byte("<CopyObjectResult"))
	end := bytes.IndexByte(b, '>')
	if !ok || end < 0 || end > 0 && (b[0] != ' ' || b[end-1] == '/') {
		return "", false
	}
	etag := false
	for b = b[end+1:]; ; {
		for len(b) > 0 && (b[0] == ' ' || b[0] == '\n' || b[0] == '\r' || b[0] == '\t') {
			b = b[1:]
		}
		if bytes.Equal(b, []byte("</CopyObjectResult>")) {
			return version, etag
		}
		var name, text string
		if name, text, b, ok = cutElement(b); !ok {
			return "", false
		}
		switch name {
		case "ETag":
			etag = text != ""
		case "VersionId":
			version = text
		}
	}
}

// cutElement takes <name>text</name> from the front of b: an element without attributes that holds plain text, of which
// it gives what quotes may stand around. It says false for all else.
func cutElement(b []byte) (name, text string, rest []byte, ok bool) {
	end := bytes.IndexByte(b, '>')
	if end < 2 || b[0] != '<' || b[end-1] == '/' || !letter(b[1]) {
		return "", "", nil, false
	}
	tag, b := b[1:end], b[end+1:]
	end = bytes.IndexByte(b, '<')
	if end < 0 {
		return "", "", nil, false
	}
	value, b := b[:end], b[end:]
	if len(b) < len(tag)+3 || b[1] != '/' || !bytes.Equal(b[2:2+len(tag)], tag) || b[2+len(tag)] != '>' {
		return "", "", nil, false
	}
	if len(value) > 0 && (value[0] == '"' || value[0] == '&') {
		for _, q := range quotes {
			value = bytes.TrimSuffix(bytes.TrimPrefix(value, q), q)
		}
	}
	if bytes.IndexByte(value, '&') >= 0 || bytes.IndexByte(value, '"') >= 0 {
		return "", "", nil, false
	}
	return view(tag), view(value), b[len(tag)+3:], true
}

func letter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

// quotes are the ways that XML writers put a quote.
var quotes = [][]byte{[]byte(`"`), []byte("&quot;"), []byte("&#34;")}

func parseXMLTime(s string) time.Time {
	t, err := time.Parse(time.RFC3339, strings.TrimSpace(s))
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}
