package cli

import (
	"strings"
	"testing"

	"github.com/drover-batch/drover/internal/engine"
	"github.com/drover-batch/drover/internal/engine/carrier"
)

func TestEngineStatusNamesANearlyFullDisk(t *testing.T) {
	t.Parallel()
	living := engine.Living{Nodes: []engine.LiveNode{
		{Name: "whole", Disk: engine.Disk{Free: 50, Size: 100}}, {Name: "full", Disk: engine.Disk{Free: 7, Size: 100}}, {Name: "client"},
	}}
	st := toEngine(carrier.Status{}, living)
	err := engineView(st).fault()
	if err == nil || err.Error() != "the disk of node full is nearly full: 7% are left" || !strings.Contains(hintOf(err), "make room") {
		t.Errorf("fault = %v, hint %q", err, hintOf(err))
	}
	if st.Nodes[2].Disk != nil || freeText(st.Nodes[0].Disk) != "50%" {
		t.Errorf("nodes = %+v", st.Nodes)
	}
}
