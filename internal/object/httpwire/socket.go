package httpwire

import (
	"crypto/tls"
	"net"
)

// plainly looks for the socket below a connection, which can hold a request back; nil where there is none.
func plainly(nc net.Conn) *socket {
	switch nc := nc.(type) {
	case *socket:
		return nc
	case *tls.Conn:
		return plainly(nc.NetConn())
	}
	return nil
}
