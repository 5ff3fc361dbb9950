package translation

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"canary-split/tests/istio/harness"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// The steps of a rollout, and the way back: the canary's weight of 100.
var steps = []int{0, 10, 50, 100, 0}

// reweighed is the same with other weights in the VirtualService, as a controller patches them.
func (w *world) reweighed(t *testing.T, canary int) *world {
	t.Helper()
	return must(w.edited("VirtualService", func(object map[string]any) error {
		http, _, err := unstructured.NestedSlice(object, "spec", "http")
		if err != nil {
			return err
		}
		route := http[0].(map[string]any)["route"].([]any)
		route[0].(map[string]any)["weight"] = int64(100 - canary)
		route[1].(map[string]any)["weight"] = int64(canary)
		return unstructured.SetNestedSlice(object, http, "spec", "http")
	}))(t)
}

// asFlagger is the same with a route that has no name, and an EnvoyFilter that goes without.
func (w *world) asFlagger(t *testing.T) *world {
	t.Helper()
	unnamed := must(w.edited("VirtualService", func(object map[string]any) error {
		http, _, err := unstructured.NestedSlice(object, "spec", "http")
		delete(http[0].(map[string]any), "name")
		if err != nil {
			return err
		}
		return unstructured.SetNestedSlice(object, http, "spec", "http")
	}))(t)
	return must(unnamed.edited("EnvoyFilter", func(object map[string]any) error {
		return atScope(object, func(scope map[string]any) { scope["route"] = map[string]any{"action": "ROUTE"} })
	}))(t)
}

// atScope changes which virtual host and route an EnvoyFilter is for.
func atScope(object map[string]any, change func(vhost map[string]any)) error {
	patches, _, err := unstructured.NestedSlice(object, "spec", "configPatches")
	if err != nil {
		return err
	}
	match := patches[0].(map[string]any)["match"].(map[string]any)
	change(match["routeConfiguration"].(map[string]any)["vhost"].(map[string]any))
	return unstructured.SetNestedSlice(object, patches, "spec", "configPatches")
}

// edited is the same with a change to the one object of a kind.
func (w *world) edited(kind string, change func(map[string]any) error) (*world, error) {
	var text strings.Builder
	for _, object := range w.applied {
		object := object.DeepCopy()
		if object.GetKind() == kind {
			if err := change(object.Object); err != nil {
				return nil, err
			}
		}
		document, err := object.MarshalJSON()
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&text, "%s\n---\n", document)
	}
	return worldOf(text.String())
}

// routesHave waits until Envoy's routes lead to v2 with this weight of 100.
func (g *gateway) routesHave(canary int) {
	g.t.Helper()
	harness.Until(g.t, fmt.Sprintf("routes with %d for v2", canary), func() bool {
		dump := g.ask("/config_dump?resource=dynamic_route_configs")
		var found struct {
			Configs []struct {
				Route struct {
					Name  string `json:"name"`
					Hosts []struct {
						Routes []struct {
							Route struct {
								Weighted struct {
									Header   string `json:"header_name"`
									Clusters []struct {
										Name   string `json:"name"`
										Weight int    `json:"weight"`
									} `json:"clusters"`
								} `json:"weighted_clusters"`
							} `json:"route"`
						} `json:"routes"`
					} `json:"virtual_hosts"`
				} `json:"route_config"`
			} `json:"configs"`
		}
		if err := json.Unmarshal([]byte(dump), &found); err != nil {
			g.t.Fatal(err)
		}
		for _, config := range found.Configs {
			for _, vhost := range config.Route.Hosts {
				for _, route := range vhost.Routes {
					weighted, v2 := route.Route.Weighted, 0
					for _, cluster := range weighted.Clusters {
						if strings.Contains(cluster.Name, "|v2|") {
							v2 = cluster.Weight
						}
					}
					if weighted.Header != "x-canary-draw" || v2 != canary {
						return false
					}
				}
			}
		}
		return len(found.Configs) > 0
	})
}

// delete removes what has this kind.
func (g *gateway) delete(w *world, kind string) {
	g.t.Helper()
	for _, config := range must(w.configs())(g.t) {
		if config.GroupVersionKind.Kind == kind {
			if err := g.istiod.Store().Delete(config.GroupVersionKind, config.Name, config.Namespace, nil); err != nil {
				g.t.Fatal(err)
			}
		}
	}
}

// visit says which visitors v2 answers.
func visit(t *testing.T, c *client, visitors []string) map[string]bool {
	t.Helper()
	onV2 := map[string]bool{}
	for _, cookie := range visitors {
		if must(c.get("cookie", cookie))(t).body == "v2" {
			onV2[cookie] = true
		}
	}
	return onV2
}

// refusedRoutes is how many route tables Envoy has refused.
func (g *gateway) refusedRoutes() int {
	g.t.Helper()
	sum := 0
	for line := range strings.Lines(g.ask(`/stats?filter=rds\..*update_rejected`)) {
		var count int
		if _, err := fmt.Sscan(line[strings.LastIndex(line, " ")+1:], &count); err != nil {
			g.t.Fatalf("%q: %v", line, err)
		}
		sum += count
	}
	return sum
}

func adoptedWeightsStick(t *testing.T, g *gateway) {
	shipped := g.overlay("adopted")
	for owner, weights := range map[string]*world{"Argo Rollouts": shipped, "Flagger": shipped.asFlagger(t)} {
		g.apply(weights.reweighed(t, 0))
		g.routesHave(0)
		c := newClient(t, true)
		harness.Until(t, "the cookie", func() bool { return len(must(c.get())(t).Cookies()) > 0 })
		var visitors []string
		for range 100 {
			cookie := must(c.get())(t).Cookies()[0]
			visitors = append(visitors, cookie.Name+"="+cookie.Value)
		}
		stop := load(t)
		before := map[string]bool{}
		for _, canary := range steps[1:] {
			g.apply(weights.reweighed(t, canary))
			g.routesHave(canary)
			var now map[string]bool
			harness.Until(t, fmt.Sprintf("%d %% in every worker", canary), func() bool {
				now = visit(t, c, visitors)
				return maps.Equal(now, visit(t, c, visitors))
			})
			if !harness.Near(len(now), len(visitors), float64(canary)/100) {
				t.Errorf("%s at %d %%: %d of %d visitors see v2", owner, canary, len(now), len(visitors))
			}
			for visitor := range before {
				if canary > 0 && !now[visitor] {
					t.Errorf("%s at %d %%: %s went back to v1", owner, canary, visitor)
				}
			}
			before = now
		}
		t.Logf("%s: %d requests meanwhile", owner, stop())
		for _, number := range []string{"0", "99", "4294967295"} {
			if v2 := c.count(t, 100, "x-canary-draw", number); v2 != 0 {
				t.Errorf("a client with x-canary-draw: %s sees v2", number)
			}
		}
		g.check()
	}
	g.delete(shipped, "EnvoyFilter")
}

// What `canary-split check` finds as adopt-too-wide.
func wideEnvoyFilterFreezesThePort(t *testing.T, g *gateway) {
	weighted := g.overlay("weighted")
	g.apply(must(weighted.weighing(100, 0))(t))
	c := newClient(t, true)
	harness.Until(t, "v1 alone", func() bool { return c.count(t, 40) == 0 })
	before := g.refusedRoutes()
	g.hasRefused = true
	wide := must(g.overlay("adopted").edited("EnvoyFilter", func(object map[string]any) error {
		return atScope(object, func(vhost map[string]any) { delete(vhost, "domainName"); delete(vhost, "route") })
	}))(t)
	for _, config := range must(wide.configs())(t) {
		if config.GroupVersionKind.Kind == "EnvoyFilter" {
			if _, err := g.istiod.Store().Create(config); err != nil {
				t.Fatal(err)
			}
		}
	}
	harness.Until(t, "Envoy to refuse the routes", func() bool { return g.refusedRoutes() > before })
	if v2 := c.count(t, 40); v2 != 0 {
		t.Errorf("%d of 40 see v2", v2)
	}
	g.delete(wide, "EnvoyFilter")
}
