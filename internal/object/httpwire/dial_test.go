package httpwire

import (
	"bufio"
	"context"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/drover-batch/drover/internal/object"
)

// connectProxy is a proxy that connects to to, whatever it is asked for, and notes that.
type connectProxy struct {
	to     string
	answer string // instead of a connection; "" = connect

	mu    sync.Mutex
	asked []string // host, Proxy-Authorization
}

func (p *connectProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	p.asked = append(p.asked, r.Method+" "+r.RequestURI+" "+r.Host+" "+r.Header.Get("Proxy-Authorization"))
	p.mu.Unlock()
	nc, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer nc.Close()
	if p.answer != "" {
		_, _ = io.WriteString(nc, p.answer)
		return
	}
	up, err := net.Dial("tcp", p.to)
	if err != nil {
		return
	}
	defer up.Close()
	_, _ = io.WriteString(nc, "HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n")
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = io.Copy(up, nc); up.Close() })
	_, _ = io.Copy(nc, up)
	nc.Close()
	wg.Wait()
}

func through(t *testing.T, proxyURL string) func(string) (*url.URL, error) {
	t.Helper()
	u, err := url.Parse(proxyURL)
	if err != nil {
		t.Fatal(err)
	}
	return func(string) (*url.URL, error) { return u, nil }
}

func caFile(t *testing.T, srv *httptest.Server) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	if err := os.WriteFile(name, block, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// The certificate of httptest's servers is for example.com and 127.0.0.1.
func TestThroughAProxy(t *testing.T) {
	store := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"`+r.Host+`"`)
	}))
	t.Cleanup(store.Close)
	for name, open := range map[string]func(http.Handler) *httptest.Server{
		"http proxy": httptest.NewServer, "https proxy": httptest.NewTLSServer,
	} {
		t.Run(name, func(t *testing.T) {
			p := &connectProxy{to: store.Listener.Addr().String()}
			srv := open(p)
			t.Cleanup(srv.Close)
			withUser := strings.Replace(srv.URL, "://", "://user:pa%20ss@", 1)
			c, _ := openAt(t, Options{
				Endpoint: "https://example.com", PathStyle: true, MaxAttempts: 1, CAFile: caFile(t, store), Proxy: through(t, withUser),
			})
			for range 2 {
				if i, err := c.Head(t.Context(), ref); err != nil || i.ETag != "example.com" {
					t.Fatal(i, err)
				}
			}
			want := []string{"CONNECT example.com:443 example.com:443 Basic dXNlcjpwYSBzcw=="}
			if !slices.Equal(p.asked, want) {
				t.Errorf("asked %q, want %q", p.asked, want)
			}
		})
	}
}

func TestProxiesThatRefuse(t *testing.T) {
	for name, v := range map[string]struct {
		answer    string
		retryable bool
	}{
		"password wanted": {"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n", false},
		"not allowed":     {"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", false},
		"store is away":   {"HTTP/1.1 502 Bad Gateway\r\n\r\n", true},
		"no HTTP":         {"SSH-2.0-x\r\n\r\n", true},
		"broken off":      {"HTTP/1.1 200", true},
		"endless":         {"HTTP/1.1 200 OK\r\nA: " + strings.Repeat("x", maxHead) + "\r\n\r\n", true},
	} {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(&connectProxy{answer: v.answer})
			t.Cleanup(srv.Close)
			c, r := openAt(t, Options{Endpoint: "https://example.com", MaxAttempts: 2, Proxy: through(t, strings.Replace(srv.URL, "://", "://u:topsecret@", 1))})
			_, err := c.Head(t.Context(), ref)
			if object.CodeOf(err) != object.CodeConnection || object.Retryable(err) != v.retryable || len(r.pauses) != map[bool]int{true: 1}[v.retryable] {
				t.Errorf("got %v after %v", err, r.pauses)
			}
			if strings.Contains(err.Error(), "topsecret") {
				t.Errorf("the proxy's password is in %q", err)
			}
		})
	}
}

func TestProxiesThatCannotBeUsed(t *testing.T) {
	for name, proxy := range map[string]func(string) (*url.URL, error){
		"other scheme": through(t, "socks5://u:topsecret@127.0.0.1:1"),
		"no host":      through(t, "http://"),
		"no answer":    func(string) (*url.URL, error) { return nil, errors.New("bad NO_PROXY") },
	} {
		c, _ := openAt(t, Options{Endpoint: "https://example.com", Proxy: proxy})
		_, err := c.Head(t.Context(), ref)
		if err == nil || object.Retryable(err) || strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSilentProxyTimesOut(t *testing.T) {
	s := play(t, func(_ net.Conn, r *bufio.Reader) { _, _ = io.Copy(io.Discard, r) })
	c, _ := openAt(t, Options{
		Endpoint: "https://example.com", MaxAttempts: 1, Proxy: through(t, s.url()), Timeouts: Timeouts{Dial: 10 * time.Millisecond},
	})
	if _, err := c.Head(t.Context(), ref); !errors.Is(err, context.DeadlineExceeded) || !object.Retryable(err) {
		t.Error(err)
	}
}

func TestNoProxyForThisHost(t *testing.T) {
	s := play(t, answers(empty200))
	var asked []string
	c := client(t, s, Options{MaxAttempts: 1, Proxy: func(addr string) (*url.URL, error) {
		asked = append(asked, addr)
		return nil, nil
	}})
	if _, err := c.Head(t.Context(), ref); err != nil || len(asked) != 1 || asked[0] != s.l.Addr().String() {
		t.Error(err, asked)
	}
}

func TestCAFileRefused(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{empty, empty + ".not"} {
		if _, err := Open(Options{Endpoint: "https://x", CAFile: name}); err == nil {
			t.Errorf("opened with %s", name)
		}
	}
}

// atAddresses makes a name's addresses what f gives.
func atAddresses(c *Client, f func() ([]netip.Addr, error)) {
	c.wire.hosts.lookup = func(context.Context, string) ([]netip.Addr, error) { return f() }
}

// spread is a server on several loopback addresses with one port, which counts connections to each.
func spread(t *testing.T, n int) (addrs []netip.Addr, port string, conns func() map[string]int, stop func(i int)) {
	t.Helper()
	var mu sync.Mutex
	count := map[string]int{}
	var ls []net.Listener
	port = "0"
	for i := range n {
		a := netip.AddrFrom4([4]byte{127, 0, 0, byte(11 + i)})
		l, err := net.Listen("tcp", net.JoinHostPort(a.String(), port))
		if err != nil {
			t.Fatal(err)
		}
		_, port, _ = net.SplitHostPort(l.Addr().String())
		srv := &http.Server{
			Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}),
			ConnState: func(_ net.Conn, s http.ConnState) {
				if s == http.StateNew {
					mu.Lock()
					count[a.String()]++
					mu.Unlock()
				}
			},
		}
		go func() { _ = srv.Serve(l) }()
		t.Cleanup(func() { srv.Close() })
		addrs, ls = append(addrs, a), append(ls, l)
	}
	return addrs, port, func() map[string]int {
		mu.Lock()
		defer mu.Unlock()
		all := count
		count = map[string]int{}
		return all
	}, func(i int) { ls[i].Close() }
}

func TestConnectionsSpreadOverAllAddresses(t *testing.T) {
	addrs, port, conns, stop := spread(t, 3)
	c, _ := openAt(t, Options{Endpoint: "http://store.example:" + port, PathStyle: true, MaxAttempts: 1})
	now := time.Now()
	c.wire.now = func() time.Time { return now }
	lookups, list, failing := 0, addrs, error(nil)
	atAddresses(c, func() ([]netip.Addr, error) { lookups++; return slices.Clone(list), failing })
	calls := func(n int) {
		t.Helper()
		for range n {
			if _, err := c.Head(t.Context(), ref); err != nil {
				t.Fatal(err)
			}
			now = now.Add(renewAfter) // so that each call has a connection of its own
			c.wire.hosts.known["store.example"].at = now
		}
	}
	calls(6)
	for a, n := range conns() {
		if n != 2 {
			t.Errorf("%d connections to %s", n, a)
		}
	}
	// One that is away is passed over, and no call fails.
	stop(1)
	calls(6)
	if got := conns(); got["127.0.0.12"] != 0 || got["127.0.0.11"]+got["127.0.0.13"] != 6 {
		t.Errorf("connections %v", got)
	}
	if lookups != 1 {
		t.Errorf("%d lookups", lookups)
	}
	// The name moves, and is looked up anew after a while.
	list = addrs[2:]
	now = now.Add(lookupEvery)
	calls(2)
	if got := conns(); got["127.0.0.13"] != 2 || lookups != 2 {
		t.Errorf("connections %v, %d lookups", got, lookups)
	}
	// A resolver that is away does no harm to a name that is known.
	failing = errors.New("resolver is away")
	now = now.Add(time.Hour)
	calls(1)
	c.wire.hosts.known = map[string]*addresses{}
	now = now.Add(time.Hour)
	if _, err := c.Head(t.Context(), ref); !errors.Is(err, failing) {
		t.Error(err)
	}
}

func TestConnectionsAreRenewed(t *testing.T) {
	s := play(t, answers(slices200(100)...))
	c := client(t, s, Options{MaxAttempts: 1})
	now := time.Now()
	c.wire.now = func() time.Time { return now }
	const step = 20 * time.Second
	for range 3 * renewAfter / step {
		if _, err := c.Head(t.Context(), ref); err != nil {
			t.Fatal(err)
		}
		now = now.Add(step)
	}
	if n := s.conns.Load(); n < 3 || n > 4 {
		t.Errorf("%d connections in three times their age", n)
	}
}
