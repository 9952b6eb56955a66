package access

// glob reports whether pattern matches all of s: * stands for any text, ? for any one byte.
func glob(pattern, s string) bool {
	p, i := 0, 0
	star, back := -1, 0
	for i < len(s) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, back = p, i
			p++
		case p < len(pattern) && (pattern[p] == '?' || pattern[p] == s[i]):
			p++
			i++
		case star >= 0:
			back++
			p, i = star+1, back
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// globBegins reports whether pattern matches s or some text that begins with s.
func globBegins(pattern, s string) bool {
	// at[p] says that pattern[:p] can match what was read of s.
	at := make([]bool, len(pattern)+1)
	at[0] = true
	skipStars(pattern, at)
	for i := range len(s) {
		next := make([]bool, len(pattern)+1)
		alive := false
		for p := range len(pattern) {
			switch {
			case !at[p]:
			case pattern[p] == '*':
				next[p], alive = true, true
			case pattern[p] == '?' || pattern[p] == s[i]:
				next[p+1], alive = true, true
			}
		}
		if !alive {
			return false
		}
		skipStars(pattern, next)
		at = next
	}
	return true
}

// skipStars lets a * match nothing.
func skipStars(pattern string, at []bool) {
	for p := range len(pattern) {
		if at[p] && pattern[p] == '*' {
			at[p+1] = true
		}
	}
}

// globCovers reports whether pattern matches s and every text that begins with s.
func globCovers(pattern, s string) bool {
	return pattern != "" && pattern[len(pattern)-1] == '*' && glob(pattern, s)
}
