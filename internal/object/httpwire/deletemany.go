package httpwire

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

var _ object.ManyDeleter = (*Client)(nil)

type xmlDeleteResult struct {
	XMLName xml.Name `xml:"DeleteResult"`
	Deleted []struct {
		Key                   string `xml:"Key"`
		VersionID             string `xml:"VersionId"`
		DeleteMarker          bool   `xml:"DeleteMarker"`
		DeleteMarkerVersionID string `xml:"DeleteMarkerVersionId"`
	} `xml:"Deleted"`
	Errors []struct {
		Key       string `xml:"Key"`
		VersionID string `xml:"VersionId"`
		Code      string `xml:"Code"`
		Message   string `xml:"Message"`
	} `xml:"Error"`
}

// deleteStatuses are the HTTP statuses that a single delete's answer would have had with these codes.
var deleteStatuses = map[string]int{
	object.CodeAccessDenied: 403, object.CodeNoSuchKey: 404, object.CodeNoSuchVersion: 404, object.CodeNoSuchBucket: 404,
	object.CodeMethodNotAllowed: 405, "OperationAborted": 409, "ObjectLocked": 409, object.CodePreconditionFailed: 412,
	"InternalError": 500, "NotImplemented": 501, "SlowDown": 503, "ServiceUnavailable": 503,
}

// DeleteMany implements object.ManyDeleter (AWS S3 API DeleteObjects, Tencent Cloud 436/8289). It is never quiet, so
// that each key is answered for. A call that may have been carried out is repeated only where every object names its
// version: elsewhere a repeat would put a second delete marker on each.
func (c *Client) DeleteMany(ctx context.Context, b job.Bucket, refs []object.Ref) ([]object.DeleteOutcome, []bool, error) {
	rq := c.onBucket("DeleteMany", "POST", b)
	rq.param("delete", "")
	at := make(map[object.Ref]int, len(refs))
	var body bytes.Buffer
	body.WriteString("<Delete" + c.d.namespace + ">")
	for i, r := range refs {
		if !validXML(string(r.Key)) || !validXML(string(r.Version)) {
			rq.refuse("The key %q has characters that XML cannot carry.", r.Key)
		}
		at[object.Ref{Key: r.Key, Version: r.Version}] = i
		body.WriteString("<Object><Key>" + escapeXML(string(r.Key)) + "</Key>")
		if r.Version != "" {
			body.WriteString("<VersionId>" + escapeXML(string(r.Version)) + "</VersionId>")
		} else {
			rq.once = true
		}
		body.WriteString("</Object>")
	}
	body.WriteString("<Quiet>false</Quiet></Delete>")
	rq.setXML(body.Bytes())
	var x xmlDeleteResult
	rq.check = func(c *Client, rq *request, a *response) *object.Error {
		x = xmlDeleteResult{}
		if xml.Unmarshal(a.data, &x) == nil {
			return nil
		}
		if e := c.failure(rq, a, a.data); e.Code != codeOf(rq, a.status) {
			return e // a 200 that carries an error
		}
		return badAnswer(rq, a, "The store's answer does not parse.")
	}
	if _, err := c.call(ctx, rq); err != nil {
		return nil, nil, err
	}
	return x.outcomes(at, len(refs))
}

func (x *xmlDeleteResult) outcomes(at map[object.Ref]int, n int) ([]object.DeleteOutcome, []bool, error) {
	out, ok := make([]object.DeleteOutcome, n), make([]bool, n)
	for _, d := range x.Deleted {
		if i, known := at[object.Ref{Key: job.Key(d.Key), Version: job.Version(d.VersionID)}]; known {
			out[i], ok[i] = object.DeleteOutcome{DeleteMarker: d.DeleteMarker, Version: job.Version(d.DeleteMarkerVersionID)}, true
		}
	}
	for _, e := range x.Errors {
		i, known := at[object.Ref{Key: job.Key(e.Key), Version: job.Version(e.VersionID)}]
		if !known {
			continue
		}
		ok[i] = true
		if e.Code == "" {
			continue // an error without a code says nothing against it
		}
		status := deleteStatuses[e.Code]
		if status == 0 {
			status = 400
		}
		out[i].Err = &object.Error{
			Op: "DeleteMany", Code: bounded(e.Code, maxCode), Status: status, Message: bounded(e.Message, maxMessage),
			Class: classOf(status, e.Code),
		}
	}
	if n > 0 && len(x.Deleted)+len(x.Errors) == 0 {
		return nil, nil, fmt.Errorf("delete of %d objects: %w", n, &object.Error{
			Op: "DeleteMany", Code: codeBadAnswer, Status: 200, Class: object.Transient, Message: "The answer names no object.",
		})
	}
	return out, ok, nil
}
