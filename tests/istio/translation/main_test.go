// Package translation asks Istio's own code what it makes of the manifests that this repository ships, without a cluster:
// are they accepted, what does the gateway get, and does a stock Envoy do with it what the documents say?
package translation

import (
	"fmt"
	"os"
	"testing"

	"istio.io/istio/pkg/log"

	"canary-split/tests/istio/harness"
)

// TestMain needs the gateway's real ports.
func TestMain(m *testing.M) {
	if !harness.Inside() {
		os.Exit(harness.Enter())
	}
	if err := harness.RaiseLoopback(); err != nil {
		fmt.Fprintln(os.Stderr, "the loopback interface of a new network namespace:", err)
		os.Exit(1)
	}
	for _, scope := range log.Scopes() {
		scope.SetOutputLevel(log.NoneLevel) // what Istio makes of its input is asserted, not logged
	}
	os.Exit(m.Run())
}
