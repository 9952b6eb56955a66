package httpwire

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"slices"
	"strconv"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// onUpload begins a call to an unfinished object.
func (c *Client) onUpload(op, method string, u object.Upload) *request {
	rq := c.onObject(op, method, object.Ref{Bucket: u.Bucket, Key: u.Key})
	// Without an id a DELETE would be the object's.
	if u.ID == "" {
		rq.refuse("An upload's id must not be empty.")
	}
	rq.param("uploadId", u.ID)
	return rq
}

// onPart begins a call to one part.
func (c *Client) onPart(op string, u object.Upload, number int) *request {
	rq := c.onUpload(op, "PUT", u)
	if number < 1 || number > object.MaxParts {
		rq.refuse("A part's number must be 1 to %d, not %d.", object.MaxParts, number)
	}
	rq.param("partNumber", strconv.Itoa(number))
	return rq
}

// CreateMultipart implements object.Multiparter. A repeat after a lost answer leaves an upload without parts behind.
func (c *Client) CreateMultipart(ctx context.Context, r object.CreateMultipartRequest) (string, error) {
	rq := c.onObject("CreateMultipart", "POST", object.Ref{Bucket: r.Bucket, Key: r.Key})
	defer c.free(rq)
	rq.param("uploads", "")
	c.d.setMetadata(rq, r.Meta)
	rq.setIf(c.d.class, r.Class)
	c.d.setSSE(rq, r.SSE, r.SSEKey)
	if len(r.Tags) > 0 {
		rq.set(c.d.tagging, encodeTags(r.Tags))
	}
	rq.setIf(c.d.acl, r.CannedACL)
	c.d.setGrants(rq, r.Grants)
	var x struct {
		ID string `xml:"UploadId"`
	}
	rq.check = func(c *Client, rq *request, a *response) *object.Error {
		if e := document(c, rq, a, "InitiateMultipartUploadResult", &x); e != nil {
			return e
		}
		if x.ID == "" {
			return badAnswer(rq, a, "The store's answer names no upload.")
		}
		return nil
	}
	if _, err := c.call(ctx, rq); err != nil {
		return "", err
	}
	return x.ID, nil
}

// UploadPart implements object.Multiparter.
func (c *Client) UploadPart(ctx context.Context, r object.PartRequest) (string, error) {
	rq := c.onPart("UploadPart", r.Upload, r.Number)
	defer c.free(rq)
	rq.setBody(r.Body, r.Size)
	a, err := c.call(ctx, rq)
	if err != nil {
		return "", err
	}
	return unquote(a.header.get("etag")), nil
}

// UploadPartCopy implements object.Multiparter. An answer 200 that holds an error is that error.
func (c *Client) UploadPartCopy(ctx context.Context, r object.PartCopyRequest) (string, error) {
	rq := c.onPart("UploadPartCopy", r.Upload, r.Number)
	defer c.free(rq)
	rq.slow, rq.within = true, r.Length
	switch {
	case r.Source.Key == "" || !bucketName(string(r.Source.Bucket)):
		rq.refuse("The source of a copy must be a bucket and a key.")
	case r.Offset < 0 || r.Length < 1:
		rq.refuse("A part must be at least one byte of its source.")
	default:
		rq.set(c.d.copySource, c.copySource(r.Source, r.SourceRegion))
		rq.set(c.d.copySource+"-range", fmt.Sprintf("bytes=%d-%d", r.Offset, r.Offset+r.Length-1))
	}
	if r.IfMatch != "" {
		rq.set(c.d.ifMatch, `"`+r.IfMatch+`"`)
	}
	var x struct {
		ETag string `xml:"ETag"`
	}
	rq.check = func(c *Client, rq *request, a *response) *object.Error {
		if e := document(c, rq, a, "CopyPartResult", &x); e != nil {
			return e
		}
		if x.ETag == "" {
			return badAnswer(rq, a, "The store's answer names no ETag of the part.")
		}
		return nil
	}
	if _, err := c.call(ctx, rq); err != nil {
		return "", err
	}
	return unquote(x.ETag), nil
}

// xmlParts is one page of an upload's parts.
type xmlParts struct {
	Truncated bool `xml:"IsTruncated"`
	Next      int  `xml:"NextPartNumberMarker"`
	Parts     []struct {
		Number int    `xml:"PartNumber"`
		ETag   string `xml:"ETag"`
		Size   int64  `xml:"Size"`
	} `xml:"Part"`
}

// ListParts implements object.Multiparter.
func (c *Client) ListParts(ctx context.Context, u object.Upload) ([]object.Part, error) {
	var parts []object.Part
	for marker := 0; ; {
		x, err := c.partsAfter(ctx, u, marker)
		if err != nil {
			return nil, err
		}
		for _, p := range x.Parts {
			parts = append(parts, object.Part{Number: p.Number, ETag: unquote(p.ETag), Size: p.Size})
		}
		if !x.Truncated {
			break
		}
		marker = x.Next
	}
	slices.SortFunc(parts, func(a, b object.Part) int { return a.Number - b.Number })
	return parts, nil
}

func (c *Client) partsAfter(ctx context.Context, u object.Upload, marker int) (xmlParts, error) {
	rq := c.onUpload("ListParts", "GET", u)
	defer c.free(rq)
	rq.param("max-parts", strconv.Itoa(maxPage))
	if marker > 0 {
		rq.param("part-number-marker", strconv.Itoa(marker))
	}
	var x xmlParts
	rq.check = func(c *Client, rq *request, a *response) *object.Error {
		return document(c, rq, a, "ListPartsResult", &x)
	}
	a, err := c.call(ctx, rq)
	if err != nil {
		return x, err
	}
	if x.Truncated && x.Next <= marker {
		bad := badAnswer(rq, a, "The store's list of parts does not advance.")
		bad.Class = object.Permanent
		return x, bad
	}
	return x, nil
}

// CompleteMultipart implements object.Multiparter. An answer 200 that holds an error is that error (AWS S3 API,
// CompleteMultipartUpload; Tencent doc page 436/7742).
func (c *Client) CompleteMultipart(ctx context.Context, r object.CompleteRequest) (object.CompleteResult, error) {
	rq := c.onUpload("CompleteMultipart", "POST", r.Upload)
	defer c.free(rq)
	rq.slow = true
	rq.settles, rq.settledStatus = []string{object.CodeNoSuchUpload}, 200
	var b bytes.Buffer
	b.WriteString("<CompleteMultipartUpload" + c.d.namespace + ">")
	for _, p := range r.Parts {
		if !validXML(p.ETag) {
			rq.refuse("The ETag %q of a part cannot be written as XML.", p.ETag)
		}
		fmt.Fprintf(&b, "<Part><PartNumber>%d</PartNumber><ETag>&#34;%s&#34;</ETag></Part>", p.Number, escapeXML(p.ETag))
	}
	b.WriteString("</CompleteMultipartUpload>")
	rq.setXML(b.Bytes())
	var x struct {
		ETag string `xml:"ETag"`
	}
	rq.check = func(c *Client, rq *request, a *response) *object.Error {
		if e := document(c, rq, a, "CompleteMultipartUploadResult", &x); e != nil {
			return e
		}
		if x.ETag == "" {
			return badAnswer(rq, a, "The store's answer names no ETag of the object.")
		}
		return nil
	}
	a, err := c.call(ctx, rq)
	if err != nil {
		return object.CompleteResult{}, err
	}
	res := object.CompleteResult{HTTPStatus: a.status, Version: c.d.versionOf(a)}
	if len(a.data) > 0 {
		res.ETag = unquote(x.ETag)
	}
	return res, nil
}

// AbortMultipart implements object.Multiparter.
func (c *Client) AbortMultipart(ctx context.Context, u object.Upload) error {
	rq := c.onUpload("AbortMultipart", "DELETE", u)
	defer c.free(rq)
	rq.settles, rq.settledStatus = []string{object.CodeNoSuchUpload}, 204
	_, err := c.call(ctx, rq)
	return err
}

// document parses an answer's body, whose root element must be name, into x; an Error is that error.
func document[T any](c *Client, rq *request, a *response, name string, x *T) *object.Error {
	*x = *new(T)
	var root struct{ XMLName xml.Name }
	body := bytes.TrimSpace(a.data) // stores send blanks to keep a slow answer's connection alive
	err := xml.Unmarshal(body, &root)
	switch {
	case err == nil && root.XMLName.Local == "Error":
		return c.failure(rq, a, body)
	case err == nil && root.XMLName.Local == name:
		err = xml.Unmarshal(body, x)
	}
	if err != nil || root.XMLName.Local != name {
		e := badAnswer(rq, a, "The store's answer is no %s.", name)
		e.Err = err
		return e
	}
	return nil
}

// setSSE asks for encryption, with the store's own word for keys of a key management service.
func (d *dialect) setSSE(rq *request, sse, key string) {
	if sse == "" {
		return
	}
	kms, header := object.SSEKMS, d.sse+"-aws-kms-key-id"
	if d.cos {
		kms, header = object.SSEKMSCOS, d.sse+"-cos-kms-key-id"
	}
	if sse == object.SSEKMS || sse == object.SSEKMSCOS {
		sse = kms
		rq.setIf(header, key)
	}
	rq.setIf(d.sse, sse)
}

// sourceSuffix is what follows the bucket in the host of a copy's source.
func (c *Client) sourceSuffix(region job.Region) string {
	if !c.d.cos || region == "" || !hostName(string(region)) {
		return c.end.sourceSuffix
	}
	o := c.o
	o.SourceRegion = region
	e, err := parseEndpoint(o)
	if err != nil {
		return c.end.sourceSuffix // Open took the same options, the region apart, which is fit for a host
	}
	return e.sourceSuffix
}
