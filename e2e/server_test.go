package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"golang.org/x/sync/errgroup"

	"github.com/drover-batch/drover/client"
)

// server is a drover dev whose folder outlives it.
type server struct {
	t     *testing.T
	dir   string
	env   []string // beside this process's
	proc  *devProcess
	ready struct{ API, Store, Region, AccessKey, SecretKey, RoleARN string }
}

// start runs drover dev on the server's folder and waits for its ready line.
func (s *server) start(flags ...string) {
	s.t.Helper()
	d := &devProcess{}
	d.cmd = exec.Command(binary, append([]string{
		"dev", "--quiet", "--data", s.dir + "/data", "--call-log", s.dir + "/calls.log",
		"--listen", "127.0.0.1:0", "--store-listen", "127.0.0.1:0",
	}, flags...)...)
	d.cmd.Env = append(os.Environ(), s.env...)
	d.cmd.Stderr = &d.stderr
	out, err := d.cmd.StdoutPipe()
	if err == nil {
		err = d.cmd.Start()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		s.t.Fatalf("no ready line: %v, %v\n%s", err, d.cmd.Wait(), d.stderr.Bytes())
	}
	if err := json.Unmarshal([]byte(strings.TrimPrefix(line, "ready ")), &s.ready); err != nil {
		s.t.Fatalf("ready line %q: %v", line, err)
	}
	s.proc = d
}

// end ends it by a signal, and gives back its peak RSS in bytes.
func (s *server) end(sig os.Signal) int64 {
	s.t.Helper()
	d := s.proc
	s.proc = nil
	err := d.end(sig)
	if err != nil && sig != os.Kill {
		s.t.Fatalf("drover dev: %v\n%s", err, d.stderr.Bytes())
	}
	return peakRSS(d.cmd)
}

// newServer starts a server that ends with the test.
func newServer(t *testing.T, flags ...string) *server {
	t.Helper()
	s := &server{t: t, dir: t.TempDir()}
	s.start(flags...)
	t.Cleanup(func() {
		if s.proc != nil {
			s.end(os.Interrupt)
		}
	})
	return s
}

func (s *server) s3() *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: &s.ready.Store, Region: s.ready.Region, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(s.ready.AccessKey, s.ready.SecretKey, ""),
	})
}

func (s *server) client() *client.Client {
	s.t.Helper()
	c, err := client.New(client.Options{Server: s.ready.API, AccessKey: s.ready.AccessKey, SecretKey: s.ready.SecretKey})
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// fillBucket makes a bucket of n small objects; key gives each its name, "" leaves it out.
func (s *server) fillBucket(bucket string, n int, key func(int) string) {
	s.t.Helper()
	c := s.s3()
	if _, err := c.CreateBucket(s.t.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
		s.t.Fatal(err)
	}
	g, ctx := errgroup.WithContext(s.t.Context())
	g.SetLimit(48)
	for i := range n {
		k := key(i)
		if k == "" {
			continue
		}
		g.Go(func() error {
			_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &k, Body: strings.NewReader("body of " + k)})
			return err
		})
	}
	if err := g.Wait(); err != nil {
		s.t.Fatal(err)
	}
}

// putManifest stores a CSV manifest of a bucket's keys and gives its ETag.
func (s *server) putManifest(bucket, name, source string, keys []string) string {
	s.t.Helper()
	var b bytes.Buffer
	for _, k := range keys {
		fmt.Fprintf(&b, "%s,%s\n", source, strings.ReplaceAll(url.PathEscape(k), "+", "%2B")) // the same under both rules of +
	}
	out, err := s.s3().PutObject(s.t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &name, Body: bytes.NewReader(b.Bytes())})
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.Trim(aws.ToString(out.ETag), `"`)
}

// drover runs the command line against the server and gives its standard output.
func (s *server) drover(args ...string) string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 10*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, append([]string{"--quiet"}, args...)...)
	cmd.Env = append(os.Environ(), "DROVER_SERVER="+s.ready.API, "AWS_ENDPOINT_URL="+s.ready.Store, "AWS_REGION="+s.ready.Region)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("drover %v: %v\n%s%s", args, err, out, stderr.Bytes())
	}
	return strings.TrimSpace(string(out))
}
