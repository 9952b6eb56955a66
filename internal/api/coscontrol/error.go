package coscontrol

import (
	"encoding/xml"
	"net/http"

	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/job"
)

// answer is a code of COS and its HTTP status.
type answer struct {
	code   string
	status int
}

// answers maps every code of the domain that COS's calls can meet to COS's own (Tencent Cloud 436/33787 for batch, 436/7730 in general). TooManyJobs
// and ServiceUnavailable are 500 there.
var answers = map[job.Code]answer{
	job.InvalidArgument:  {"InvalidArgument", http.StatusBadRequest},
	job.InvalidRequest:   {"InvalidRequest", http.StatusBadRequest},
	job.MalformedXML:     {"MalformedXML", http.StatusBadRequest},
	job.NoSuchJob:        {"NoSuchJob", http.StatusNotFound},
	job.Conflict:         {"InvalidRequest", http.StatusBadRequest},
	job.Duplicate:        {"InvalidRequest", http.StatusBadRequest},
	job.AccessDenied:     {"AccessDenied", http.StatusForbidden},
	job.TooManyJobs:      {"TooManyJobs", http.StatusInternalServerError},
	job.Throttled:        {"SlowDown", http.StatusServiceUnavailable},
	job.Unavailable:      {"ServiceUnavailable", http.StatusInternalServerError},
	job.Internal:         {"InternalError", http.StatusInternalServerError},
	job.NoSuchPrincipal:  {"InvalidAccessKeyId", http.StatusForbidden},
	job.BadSignature:     {"SignatureDoesNotMatch", http.StatusForbidden},
	job.RequestExpired:   {"RequestTimeTooSkewed", http.StatusForbidden},
	job.BadDigest:        {"BadDigest", http.StatusBadRequest},
	job.MethodNotAllowed: {"MethodNotAllowed", http.StatusMethodNotAllowed},
}

type errorBody struct {
	XMLName   xml.Name `xml:"Error"`
	Code      string
	Message   string
	Resource  string
	RequestID string `xml:"RequestId"`
	TraceID   string `xml:"TraceId"`
}

// renderError writes an error, and logs it when it is ours. The trace id is the request id: both find the log line.
func (s *server) renderError(w http.ResponseWriter, r *http.Request, requestID string, err error) {
	a, ok := answers[job.CodeOf(err)]
	if !ok {
		a = answers[job.Internal]
	}
	if a.status >= http.StatusInternalServerError {
		api.LogFailure(s.log, r, requestID, err)
	}
	w.Header().Set("X-Cos-Trace-Id", requestID)
	body := errorBody{Code: a.code, Message: api.Sentence(err, requestID), Resource: r.Host + r.URL.Path, RequestID: requestID, TraceID: requestID}
	if err := writeXML(w, a.status, body); err != nil {
		w.WriteHeader(http.StatusInternalServerError)
	}
}
