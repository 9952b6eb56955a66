package cli

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// authority is a certificate authority of one cluster's nodes: whoever has a certificate of it may join as a node.
type authority struct {
	cert  *x509.Certificate
	key   *ecdsa.PrivateKey
	until time.Time
}

// newAuthority makes one, and gives certificate and key in PEM.
func newAuthority(cluster string, until time.Time) (a *authority, cert, key []byte, err error) {
	a = &authority{until: until}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "drover cluster " + cluster}, IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	if cert, key, err = a.sign(template); err != nil {
		return nil, nil, nil, err
	}
	return a, cert, key, nil
}

// node makes a node's certificate for its host, and for localhost. It is shown to the other nodes and to clients.
func (a *authority) node(name, host string) (cert, key []byte, err error) {
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = append(template.IPAddresses, ip)
	} else {
		template.DNSNames = append(template.DNSNames, host)
	}
	return a.sign(template)
}

// sign makes a key and its certificate; the first one signs itself.
func (a *authority) sign(t *x509.Certificate) (cert, key []byte, err error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("make a key: %w", err)
	}
	if t.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)); err != nil {
		return nil, nil, fmt.Errorf("make a serial number: %w", err)
	}
	t.NotBefore, t.NotAfter = time.Now().Add(-5*time.Minute), a.until // clocks of machines differ
	by, parent := k, t
	if a.key != nil {
		by, parent = a.key, a.cert
	}
	der, err := x509.CreateCertificate(rand.Reader, t, parent, &k.PublicKey, by)
	if err != nil {
		return nil, nil, fmt.Errorf("sign a certificate: %w", err)
	}
	if a.key == nil {
		a.key = k
		if a.cert, err = x509.ParseCertificate(der); err != nil {
			return nil, nil, fmt.Errorf("read the certificate: %w", err)
		}
	}
	private, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		return nil, nil, fmt.Errorf("write the key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}), nil
}
