package localstore_test

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

const benchClients = 48

// rawClient sends signed requests on one connection and reads no more of the answers than it must, so that the figures
// are the store's.
type rawClient struct {
	conn net.Conn
	r    *bufio.Reader
	host string
	key  []byte
	date string
}

func newRawClient(b *testing.B, host string) *rawClient {
	conn, err := net.Dial("tcp", host)
	if err != nil {
		b.Fatal(err)
	}
	date := time.Now().UTC().Format("20060102T150405Z")
	key := []byte("AWS4" + testSecret)
	for _, part := range []string{date[:8], "local", "s3", "aws4_request"} {
		key = benchMAC(key, part)
	}
	return &rawClient{conn: conn, r: bufio.NewReader(conn), host: host, key: key, date: date}
}

func benchMAC(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	io.WriteString(h, text)
	return h.Sum(nil)
}

// do sends a request without a body and gives the answer's status. extra is a signed header, "name:value\n", or "".
func (c *rawClient) do(method, path, extra string) (int, error) {
	const payload = "UNSIGNED-PAYLOAD"
	signed := "host;x-amz-content-sha256"
	canonical := "host:" + c.host + "\nx-amz-content-sha256:" + payload + "\n"
	if extra != "" {
		name, _, _ := strings.Cut(extra, ":")
		signed += ";" + name
		canonical += extra
	}
	signed += ";x-amz-date"
	canonical += "x-amz-date:" + c.date + "\n"
	sum := sha256.Sum256([]byte(method + "\n" + path + "\n\n" + canonical + "\n" + signed + "\n" + payload))
	scope := c.date[:8] + "/local/s3/aws4_request"
	signature := hex.EncodeToString(benchMAC(c.key, "AWS4-HMAC-SHA256\n"+c.date+"\n"+scope+"\n"+hex.EncodeToString(sum[:])))
	request := method + " " + path + " HTTP/1.1\r\n" + strings.ReplaceAll(canonical, "\n", "\r\n") +
		"Authorization: AWS4-HMAC-SHA256 Credential=" + testAccess + "/" + scope + ", SignedHeaders=" + signed + ", Signature=" + signature +
		"\r\nContent-Length: 0\r\n\r\n"
	if _, err := io.WriteString(c.conn, request); err != nil {
		return 0, err
	}
	return c.answer(method)
}

// answer reads an answer to its end and gives its status.
func (c *rawClient) answer(method string) (status int, err error) {
	length := 0
	line, err := c.r.ReadString('\n')
	if err != nil || len(line) < 12 {
		return 0, err
	}
	status, err = strconv.Atoi(line[9:12])
	for err == nil {
		if line, err = c.r.ReadString('\n'); line == "\r\n" {
			break
		}
		if text, ok := strings.CutPrefix(line, "Content-Length: "); ok {
			length, err = strconv.Atoi(strings.TrimSpace(text))
		}
	}
	if err == nil && method != "HEAD" {
		_, err = c.r.Discard(length)
	}
	return status, err
}

func benchmark(b *testing.B, method, extra string) {
	cmd, sdk := serve(b, b.TempDir())
	if _, err := sdk.CreateBucket(b.Context(), &s3.CreateBucketInput{Bucket: bucket}); err != nil {
		b.Fatal(err)
	}
	put(b, sdk, "source", strings.Repeat("x", 1024))
	host := strings.TrimPrefix(*sdk.Options().BaseEndpoint, "http://")
	clients := make([]*rawClient, benchClients)
	for i := range clients {
		clients[i] = newRawClient(b, host)
		defer clients[i].conn.Close()
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	before := cpu(b, cmd.Process.Pid)
	b.ResetTimer()
	for _, c := range clients {
		wg.Go(func() {
			for {
				i := next.Add(1)
				if i > int64(b.N) {
					return
				}
				path := fmt.Sprintf("/%s/to/%d", *bucket, i)
				if method == "HEAD" {
					path = "/" + *bucket + "/source"
				}
				if status, err := c.do(method, path, extra); err != nil || status != 200 {
					b.Errorf("status %d, %v", status, err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
	b.ReportMetric((cpu(b, cmd.Process.Pid)-before)*1e6/float64(b.N), "server-cpu-µs/op")
	b.ReportMetric(rss(b, cmd.Process.Pid), "rss-MB")
}

// cpu is the processor time of a process in seconds.
func cpu(b *testing.B, pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Skip("no /proc here")
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / 100
}

// rss is the peak of a process's resident memory in MB.
func rss(b *testing.B, pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Skip("no /proc here")
	}
	_, after, _ := strings.Cut(string(text), "VmHWM:")
	kb, _ := strconv.ParseFloat(strings.Fields(after)[0], 64)
	return kb / 1024
}

// BenchmarkCopy is a signed CopyObject of 1 KB from each of 48 connections, each acknowledged on disk.
func BenchmarkCopy(b *testing.B) {
	benchmark(b, "PUT", "x-amz-copy-source:/"+*bucket+"/source\n")
}

// BenchmarkHead is a signed HeadObject.
func BenchmarkHead(b *testing.B) { benchmark(b, "HEAD", "") }
