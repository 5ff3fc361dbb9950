package cluster

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/websocket"

	"canary-split/tests/istio/harness"
)

// story is what the steps share.
type story struct {
	t       *testing.T
	cluster *controlPlane
	user    *user
	gateway *gatewayContainer
}

func TestWhatTheReadmeSaysHappensInACluster(t *testing.T) {
	s := &story{t: t}
	for _, step := range []struct {
		title string
		do    func(*story)
	}{
		{"base: v1 over https with the issued certificate, http redirected", (*story).base},
		{"the module comes from the registry; nobody sees v2 yet", (*story).prepared},
		{"weighted: 80/20 by request", (*story).weighted},
		{"a weight is moved by one patch, without a failed request", (*story).weightMoves},
		{"sticky: 80/20 by visitor", (*story).sticky},
		{"rollback by one patch", (*story).rollback},
		{"testers see v2, nobody else", (*story).testers},
		{"the counters have labels in Prometheus", (*story).metrics},
		{"sealed: the application does not see the header", (*story).sealed},
		{"the way back leaves v1, without a failed request", (*story).wayBack},
		{"the module comes from inside of the cluster", (*story).inCluster},
		{"what the API server refuses", (*story).refused},
		{"what goes wrong in silence", (*story).silent},
	} {
		if s.cluster == nil {
			s.build()
		}
		if !t.Run(step.title, func(t *testing.T) {
			s.t, s.user.t, s.gateway.t = t, t, t
			step.do(s)
		}) {
			break // what follows builds on it
		}
	}
	s.user.t = t
	if t.Failed() {
		events, _ := s.user.try("kubectl get events -A --sort-by=.lastTimestamp | tail -30", "")
		t.Logf("events:\n%s\nthe gateway's log:\n%s", events, tail(s.gateway.log(), 30))
		return
	}
	s.user.say("done")
}

// build is the cluster that the README asks for: Istio with its ingress gateway, and cert-manager.
func (s *story) build() {
	t, ctx := s.t, s.t.Context()
	folder := t.TempDir()
	started := time.Now()
	s.cluster = startControlPlane(ctx, t)
	s.user = newUser(t, s.cluster)
	s.user.started = started
	s.user.say("etcd, API server and controllers run")
	s.user.run("kubectl apply --server-side -f " + filepath.Join(istioSource(), istioKinds) + " -f " + certManagerKinds())
	hosts := filepath.Join(folder, "hosts")
	s.gateway = &gatewayContainer{controlPlane: s.cluster, t: t, envoy: harness.EnvoyBinary(t, harness.NewestEnvoy(t)), hosts: hosts, folder: filepath.Join(folder, "gateway")}
	if err := os.MkdirAll(s.gateway.folder, 0o755); err != nil {
		t.Fatal(err)
	}
	startProxy(ctx, t, s.cluster, hosts)
	startKubelet(ctx, t, s.cluster, map[string]container{
		"/pilot:":                        s.cluster.istiod,
		"/proxyv2:":                      s.gateway.start,
		"docker.io/kennethreitz/httpbin": application("v1.py"),
		"psibi/tornado-websocket":        application("v2.py"),
		"nginxinc/nginx-unprivileged":    s.cluster.fileServer,
	})
	startRegistry(t)
	s.installIstio()
	// The injector gives each pod a sidecar; since none runs here, nobody must expect mTLS of it.
	s.user.apply("apiVersion: security.istio.io/v1\nkind: PeerAuthentication\n" +
		"metadata: {name: no-sidecars, namespace: istio-system}\nspec: {mtls: {mode: DISABLE}}\n")
	startCertManager(ctx, t, s.cluster)
	s.user.run("kubectl -n istio-system rollout status deployment/istio-ingressgateway --timeout=60s")
}

const readme = "README.md"

func (s *story) base() {
	s.user.run("kubectl apply -k manifests/base")
	s.user.run("kubectl -n istio-system wait --for=condition=Ready certificate/httpbin-ingress-cert --timeout=60s")
	s.user.run("kubectl -n canary rollout status deployment/httpbin --timeout=60s")
	c := newClient(s.t, s.cluster)
	harness.Until(s.t, "v1 over https", func() bool { version, _, err := c.visit(); return err == nil && version == "v1" })
	s.user.say("v1 is served over https")
	response, err := c.Get("http://" + host + "/get?a=b")
	if err != nil {
		s.t.Fatal(err)
	}
	_ = response.Body.Close()
	if to := response.Header.Get("location"); response.StatusCode != 301 || to != "https://"+host+"/get?a=b" {
		s.t.Errorf("%s to %q", response.Status, to)
	}
}

// makeImage is the recipe of `make image URL=…` without the build.
func (s *story) makeImage(url string) (reference string) {
	s.user.run("python3 wasmplugin/image.py --url " + url)
	manifest, err := os.ReadFile(filepath.Join(s.user.folder, "wasmplugin/wasmplugin.yaml"))
	if err != nil {
		s.t.Fatal(err)
	}
	written := regexp.MustCompile(`(?m)^  url: \w+://(\S+)$`).FindSubmatch(manifest)
	if written == nil {
		s.t.Fatalf("no url in\n%s", manifest)
	}
	return string(written[1])
}

func (s *story) prepared() {
	push(s.t, filepath.Join(s.user.folder, ".image"), s.makeImage(registryHost+"/canary-split"))
	for _, line := range s.user.code(readme, "**2. v1 alone") {
		if strings.Contains(line, "overlays/weighted") {
			break
		}
		stop := load(s.t, s.cluster)
		if variable, _, assigns := strings.Cut(line, "=$("); assigns {
			if address := s.user.run(line + "; echo $" + variable); address != loadBalancer {
				s.t.Errorf("$%s is %q", variable, address)
			}
		} else {
			s.user.run(line)
		}
		s.user.say("%d requests meanwhile, 0 failed", stop())
	}
	harness.Until(s.t, "the module on the gateway", s.gateway.runsTheModule)
	s.user.say("the gateway runs the module that it has pulled")
	if v2 := newClient(s.t, s.cluster).count(s.t, 100); v2 != 0 {
		s.t.Errorf("%d of 100 see v2", v2)
	}
}

func (s *story) weighted() {
	s.user.run("kubectl apply -k manifests/overlays/weighted")
	c := newClient(s.t, s.cluster)
	harness.Until(s.t, "v2", func() bool { return c.count(s.t, 20) > 0 })
	const total = 1000
	v2 := c.count(s.t, total)
	if !harness.Near(v2, total, 0.2) {
		s.t.Errorf("%d of %d see v2", v2, total)
	}
	s.user.say("%d of %d see v2", v2, total)
	for _, line := range s.user.code(readme, "**2. v1 alone") {
		if strings.Contains(line, "curl") {
			titles := s.user.run(line)
			s.t.Logf("\n%s", titles)
			if count := strings.Count(titles, "<title>"); count != 10 {
				s.t.Errorf("%d titles", count)
			}
		}
	}
}

// patch runs a line of the README under load, and says after what time everybody sees its effect.
func (s *story) patch(line string, seen func(*client) bool) {
	c := newClient(s.t, s.cluster)
	stop := load(s.t, s.cluster)
	s.user.run(line)
	start := time.Now()
	harness.Until(s.t, line, func() bool { return seen(c) })
	s.user.say("everybody sees it %d ms later; %d requests meanwhile, 0 failed", time.Since(start).Milliseconds(), stop())
}

func (s *story) weightMoves() {
	line := s.user.code(readme, "**3. Moving weights.**")[0]
	s.patch(line, func(c *client) bool { v2 := c.count(s.t, 30); return v2 > 8 && v2 < 22 })
	c := newClient(s.t, s.cluster)
	if v2 := c.count(s.t, 400); !harness.Near(v2, 400, 0.5) {
		s.t.Errorf("%d of 400 see v2", v2)
	}
}

func (s *story) sticky() {
	s.user.run("kubectl apply -k manifests/overlays/sticky")
	c := newClient(s.t, s.cluster)
	harness.Until(s.t, "the cookie", func() bool { _, response, err := c.visit(); return err == nil && len(response.Cookies()) == 1 })
	const visitors = 200
	v2 := 0
	for range visitors {
		c.Jar, _ = cookiejar.New(nil)
		home, response, err := c.visit()
		if err != nil {
			s.t.Fatal(err)
		}
		if cookie := response.Cookies()[0]; cookie.Name != "canary-httpbin" || !cookie.Secure || !cookie.HttpOnly {
			s.t.Fatal(response.Header.Values("set-cookie"))
		}
		for range 2 {
			if again, response, err := c.visit(); err != nil || again != home || len(response.Cookies()) != 0 {
				s.t.Fatalf("%s became %s: %v", home, again, err)
			}
		}
		if home == "v2" {
			v2++
		}
	}
	if !harness.Near(v2, visitors, 0.2) {
		s.t.Errorf("%d of %d visitors see v2", v2, visitors)
	}
	s.user.say("%d of %d visitors see v2, and stay", v2, visitors)
}

func (s *story) rollback() {
	// Somebody who is at home in v2.
	visitor := newClient(s.t, s.cluster)
	harness.Until(s.t, "somebody in v2", func() bool {
		visitor.Jar, _ = cookiejar.New(nil)
		version, _, err := visitor.visit()
		return err == nil && version == "v2"
	})
	s.patch(s.user.code(readme, "**Rollback**")[0], func(c *client) bool { return c.count(s.t, 30) == 0 })
	if version, _, err := visitor.visit(); err != nil || version != "v1" {
		s.t.Errorf("whoever was in v2 sees %s: %v", version, err)
	}
}

const testersKey = "replace-me-3fb1c2d4e5f60718"

func (s *story) testers() {
	s.user.run("kubectl apply -k manifests/overlays/testers")
	c := newClient(s.t, s.cluster)
	harness.Until(s.t, "the testers' rule", func() bool { return c.count(s.t, 10, "x-canary-key", testersKey) == 10 })
	if v2 := c.count(s.t, 50, "x-canary-key", "a guess", "x-canary-subset", "v2"); v2 != 0 {
		s.t.Errorf("%d of 50 others see v2", v2)
	}
	s.chat()
}

// chat talks with v2 over a websocket.
func (s *story) chat() {
	config, err := websocket.NewConfig("wss://"+host+"/ws", "https://"+host)
	if err != nil {
		s.t.Fatal(err)
	}
	config.Header.Set("x-canary-key", testersKey)
	connection, err := tls.Dial("tcp", loadBalancer+":443", trusting(s.t, s.cluster))
	if err != nil {
		s.t.Fatal(err)
	}
	defer connection.Close()
	socket, err := websocket.NewClient(config, connection)
	if err != nil {
		s.t.Fatal(err)
	}
	var heard string
	if err := websocket.Message.Send(socket, "hello"); err != nil {
		s.t.Fatal(err)
	}
	if err := websocket.Message.Receive(socket, &heard); err != nil || heard != "hello" {
		s.t.Fatalf("heard %q: %v", heard, err)
	}
	s.user.say("a websocket to v2 chats")
}

// metrics are read where Prometheus scrapes a gateway's pod.
func (s *story) metrics() {
	scrape := func() string {
		response, err := http.Get("http://" + gatewayAddress + ":15020/stats/prometheus")
		if err != nil {
			s.t.Fatal(err)
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		if err != nil {
			s.t.Fatal(err)
		}
		return string(text)
	}
	// The last step has sent testers and others.
	for _, series := range []string{
		`canary_requests_total{rule="testers",subset="v2",source="fixed"}`,
		`canary_requests_total{rule="httpbin",subset="v1",source="fresh"}`,
		`canary_responses_total{rule="testers",subset="v2",code_class="2xx"}`,
		`canary_config_rules{state="active"} 2`,
		`canary_config_rules{state="last_good"} 0`,
		"canary_config_errors_total{} 0",
	} {
		harness.Until(s.t, series, func() bool { return strings.Contains(scrape(), "\n"+series) })
		s.user.say("%s", series)
	}
}

func (s *story) sealed() {
	s.user.run("kubectl apply -k manifests/overlays/sealed")
	c := newClient(s.t, s.cluster)
	harness.Until(s.t, "v2 with a seal", func() bool { return c.count(s.t, 20, "x-canary-subset", "v2") > 0 })
	// httpbin says which headers it has seen; a request of its own path goes to v1 as well.
	seen := func() string {
		request, _ := http.NewRequest(http.MethodGet, "https://"+host+"/headers", nil)
		request.Header.Set("x-canary-subset", "v1")
		response, err := c.Do(request)
		if err != nil {
			s.t.Fatal(err)
		}
		defer response.Body.Close()
		var body strings.Builder
		if err := response.Write(&body); err != nil {
			s.t.Fatal(err)
		}
		return body.String()
	}
	harness.Until(s.t, "v1's view of the headers", func() bool { return strings.Contains(seen(), `"Host"`) })
	for range 10 {
		if text := seen(); strings.Contains(strings.ToLower(text), "x-canary-subset") {
			s.t.Errorf("the application sees the header:\n%s", text)
		}
	}
}

func (s *story) wayBack() {
	stop := load(s.t, s.cluster)
	for _, line := range s.user.code(readme, "**4. The way back") {
		s.user.run(line)
	}
	c := newClient(s.t, s.cluster)
	harness.Until(s.t, "v1 alone", func() bool { return c.count(s.t, 20) == 0 })
	harness.Until(s.t, "a gateway without the filter", func() bool {
		return !strings.Contains(s.gateway.admin("config_dump?resource=dynamic_listeners"), "trafficextension")
	})
	s.user.say("%d requests meanwhile, 0 failed", stop())
	if left := s.user.run("kubectl get wasmplugin,deployment,service -A -l app.kubernetes.io/part-of=canary-split"); left != "No resources found" {
		s.t.Errorf("left behind:\n%s", left)
	}
}

func (s *story) inCluster() {
	s.makeImage("in-cluster")
	for _, line := range s.user.code(readme, "or, to try it, none at all")[1:] { // the first is makeImage's
		s.user.run(line)
	}
	s.user.run("kubectl apply -k manifests/overlays/weighted")
	c := newClient(s.t, s.cluster)
	s.user.run("kubectl -n canary rollout status deployment/httpbin-v2 --timeout=60s")
	harness.Until(s.t, "the module on the gateway", s.gateway.runsTheModule)
	harness.Until(s.t, "v2", func() bool { v2, _, err := c.visit(); return err == nil && v2 == "v2" })
	s.user.say("the gateway runs the module that it has fetched from inside")
	s.wayBack()
}

// refused: what kubectl says of a mistake, and that nothing has changed.
func (s *story) refused() {
	for _, mistake := range []struct{ what, old, new, says string }{
		{"an unknown field", "failStrategy:", "failureStrategy:", `strict decoding error: unknown field "spec.failureStrategy"`},
		{"a scheme that no gateway fetches", "url: http:", "url: ftp:", "url must have schema one of [http, https, file, oci]"},
		{"a phase that does not exist", "pluginName:", "phase: EARLY\n  pluginName:", `Unsupported value: "EARLY"`},
		{"a host twice in a VirtualService", "hosts:\n  - canary.example.com\n  http:", "hosts:\n  - canary.example.com\n  - canary.example.com\n  http:", "denied the request"},
	} {
		manifests := s.user.run("kubectl kustomize manifests/overlays/weighted")
		if strings.Count(manifests, mistake.old) != 1 {
			s.t.Fatalf("%q stands %d times in\n%s", mistake.old, strings.Count(manifests, mistake.old), manifests)
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

// silent: what every cluster accepts; traffic flows to v1, and this is how it shows.
func (s *story) silent() {
	c := newClient(s.t, s.cluster)
	manifests := s.user.run("kubectl kustomize manifests/overlays/weighted")
	_, plugin, _ := strings.Cut(manifests, "apiVersion: extensions.istio.io")
	plugin, _, _ = strings.Cut("apiVersion: extensions.istio.io"+plugin, "\n---\n")

	s.user.apply(strings.Replace(plugin, "namespace: istio-system", "namespace: canary", 1))
	s.user.apply(manifestsWithout(manifests, plugin))
	s.user.run("kubectl -n canary rollout status deployment/httpbin-v2 --timeout=60s")
	harness.Until(s.t, "the routes", func() bool {
		return strings.Contains(s.gateway.admin("config_dump?resource=dynamic_route_configs"), "x-canary-subset")
	})
	if strings.Contains(s.gateway.admin("config_dump?resource=dynamic_listeners"), "trafficextension") {
		s.t.Error("a plugin in the application's namespace reaches the gateway")
	}
	if v2 := c.count(s.t, 50); v2 != 0 {
		s.t.Errorf("%d of 50 see v2", v2)
	}
	s.user.say("a WasmPlugin in the application's namespace: accepted; everyone sees v1")
	s.user.run("kubectl -n canary delete wasmplugin canary-split")

	missing := "oci://" + registryHost + "/canary-split@sha256:" + strings.Repeat("0", 64)
	absent := regexp.MustCompile(`(?m)^  url: .*$`).ReplaceAllString(plugin, "  url: "+missing)
	absent = regexp.MustCompile(`(?m)^  sha256: .*\n`).ReplaceAllString(absent, "")
	s.user.apply(absent)
	const says = "cannot fetch Wasm module" // the README's grep
	harness.Until(s.t, says, func() bool { return strings.Contains(tail(s.gateway.log(), 1000), says) })
	if v2 := c.count(s.t, 50); v2 != 0 {
		s.t.Errorf("%d of 50 see v2", v2)
	}
	if s.gateway.runsTheModule() {
		s.t.Error("a module is there")
	}
	s.user.say("an image that is not there: accepted; everyone sees v1; the gateway's log: %s", lineWith(tail(s.gateway.log(), 1000), says))
}

func manifestsWithout(manifests, document string) string {
	return strings.Replace(manifests, document, "", 1)
}
