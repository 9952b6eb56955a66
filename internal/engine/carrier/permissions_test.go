package carrier

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// permissionsText is what docs/cluster.md says of outside servers.
func permissionsText() string {
	var b strings.Builder
	for _, r := range []Role{RoleWorker, RoleAPI, RoleLeader} {
		publish, _ := Permissions(r, "<inbox>")
		fmt.Fprintf(&b, "%s:\n", r)
		for _, p := range publish {
			fmt.Fprintf(&b, "  %s\n", p)
		}
	}
	return b.String()
}

func TestDocsListPermissions(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../../docs/cluster.md")
	if err != nil {
		t.Fatal(err)
	}
	if want := permissionsText(); !strings.Contains(string(page), "```\n"+want+"```\n") {
		t.Errorf("docs/cluster.md does not list:\n%s", want)
	}
}
