//go:build linux

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"time"
)

// serveTLS serves a goroutine a connection: dearer than the epoll loop, so its rates compare with nothing.
func serveTLS(s *store, addr *net.TCPAddr, certFile string) error {
	cert, err := makeCertificate(addr.IP, certFile)
	if err != nil {
		return err
	}
	l, err := tls.Listen("tcp4", addr.String(), &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		return err
	}
	s.stats(true)
	ready(l.Addr().String())
	for seed := uint64(0); ; seed++ {
		c, err := l.Accept()
		if err != nil {
			return err
		}
		go serveConn(s, c, seed)
	}
}

func serveConn(s *store, c net.Conn, seed uint64) {
	s.connected(1)
	defer s.connected(-1)
	defer c.Close()
	a := newAnswerer(s, seed)
	in, n := make([]byte, 8192), 0
	for {
		k, err := c.Read(in[n:])
		if err != nil {
			return
		}
		n += k
		a.tick(time.Now())
		for {
			r, size, ok := parse(in[:n])
			if !ok {
				return
			}
			if size == 0 {
				break
			}
			b := a.answer(r)
			if s.latency > 0 {
				time.Sleep(s.latency)
			}
			if _, err := c.Write(b); err != nil || r.closes {
				return
			}
			n = copy(in, in[size:n])
		}
		if n == len(in) {
			in = append(in, make([]byte, len(in))...)
		}
	}
}

// makeCertificate makes a certificate for one address and writes it, without its key, to file.
func makeCertificate(ip net.IP, file string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	t := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "stub store"}, IPAddresses: []net.IP{ip},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	err = os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
