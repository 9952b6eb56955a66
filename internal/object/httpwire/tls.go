package httpwire

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

// configureTLS takes over what the options say, and reads each file once, so that a wrong one shows at once.
func configureTLS(c *tls.Config, o Options) (err error) {
	switch o.MinTLS {
	case "", "1.2":
	case "1.3":
		c.MinVersion = tls.VersionTLS13
	default:
		return fmt.Errorf("the lowest version of TLS must be 1.2 or 1.3, not %q", o.MinTLS)
	}
	if c.RootCAs, err = trusted(o.CAFile); err != nil {
		return err
	}
	if (o.ClientCert == "") != (o.ClientKey == "") {
		return fmt.Errorf("a client's certificate needs its key, and a key its certificate")
	}
	if o.ClientCert == "" {
		return nil
	}
	read := func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		pair, err := tls.LoadX509KeyPair(o.ClientCert, o.ClientKey)
		if err != nil {
			err = fmt.Errorf("read the client's certificate: %w", err)
		}
		return &pair, err
	}
	_, err = read(nil)
	c.GetClientCertificate = read
	return err
}

// trusted gives the certificates of a PEM file beside the system's; nil = the system's alone.
func trusted(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the CA file: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool() // a system without any
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("the CA file %q has no certificate in PEM form", file)
	}
	return pool, nil
}
