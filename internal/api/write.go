package api

import (
	"bytes"
	"encoding/xml"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"
)

// CutText shortens a text to n bytes at the edge of a character.
func CutText(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return strings.ToValidUTF8(s[:n], "")
}

// WriteXML writes an answer behind a prolog. An error, after which nothing was written, is that of a value that is no XML.
func WriteXML(w http.ResponseWriter, status int, prolog string, v any) error {
	var b bytes.Buffer
	b.WriteString(prolog)
	if err := xml.NewEncoder(&b).Encode(v); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the client has gone: nobody is left to be told
	return nil
}
