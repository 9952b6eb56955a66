package client

import (
	"slices"
	"strings"
	"testing"
)

func events(t *testing.T, text string) []string {
	t.Helper()
	var got []string
	err := readEvents(strings.NewReader(text), func() {}, func(event string, data []byte) error {
		got = append(got, event+"="+string(data))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestReadEvents(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, text string
		want       []string
	}{
		{"one event", "event: job\ndata: {}\n\n", []string{"job={}"}},
		{"no blank behind the colon", "event:job\ndata:{}\n\n", []string{"job={}"}},
		{"data in several lines", "data: a\ndata: b\ndata\n\n", []string{"=a\nb\n"}},
		{"carriage returns", "event: job\r\ndata: {}\r\n\r\n", []string{"job={}"}},
		{"comments and other fields", ": hello\n\nid: 1\nretry: 5\ndata: x\n\n: still there\n\n", []string{"=x"}},
		{"an event without data", "event: job\n\n", nil},
		{"empty data", "data:\n\n", []string{"="}},
		{"an event cut off", "data: a\n\ndata: b\n", []string{"=a"}},
		{"the name does not stay", "event: job\ndata: 1\n\ndata: 2\n\n", []string{"job=1", "=2"}},
	} {
		if got := events(t, tc.text); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
	}
}

// No stream makes the reader panic, and comments never change what is read.
func FuzzReadEvents(f *testing.F) {
	f.Add("event: job\ndata: {\"id\":\"x\"}\n\n: still there\n\n")
	f.Add("data\ndata:\n\nevent\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		plain := events(t, text)
		with := events(t, ":\n"+strings.ReplaceAll(text, "\n", "\n: x\n"))
		if !slices.Equal(plain, with) {
			t.Fatalf("%q with comments, %q without", with, plain)
		}
	})
}
