package job

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// CleanText makes foreign text fit to be stored and shown: valid UTF-8 of at most limit bytes, cut at the edge of a
// rune, without control characters. Runs of white space become one blank, other control characters and those that
// turn the direction of writing are left out, and bytes that are no UTF-8 become U+FFFD.
func CleanText(s string, limit int) string {
	var b strings.Builder
	blank := false
	for _, r := range s {
		switch {
		case unicode.IsSpace(r):
			blank = b.Len() > 0
			continue
		case unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r):
			continue
		}
		size := utf8.RuneLen(r)
		if blank {
			size++
		}
		if b.Len()+size > limit {
			break
		}
		if blank {
			b.WriteByte(' ')
			blank = false
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Quote shows foreign text inside a message: cleaned, cut to 64 bytes, in quotes.
func Quote(s string) string { return strconv.Quote(CleanText(s, 64)) }

// plain reports whether s is valid UTF-8 without control characters other than those in also.
func plain(s, also string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) && !strings.ContainsRune(also, r)
	})
}
