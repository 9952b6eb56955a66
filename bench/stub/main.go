//go:build linux

// Command stub stands in for an S3 store while clients are measured: canned answers, no signature check, loopback only.
// One epoll loop answers some 180,000 calls a second on one core, so that the client is what is measured.
//
//	stub -addr 127.0.0.1:0 -latency 30ms -err 0.05 -limit 100
//
// It prints "ready ADDRESS" when it listens. GET /__stats gives the counts as JSON, /__stats?reset=1 clears them too.
package main

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"time"
)

// behaviour is what the flags say.
type behaviour struct {
	latency time.Duration // added to every answer
	err     float64       // share of object calls answered 503 SlowDown, at random from a fixed seed
	limit   float64       // object calls a second; above it 503 SlowDown; 0 = no limit
	burst   float64       // depth of the limit's token bucket
	keys    int           // objects in a listing of a bucket whose name begins with src: k/000000000 …
	size    int           // of each object, bytes
}

func main() {
	var b behaviour
	addr := flag.String("addr", "127.0.0.1:0", "address to listen on; loopback only")
	flag.DurationVar(&b.latency, "latency", 0, "added to every answer")
	flag.Float64Var(&b.err, "err", 0, "share of object calls answered 503 SlowDown")
	flag.Float64Var(&b.limit, "limit", 0, "object calls a second; above it 503 SlowDown (token bucket)")
	flag.Float64Var(&b.burst, "burst", 0, "depth of the token bucket; 0 = a tenth of the limit")
	flag.IntVar(&b.keys, "keys", 100_000, "objects that a listing of a src* bucket shows: k/%09d")
	flag.IntVar(&b.size, "size", 1024, "size of each object, bytes")
	cert := flag.String("tls", "", "speak TLS, and write the self-made certificate to this file")
	flag.Parse()
	if b.burst == 0 {
		b.burst = b.limit / 10
	}
	fmt.Fprintln(os.Stderr, "stub:", serve(*addr, *cert, b))
	os.Exit(1)
}

// serve serves until the process is ended; it returns only with an error.
func serve(addr, cert string, b behaviour) error {
	ta, err := net.ResolveTCPAddr("tcp4", addr)
	if err != nil {
		return err
	}
	if !ta.IP.IsLoopback() {
		return errors.New("listens on loopback addresses only")
	}
	s := &store{behaviour: b, filled: time.Now()}
	s.written.reset()
	s.deleted.reset()
	if cert != "" {
		return serveTLS(s, ta, cert)
	}
	return serveEpoll(s, ta)
}

func ready(addr string) { fmt.Println("ready", addr) }
