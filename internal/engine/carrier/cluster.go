package carrier

import (
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/drover-batch/drover/internal/job"
)

const (
	// clusterReplicas is how many nodes hold each stream; the cluster works while more than half of them do.
	clusterReplicas = 3
	// routePing finds a node that is stopped or cut off, whose connections stay open.
	routePing = 2 * time.Second
	// inProcess is the server's name for connections through memory.
	inProcess = "IN_PROCESS"
)

// Cluster makes a carrier one node of a cluster of three or more. Its members are those that its nodes name, and do not
// change while it runs: start all nodes anew, one after the other, to give it another address.
type Cluster struct {
	Name string // of the cluster, the same on all nodes
	Node string // of this node, its own for good
	// Listen is the address for the other nodes, host:port.
	Listen string
	// Client is the address for workers and others without a server of their own, host:port; "" opens none.
	Client string
	// Routes are the Listen addresses of the nodes; this one's own may be among them.
	Routes []string
	// TLS secures both listeners. It needs Certificates, and ClientCAs that have signed the nodes' certificates and no
	// others: whoever shows one of them may join as a node. Nodes verify each other; other clients need no certificate,
	// for Users tells who they are. Without TLS all addresses must be loopback ones.
	TLS *tls.Config
	// Users are those who may connect to Client. Without any everybody may, and Client must be a loopback address.
	Users []User
}

// check refuses what cannot work or is not safe.
func (cl *Cluster) check() error {
	for _, n := range []struct{ field, value string }{{"name", cl.Name}, {"node", cl.Node}} {
		if !isToken(n.value) {
			return job.Errorf(job.InvalidRequest, "engine.cluster: %s is %q; it must be 1–128 letters, digits, - or _.", n.field, n.value)
		}
	}
	others := slices.Clone(cl.Routes)
	slices.Sort(others)
	others = slices.DeleteFunc(slices.Compact(others), func(r string) bool { return r == cl.Listen })
	if len(others)+1 < clusterReplicas {
		return job.Errorf(job.InvalidRequest, "engine.cluster: routes names %d other nodes; a cluster has at least %d nodes, so that it outlives one. Name the listen address of every node.",
			len(others), clusterReplicas)
	}
	addresses := append([]string{cl.Listen}, others...)
	if cl.Client != "" {
		addresses = append(addresses, cl.Client)
	}
	for _, a := range addresses {
		local, err := isLoopback(a)
		if err != nil {
			return err
		}
		if !local && cl.TLS == nil {
			return job.Errorf(job.InvalidRequest,
				"engine.cluster: %q is not a loopback address, and no TLS is configured. Set engine.tls (drover engine keys makes certificates), or use loopback addresses.", a)
		}
		if !local && a == cl.Client && len(cl.Users) == 0 {
			return job.Errorf(job.InvalidRequest,
				"engine.cluster: %q is not a loopback address, and no users are configured. Name engine.cluster.users with nkeys or passwords (drover engine keys makes nkeys).", a)
		}
	}
	if cl.TLS != nil && cl.TLS.ClientCAs == nil {
		return job.Errorf(job.InvalidRequest,
			"engine.cluster: TLS has no certificate authority to verify other nodes by. Configure the one that signed the nodes' certificates.")
	}
	for _, u := range cl.Users {
		if err := u.check(); err != nil {
			return err
		}
	}
	return nil
}

// isLoopback reports whether an address with a port can be reached from this machine only.
func isLoopback(address string) (bool, error) {
	host, port, err := net.SplitHostPort(address)
	if err == nil {
		var n uint64
		if n, err = strconv.ParseUint(port, 10, 16); err == nil && n == 0 {
			err = fmt.Errorf("port 0")
		}
	}
	if err != nil {
		return false, &job.Error{
			Code: job.InvalidRequest, Message: fmt.Sprintf("The engine's address %q is not of the form host:port.", address), Err: err,
		}
	}
	return host == "localhost" || net.ParseIP(host).IsLoopback(), nil
}

// apply sets the server's options and gives the user that the node itself connects as; nil when everybody may connect.
func (cl *Cluster) apply(so *server.Options) (self *server.User, err error) {
	so.ServerName = cl.Node
	so.Cluster.Name = cl.Name
	so.Cluster.NoAdvertise = true // workers use the addresses that they were given
	so.Cluster.PingInterval = routePing
	if so.Cluster.Host, so.Cluster.Port, err = split(cl.Listen); err != nil {
		return nil, err
	}
	for _, r := range cl.Routes {
		so.Routes = append(so.Routes, &url.URL{Scheme: "nats-route", Host: r})
	}
	if cl.TLS != nil {
		so.Cluster.TLSConfig = cl.TLS.Clone()
		so.Cluster.TLSConfig.ClientAuth = tls.RequireAndVerifyClientCert
		so.Cluster.TLSConfig.RootCAs = cl.TLS.ClientCAs
		so.Cluster.TLSTimeout = tlsTimeout.Seconds()
	}
	// The server takes up its routes only once it listens for clients. Without an address for them it listens where only
	// this machine could come, and admits nobody.
	so.DontListen, so.Host, so.Port = false, "127.0.0.1", server.RANDOM_PORT
	if cl.Client != "" {
		if so.Host, so.Port, err = split(cl.Client); err != nil {
			return nil, err
		}
	}
	if cl.Client != "" && cl.TLS != nil {
		so.TLSConfig = cl.TLS.Clone()
		so.TLSConfig.ClientAuth = tls.VerifyClientCertIfGiven
		so.TLSTimeout = tlsTimeout.Seconds()
	}
	if cl.Client != "" && len(cl.Users) == 0 {
		return nil, nil
	}
	for _, u := range cl.Users {
		u.addTo(so)
	}
	self = &server.User{Username: selfUser, Password: rand.Text(), AllowedConnectionTypes: map[string]struct{}{inProcess: {}}}
	so.Users = append(so.Users, self)
	return self, nil
}

func split(address string) (host string, port int, err error) {
	host, text, err := net.SplitHostPort(address)
	if err == nil {
		port, err = strconv.Atoi(text)
	}
	return host, port, err
}
