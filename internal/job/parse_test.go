package job

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestNewIDMakesRandomUUIDs(t *testing.T) {
	t.Parallel()
	shape := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	seen := map[ID]bool{}
	for range 1000 {
		id := NewID()
		if !shape.MatchString(string(id)) {
			t.Fatalf("%s is no UUID of version 4", id)
		}
		if got, err := ParseID(string(id)); err != nil || got != id {
			t.Fatalf("ParseID(%s) = %s, %v", id, got, err)
		}
		if seen[id] {
			t.Fatalf("%s came twice", id)
		}
		seen[id] = true
	}
}

func TestParseID(t *testing.T) {
	t.Parallel()
	for in, ok := range map[string]bool{
		"53dc6228-c50b-46f7-8ad7-65e7159f1aae": true, "a-b_C": true, strings.Repeat("a", 36): true,
		"": false, "abcd": false, strings.Repeat("a", 37): false, "a/../b": false, "job.1": false, "jöb-1": false, "job 1": false, "job-1\n": false,
	} {
		got, err := ParseID(in)
		if ok && (err != nil || string(got) != in) {
			t.Errorf("ParseID(%q) = %q, %v", in, got, err)
		}
		if !ok && (got != "" || CodeOf(err) != InvalidRequest) {
			t.Errorf("ParseID(%q) = %q, %v, want InvalidRequest", in, got, err)
		}
	}
}

func TestParsePriority(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]Priority{"0": 0, "10": 10, " 7 ": 7, "\n7\t": 7, "007": 7, "2147483647": 2147483647} {
		if got, err := ParsePriority(in); err != nil || got != want {
			t.Errorf("ParsePriority(%q) = %d, %v, want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"", "-1", "+1", "2147483648", "99999999999999999999", "1.0", "1e3", "0x10", "1_000", "ten", "1 0"} {
		if got, err := ParsePriority(in); CodeOf(err) != InvalidArgument || got != 0 {
			t.Errorf("ParsePriority(%q) = %d, %v, want InvalidArgument", in, got, err)
		}
	}
}

func TestParseStatus(t *testing.T) {
	t.Parallel()
	for _, s := range Statuses() {
		if got, err := ParseStatus(" " + string(s) + "\n"); err != nil || got != s {
			t.Errorf("ParseStatus(%s) = %s, %v", s, got, err)
		}
	}
	for _, in := range []string{"", "active", "Canceled", "Done", "Active,New"} {
		if got, err := ParseStatus(in); CodeOf(err) != InvalidArgument || got != "" {
			t.Errorf("ParseStatus(%q) = %q, %v, want InvalidArgument", in, got, err)
		}
	}
}

func FuzzParsePriority(f *testing.F) {
	f.Add("2147483647")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePriority(s)
		want, wantErr := strconv.ParseInt(strings.TrimSpace(s), 10, 64)
		inRange := wantErr == nil && want >= 0 && want <= 2147483647 && !strings.ContainsAny(s, "+-")
		if (err == nil) != inRange || inRange && int64(p) != want {
			t.Fatalf("ParsePriority(%q) = %d, %v; as an integer it is %d, %v", s, p, err, want, wantErr)
		}
	})
}

func TestCleanText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, in string
		limit    int
		want     string
	}{
		{"plain text stays", "The specified key does not exist.", 100, "The specified key does not exist."},
		{"escape sequences lose their escape", "\x1b[31mred\x07", 100, "[31mred"},
		{"line breaks become blanks", " a\r\n\tb\u2028c\n", 100, "a b c"},
		{"C1 controls go", "a\u009bb", 100, "ab"},
		{"overrides of the direction go", "a\u202egpj.exe", 100, "agpj.exe"},
		{"bad bytes are marked", "a\xffb", 100, "a\ufffdb"},
		{"a cut keeps runes whole", "ééé", 5, "éé"},
		{"a cut does not end in a blank", "ab cd", 3, "ab"},
		{"no room", "abc", 0, ""},
		{"less than no room", "abc", -1, ""},
	} {
		if got := CleanText(c.in, c.limit); got != c.want {
			t.Errorf("%s: CleanText(%q, %d) = %q, want %q", c.name, c.in, c.limit, got, c.want)
		}
	}
}

func TestQuote(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                             `""`,
		"a  b":                         `"a  b"`,
		"\x1b[31m\u202e\xff\"":         `"\x1b[31m\u202e\xff\""`,
		strings.Repeat("x", 64):        `"` + strings.Repeat("x", 64) + `"`,
		strings.Repeat("x", 65):        `"` + strings.Repeat("x", 64) + `"…`,
		"x" + strings.Repeat("é", 40):  `"x` + strings.Repeat("é", 31) + `"…`,
		strings.Repeat("\x80", 100):    `"` + strings.Repeat(`\x80`, 60) + `"…`,
		strings.Repeat("x", 63) + "日本": `"` + strings.Repeat("x", 63) + `"…`,
	} {
		if got := Quote(in); got != want {
			t.Errorf("Quote(%q) = %s, want %s", in, got, want)
		}
	}
}

func FuzzCleanText(f *testing.F) {
	f.Add("a\x1b[31m\u202e\xff  b", 9)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		got := CleanText(s, limit)
		if len(got) > max(limit, 0) || !utf8.ValidString(got) || strings.ContainsFunc(got, unicode.IsControl) {
			t.Fatalf("CleanText(%q, %d) = %q", s, limit, got)
		}
		if again := CleanText(got, limit); again != got {
			t.Fatalf("cleaning %q again gives %q", got, again)
		}
	})
}
