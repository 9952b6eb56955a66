// Package client calls Drover's JSON API. It signs every request with AWS Signature Version 4 (service s3).
//
// Errors of the server are *Error; everything else (no connection, a cancelled context) comes as it is.
package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// maxAnswer bounds what is read of one answer, in bytes. A page of 1,000 jobs with all their events stays below it.
const maxAnswer = 256 << 20

// signingRegion stands in the credential scope; the server takes any.
const signingRegion = "us-east-1"

// Options sets a Client up.
type Options struct {
	// Server is where the API is, like http://127.0.0.1:8600.
	Server string
	// AccessKey and SecretKey sign the requests.
	AccessKey string
	SecretKey string
	// HTTPClient sends the requests; default one that waits 30 s for the head of an answer. A Timeout would end Watch.
	HTTPClient *http.Client
	// RetryDelay is how long Watch waits before it connects again, doubled with each attempt in vain up to 16 times it;
	// default 500 ms.
	RetryDelay time.Duration
	// IdleTimeout is how long Watch hears nothing before it takes the connection for dead; default 45 s, three of the
	// server's heartbeats.
	IdleTimeout time.Duration
}

// Client calls one server. It is safe for concurrent use.
type Client struct {
	base        *url.URL
	credentials aws.Credentials
	signer      *v4.Signer
	http        *http.Client
	retryDelay  time.Duration
	idle        time.Duration
	revision    string // what If was given
}

// New makes a Client; it connects to nothing yet.
func New(o Options) (*Client, error) {
	base, err := url.Parse(o.Server)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, fmt.Errorf("the server %q is not a URL like http://127.0.0.1:8600", o.Server)
	}
	if o.AccessKey == "" || o.SecretKey == "" {
		return nil, errors.New("an access key and a secret key are needed to sign requests")
	}
	if o.HTTPClient == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.ResponseHeaderTimeout = 30 * time.Second
		o.HTTPClient = &http.Client{Transport: transport}
	}
	if o.RetryDelay <= 0 {
		o.RetryDelay = 500 * time.Millisecond
	}
	if o.IdleTimeout <= 0 {
		o.IdleTimeout = 45 * time.Second
	}
	return &Client{
		base:        base,
		credentials: aws.Credentials{AccessKeyID: o.AccessKey, SecretAccessKey: o.SecretKey},
		signer:      v4.NewSigner(func(s *v4.SignerOptions) { s.DisableURIPathEscaping = true }),
		http:        o.HTTPClient,
		retryDelay:  o.RetryDelay,
		idle:        o.IdleTimeout,
	}, nil
}

// CreateJob makes a job. Without a token it gives the spec a random one.
func (c *Client) CreateJob(ctx context.Context, s Spec) (Job, error) {
	if s.Token == "" {
		s.Token = rand.Text()
	}
	return call[Job](ctx, c, http.MethodPost, "/jobs", nil, s)
}

// If gives a client whose changes are made only while the job, or the limits of the region, have this Revision; else they are refused with the code
// Precondition, status 412.
func (c *Client) If(revision string) *Client {
	conditional := *c
	conditional.revision = revision
	return &conditional
}

// ListOptions narrows a listing.
type ListOptions struct {
	Statuses    []string // empty = all
	Operation   string   // copy, restore, delete, tagging or acl; empty = all
	Search      string   // what the id or the description must have in it; empty = all
	NewestFirst bool
	Cursor      string // the Next of the page before, in the same order
	Limit       int    // 1–1000; 0 = 100
}

// Jobs lists one page of the account's jobs, oldest first unless asked otherwise.
func (c *Client) Jobs(ctx context.Context, o ListOptions) (JobList, error) {
	q := url.Values{}
	for _, s := range o.Statuses {
		q.Add("status", s)
	}
	for name, value := range map[string]string{"operation": o.Operation, "search": o.Search, "cursor": o.Cursor} {
		if value != "" {
			q.Set(name, value)
		}
	}
	if o.NewestFirst {
		q.Set("order", "desc")
	}
	if o.Limit != 0 {
		q.Set("limit", strconv.Itoa(o.Limit))
	}
	return call[JobList](ctx, c, http.MethodGet, "/jobs", q, nil)
}

// AllJobs lists page by page until all jobs were given, or one error.
func (c *Client) AllJobs(ctx context.Context, o ListOptions) iter.Seq2[Job, error] {
	return func(yield func(Job, error) bool) {
		for {
			page, err := c.Jobs(ctx, o)
			if err != nil {
				yield(Job{}, err)
				return
			}
			for _, j := range page.Jobs {
				if !yield(j, nil) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			o.Cursor = page.Next
		}
	}
}

// Job gives one job.
func (c *Client) Job(ctx context.Context, id string) (Job, error) {
	return call[Job](ctx, c, http.MethodGet, jobPath(id, ""), nil, nil)
}

// Confirm lets a job run that waits for it. The reason, at most 256 bytes, may be empty, here and in the calls below.
func (c *Client) Confirm(ctx context.Context, id, reason string) (Job, error) {
	return call[Job](ctx, c, http.MethodPost, jobPath(id, "/confirm"), nil, Reason{reason})
}

// Cancel ends a job: calls in flight end, and no more start.
func (c *Client) Cancel(ctx context.Context, id, reason string) (Job, error) {
	return call[Job](ctx, c, http.MethodPost, jobPath(id, "/cancel"), nil, Reason{reason})
}

// Pause stops a job until it is resumed.
func (c *Client) Pause(ctx context.Context, id, reason string) (Job, error) {
	return call[Job](ctx, c, http.MethodPost, jobPath(id, "/pause"), nil, Reason{reason})
}

// Resume lets a paused job go on.
func (c *Client) Resume(ctx context.Context, id, reason string) (Job, error) {
	return call[Job](ctx, c, http.MethodPost, jobPath(id, "/resume"), nil, Reason{reason})
}

// SetPriority changes the priority of a job that has not ended.
func (c *Client) SetPriority(ctx context.Context, id string, priority int32) (Job, error) {
	return call[Job](ctx, c, http.MethodPut, jobPath(id, "/priority"), nil, Priority{&priority})
}

// SetLimits puts other bounds on a job's calls to its stores in the place of those it has.
func (c *Client) SetLimits(ctx context.Context, id string, l Limits) (Job, error) {
	return call[Job](ctx, c, http.MethodPut, jobPath(id, "/limits"), nil, l)
}

// Retry makes a new job of a finished job's failed tasks. Without a token it gives the request a random one.
func (c *Client) Retry(ctx context.Context, id string, r Retry) (Job, error) {
	if r.Token == "" {
		r.Token = rand.Text()
	}
	return call[Job](ctx, c, http.MethodPost, jobPath(id, "/retry"), nil, r)
}

// Tags gives a job's own tags.
func (c *Client) Tags(ctx context.Context, id string) ([]Tag, error) {
	answer, err := call[Tags](ctx, c, http.MethodGet, jobPath(id, "/tags"), nil, nil)
	return answer.Tags, err
}

// SetTags puts other tags in the place of a job's own, at most 50; none takes all away. A job that has ended can be given
// some too.
func (c *Client) SetTags(ctx context.Context, id string, tags []Tag) error {
	if tags == nil {
		tags = []Tag{}
	}
	_, err := c.do(ctx, http.MethodPut, jobPath(id, "/tags"), nil, Tags{tags})
	return err
}

// Work tells of a job's chunks and segments.
func (c *Client) Work(ctx context.Context, id string) (Work, error) {
	return call[Work](ctx, c, http.MethodGet, jobPath(id, "/work"), nil, nil)
}

// DeleteJob removes the record of a job that has ended.
func (c *Client) DeleteJob(ctx context.Context, id string) error {
	_, err := c.do(ctx, http.MethodDelete, jobPath(id, ""), nil, nil)
	return err
}

// Report gives the manifest of a job's completion report, a JSON document.
func (c *Client) Report(ctx context.Context, id string) ([]byte, error) {
	return c.do(ctx, http.MethodGet, jobPath(id, "/report"), nil, nil)
}

// ReportFiles lists the result files of a job's completion report.
func (c *Client) ReportFiles(ctx context.Context, id string) ([]ReportFile, error) {
	answer, err := call[ReportFiles](ctx, c, http.MethodGet, jobPath(id, "/report/files"), nil, nil)
	return answer.Files, err
}

// ReportFile opens one of them by its Name, which the server reads as the job's role. The caller closes it.
func (c *Client) ReportFile(ctx context.Context, id, name string) (io.ReadCloser, error) {
	resp, err := c.send(ctx, http.MethodGet, jobPath(id, "/report/files/"+url.PathEscape(name)), nil, nil)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

func jobPath(id, rest string) string { return "/jobs/" + url.PathEscape(id) + rest }

// call sends body as JSON and decodes the answer.
func call[T any](ctx context.Context, c *Client, method, path string, q url.Values, body any) (T, error) {
	var answer T
	b, err := c.do(ctx, method, path, q, body)
	if err != nil {
		return answer, err
	}
	if err := json.Unmarshal(b, &answer); err != nil {
		return answer, fmt.Errorf("decode the answer to %s %s: %w", method, path, err)
	}
	return answer, nil
}

func (c *Client) do(ctx context.Context, method, path string, q url.Values, body any) ([]byte, error) {
	resp, err := c.send(ctx, method, path, q, body)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("read the answer to %s %s: %w", method, path, err)
	}
	return b, nil
}

// send signs and sends a request. An answer that is no success becomes an *Error; the caller closes any other.
func (c *Client) send(ctx context.Context, method, path string, q url.Values, body any) (*http.Response, error) {
	var payload []byte
	if body != nil {
		var err error
		if payload, err = json.Marshal(body); err != nil {
			return nil, fmt.Errorf("encode the request: %w", err)
		}
	}
	target := strings.TrimSuffix(c.base.String(), "/") + "/api/v1" + path
	if len(q) > 0 {
		target += "?" + q.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(payload))
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(payload)
	hash := hex.EncodeToString(sum[:])
	r.Header.Set("X-Amz-Content-Sha256", hash)
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.revision != "" && method != http.MethodGet {
		r.Header.Set("If-Match", strconv.Quote(c.revision))
	}
	if err := c.signer.SignHTTP(ctx, c.credentials, r, hash, "s3", signingRegion, time.Now()); err != nil {
		return nil, fmt.Errorf("sign the request: %w", err)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		defer resp.Body.Close()
		return nil, answeredError(resp)
	}
	return resp, nil
}

// answeredError reads a problem; what is none, say of a proxy, keeps its status alone.
func answeredError(resp *http.Response) error {
	e := new(Error)
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil || json.Unmarshal(b, e) != nil {
		e = new(Error)
	}
	e.Status = resp.StatusCode
	if e.RequestID == "" {
		e.RequestID = resp.Header.Get("X-Request-Id")
	}
	return e
}
