package access

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
)

// Sealer encrypts secrets at rest with AES-256-GCM. It is safe for concurrent use.
type Sealer struct{ aead cipher.AEAD }

// sealed marks a sealed text and its form.
const sealed = "v1:"

var errUnsealed = errors.New("a stored secret cannot be opened: the key is not the one that it was sealed with, or the record was changed")

// NewSealer takes a key of 32 bytes in hexadecimal or base64 (openssl rand -base64 32).
func NewSealer(key string) (*Sealer, error) {
	key = strings.TrimSpace(key)
	raw, err := hex.DecodeString(key)
	if err != nil {
		raw, err = base64.StdEncoding.DecodeString(key)
	}
	if err != nil || len(raw) != 32 {
		return nil, errors.New("the key is not 32 bytes in hexadecimal or base64; openssl rand -base64 32 makes one")
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &Sealer{aead}, nil
}

// NewSealerKey makes a key for NewSealer.
func NewSealerKey() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // documented never to fail
	return base64.StdEncoding.EncodeToString(b)
}

// Seal encrypts a secret for one record and one use: what names them must be given again to open it, so that no sealed
// text can be moved into another record.
func (s *Sealer) Seal(secret, forWhat string) string {
	return sealed + base64.StdEncoding.EncodeToString(s.aead.Seal(nil, nil, []byte(secret), []byte(forWhat)))
}

// Open is Seal's inverse.
func (s *Sealer) Open(text, forWhat string) (string, error) {
	b, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(text, sealed))
	if err != nil || !strings.HasPrefix(text, sealed) {
		return "", errUnsealed
	}
	secret, err := s.aead.Open(nil, nil, b, []byte(forWhat))
	if err != nil {
		return "", errUnsealed
	}
	return string(secret), nil
}

// newSecret makes a secret key of 160 random bits.
func newSecret() string {
	b := make([]byte, 20)
	_, _ = rand.Read(b) // documented never to fail
	return base64.RawURLEncoding.EncodeToString(b) + rand.Text()[:5]
}

// newAccessKey makes an access key that is not taken by chance.
func newAccessKey() string { return "DRVR" + rand.Text()[:20] }
