// Package cluster does what the documents say, in a whole cluster that runs in the test: etcd, the API server and its
// controllers, Istio as istioctl installs it, cert-manager, a registry, and the real kubectl. Only the kubelet, the scheduler and
// kube-proxy are replaced, since nothing here can run a container.
package cluster

import (
	"fmt"
	"os"
	"testing"

	"k8s.io/klog/v2"

	"istio.io/istio/pkg/log"

	"canary-split/tests/istio/harness"
)

// The parts are processes of their own, because their libraries share global variables.
const partVariable = "CANARY_SPLIT_PART"

const (
	podNetwork     = "10.244.0.0/16"
	serviceNetwork = "10.96.0.0/16"
	// What lies outside of the cluster: its load balancer and the registry.
	outsideNetwork = "192.0.2.0/24"
)

func TestMain(m *testing.M) {
	switch part := os.Getenv(partVariable); {
	case part == "control-plane":
		os.Exit(exitCode(runControlPlane()))
	case part == "gateway":
		os.Exit(exitCode(runGatewayContainer()))
	case part == "command":
		os.Exit(exitCode(runCommand()))
	case !harness.Inside():
		// Istio reads these at its start. They leave out what only Istio's build of Envoy has.
		os.Exit(harness.Enter("PILOT_ENABLE_ALPN_FILTER=false", "PILOT_ENABLE_METADATA_EXCHANGE=false"))
	}
	if err := harness.RaiseLoopback(podNetwork, serviceNetwork, outsideNetwork); err != nil {
		os.Exit(exitCode(err))
	}
	quiet()
	os.Exit(m.Run())
}

func exitCode(err error) int {
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// quiet: what is logged is asserted, or of no interest.
func quiet() {
	for _, scope := range log.Scopes() {
		scope.SetOutputLevel(log.NoneLevel)
	}
	klog.SetLogger(klog.Logger{})
}
