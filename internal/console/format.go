package console

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// number groups a count's digits: 1,234,567.
func number(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// size shows bytes in units of 1,024.
func size(n int64) string {
	if n < 1024 {
		return number(n) + " B"
	}
	f, unit := float64(n), 0
	for f >= 1024 && unit < 5 {
		f /= 1024
		unit++
	}
	return fmt.Sprintf("%.1f %ciB", f, " KMGTP"[unit])
}

// span shows how long something took, in its two largest units.
func (l language) span(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < time.Second:
		return l.t("%d ms", d.Milliseconds())
	case d < time.Minute:
		return l.t("%d s", int64(d.Seconds()))
	case d < time.Hour:
		return l.t("%d min %d s", int64(d.Minutes()), int64(d.Seconds())%60)
	case d < 24*time.Hour:
		return l.t("%d h %d min", int64(d.Hours()), int64(d.Minutes())%60)
	}
	return l.t("%d d %d h", int64(d.Hours())/24, int64(d.Hours())%24)
}

// moment is a time as pages show it: how long ago, with the whole of it behind.
type moment struct {
	Ago  string
	Full string // RFC 3339, UTC
}

func (l language) moment(t, now time.Time) moment {
	if t.IsZero() {
		return moment{Ago: "–"}
	}
	m := moment{Full: t.UTC().Format(time.RFC3339)}
	switch d := now.Sub(t); {
	case d < 5*time.Second:
		m.Ago = l.t("just now")
	case d < time.Minute:
		m.Ago = l.t("%d s ago", int64(d.Seconds()))
	case d < time.Hour:
		m.Ago = l.t("%d min ago", int64(d.Minutes()))
	case d < 24*time.Hour:
		m.Ago = l.t("%d h ago", int64(d.Hours()))
	case d < 30*24*time.Hour:
		m.Ago = l.t("%d d ago", int64(d.Hours())/24)
	default:
		m.Ago = t.UTC().Format(time.DateOnly)
	}
	return m
}

// visible shows foreign text: what cannot be seen, and what turns the direction of writing, stands as an escape.
func visible(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case r > 0xffff && !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\U%08x`, r)
		case !unicode.IsPrint(r) && r != ' ':
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
		s = s[n:]
	}
	return b.String()
}

// shortened is visible text of at most n runes.
func shortened(s string, n int) string {
	runes := []rune(visible(s))
	if len(runes) <= n {
		return string(runes)
	}
	return string(runes[:n-1]) + "…"
}
