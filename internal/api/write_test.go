package api_test

import (
	"testing"

	"github.com/drover-batch/drover/internal/api"
)

func TestCutTextKeepsCharactersWhole(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		s    string
		n    int
		want string
	}{{"abc", 3, "abc"}, {"abcd", 3, "abc"}, {"aé", 2, "a"}, {"é", 1, ""}, {"日本", 5, "日"}} {
		if got := api.CutText(tc.s, tc.n); got != tc.want {
			t.Errorf("CutText(%q, %d) = %q, want %q", tc.s, tc.n, got, tc.want)
		}
	}
}
