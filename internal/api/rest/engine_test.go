package rest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/drover-batch/drover/client"
)

func TestEngineIsShownToWhoMaySeeIt(t *testing.T) {
	t.Parallel()
	w := setup(t, 0)
	if diff := cmp.Diff(engineOf, ask[client.Engine](w, "GET", "/api/v1/engine", "", 200)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if resp, text := w.send(bob, "GET", "/api/v1/engine", ""); resp.StatusCode != http.StatusForbidden || !strings.Contains(text, "DescribeEngine") {
		t.Errorf("without the right: %d %s", resp.StatusCode, text)
	}
}
