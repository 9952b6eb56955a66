package rest

import (
	"testing"

	"go.uber.org/goleak"
)

// No stream may leave its watcher behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
