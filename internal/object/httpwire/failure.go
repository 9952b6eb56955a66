package httpwire

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/xml"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/drover-batch/drover/internal/object"
)

// Bounds of text that a store wrote.
const (
	maxCode    = 128
	maxMessage = 1 << 10
)

// codeBadAnswer is ours: the store's answer is not what its protocol says.
const codeBadAnswer = "InvalidResponse"

// codes are the store's codes whose class is not their status's.
var codes = map[string]object.Class{
	"SlowDown": object.Throttle, "SlowDownRead": object.Throttle, "SlowDownWrite": object.Throttle,
	"RequestLimitExceeded": object.Throttle, "TooManyRequests": object.Throttle, "Throttling": object.Throttle,
	"ThrottlingException": object.Throttle, "RequestThrottled": object.Throttle, "ServiceUnavailable": object.Throttle,
	"BandwidthLimitExceeded": object.Throttle, "ServerBusy": object.Throttle,
	"InternalError": object.Transient, "RequestTimeout": object.Transient, "OperationAborted": object.Transient,
	"InternalServerError": object.Transient, "GatewayTimeout": object.Transient,
	"ExpiredToken": object.Transient, // the next attempt is signed with what the credentials' source has then
}

// classOf classes an answer by its code, then by its status.
func classOf(status int, code string) object.Class {
	if c, ok := codes[code]; ok {
		return c
	}
	switch status {
	case 429, 503:
		return object.Throttle
	case 408, 500, 502, 504:
		return object.Transient
	}
	return object.Permanent
}

// codeOf makes a code for an answer that names none.
func codeOf(rq *request, status int) string {
	switch status {
	case 301, 308:
		return "PermanentRedirect"
	case 302, 307:
		return "TemporaryRedirect"
	case 304:
		return "NotModified"
	case 400:
		return "BadRequest"
	case 401, 403:
		return object.CodeAccessDenied
	case 404:
		if rq.wholeBucket {
			return object.CodeNoSuchBucket
		}
		return object.CodeNoSuchKey
	case 405:
		return object.CodeMethodNotAllowed
	case 408:
		return "RequestTimeout"
	case 409:
		return "Conflict"
	case 412:
		return object.CodePreconditionFailed
	case 416:
		return "InvalidRange"
	case 429:
		return "TooManyRequests"
	case 500:
		return "InternalError"
	case 501:
		return "NotImplemented"
	case 503:
		return "ServiceUnavailable"
	}
	return "HTTP" + strconv.Itoa(status)
}

// xmlError is the body of an error in both dialects.
type xmlError struct {
	XMLName   xml.Name
	Code      string `xml:"Code"`
	Message   string `xml:"Message"`
	RequestID string `xml:"RequestId"`
}

// failure makes the error of an answer that is no success.
func (c *Client) failure(rq *request, a *response, body []byte) *object.Error {
	e := &object.Error{Op: rq.op, Status: a.status, RequestID: a.header.get(c.d.requestID)}
	var x xmlError
	if len(body) > 0 && xml.Unmarshal(body, &x) == nil && x.XMLName.Local == "Error" {
		e.Code, e.Message = x.Code, x.Message
		if e.RequestID == "" {
			e.RequestID = x.RequestID
		}
	} else if text := bytes.TrimSpace(body); len(text) > 0 && text[0] != '<' {
		e.Message = string(text)
	}
	e.Code, e.Message, e.RequestID = bounded(e.Code, maxCode), bounded(e.Message, maxMessage), bounded(e.RequestID, maxCode)
	if e.Code == "" {
		e.Code = codeOf(rq, a.status)
	}
	if a.header.get(c.d.deleteMarker) == "true" && (a.status == 404 || a.status == 405) {
		e.Code, e.Message = object.CodeNoSuchKey, "The object's latest version is a delete marker."
		if a.status == 405 {
			e.Message = "This version of the object is a delete marker."
		}
	}
	e.Class = classOf(a.status, e.Code)
	e.RetryAfter = retryAfter(a.header.get("retry-after"), a.header.get("date"), c.now())
	return e
}

// badAnswer makes the error of an answer that its protocol does not allow. Another attempt may bring a good one.
func badAnswer(rq *request, a *response, format string, args ...any) *object.Error {
	return &object.Error{
		Op: rq.op, Code: codeBadAnswer, Status: a.status, Class: object.Transient,
		Message: bounded(fmt.Sprintf(format, args...), maxMessage),
	}
}

// noAnswer makes the error of an exchange that brought none.
func noAnswer(rq *request, err error) *object.Error {
	class := object.Transient
	var (
		cert  *tls.CertificateVerificationError
		plain tls.RecordHeaderError
		host  x509.HostnameError
		proxy *proxyError
	)
	if errors.As(err, &cert) || errors.As(err, &plain) || errors.As(err, &host) ||
		errors.As(err, &proxy) && proxy.permanent || errors.Is(err, errUnsendable) || errors.Is(err, errTooLong) {
		class = object.Permanent
	}
	return &object.Error{Op: rq.op, Code: object.CodeConnection, Class: class, Message: "The store gave no answer.", Err: err}
}

// errUnsendable marks requests that no connection can carry.
var errUnsendable = errors.New("request cannot be sent")

// noCredentials makes the error of an attempt that could not be signed. Nothing was sent.
func noCredentials(rq *request, err error) *object.Error {
	class := object.Permanent
	var network interface{ Timeout() bool }
	if errors.As(err, &network) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) ||
		object.Retryable(err) {
		class = object.Transient
	}
	return &object.Error{
		Op: rq.op, Code: "CredentialsError", Class: class, Message: "There are no credentials to sign the call with.", Err: err,
	}
}

// bounded copies foreign text, cut to n bytes at a rune's edge and with its encoding mended.
func bounded(s string, n int) string {
	if len(s) > n {
		for n > 0 && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n]
	}
	return strings.ToValidUTF8(strings.Clone(s), "\uFFFD")
}

// retryAfter reads a Retry-After header: seconds, or a date, which is held against the answer's own clock.
func retryAfter(v, date string, now time.Time) time.Duration {
	if v == "" {
		return 0
	}
	if n, err := strconv.ParseInt(strings.TrimSpace(v), 10, 32); err == nil {
		return max(0, time.Duration(n)*time.Second)
	}
	until, err := parseHTTPDate(v)
	if err != nil {
		return 0
	}
	if d, err := parseHTTPDate(date); err == nil {
		now = d
	}
	return max(0, until.Sub(now))
}

// httpDate is the format of dates in headers.
const httpDate = "Mon, 02 Jan 2006 15:04:05 GMT"

func parseHTTPDate(s string) (time.Time, error) {
	t, err := time.Parse(httpDate, s)
	if err != nil {
		t, err = time.Parse(time.RFC1123, s)
	}
	return t.UTC(), err
}
