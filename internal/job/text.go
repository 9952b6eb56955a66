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

// Quote shows foreign text inside a message: in quotes, with whatever cannot be seen written as an escape, and cut to
// 64 bytes with … behind.
func Quote(s string) string {
	const limit = 64
	if len(s) <= limit {
		return strconv.Quote(s)
	}
	end := limit
	for end > limit-utf8.UTFMax && !utf8.RuneStart(s[end]) {
		end--
	}
	return strconv.Quote(s[:end]) + "…"
}

// plain reports whether s is valid UTF-8 without control characters other than those in also.
func plain(s, also string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) && !strings.ContainsRune(also, r)
	})
}
