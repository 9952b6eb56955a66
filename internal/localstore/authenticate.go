package localstore

import (
	"crypto/subtle"
	"strings"
	"time"
)

// TemporaryKeys are keys beside the store's own, that a token must come with and that end.
type TemporaryKeys struct {
	SecretKey    string
	SessionToken string
	End          time.Time
}

// authenticate holds a request against its signature.
func (c *call) authenticate() (err error) {
	var temporary *TemporaryKeys
	secretOf := func(ak string) (string, bool) {
		if ak == c.s.o.AccessKey {
			return c.s.o.SecretKey, true
		}
		if c.s.o.Temporary == nil {
			return "", false
		}
		k, ok := c.s.o.Temporary(ak)
		temporary = &k
		return k.SecretKey, ok
	}
	switch {
	case c.d.cos():
		err = verifyQSign(c.r, secretOf, time.Now())
	case c.r.Header.Get("Authorization") == "" && c.query["x-amz-algorithm"] == "":
		return errAccessDenied.because("The store takes no anonymous requests; sign yours.")
	default:
		c.auth, err = verifySigV4(c.r, &c.s.signing, secretOf, time.Now())
	}
	if err != nil || temporary == nil {
		return err
	}
	token := c.header("Security-Token")
	if token == "" {
		token = c.query[strings.ToLower(c.d.prefix)+"security-token"]
	}
	switch {
	case subtle.ConstantTimeCompare([]byte(token), []byte(temporary.SessionToken)) != 1:
		return errInvalidToken
	case !time.Now().Before(temporary.End):
		return errExpiredToken
	}
	return nil
}
