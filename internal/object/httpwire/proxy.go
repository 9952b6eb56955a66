package httpwire

import (
	"fmt"
	"net/url"

	"golang.org/x/net/http/httpproxy"
)

// Direct is the proxy setting for none, whatever the environment says.
const Direct = "direct"

// ProxyFor makes Options.Proxy of a setting: the URL of a proxy for all calls, Direct, or "", which leaves it to the
// environment (HTTPS_PROXY, HTTP_PROXY by the endpoint's scheme, and NO_PROXY, which the loopback always belongs to).
func ProxyFor(setting, endpoint string, getenv func(string) string) (func(addr string) (*url.URL, error), error) {
	switch setting {
	case Direct:
		return nil, nil
	case "":
		return environmentProxy(endpoint, getenv), nil
	}
	p, err := url.Parse(setting)
	if err != nil || p.Scheme != "http" && p.Scheme != "https" || p.Hostname() == "" {
		return nil, fmt.Errorf("the proxy must be http://HOST:PORT, https://HOST:PORT or %s", Direct) // the setting may hold a password
	}
	return func(string) (*url.URL, error) { return p, nil }, nil
}

// environmentProxy is nil where the environment names no proxy.
func environmentProxy(endpoint string, getenv func(string) string) func(addr string) (*url.URL, error) {
	either := func(upper, lower string) string {
		if v := getenv(upper); v != "" {
			return v
		}
		return getenv(lower)
	}
	c := httpproxy.Config{
		HTTPSProxy: either("HTTPS_PROXY", "https_proxy"), NoProxy: either("NO_PROXY", "no_proxy"),
		HTTPProxy: either("HTTP_PROXY", "http_proxy"), CGI: getenv("REQUEST_METHOD") != "",
	}
	if c.HTTPSProxy == "" && c.HTTPProxy == "" {
		return nil
	}
	scheme := "https" // of endpoints that have a default
	if u, err := url.Parse(endpoint); err == nil && u.Scheme != "" {
		scheme = u.Scheme
	}
	find := c.ProxyFunc()
	return func(addr string) (*url.URL, error) { return find(&url.URL{Scheme: scheme, Host: addr}) }
}
