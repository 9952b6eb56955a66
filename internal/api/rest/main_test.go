package rest

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// whole runs the tests and then looks at what the witness has seen.
type whole struct{ *testing.M }

// Run implements goleak.TestingM.
func (m whole) Run() int {
	code := m.M.Run()
	all := flag.Lookup("test.run").Value.String() == "" && flag.Lookup("test.fuzz").Value.String() == ""
	if problems := watched.missing(all); len(problems) > 0 {
		for _, p := range problems {
			fmt.Fprintln(os.Stderr, "openapi.yaml:", p)
		}
		return 1
	}
	return code
}

// No stream may leave its watcher behind, and every answer must be as openapi.yaml describes it.
func TestMain(m *testing.M) { goleak.VerifyTestMain(whole{m}) }
