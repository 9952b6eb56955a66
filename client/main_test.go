package client

import (
	"testing"

	"go.uber.org/goleak"
)

// No watch may leave anything behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
