package console

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// language is a tag of BCP 47.
type language string

// The languages. A text is written in English in pages and code; catalogue has it in Chinese.
const (
	english language = "en"
	chinese language = "zh-CN"
)

var languages = []language{english, chinese}

// t gives an English text in the language, with args put in as by Sprintf.
func (l language) t(text string, args ...any) string {
	if l == chinese {
		if other, ok := catalogue[text]; ok {
			text = other
		}
	}
	if len(args) == 0 {
		return text
	}
	return fmt.Sprintf(text, args...)
}

// languageOf gives the language that a person chose, else the first of Accept-Language that there is, else English.
func languageOf(r *http.Request) language {
	if cookie, err := r.Cookie(languageCookie); err == nil {
		if l := language(cookie.Value); l == english || l == chinese {
			return l
		}
	}
	best, quality := english, 0.0
	for part := range strings.SplitSeq(r.Header.Get("Accept-Language"), ",") {
		tag, params, _ := strings.Cut(strings.TrimSpace(part), ";")
		q := 1.0
		if value, ok := strings.CutPrefix(strings.TrimSpace(params), "q="); ok {
			var err error
			if q, err = strconv.ParseFloat(value, 64); err != nil {
				continue
			}
		}
		primary, _, _ := strings.Cut(strings.ToLower(tag), "-")
		l, known := map[string]language{"en": english, "zh": chinese}[primary]
		if known && q > quality {
			best, quality = l, q
		}
	}
	return best
}
