package httpwire

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/object"
)

const copyBody = `<?xml version="1.0" encoding="UTF-8"?>` + "\n" +
	`<CopyObjectResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><LastModified>2026-11-23T06:00:00.000Z</LastModified>` +
	`<ETag>&quot;9b2cf535f27731c974343645a3985328&quot;</ETag></CopyObjectResult>`

var copyAnswer = "HTTP/1.1 200 OK\r\nx-amz-id-2: 0123456789abcdef0123456789abcdef0123456789abcdef\r\nx-amz-request-id: 0123456789ABCDEF\r\n" +
	"Date: Mon, 23 Nov 2026 06:00:00 GMT\r\nContent-Type: application/xml\r\nServer: bench\r\n" +
	fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(copyBody), copyBody)

func benchClient(b *testing.B, d Dialect) *Client {
	b.Helper()
	c, err := Open(Options{Endpoint: "http://127.0.0.1:1", Dialect: d, Region: "us-east-1", Credentials: static("AKIDEXAMPLE", "secret")})
	if err != nil {
		b.Fatal(err)
	}
	return c
}

func copyOf() object.CopyRequest {
	return object.CopyRequest{
		Source: object.Ref{Bucket: "src-1250000000", Key: "k/000000123 ü.jpg"}, Bucket: "dst-1250000000", Key: "k/000000123 ü.jpg",
	}
}

func (c *Client) buildCopy(r object.CopyRequest) *request {
	rq := c.onObject("Copy", "PUT", object.Ref{Bucket: r.Bucket, Key: r.Key})
	c.setCopyHeaders(rq, &r)
	rq.finish()
	return rq
}

func BenchmarkBuild(b *testing.B) {
	c := benchClient(b, S3)
	b.ReportAllocs()
	for b.Loop() {
		c.buildCopy(copyOf())
	}
}

func BenchmarkSign(b *testing.B) {
	for _, d := range []Dialect{S3, COS} {
		b.Run(string(d), func(b *testing.B) {
			c := benchClient(b, d)
			rq := c.buildCopy(copyOf())
			rq.signed = time.Unix(1795350261, 0)
			b.ReportAllocs()
			for b.Loop() {
				if e := c.sign(context.Background(), rq); e != nil {
					b.Fatal(e)
				}
			}
		})
	}
}

func BenchmarkScan(b *testing.B) {
	answer := []byte(copyAnswer)
	at := bytes.Index(answer, []byte("\r\n\r\n")) + 4
	head := make([]byte, at)
	f := make(fields, 0, 16)
	b.ReportAllocs()
	for b.Loop() {
		copy(head, answer)
		if _, err := parseHead(head, f); err != nil {
			b.Fatal(err)
		}
		if _, ok := scanCopyResult(answer[at:]); !ok {
			b.Fatal("not scanned")
		}
	}
}

// loopConn answers each write at once, without a kernel.
type loopConn struct {
	cannedConn
	rest string
}

// copyHead is an answer to HEAD.
var copyHead = copyAnswer[:strings.Index(copyAnswer, "\r\n\r\n")+4]

func (c *loopConn) Write(p []byte) (int, error) {
	c.rest = copyAnswer
	if bytes.HasPrefix(p, []byte("HEAD ")) {
		c.rest = copyHead
	}
	return len(p), nil
}

func (c *loopConn) Read(p []byte) (int, error) {
	n := copy(p, c.rest)
	c.rest = c.rest[n:]
	return n, nil
}

// BenchmarkCopy is a whole call but for the kernel's part.
func BenchmarkCopy(b *testing.B) {
	c := benchClient(b, S3)
	key := poolKey{addr: "127.0.0.1:1"}
	c.wire.put(&conn{w: c.wire, key: key, nc: &loopConn{}, since: time.Now(), old: time.Now().Add(time.Hour)})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Copy(ctx, copyOf()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCopyLoopback is a whole call over loopback; the server's part, a bare loop, is in it.
func BenchmarkCopyLoopback(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer nc.Close()
				buf := make([]byte, 4096)
				for {
					n, err := nc.Read(buf)
					if err != nil {
						return
					}
					if bytes.HasSuffix(buf[:n], []byte("\r\n\r\n")) {
						if _, err := nc.Write([]byte(copyAnswer)); err != nil {
							return
						}
					}
				}
			}()
		}
	}()
	c, err := Open(Options{Endpoint: "http://" + l.Addr().String(), Region: "us-east-1", Credentials: static("AKIDEXAMPLE", "secret")})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	b.ReportAllocs()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := c.Copy(ctx, copyOf()); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
