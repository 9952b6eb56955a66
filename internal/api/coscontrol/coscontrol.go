// Package coscontrol speaks Tencent COS's batch API (Tencent Cloud 436/33781 to 33787) over the jobs service: XML at
// /jobs, signed with q-sign-algorithm. It promises that the stock SDKs work unchanged: cos-go-sdk-v5, and Terraform's
// provider on top of it. Whether a spec makes sense is the service's to say; this package only decodes.
package coscontrol

import (
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/api"
	"github.com/drover-batch/drover/internal/job"
)

// maxBody bounds a request's body, in bytes. What a job keeps of it is bounded by maxEcho.
const maxBody = 1 << 20

// Options sets a handler up. The zero value works.
type Options struct {
	// DefaultRegion is the region of jobs whose request's Host names none.
	DefaultRegion job.Region
	// Logger takes failures that are ours; default slog.Default().
	Logger *slog.Logger
	// NewRequestID makes x-cos-request-id; default 26 random letters and digits.
	NewRequestID func() string
	// Now is the clock of the 90 days that listings go back; default time.Now.
	Now func() time.Time
}

type server struct {
	jobs     api.Jobs
	verifier *access.Verifier
	region   job.Region
	log      *slog.Logger
	now      func() time.Time
}

// call is one request of a principal.
type call struct {
	*http.Request
	caller api.Caller
	region job.Region
	body   []byte
}

type handler = api.Handler[call]

// New makes the handler of /jobs and what is below it.
func New(jobs api.Jobs, v *access.Verifier, o Options) http.Handler {
	s := &server{jobs: jobs, verifier: v, region: o.DefaultRegion, log: o.Logger, now: o.Now}
	if s.now == nil {
		s.now = time.Now
	}
	door := api.Door[call]{MaxBody: maxBody, NewID: o.NewRequestID, Begin: begin, Enter: s.authenticate, Render: s.renderError}
	return door.Routes(map[string]handler{
		"POST /jobs":               s.createJob,
		"GET /jobs":                bodiless(s.listJobs),
		"GET /jobs/{id}":           bodiless(s.describeJob),
		"DELETE /jobs/{id}":        bodiless(s.deleteJob),
		"POST /jobs/{id}/priority": bodiless(s.updateJobPriority),
		"POST /jobs/{id}/status":   bodiless(s.updateJobStatus),
		"/jobs":                    wrongMethod,
		"/jobs/{id}":               wrongMethod,
		"/jobs/{id}/priority":      wrongMethod,
		"/jobs/{id}/status":        wrongMethod,
	}, noSuchCall)
}

func begin(answer http.Header, id string) {
	answer.Set("Server", "drover")
	answer.Set("X-Cos-Request-Id", id)
}

// bodiless refuses a body where none belongs.
func bodiless(h handler) handler {
	return func(w http.ResponseWriter, c call) error {
		if len(c.body) > 0 {
			return job.Errorf(job.InvalidRequest, "This call takes no body: its parameters stand in the query.")
		}
		return h(w, c)
	}
}

// authenticate verifies the signature over the query and the body too, and that the Host and x-cos-appid name the signer's
// own account.
func (s *server) authenticate(r *http.Request, _ string) (call, error) {
	p, err := s.verifier.QSign(r)
	if err != nil {
		return call{}, err
	}
	if err := allSigned(r); err != nil {
		return call{}, err
	}
	body, err := readBody(r)
	if err != nil {
		return call{}, err
	}
	appID := strings.TrimSpace(r.Header.Get("X-Cos-Appid"))
	switch {
	case appID == "":
		return call{}, job.FieldErrorf("x-cos-appid", "is missing; send the APPID of your account in this header.")
	case appID != p.Account.AppID:
		return call{}, job.Errorf(job.AccessDenied, "The access key is not of the account of APPID %.64q: send the APPID that the key belongs to in x-cos-appid.", appID)
	}
	uin, region := splitHost(r.Host)
	if uin != "" && uin != p.Account.UIN {
		return call{}, job.Errorf(job.AccessDenied, "The access key is not of the account %.64q that the Host names.", uin)
	}
	if region == "" {
		region = s.region
	}
	return call{Request: r, caller: api.Caller{Account: p.Account, Principal: p.AccessKey}, region: region, body: body}, nil
}

// splitHost finds the account and the region in <UIN>.cos-control.<region>.…; both "" in other hosts.
func splitHost(host string) (uin string, region job.Region) {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	labels := strings.Split(strings.ToLower(host), ".")
	for i, label := range labels {
		if label != "cos-control" || i+1 == len(labels) {
			continue
		}
		if i > 0 {
			uin = labels[i-1]
		}
		return uin, job.Region(labels[i+1])
	}
	return "", ""
}

func wrongMethod(_ http.ResponseWriter, c call) error {
	return job.Errorf(job.MethodNotAllowed, "%s is not a method of this path.", c.Method)
}

func noSuchCall(_ http.ResponseWriter, c call) error {
	if c.URL.Path == "/jobs/" {
		return job.Errorf(job.InvalidRequest, "The path names no job: give its id behind /jobs/.")
	}
	return job.Errorf(job.InvalidRequest, "The path %.64q is not one of this API: use /jobs, /jobs/<id>, /jobs/<id>/priority or /jobs/<id>/status.", c.URL.Path)
}
