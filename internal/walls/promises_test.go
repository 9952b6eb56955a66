package walls

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestEveryPromiseNamesTestsThatExist reads the last table of ARCHITECTURE.md.
func TestEveryPromiseNamesTestsThatExist(t *testing.T) {
	page, err := os.ReadFile("../../ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("git", "-C", "../..", "grep", "-hoE", `^func Test\w+`, "--", "*_test.go").Output()
	if err != nil {
		t.Fatalf("list the tests: %v", err)
	}
	there := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		there[strings.TrimSpace(strings.TrimPrefix(line, "func "))] = true
	}
	_, table, ok := strings.Cut(string(page), "## Promises, and what proves them")
	if !ok {
		t.Fatal("ARCHITECTURE.md has no table of promises")
	}
	names := regexp.MustCompile(`\bTest\w+`).FindAllString(table, -1)
	if len(names) < 8 {
		t.Fatalf("the table names %d tests", len(names))
	}
	for _, n := range names {
		if !there[n] {
			t.Errorf("ARCHITECTURE.md names %s, which does not exist", n)
		}
	}
}
