package s3control

import (
	"encoding/xml"
	"errors"
	"net/http"

	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/job"
)

// answer is a code of S3 Control and its HTTP status.
type answer struct {
	code   string
	status int
}

// answers maps every code of the domain to one that the calls of S3 Control are documented with (AWS S3 API), or, where
// authentication fails, to S3's own. What asks for a pause is 503, which every client backs off from.
var answers = map[job.Code]answer{
	job.InvalidArgument:  {"BadRequestException", http.StatusBadRequest},
	job.InvalidRequest:   {"BadRequestException", http.StatusBadRequest},
	job.MalformedXML:     {"BadRequestException", http.StatusBadRequest},
	job.NoSuchJob:        {"NotFoundException", http.StatusNotFound},
	job.Conflict:         {"JobStatusException", http.StatusBadRequest},
	job.Duplicate:        {"IdempotencyException", http.StatusBadRequest},
	job.AccessDenied:     {"AccessDenied", http.StatusForbidden},
	job.TooManyJobs:      {"TooManyRequestsException", http.StatusServiceUnavailable},
	job.Throttled:        {"TooManyRequestsException", http.StatusServiceUnavailable},
	job.Unavailable:      {"InternalServiceException", http.StatusServiceUnavailable},
	job.Internal:         {"InternalServiceException", http.StatusInternalServerError},
	job.NoSuchPrincipal:  {"InvalidAccessKeyId", http.StatusForbidden},
	job.BadSignature:     {"SignatureDoesNotMatch", http.StatusForbidden},
	job.RequestExpired:   {"RequestTimeTooSkewed", http.StatusForbidden},
	job.BadDigest:        {"XAmzContentSHA256Mismatch", http.StatusBadRequest},
	job.MethodNotAllowed: {"MethodNotAllowed", http.StatusMethodNotAllowed},
}

// Codes that one call alone is documented with.
const (
	codeInvalidRequest   = "InvalidRequestException"
	codeInvalidNextToken = "InvalidNextTokenException"
	codeTooManyTags      = "TooManyTagsException"
)

// coded gives a caller's mistake another code than its call's usual one.
type coded struct {
	code string
	err  error
}

func (c *coded) Error() string { return c.err.Error() }

func (c *coded) Unwrap() error { return c.err }

// errorResponse has the wrapper that aws-sdk-go-v2 needs to read a code.
type errorResponse struct {
	XMLName   xml.Name  `xml:"http://awss3control.amazonaws.com/doc/2018-08-20/ ErrorResponse"`
	Error     errorBody `xml:"Error"`
	RequestID string    `xml:"RequestId"`
	HostID    string    `xml:"HostId"`
}

type errorBody struct {
	Code    string
	Message string
}

// renderError writes an error, and logs it when it is ours. The host id is the request id: both find the log line.
func (s *server) renderError(w http.ResponseWriter, r *http.Request, requestID string, err error) {
	a, ok := answers[job.CodeOf(err)]
	if !ok {
		a = answers[job.Internal]
	}
	if c, ok := errors.AsType[*coded](err); ok && a.status == http.StatusBadRequest {
		a.code = c.code
	}
	if a.status >= http.StatusInternalServerError {
		api.LogFailure(s.log, r, requestID, err)
	}
	body := errorResponse{Error: errorBody{Code: a.code, Message: api.Sentence(err, requestID)}, RequestID: requestID, HostID: requestID}
	if err := writeXML(w, a.status, body); err != nil {
		w.WriteHeader(http.StatusInternalServerError)
	}
}
