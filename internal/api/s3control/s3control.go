// Package s3control speaks the batch API of AWS S3 Control (API version 2018-08-20) over the jobs service: XML at
// /v20180820/jobs, signed with Signature Version 4. It promises that the stock clients work unchanged: the AWS CLI,
// botocore and aws-sdk-go-v2's s3control. Whether a spec makes sense is the service's to say; this package only decodes,
// and refuses by name what has no meaning here.
package s3control

import (
	"log/slog"
	"net"
	"net/http"
	"strings"

	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/job"
)

// maxBody bounds a request's body, in bytes. What a job keeps of it is bounded by maxEcho.
const maxBody = 1 << 20

// accountHeader names the account, on every call (AWS S3 API).
const accountHeader = "X-Amz-Account-Id"

// Options sets a handler up. The zero value works.
type Options struct {
	// DefaultRegion is the region of jobs whose request's credential scope names one that is not Known.
	DefaultRegion job.Region
	// Known reports whether a region is configured; nil = none is.
	Known func(job.Region) bool
	// Logger takes failures that are ours; default slog.Default().
	Logger *slog.Logger
	// NewRequestID makes x-amz-request-id; default 26 random letters and digits.
	NewRequestID func() string
}

type server struct {
	jobs     api.Jobs
	verifier *access.Verifier
	region   job.Region
	known    func(job.Region) bool
	log      *slog.Logger
}

// call is one request of a principal, whose body was read and verified.
type call struct {
	*http.Request
	body   []byte
	caller api.Caller
	region job.Region
}

type handler = api.Handler[call]

// New makes the handler of /v20180820/jobs and what is below it.
func New(jobs api.Jobs, v *access.Verifier, o Options) http.Handler {
	s := &server{jobs: jobs, verifier: v, region: o.DefaultRegion, known: o.Known, log: o.Logger}
	if s.known == nil {
		s.known = func(job.Region) bool { return false }
	}
	const jobPath = "/v20180820/jobs/{id}"
	door := api.Door[call]{MaxBody: maxBody, NewID: o.NewRequestID, Begin: begin, Enter: s.authenticate, Render: s.renderError}
	return door.Routes(map[string]handler{
		"POST /v20180820/jobs":           s.createJob,
		"GET /v20180820/jobs":            s.listJobs,
		"GET " + jobPath:                 s.describeJob,
		"POST " + jobPath + "/priority":  s.updateJobPriority,
		"POST " + jobPath + "/status":    s.updateJobStatus,
		"GET " + jobPath + "/tagging":    s.getJobTagging,
		"PUT " + jobPath + "/tagging":    s.putJobTagging,
		"DELETE " + jobPath + "/tagging": s.deleteJobTagging,
		"/v20180820/jobs":                wrongMethod,
		jobPath:                          wrongMethod,
		jobPath + "/priority":            wrongMethod,
		jobPath + "/status":              wrongMethod,
		jobPath + "/tagging":             wrongMethod,
	}, noSuchCall)
}

// begin sets the two headers that clients tell of a failed call by; they look at no element of the body.
func begin(answer http.Header, id string) {
	answer.Set("Server", "drover")
	answer.Set("X-Amz-Request-Id", id)
	answer.Set("X-Amz-Id-2", id)
}

// authenticate reads the body, verifies the signature over both, and that the account named is the signer's own.
func (s *server) authenticate(r *http.Request, _ string) (call, error) {
	body, err := api.ReadBody(r)
	if err != nil {
		return call{}, err
	}
	p, err := s.verifier.SigV4(r, body)
	if err != nil {
		return call{}, err
	}
	named := accountsOf(r)
	if len(named) == 0 {
		return call{}, job.FieldErrorf("x-amz-account-id", "is missing; send the id of your account in this header, and sign it.")
	}
	for _, account := range named {
		if account != p.Account.UIN {
			return call{}, job.Errorf(job.AccessDenied, "The access key is not of the account %s that the request names: send the account id that the key belongs to.", job.Quote(account))
		}
	}
	region := access.ScopeRegion(r)
	if !s.known(region) {
		region = s.region
	}
	return call{Request: r, body: body, caller: api.Caller{Account: p.Account, Principal: p.AccessKey}, region: region}, nil
}

// accountsOf gives the accounts that a request names: in the header, and in a Host like <account>.s3-control.<…>. In
// other hosts the first label may be anything.
func accountsOf(r *http.Request) []string {
	var named []string
	for _, v := range r.Header.Values(accountHeader) {
		if v = strings.TrimSpace(v); v != "" {
			named = append(named, v)
		}
	}
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if labels := strings.Split(host, "."); len(labels) > 1 && strings.EqualFold(labels[1], "s3-control") {
		named = append(named, labels[0])
	}
	return named
}

func wrongMethod(_ http.ResponseWriter, c call) error {
	return job.Errorf(job.MethodNotAllowed, "%s is not a method of this path.", c.Method)
}

func noSuchCall(_ http.ResponseWriter, c call) error {
	if c.URL.Path == "/v20180820/jobs/" {
		return job.Errorf(job.InvalidRequest, "The path names no job: give its id behind /v20180820/jobs/.")
	}
	return job.Errorf(job.InvalidRequest,
		"The path %s is not one of this API: use /v20180820/jobs, /v20180820/jobs/<id>, and /priority, /status or /tagging below it.", job.Quote(c.URL.Path))
}
