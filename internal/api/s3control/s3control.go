// Package s3control speaks the batch API of AWS S3 Control (API version 2018-08-20) over the jobs service: XML at
// /v20180820/jobs, signed with Signature Version 4. It promises that the stock clients work unchanged: the AWS CLI,
// botocore and aws-sdk-go-v2's s3control. Whether a spec makes sense is the service's to say; this package only decodes,
// and refuses by name what has no meaning here.
package s3control

import (
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path"
	"strings"

	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/job"
)

// maxBody bounds a request's body, in bytes. What a job keeps of it is bounded by maxEcho.
const maxBody = 128 << 10

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
	newID    func() string
}

// call is one request of a principal, whose body was read and verified.
type call struct {
	*http.Request
	body   []byte
	caller api.Caller
	region job.Region
}

type handler func(w http.ResponseWriter, c call) error

// New makes the handler of /v20180820/jobs and what is below it.
func New(jobs api.Jobs, v *access.Verifier, o Options) http.Handler {
	s := &server{jobs: jobs, verifier: v, region: o.DefaultRegion, known: o.Known, log: o.Logger, newID: o.NewRequestID}
	if s.known == nil {
		s.known = func(job.Region) bool { return false }
	}
	if s.log == nil {
		s.log = slog.Default()
	}
	if s.newID == nil {
		s.newID = rand.Text
	}
	mux := http.NewServeMux()
	const jobPath = "/v20180820/jobs/{id}"
	for pattern, h := range map[string]handler{
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
		"/":                              noSuchCall,
	} {
		mux.Handle(pattern, s.adapt(h))
	}
	// ServeMux would redirect a path with // or .. in it, unauthenticated, to one that was not signed.
	unclean := s.adapt(noSuchCall)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := strings.TrimSuffix(r.URL.Path, "/"); p != "" && path.Clean(p) != p {
			unclean.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// adapt authenticates a request, calls its handler, and renders what either returns.
func (s *server) adapt(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := s.newID()
		w.Header().Set("Server", "drover")
		// Clients tell of a failed call by these two headers, not by the body's elements.
		w.Header().Set("X-Amz-Request-Id", id)
		w.Header().Set("X-Amz-Id-2", id)
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		c, err := s.authenticate(r)
		if err == nil {
			err = h(w, c)
		}
		if err != nil {
			s.renderError(w, r, id, err)
		}
	})
}

// authenticate reads the body, verifies the signature over both, and that the account named is the signer's own.
func (s *server) authenticate(r *http.Request) (call, error) {
	body, err := readBody(r)
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

// readBody reads the whole body; one that is too long is InvalidRequest.
func readBody(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	if _, tooLong := errors.AsType[*http.MaxBytesError](err); tooLong {
		return nil, job.Errorf(job.InvalidRequest, "The body is longer than %d bytes.", maxBody)
	}
	if err != nil {
		return nil, &job.Error{Code: job.InvalidRequest, Message: "The body did not arrive as a whole: send it again.", Err: err}
	}
	return body, nil
}
