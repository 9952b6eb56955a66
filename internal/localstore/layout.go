package localstore

import (
	"encoding/binary"
	"slices"
)

// The kinds of records, each the first byte of a record's name in the key-value store.
const (
	kindBucket  = 'b' // bucket
	kindVersion = 'v' // bucket, key, inverted sequence number: newest first
	kindData    = 'd' // blob id: a small body
	kindFile    = 'f' // blob id: the file of that name is referenced
	kindUpload  = 'u' // bucket, key, upload id
	kindPart    = 'p' // upload id, part number
)

// A name inside a record's name keeps its order and is told from its continuation: 0x00 becomes 0x00 0xFF, and the end
// is 0x00 0x01.
const (
	escape  = 0x00
	escaped = 0xFF
	endMark = 0x01
	pastEnd = 0x02
)

func appendEscaped(b []byte, s string) []byte {
	for i := range len(s) {
		b = append(b, s[i])
		if s[i] == escape {
			b = append(b, escaped)
		}
	}
	return b
}

func appendName(b []byte, s string) []byte {
	return append(appendEscaped(b, s), escape, endMark)
}

// cutName takes the name at the start of b off it.
func cutName(b []byte) (name string, rest []byte) {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] == escape && i+1 < len(b) {
			if b[i+1] == endMark {
				return string(out), b[i+2:]
			}
			i++
			out = append(out, escape)
			continue
		}
		out = append(out, b[i])
	}
	return string(out), nil
}

func bucketRow(bucket string) []byte {
	return append([]byte{kindBucket}, bucket...)
}

func bucketPrefix(kind byte, bucket string) []byte {
	return appendName([]byte{kind}, bucket)
}

// keyRows is the span of a key's rows of a kind.
func keyRows(kind byte, bucket, key string) (from, to []byte) {
	from = appendName(bucketPrefix(kind, bucket), key)
	to = slices.Clone(from)
	to[len(to)-1] = pastEnd
	return from, to
}

func versionRow(bucket, key string, seq uint64) []byte {
	return binary.BigEndian.AppendUint64(appendName(bucketPrefix(kindVersion, bucket), key), ^seq)
}

// cutVersionRow gives the key and the sequence number of a version's row.
func cutVersionRow(bucket string, row []byte) (key string, seq uint64) {
	key, rest := cutName(row[len(bucketPrefix(kindVersion, bucket)):])
	return key, ^binary.BigEndian.Uint64(rest)
}

func uploadRow(bucket, key, id string) []byte {
	return append(appendName(bucketPrefix(kindUpload, bucket), key), id...)
}

func cutUploadRow(bucket string, row []byte) (key, id string) {
	key, rest := cutName(row[len(bucketPrefix(kindUpload, bucket)):])
	return key, string(rest)
}

func partRow(id string, number int) []byte {
	return binary.BigEndian.AppendUint32(appendName([]byte{kindPart}, id), uint32(number))
}

func partRows(id string) (from, to []byte) {
	from = appendName([]byte{kindPart}, id)
	return from, prefixEnd(from)
}

func blobRow(kind byte, id string) []byte {
	return append([]byte{kind}, id...)
}

// prefixEnd is the first name after all that begin with p; nil when there is none.
func prefixEnd(p []byte) []byte {
	e := slices.Clone(p)
	for i := len(e) - 1; i >= 0; i-- {
		if e[i] != 0xFF {
			e[i]++
			return e[:i+1]
		}
	}
	return nil
}
