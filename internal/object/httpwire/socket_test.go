package httpwire

import (
	"bufio"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/drover-batch/drover/internal/job"
	"github.com/drover-batch/drover/internal/object"
)

// A store may close a connection after any number of answers without a word before. Where it closes its side only, and
// goes on reading, what is sent to it later is never answered.
func TestStoreThatCloses(t *testing.T) {
	for n := 1; n <= 5; n++ {
		for _, half := range []bool{false, true} {
			t.Run(fmt.Sprintf("after %d, half %t", n, half), func(t *testing.T) {
				s := play(t, func(c net.Conn, r *bufio.Reader) {
					for range n {
						if _, _, ok := hear(r); !ok {
							return
						}
						_, _ = io.WriteString(c, empty200)
					}
					if half {
						_ = c.(*net.TCPConn).CloseWrite()
						_, _ = io.Copy(io.Discard, r)
					}
				})
				c := client(t, s, Options{MaxAttempts: 1})
				for i := range 3 * n {
					if _, err := c.Head(t.Context(), ref); err != nil {
						t.Fatal(i, err)
					}
				}
				if got := s.conns.Load(); got != 3 {
					t.Errorf("%d connections", got)
				}
			})
		}
	}
}

// A request that is many records of TLS arrives in their order.
func TestLongRequestsOverTLS(t *testing.T) {
	var got []string
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, readAll(r))
		_, _ = io.WriteString(w, `<DeleteResult><Deleted><Key>x</Key></Deleted></DeleteResult>`)
	}))
	t.Cleanup(srv.Close)
	c, _ := openAt(t, Options{Endpoint: srv.URL, MaxAttempts: 1})
	c.wire.tls.RootCAs = x509.NewCertPool()
	c.wire.tls.RootCAs.AddCert(srv.Certificate())
	for call := range 5 {
		refs := make([]object.Ref, 900)
		for i := range refs {
			refs[i] = object.Ref{Bucket: "b", Key: job.Key(fmt.Sprintf("%s%d/%d", strings.Repeat("k", 90), call, i))}
		}
		if _, _, err := c.DeleteMany(t.Context(), "b", refs); err != nil {
			t.Fatal(call, err)
		}
		at := -1
		for i := range refs {
			next := strings.Index(got[call], fmt.Sprintf("k%d/%d<", call, i))
			if next <= at {
				t.Fatalf("call %d: key %d stands at %d, the one before at %d", call, i, next, at)
			}
			at = next
		}
	}
}
