package cluster

import (
	"maps"
	"net/http/cookiejar"
	"slices"
	"strings"

	"canary-split/tests/istio/harness"
)

const (
	gatewayAPIPage      = "docs/gateway-api.md"
	gatewayAPIBase      = "### 1. v1 alone"
	gatewayAPIPrepared  = "### 2. v2 in place"
	gatewayAPIByVisitor = "### 3. 80/20 by visitor"
	gatewayAPIMoves     = "### 4. Move it"
	gatewayAPIWayBack   = "### 5. The way back"
	gatewayAPIWaypoint  = "## Waypoints"
)

// gatewayAPI is the page from start to end: Istio makes the gateway for the Gateway, next to its own.
func (s *story) gatewayAPI() {
	env := s.user.env
	edge, s.user.env = gatewayAPILoadBalancer, append(slices.Clone(env), "GATEWAY="+gatewayAPILoadBalancer)
	defer func() { edge, s.user.env = loadBalancer, env }()

	for _, line := range s.user.code(gatewayAPIPage, gatewayAPIBase) {
		s.follow(line)
	}
	c := newClient(s.t, s.cluster)
	harness.Until(s.t, "v1 over https", func() bool { version, _, err := c.visit(); return err == nil && version == "v1" })
	s.httpIsRedirected(c)

	stop := load(s.t, s.cluster)
	lines := s.user.code(gatewayAPIPage, gatewayAPIPrepared)
	for _, line := range lines[:2] {
		s.user.run(line)
	}
	harness.Until(s.t, "the module on the gateway", s.gateway.runsTheModule)
	s.user.finds(lines[2], "state=.=active;.;canary_config_rules: 1")
	if v2 := c.count(s.t, 100); v2 != 0 {
		s.t.Errorf("%d of 100 see v2", v2)
	}
	byVisitor := s.user.code(gatewayAPIPage, gatewayAPIByVisitor)
	s.user.run(byVisitor[0])
	harness.Until(s.t, "the cookie", func() bool { _, response, err := c.visit(); return err == nil && len(response.Cookies()) == 1 })
	s.user.show(s.user.run(byVisitor[1]))
	s.visitorsStay(c, 100)
	s.user.say("%d requests meanwhile, 0 failed", stop())

	visitors := make([]*cookiejar.Jar, 60)
	for i := range visitors {
		visitors[i], _ = cookiejar.New(nil)
	}
	before := s.onV2(visitors)
	moves := s.user.code(gatewayAPIPage, gatewayAPIMoves)
	s.patch(moves[0], func(*client) bool {
		now := s.onV2(visitors)
		return harness.Near(len(now), len(visitors), 0.5) && maps.Equal(now, s.onV2(visitors)) && len(now) > len(before)
	})
	for visitor := range before {
		if !s.onV2(visitors)[visitor] {
			s.t.Error("a visitor of v2 went back to v1 while v2 grew")
		}
	}
	s.patch(moves[1], func(c *client) bool { return len(s.onV2(visitors)) == 0 && c.count(s.t, 30) == 0 })

	stop = load(s.t, s.cluster)
	for _, line := range s.user.code(gatewayAPIPage, gatewayAPIWayBack) {
		s.user.run(line)
	}
	harness.Until(s.t, "a gateway without the filter", func() bool { return !s.gateway.hasTheFilter() })
	s.user.say("%d requests meanwhile, 0 failed", stop())

	// No ztunnel runs here that would send anything to a waypoint.
	waypoint := s.user.code(gatewayAPIPage, gatewayAPIWaypoint)[0]
	s.user.run(strings.Replace(waypoint, "apply", "apply --dry-run=server", 1))

	// The tutorial's own world is still there, and the story goes on in it.
	s.user.run("kubectl -n canary delete httproute httpbin httpbin-redirect")
	s.user.run("kubectl -n canary delete service httpbin-v1")
	s.user.run("kubectl -n istio-system delete gtw gateway")
	harness.Until(s.t, "Istio's own gateway alone", func() bool { return len(s.gateway.names()) == 1 })
	s.nothingIsLeft()
}

// onV2 are the numbers of those visitors whom v2 answers.
func (s *story) onV2(visitors []*cookiejar.Jar) map[int]bool {
	s.t.Helper()
	c := newClient(s.t, s.cluster)
	defer c.CloseIdleConnections()
	found := map[int]bool{}
	for i, jar := range visitors {
		c.Jar = jar
		if version, _, err := c.visit(); err != nil {
			s.t.Fatal(err)
		} else if version == "v2" {
			found[i] = true
		}
	}
	return found
}
