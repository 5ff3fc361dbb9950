package cluster

import (
	"path/filepath"
	"strings"

	"canary-split/tests/istio/harness"
)

// refused: what kubectl says of a mistake, and that nothing has changed.
func (s *story) refused() {
	manifests := s.user.run("kubectl kustomize manifests/overlays/weighted")
	for _, mistake := range []struct{ what, old, new, says string }{
		{"an unknown field", "failStrategy:", "failureStrategy:", `strict decoding error: unknown field "spec.failureStrategy"`},
		{"a scheme that no gateway fetches", "url: http:", "url: ftp:", "url must have schema one of [http, https, file, oci]"},
		{"a phase that does not exist", "pluginName:", "phase: EARLY\n  pluginName:", `Unsupported value: "EARLY"`},
		{"a host twice in a VirtualService", "hosts:\n  - canary.example.com\n  http:", "hosts:\n  - canary.example.com\n  - canary.example.com\n  http:", "denied the request"},
	} {
		if strings.Count(manifests, mistake.old) != 1 {
			s.t.Fatalf("%q occurs %d times in\n%s", mistake.old, strings.Count(manifests, mistake.old), manifests)
		}
		output, err := s.user.try("kubectl apply --dry-run=server -f -", strings.Replace(manifests, mistake.old, mistake.new, 1))
		if err == nil || !strings.Contains(output, mistake.says) {
			s.t.Errorf("%s: %v\n%s", mistake.what, err, output)
		}
		s.user.say("%s: %s", mistake.what, lineWith(output, mistake.says))
	}
}

func lineWith(text, part string) string {
	for _, line := range strings.Split(text, "\n") {
		if strings.Contains(line, part) {
			return line
		}
	}
	return text
}

// wrongNamespace is a mistake that every cluster accepts.
func (s *story) wrongNamespace() {
	manifests := s.user.run("kubectl kustomize manifests/overlays/weighted")
	const plugin = "name: canary-split\n  namespace: istio-system"
	if strings.Count(manifests, plugin) != 1 {
		s.t.Fatalf("%q is not there once:\n%s", plugin, manifests)
	}
	s.user.apply(strings.Replace(manifests, plugin, "name: canary-split\n  namespace: canary", 1))
	s.user.run("kubectl -n canary rollout status deployment/httpbin-v2 --timeout=60s")
	s.restartGateway() // Envoy keeps the counters of filters that it had
	c := newClient(s.t, s.cluster)
	// The route exists, and without the filter the client's header counts.
	harness.Until(s.t, "the route", func() bool { v2, _, err := c.visit("x-canary-subset", "v2"); return err == nil && v2 == "v2" })
	if v2 := c.count(s.t, 100); v2 != 0 {
		s.t.Errorf("%d of 100 see v2", v2)
	}
	s.user.finds(s.user.line(troubleshooting, whatIsDecided, "GET stats"), "")
	s.user.finds(s.user.line(install, isItLoaded, "logs"), "")
	s.user.run("kubectl -n canary delete wasmplugin canary-split")
}

// restartGateway is the line of docs/install.md.
func (s *story) restartGateway() {
	line := s.user.inline(install, "rollout restart")
	s.user.run(line)
	s.user.run(strings.Replace(line, "restart", "status", 1) + " --timeout=60s")
}

// noModule: the WasmPlugin is applied before its image is pushed.
func (s *story) noModule() {
	reference := s.makeImage(registryHost + "/late/canary-split")
	s.user.run("kubectl apply -k manifests/overlays/weighted")
	s.user.finds(s.user.line(install, isItLoaded, "logs"), "cannot fetch Wasm module oci://"+reference)
	c := newClient(s.t, s.cluster)
	if v2 := c.count(s.t, 100); v2 != 0 {
		s.t.Errorf("%d of 100 see v2", v2)
	}
	if v2 := c.count(s.t, 10, "x-canary-subset", "v2"); v2 != 10 {
		s.t.Errorf("without the filter %d of 10 see v2 who ask for it; the documents say that all do", v2)
	}
	s.user.run("kubectl apply -k manifests/overlays/sealed")
	harness.Until(s.t, "the route with a seal", func() bool { return c.count(s.t, 20, "x-canary-subset", "v2") == 0 })
	if v2 := c.count(s.t, 100, "x-canary-subset", "v2"); v2 != 0 {
		s.t.Errorf("sealed: %d of 100 see v2 who ask for it", v2)
	}
	s.user.finds(s.user.line(troubleshooting, whatIsDecided, "GET stats"), "")

	push(s.t, filepath.Join(s.user.folder, ".image"), reference)
	s.restartGateway()
	c = newClient(s.t, s.cluster) // the old pod took its connections along
	if !s.gateway.runsTheModule() {
		s.t.Error("the new pod runs without the filter")
	}
	if v2 := c.count(s.t, 500); !harness.Near(v2, 500, 0.2) {
		s.t.Errorf("%d of 500 see v2", v2)
	}
}

// faultyWeight is a patch that the API server accepts.
func (s *story) faultyWeight() {
	line := s.user.line(rollout, withoutTheTool, `"value":50}`)
	s.user.run(strings.ReplaceAll(line, `"value":50`, `"value":4294967296`))
	s.user.finds(s.user.line(install, faults, "logs"), "weight: 4294967296 is more than 4294967295 (rule httpbin keeps its last good version)")
	c := newClient(s.t, s.cluster)
	if v2 := c.count(s.t, 500); !harness.Near(v2, 500, 0.2) {
		s.t.Errorf("%d of 500 see v2", v2)
	}
	rules := s.user.run(s.user.line(install, isItLoaded, "GET stats"))
	s.user.show(rules)
	if !strings.Contains(rules, "state=.=last_good;.;canary_config_rules: 1") {
		s.t.Error("no rule keeps its last good version")
	}
	s.user.run("kubectl apply -k manifests/overlays/prepared")
	harness.Until(s.t, "a good rule", func() bool { return c.count(s.t, 50) == 0 })
}
