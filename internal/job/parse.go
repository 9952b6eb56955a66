package job

import (
	"crypto/rand"
	"encoding/hex"
	"strconv"
	"strings"
)

// NewID makes a job's id: a random UUID (RFC 9562, version 4).
func NewID() ID {
	var b [16]byte
	_, _ = rand.Read(b[:]) // documented never to fail
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	h := hex.EncodeToString(b[:])
	return ID(h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:])
}

// ParseID checks the shape of a job's id: 5–36 of A–Z, a–z, 0–9, - and _ (Tencent Cloud 436/33785, AWS S3 API). Its
// error is InvalidRequest.
func ParseID(s string) (ID, error) {
	if len(s) < 5 || len(s) > 36 || strings.Trim(s, idBytes) != "" {
		return "", &Error{
			Code: InvalidRequest, Field: "JobId",
			Message: "JobId: " + Quote(s) + " is no job's id; give the id that creating the job answered (5–36 letters, digits, - and _).",
		}
	}
	return ID(s), nil
}

const idBytes = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"

// ParsePriority reads a priority: a decimal integer, 0–2147483647, blanks around it being allowed. Its error is
// InvalidArgument.
func ParsePriority(s string) (Priority, error) {
	n, err := strconv.ParseUint(strings.TrimSpace(s), 10, 31)
	if err != nil {
		return 0, FieldErrorf("Priority", "%s is no priority; give a whole number from 0 to 2147483647.", Quote(s))
	}
	return Priority(n), nil
}

// ParseStatus reads a status in its exact spelling, blanks around it being allowed. Its error is InvalidArgument.
func ParseStatus(s string) (Status, error) {
	st := Status(strings.TrimSpace(s))
	if !st.Valid() {
		names := make([]string, 0, len(next))
		for _, v := range Statuses() {
			names = append(names, string(v))
		}
		return "", FieldErrorf("Status", "%s is no job status; use one of %s.", Quote(s), strings.Join(names, ", "))
	}
	return st, nil
}
