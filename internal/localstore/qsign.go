package localstore

import (
	"net/http"
	"strings"
	"time"

	"github.com/drover-batch/drover/internal/access"
	"github.com/drover-batch/drover/internal/job"
)

// isQSign reports whether a request is signed COS's way.
func isQSign(r *http.Request) bool {
	return strings.HasPrefix(strings.TrimSpace(r.Header.Get("Authorization")), "q-sign-algorithm=") ||
		strings.Contains(r.URL.RawQuery, "q-sign-algorithm=")
}

// secrets finds the secret of an access key. It is the directory of the verifier.
type secrets func(accessKey string) (string, bool)

// Principal has the keys alone.
func (s secrets) Principal(accessKey string) (access.Principal, bool) {
	secret, ok := s(accessKey)
	return access.Principal{AccessKey: accessKey, SecretKey: secret}, ok
}

// verifyQSign holds a request against COS's signature, in the Authorization header or in the query (Tencent 436/7778).
func verifyQSign(r *http.Request, secretOf secrets, now time.Time) error {
	_, err := access.NewVerifier(secretOf, func() time.Time { return now }).AsStore().QSign(r)
	if err == nil {
		return nil
	}
	switch job.CodeOf(err) {
	case job.NoSuchPrincipal:
		return errNoSuchAccessKey
	case job.RequestExpired:
		return errExpired
	case job.BadSignature:
		return errBadSignature
	case job.InvalidRequest:
		return errInvalidURI
	}
	return errAccessDenied.because("%s", job.MessageOf(err))
}
