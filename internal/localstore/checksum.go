package localstore

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
)

// The polynomials in reversed bit order, as Go's tables take them.
const (
	ecmaPolynomial = crc64.ECMA
	nvmePolynomial = 0x9a6c9329ac4bc9b5
)

var nvme = crc64.MakeTable(nvmePolynomial)

// algorithms are S3's checksums by the name that their headers end with, but for the XXHashes.
var algorithms = map[string]func() hash.Hash{
	"crc32":     func() hash.Hash { return crc32.NewIEEE() },
	"crc32c":    func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) },
	"crc64nvme": func() hash.Hash { return crc64.New(nvme) },
	"sha1":      sha1.New,
	"sha256":    sha256.New,
	"sha512":    sha512.New,
	"md5":       md5.New,
}

func encodeSum(h hash.Hash) string { return base64.StdEncoding.EncodeToString(h.Sum(nil)) }

// joinSums makes a multipart object's checksum of its parts': a checksum of their checksums, or for the CRCs the
// checksum of the whole.
func joinSums(u *uploadRecord, parts []*partRecord) (*checksum, error) {
	whole := algorithms[u.Algorithm]()
	var crc uint64
	for _, p := range parts {
		if p.Sum == nil || p.Sum.Algorithm != u.Algorithm {
			return nil, errInvalidPart
		}
		raw, err := base64.StdEncoding.DecodeString(p.Sum.Value)
		if err != nil {
			return nil, err
		}
		if u.Composite {
			whole.Write(raw)
			continue
		}
		switch u.Algorithm {
		case "crc32":
			crc = combineCRC(crc, uint64(binary.BigEndian.Uint32(raw)), p.Segment.Size, crc32.IEEE, 32)
		case "crc32c":
			crc = combineCRC(crc, uint64(binary.BigEndian.Uint32(raw)), p.Segment.Size, crc32.Castagnoli, 32)
		case "crc64nvme":
			crc = combineCRC(crc, binary.BigEndian.Uint64(raw), p.Segment.Size, nvmePolynomial, 64)
		}
	}
	if u.Composite {
		return &checksum{Algorithm: u.Algorithm, Value: fmt.Sprintf("%s-%d", encodeSum(whole), len(parts)), Composite: true}, nil
	}
	raw := binary.BigEndian.AppendUint64(nil, crc)
	return &checksum{Algorithm: u.Algorithm, Value: base64.StdEncoding.EncodeToString(raw[8-whole.Size():])}, nil
}

// combineCRC gives the CRC of two runs of bytes from their CRCs and the second's length: appending n zero bytes is a
// linear map over GF(2), and its powers of two come by squaring.
func combineCRC(first, second uint64, n int64, polynomial uint64, width int) uint64 {
	if n == 0 {
		return first
	}
	m := make([]uint64, width) // appends one zero bit
	m[0] = polynomial
	for i := 1; i < width; i++ {
		m[i] = 1 << (i - 1)
	}
	for range 3 {
		m = square(m)
	}
	for ; n > 0; n >>= 1 {
		if n&1 == 1 {
			first = times(m, first)
		}
		m = square(m)
	}
	return first ^ second
}

func times(m []uint64, v uint64) uint64 {
	var sum uint64
	for i := 0; v != 0; i, v = i+1, v>>1 {
		if v&1 == 1 {
			sum ^= m[i]
		}
	}
	return sum
}

func square(m []uint64) []uint64 {
	out := make([]uint64, len(m))
	for i := range m {
		out[i] = times(m, m[i])
	}
	return out
}
