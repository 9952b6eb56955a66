package httpwire

import (
	"crypto/tls"
	"net"

	"github.com/drover-batch/drover/internal/object/sockets"
)

// plainly looks for the socket below a connection, which can send together with others; nil where there is none.
func plainly(nc net.Conn) *sockets.Conn {
	switch nc := nc.(type) {
	case *sockets.Conn:
		return nc
	case *tls.Conn:
		return plainly(nc.NetConn())
	}
	return nil
}
