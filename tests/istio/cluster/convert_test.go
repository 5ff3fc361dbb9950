package cluster

import (
	"os"
	"path/filepath"
	"strings"

	"canary-split/tests/istio/harness"
)

// The tutorial's routes: weights between the two ports of one Service.
const tutorial = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: httpbin, namespace: canary}
spec:
  hosts: [canary.example.com]
  gateways: [httpbin]
  http:
  - name: stable
    route:
    - destination: {host: httpbin.canary.svc.cluster.local, subset: v1, port: {number: 8000}}
      weight: 80
    - destination: {host: httpbin.canary.svc.cluster.local, subset: v2, port: {number: 8001}}
      weight: 20
`

// converted goes from weights to sticky, as docs/coming-from.md says: the plugin, then the routes.
func (s *story) converted() {
	s.user.run(`kubectl -n istio-system patch wasmplugin canary-split --type=json -p '[{"op":"replace","path":"/spec/pluginConfig","value":{"rules":[]}}]'`)
	given, err := os.ReadFile(filepath.Join(s.user.folder, "manifests/base/routing.yaml"))
	if err != nil {
		s.t.Fatal(err)
	}
	gatewayAndSubsets := strings.Join(strings.Split(string(given), "---\n")[:2], "---\n")
	write(s.t, filepath.Join(s.user.folder, "tutorial.yaml"), gatewayAndSubsets+"---\n"+tutorial)
	s.user.run("kubectl apply -f tutorial.yaml")
	c := newClient(s.t, s.cluster)
	harness.Until(s.t, "the tutorial's weights", func() bool { return harness.Near(c.count(s.t, 200), 200, 0.2) })
	s.user.show(s.user.run("canary-split convert tutorial.yaml --write converted"))
	files, err := filepath.Glob(filepath.Join(s.user.folder, "converted", "*.yaml"))
	if err != nil {
		s.t.Fatal(err)
	}
	var plugin, routes string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			s.t.Fatal(err)
		}
		name := filepath.Base(file)
		switch kind := string(text); {
		case strings.Contains(kind, "kind: WasmPlugin"):
			plugin = name
			s.withOurImage(file)
		case strings.Contains(kind, "kind: VirtualService"):
			routes = name
		}
	}
	stop := load(s.t, s.cluster)
	s.user.run("kubectl apply -f converted/" + plugin)
	harness.Until(s.t, "the config on every gateway", func() bool {
		text, _ := s.user.try("canary-split status --interval 1s", "")
		return strings.Contains(text, "1 of 1 gateway pods have this config")
	})
	s.user.run("kubectl apply -f converted/" + routes)
	harness.Until(s.t, "all is well", func() bool { _, err := s.user.try("canary-split status --interval 1s", ""); return err == nil })
	s.user.say("%d requests meanwhile, 0 failed", stop())
	s.visitorsStay(c, 100)
	s.user.run("canary-split explain https://canary.example.com/")
}

// withOurImage writes the image that this cluster has into a file with a WasmPlugin; everything else stays.
func (s *story) withOurImage(file string) {
	s.t.Helper()
	url := s.user.run("kubectl -n istio-system get wasmplugin canary-split -o 'jsonpath={.spec.url}'")
	text, err := os.ReadFile(file)
	if err != nil {
		s.t.Fatal(err)
	}
	from := string(text)[strings.Index(string(text), "  url: "):]
	write(s.t, file, strings.Replace(string(text), strings.Split(from, "\n")[0], "  url: "+url, 1))
}
