package translation

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// check is one way to find that something is wrong with what somebody applies. What it finds are sentences.
type check struct {
	name string
	// ours says that none of Istio's, Kubernetes' or cert-manager's own checks looks at this.
	ours bool
	find func(*world) []string
}

// checks, in the order in which a mistake would be met: at `kubectl apply`, by `istioctl analyze`, at the gateway.
func checks() []check {
	return append([]check{
		{name: "schema", find: schemaFaults},
		{name: "webhook", find: webhookFaults},
		{name: "kubernetes", find: kubernetesFaults},
		{name: "analyze", find: analyzerFaults},
	}, gatewayChecks()...)
}

// ofEveryEnvoyFilter is what Istio says of each of them, whatever it has.
const ofEveryEnvoyFilter = "EnvoyFilter exposes internal implementation details that may change at any time"

// faults are all that is found wrong, by the name of the check.
func (w *world) faults() map[string][]string {
	found := map[string][]string{}
	for _, check := range checks() {
		faults := slices.DeleteFunc(check.find(w), func(fault string) bool {
			return strings.Contains(fault, ofEveryEnvoyFilter)
		})
		if len(faults) > 0 {
			found[check.name] = faults
		}
	}
	return found
}

func TestWhatWeShipIsAcceptedAndReachesTheGateway(t *testing.T) {
	for _, folder := range append(overlays(), overlaysOfGatewayAPI()...) {
		t.Run(folder, func(t *testing.T) {
			w, err := shipped(folder)
			if err != nil {
				t.Fatal(err)
			}
			for name, faults := range w.faults() {
				t.Errorf("%s:\n\t%s", name, strings.Join(faults, "\n\t"))
			}
		})
	}
}

// accepted are faults that we live with.
var accepted = map[string]string{
	// v2 is in the DestinationRule before its pods exist and outlives them: were it to come and go with the routes, the
	// gateway could have one without the other for a moment, and answer 503.
	base: "Error [IST0173] (DestinationRule canary/httpbin",
}

func TestEveryKustomizationIsAccepted(t *testing.T) {
	for _, folder := range []string{base, "wasmplugin", "wasmplugin/in-cluster", "manifests/gateway-api/base", "manifests/gateway-api/waypoint"} {
		t.Run(folder, func(t *testing.T) {
			w, err := shipped(folder)
			if err != nil {
				t.Fatal(err)
			}
			for _, check := range checks() {
				// Without routes or without a plugin, the checks of the gateway have nothing to look at.
				if check.ours {
					continue
				}
				faults := slices.DeleteFunc(check.find(w), func(fault string) bool {
					return accepted[folder] != "" && strings.HasPrefix(fault, accepted[folder])
				})
				if len(faults) > 0 {
					t.Errorf("%s:\n\t%s", check.name, strings.Join(faults, "\n\t"))
				}
			}
		})
	}
}

// collector is a testing.TB that keeps what it is told instead of failing.
type collector struct {
	testing.TB
	faults []string
}

func (c *collector) Helper()                   {}
func (c *collector) Log(...any)                {}
func (c *collector) Logf(string, ...any)       {}
func (c *collector) Error(args ...any)         { c.faults = append(c.faults, fmt.Sprint(args...)) }
func (c *collector) Errorf(f string, a ...any) { c.faults = append(c.faults, fmt.Sprintf(f, a...)) }
func (c *collector) Fatal(args ...any)         { c.Error(args...) }
func (c *collector) Fatalf(f string, a ...any) { c.Errorf(f, a...) }

func names(faults map[string][]string) []string {
	var found []string
	for name := range faults {
		found = append(found, name)
	}
	slices.Sort(found)
	return found
}
