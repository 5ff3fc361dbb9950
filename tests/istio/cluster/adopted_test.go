package cluster

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"strings"

	"canary-split/tests/istio/harness"
)

// Routes as Argo Rollouts asks for them: named, with both destinations, of which the canary's has no weight yet.
const rolloutsRoutes = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: httpbin, namespace: canary}
spec:
  hosts: [canary.example.com]
  gateways: [canary/httpbin]
  http:
  - name: primary
    route:
    - destination: {host: httpbin.canary.svc.cluster.local, subset: v1, port: {number: 8000}}
      weight: 100
    - destination: {host: httpbin.canary.svc.cluster.local, subset: v2, port: {number: 8001}}
      weight: 0
`

// adopted goes from weights that a controller writes to weights that stick, as docs/COMING-FROM.md says; and the controller moves them.
func (s *story) adopted() {
	s.user.run(`kubectl -n istio-system patch wasmplugin canary-split --type=json -p '[{"op":"replace","path":"/spec/pluginConfig","value":{"rules":[]}}]'`)
	given, err := os.ReadFile(filepath.Join(s.user.folder, "manifests/base/routing.yaml"))
	if err != nil {
		s.t.Fatal(err)
	}
	gatewayAndSubsets := strings.Join(strings.Split(string(given), "---\n")[:2], "---\n")
	write(s.t, filepath.Join(s.user.folder, "rollout.yaml"), gatewayAndSubsets+"---\n"+rolloutsRoutes)
	s.user.run("kubectl apply -f rollout.yaml")
	s.user.show(s.user.run("canary-split adopt rollout.yaml --write adopted"))
	s.withOurImage(filepath.Join(s.user.folder, "adopted", "wasmplugin.yaml"))

	stop := load(s.t, s.cluster)
	s.user.run("kubectl apply -f adopted/wasmplugin.yaml")
	harness.Until(s.t, "the config on every gateway", func() bool {
		text, _ := s.user.try("canary-split status --interval 1s", "")
		return strings.Contains(text, "1 of 1 gateway pods have this config")
	})
	s.user.run("kubectl apply -f adopted/envoyfilter.yaml")
	harness.Until(s.t, "no finding", func() bool { _, err := s.user.try("canary-split check --cluster", ""); return err == nil })

	visitors := make([]*cookiejar.Jar, 60)
	for i := range visitors {
		visitors[i], _ = cookiejar.New(nil)
	}
	see := func() map[int]bool { return s.onV2(visitors) }
	before := see()
	if len(before) > 0 {
		s.t.Errorf("%d visitors see v2 at 100/0", len(before))
	}
	for _, canary := range []int{10, 50, 100, 0} {
		// The whole object, as a controller updates it.
		patch := fmt.Sprintf(`[{"op":"replace","path":"/spec/http/0/route/0/weight","value":%d},{"op":"replace","path":"/spec/http/0/route/1/weight","value":%d}]`, 100-canary, canary)
		s.user.run("kubectl -n canary patch virtualservice httpbin --type=json -p '" + patch + "'")
		var now map[int]bool
		harness.Until(s.t, fmt.Sprint("weight ", canary), func() bool {
			now = see()
			return harness.Near(len(now), len(visitors), float64(canary)/100) && maps.Equal(now, see())
		})
		for visitor := range before {
			if canary > 0 && !now[visitor] {
				s.t.Errorf("at %d a visitor went back to v1", canary)
			}
		}
		s.user.say("at weight %d %d of %d visitors see v2, and stay", canary, len(now), len(visitors))
		before = now
	}
	s.user.say("%d requests meanwhile, 0 failed", stop())

	text, err := s.user.try("canary-split status --interval 1s -o json", "")
	var said struct {
		Plugins []struct {
			Rules []struct {
				Name, Adopts string
				Subsets      []struct {
					Name   string
					Weight int
					Route  string
				}
			}
		}
	}
	if jsonErr := json.Unmarshal([]byte(text), &said); err != nil || jsonErr != nil {
		s.t.Fatal(err, jsonErr, text)
	}
	if rule := said.Plugins[0].Rules[0]; rule.Adopts != "x-canary-draw" || len(rule.Subsets) != 2 ||
		rule.Subsets[0].Name != "v1" || rule.Subsets[0].Weight != 100 || rule.Subsets[1].Route != "canary/httpbin http[0]" {
		s.t.Errorf("%+v", rule)
	}
	s.user.show(s.user.run("canary-split status --interval 1s"))
	if text, err := s.user.try("canary-split set httpbin v2=50% --yes", ""); err == nil || !strings.Contains(text, "their owner moves them") {
		s.t.Errorf("set: %v %s", err, text)
	}
	if text, err := s.user.try("canary-split remove httpbin --yes", ""); err == nil || !strings.Contains(text, "delete envoyfilter canary-split-adopt") {
		s.t.Errorf("remove: %v %s", err, text)
	}
	s.user.run("kubectl -n istio-system delete envoyfilter canary-split-adopt")
	s.user.run("canary-split remove httpbin --yes")
}
