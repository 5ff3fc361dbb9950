package cluster

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
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

func TestWhatTheDocumentsSayHappensInACluster(t *testing.T) {
	s := &story{t: t}
	for _, step := range []struct {
		title string
		do    func(*story)
	}{
		{"base: v1 over https with the issued certificate, http redirected", (*story).base},
		{"the module comes from the registry; nobody sees v2 yet", (*story).prepared},
		{"weighted: 80/20 by request", (*story).weighted},
		{"the tool, with the rights that it needs and no more", (*story).tool},
		{"a weight is moved by one command, without a failed request", (*story).weightMoves},
		{"the patch of the documents gives the weights that are written into it", (*story).patches},
		{"sticky: 80/20 by visitor", (*story).sticky},
		{"rollback by one command, except for a websocket that is open", (*story).rollback},
		{"testers see v2, nobody else; a patch of another rule is refused", (*story).testers},
		{"the counters have labels in Prometheus", (*story).metrics},
		{"sealed: the application does not see the header", (*story).sealed},
		{"weights that a controller writes stick to visitors, without a failed request", (*story).adopted},
		{"from weights in the VirtualService to sticky, without a failed request", (*story).converted},
		{"the chart takes the WasmPlugin over, and moves a weight, without a failed request", (*story).chart},
		{"the way back leaves v1, without a failed request", (*story).wayBack},
		{"the same canary with the Gateway API, and the way back, without a failed request", (*story).gatewayAPI},
		{"the module comes from inside of the cluster", (*story).inCluster},
		{"what the API server refuses", (*story).refused},
		{"a WasmPlugin in the application's namespace: everyone sees v1, nothing is counted", (*story).wrongNamespace},
		{"a module that cannot be had: the gateway's log says so, everyone sees v1, a seal holds", (*story).noModule},
		{"a faulty weight: the gateway's log says so, the last good ones stay", (*story).faultyWeight},
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

// build is the cluster that the documents ask for: Istio with its ingress gateway, and cert-manager.
func (s *story) build() {
	t, ctx := s.t, s.t.Context()
	folder := t.TempDir()
	started := time.Now()
	s.cluster = startControlPlane(ctx, t)
	s.user = newUser(t, s.cluster)
	s.user.started = started
	s.user.say("etcd, API server and controllers run")
	s.user.run("kubectl apply --server-side -f " + filepath.Join(istioSource(), istioKinds) + " -f " + certManagerKinds() + " -f " + harness.GatewayAPIKinds())
	hosts := filepath.Join(folder, "hosts")
	s.gateway = &gatewayContainer{controlPlane: s.cluster, t: t, envoy: harness.EnvoyBinary(t, harness.NewestEnvoy(t)), hosts: hosts, folder: filepath.Join(folder, "gateway")}
	if err := os.MkdirAll(s.gateway.folder, 0o755); err != nil {
		t.Fatal(err)
	}
	startProxy(ctx, t, s.cluster, hosts)
	startNodeAPI(t, s.gateway)
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

const (
	gettingStarted  = "docs/getting-started.md"
	install         = "docs/install.md"
	rollout         = "docs/rollout.md"
	troubleshooting = "docs/troubleshooting.md"

	theModule      = "### 1. The module"
	v1Alone        = "### 2. v1 alone"
	byLoadBalancer = "**With an address of the load balancer**"
	byPortForward  = "**With a port-forward**"
	v2InPlace      = "### 3. v2 in place"
	byRequest      = "### 4. 80/20 by request"
	byVisitor      = "### 5. 80/20 by visitor"
	wayBack        = "### 7. The way back"
	inClusterWay   = "### Without a registry"
	isItLoaded     = "## Is it loaded?"
	faults         = "Faults of a config are in"
	whatIsDecided  = "## What has the gateway decided?"
	moveWeights    = "## Move weights"
	rollBack       = "## Roll back"
	withoutTheTool = "## Without the tool"
)

func (s *story) base() {
	s.user.run("kubectl apply -k manifests/base")
	s.user.run("kubectl -n istio-system wait --for=condition=Ready certificate/httpbin-ingress-cert --timeout=60s")
	s.user.run("kubectl -n canary rollout status deployment/httpbin --timeout=60s")
	c := newClient(s.t, s.cluster)
	harness.Until(s.t, "v1 over https", func() bool { version, _, err := c.visit(); return err == nil && version == "v1" })
	s.user.say("v1 is served over https")
	s.httpIsRedirected(c)
}

func (s *story) httpIsRedirected(c *client) {
	s.t.Helper()
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
	for _, line := range slices.Concat(s.user.code(gettingStarted, v1Alone), s.user.code(gettingStarted, byLoadBalancer), s.user.code(gettingStarted, v2InPlace)) {
		stop := load(s.t, s.cluster)
		s.follow(line)
		s.user.say("%d requests meanwhile, 0 failed", stop())
	}
	harness.Until(s.t, "the module on the gateway", s.gateway.runsTheModule)
	if !s.gateway.hasTheFilter() {
		s.t.Error("no listener has the filter")
	}
	s.user.say("the gateway runs the module that it has pulled")
	if counters := s.user.run(s.user.line(troubleshooting, whatIsDecided, "GET stats")); !strings.Contains(counters, "canary_config_rules") {
		s.t.Errorf("the counters:\n%s", counters)
	}
	const good = "wasmcustom.state=.=active;.;canary_config_rules: 1" // docs/install.md says so
	rules := s.user.run(s.user.line(install, isItLoaded, "GET stats"))
	s.user.show(rules)
	if !strings.Contains(rules, good) {
		s.t.Errorf("not good")
	}
	s.user.finds(s.user.line(install, faults, "logs"), "")
	s.user.finds(s.user.line(install, isItLoaded, "logs"), "")
	if v2 := newClient(s.t, s.cluster).count(s.t, 100); v2 != 0 {
		s.t.Errorf("%d of 100 see v2", v2)
	}
}

// follow runs a line of the documents; one that assigns asks for the gateway's address.
func (s *story) follow(line string) {
	s.t.Helper()
	variable, _, assigns := strings.Cut(line, "=$(")
	if !assigns {
		s.user.run(line)
	} else if address := s.user.run(line + "; echo $" + variable); address != edge {
		s.t.Errorf("$%s is %q", variable, address)
	}
}

func (s *story) weighted() {
	lines := s.user.code(gettingStarted, byRequest)
	s.user.run(lines[0])
	c := newClient(s.t, s.cluster)
	harness.Until(s.t, "v2", func() bool { return c.count(s.t, 20) > 0 })
	const total = 2500 // so that 25 of 100 would show
	v2 := c.count(s.t, total)
	if !harness.Near(v2, total, 0.2) {
		s.t.Errorf("%d of %d see v2", v2, total)
	}
	s.user.say("%d of %d see v2", v2, total)
	s.tenTitles(lines[1])
	s.forwarded(lines[1])
}

func (s *story) tenTitles(curl string) {
	s.t.Helper()
	titles := s.user.run(curl)
	s.user.show(titles)
	if count := strings.Count(titles, "<title>"); count != 10 {
		s.t.Errorf("%d titles", count)
	}
}

// forwarded runs a curl of the documents where no load balancer has an address.
func (s *story) forwarded(curl string) {
	line := s.user.inline(gettingStarted, "port-forward")
	forward := exec.Command("sh", "-c", "exec "+line)
	forward.Dir, forward.Env = s.user.folder, s.user.env
	forward.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	output, err := forward.StdoutPipe()
	if err == nil {
		err = forward.Start()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = forward.Process.Kill(); _ = forward.Wait() }()
	if said, err := bufio.NewReader(output).ReadString('\n'); err != nil || !strings.HasPrefix(said, "Forwarding from 127.0.0.1:8443") {
		s.t.Fatalf("$ %s\n%s\n%v", line, said, err)
	}
	s.user.say("$ %s", line)
	s.tenTitles(strings.Join(append(s.user.code(gettingStarted, byPortForward), curl), "\n"))
}

// patch runs a line of the documents under load, and says after what time everybody sees its effect.
func (s *story) patch(line string, seen func(*client) bool) {
	c := newClient(s.t, s.cluster)
	stop := load(s.t, s.cluster)
	s.user.run(line)
	start := time.Now()
	harness.Until(s.t, line, func() bool { return seen(c) })
	s.user.say("everybody sees it %d ms later; %d requests meanwhile, 0 failed", time.Since(start).Milliseconds(), stop())
}

const weightsNow = `kubectl -n istio-system get wasmplugin canary-split -o 'jsonpath={.spec.pluginConfig.rules[0].split[*].weight}'`

func (s *story) weightMoves() {
	line := s.user.code(rollout, moveWeights)[0]
	s.patch(line, func(c *client) bool { return c.count(s.t, 40) >= 18 }) // hardly ever at 20 of 100
	if weights := s.user.run(weightsNow); weights != "50 50" {
		s.t.Errorf("the weights are %s", weights)
	}
	c := newClient(s.t, s.cluster)
	if v2 := c.count(s.t, 1000); !harness.Near(v2, 1000, 0.5) {
		s.t.Errorf("%d of 1000 see v2", v2)
	}
}

// patches are that of docs/rollout.md with other weights.
func (s *story) patches() {
	c := newClient(s.t, s.cluster)
	patch := strings.ReplaceAll(s.user.line(rollout, withoutTheTool, `"value":50}`), `"value":50}`, `"value":%d}`)
	for _, v2 := range []int{5, 50, 100, 0} {
		line := fmt.Sprintf(patch, 100-v2, v2)
		s.user.run(line)
		if weights := s.user.run(weightsNow); weights != fmt.Sprint(100-v2, " ", v2) {
			s.t.Errorf("the weights are %s", weights)
		}
		share := float64(v2) / 100
		harness.Until(s.t, line, func() bool { return harness.Near(c.count(s.t, 50), 50, share) })
		const total = 300
		hits := c.count(s.t, total)
		if !harness.Near(hits, total, share) {
			s.t.Errorf("%d of %d see v2", hits, total)
		}
		s.user.say("%d of %d see v2", hits, total)
	}
}

func (s *story) sticky() {
	lines := s.user.code(gettingStarted, byVisitor)
	s.user.run(lines[0])
	c := newClient(s.t, s.cluster)
	harness.Until(s.t, "the cookie", func() bool { _, response, err := c.visit(); return err == nil && len(response.Cookies()) == 1 })
	shown := s.user.run(lines[1])
	if title, _, _ := strings.Cut(shown, "\n"); !strings.HasPrefix(title, "<title>") || strings.Count(shown, title) != 10 || strings.Count(shown, "\n") != 9 {
		s.t.Errorf("the visitor of a cookie jar sees %s", shown)
	}
	s.visitorsStay(c, 200)
}

// visitorsStay checks that this many new visitors get the cookie, that a fifth of them sees v2, and that each sees the same again.
func (s *story) visitorsStay(c *client, visitors int) {
	s.t.Helper()
	v2 := 0
	for range visitors {
		c.Jar, _ = cookiejar.New(nil)
		home, response, err := c.visit()
		if err != nil {
			s.t.Fatal(err)
		}
		if cookie := response.Cookies()[0]; cookie.Name != "canary-httpbin" || !cookie.Secure || !cookie.HttpOnly ||
			cookie.SameSite != http.SameSiteLaxMode || cookie.Path != "/" || cookie.MaxAge != 720*60*60 {
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
	// Somebody who is at home in v2, and talks there.
	visitor := newClient(s.t, s.cluster)
	var cookie *http.Cookie
	harness.Until(s.t, "somebody in v2", func() bool {
		visitor.Jar, _ = cookiejar.New(nil)
		version, response, err := visitor.visit()
		if err != nil || version != "v2" {
			return false
		}
		cookie = response.Cookies()[0]
		return true
	})
	say := s.websocket("cookie", cookie.Name+"="+cookie.Value)
	say("before")
	s.patch(s.user.code(rollout, rollBack)[0], func(c *client) bool { return c.count(s.t, 30) == 0 })
	if version, _, err := visitor.visit(); err != nil || version != "v1" {
		s.t.Errorf("a visitor of v2 sees %s: %v", version, err)
	}
	say("after")
	s.user.say("a websocket to v2 stays open")
	if v2 := newClient(s.t, s.cluster).count(s.t, 500); v2 != 0 {
		s.t.Errorf("%d of 500 see v2", v2)
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
	s.websocket("x-canary-key", testersKey)("hello")
	s.user.say("a websocket to v2 chats")

	// Here the testers' rule is the first.
	line := s.user.line(rollout, withoutTheTool, `"value":50}`)
	refusal, err := s.user.try(line, "")
	if err == nil {
		s.t.Error("a patch of the wrong rule is not refused")
	}
	s.user.say("$ %s", line)
	s.user.show(refusal)
	if v2 := c.count(s.t, 100); v2 != 0 {
		s.t.Errorf("%d of 100 see v2", v2)
	}
	// The tool finds the rule by its name.
	s.user.run(s.user.code(rollout, moveWeights)[0])
	harness.Until(s.t, "the second rule", func() bool { return c.count(s.t, 20) > 4 })
}

// websocket talks with v2; headers are NAME, VALUE.
func (s *story) websocket(name, value string) (say func(text string)) {
	config, err := websocket.NewConfig("wss://"+host+"/ws", "https://"+host)
	if err != nil {
		s.t.Fatal(err)
	}
	config.Header.Set(name, value)
	connection, err := tls.Dial("tcp", edge+":443", trusting(s.t, s.cluster))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = connection.Close() })
	socket, err := websocket.NewClient(config, connection)
	if err != nil {
		s.t.Fatal(err)
	}
	return func(text string) {
		s.t.Helper()
		_ = connection.SetDeadline(time.Now().Add(harness.Patience))
		var heard string
		if err := websocket.Message.Send(socket, text); err != nil {
			s.t.Fatal(err)
		}
		if err := websocket.Message.Receive(socket, &heard); err != nil || heard != text {
			s.t.Fatalf("heard %q, not %q: %v", heard, text, err)
		}
	}
}

// metrics are read where Prometheus scrapes a gateway's pod.
func (s *story) metrics() {
	scrape := func() string {
		response, err := http.Get("http://" + s.gateway.pod("").address + ":15020/stats/prometheus")
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
		`canary_config_weight{rule="httpbin",subset="v1"} 50`,
		`canary_config_weight{rule="httpbin",subset="v2"} 50`,
		`envoy_cluster_upstream_rq_total{cluster_name="outbound|8000|v1|httpbin.canary.svc.cluster.local"}`,
		`envoy_cluster_upstream_rq{cluster_name="outbound|8000|v1|httpbin.canary.svc.cluster.local",response_code_class="2xx"}`,
		`envoy_cluster_upstream_rq_time_bucket{cluster_name="outbound|8001|v2|httpbin.canary.svc.cluster.local",le=`,
		"canary_config_errors_total{} ",
	} {
		harness.Until(s.t, series, func() bool { return strings.Contains(scrape(), "\n"+series) })
		s.user.say("%s", series)
	}
}

func (s *story) sealed() {
	s.user.run("kubectl apply -k manifests/overlays/sealed")
	c := newClient(s.t, s.cluster)
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
	harness.Until(s.t, "v1's view of the headers, without the subset", func() bool {
		text := seen()
		return strings.Contains(text, `"Host"`) && !strings.Contains(strings.ToLower(text), "x-canary-subset")
	})
	for range 20 {
		if text := seen(); strings.Contains(strings.ToLower(text), "x-canary-subset") {
			s.t.Errorf("the application sees the header:\n%s", text)
		}
	}
	if v2 := c.count(s.t, 300, "x-canary-subset", "v2"); !harness.Near(v2, 300, 0.2) {
		s.t.Errorf("%d of 300 see v2", v2)
	}
}

func (s *story) wayBack() {
	stop := load(s.t, s.cluster)
	for _, line := range s.user.code(gettingStarted, wayBack) {
		s.user.run(line)
	}
	c := newClient(s.t, s.cluster)
	harness.Until(s.t, "v1 alone", func() bool { return c.count(s.t, 20) == 0 })
	harness.Until(s.t, "a gateway without the filter", func() bool { return !s.gateway.hasTheFilter() })
	s.nothingIsLeft()
	s.user.say("%d requests meanwhile, 0 failed", stop())
}

// nothingIsLeft of the canary, but the starting point.
func (s *story) nothingIsLeft() {
	for line, expected := range map[string]string{
		"kubectl get wasmplugin -A": "No resources found",
		"kubectl get configmap -A -l app.kubernetes.io/part-of=canary-split": "No resources found",
		"kubectl -n istio-system get deployment -o name":                     "deployment.apps/istio-ingressgateway\ndeployment.apps/istiod",
		"kubectl -n canary get deployment,service -o name":                   "deployment.apps/httpbin\nservice/httpbin",
	} {
		if left := s.user.run(line); left != expected {
			s.t.Errorf("$ %s\n%s\nwas expected to be\n%s", line, left, expected)
		}
	}
	harness.Until(s.t, "no pod but the starting point's", func() bool {
		pods, err := s.user.try("kubectl get pods -A -o name", "")
		return err == nil && strings.Count(pods, "pod/") == 3
	})
}

func (s *story) inCluster() {
	apply := s.user.line(install, inClusterWay, "apply")
	if err := os.Remove(filepath.Join(s.user.folder, "wasmplugin/in-cluster/canary_split.wasm.gz")); err != nil {
		s.t.Fatal(err)
	}
	if output, err := s.user.try(apply, ""); err == nil || !strings.Contains(output, "no such file") {
		s.t.Errorf("before make image: %s\n%v", output, err)
	}
	if tutorial, page := s.user.code(gettingStarted, theModule), s.user.code(install, inClusterWay); !slices.Equal(tutorial, page) {
		s.t.Errorf("the tutorial has\n%s\nand %s has\n%s", tutorial, install, page)
	}
	s.makeImage("in-cluster")
	for _, line := range s.user.code(install, inClusterWay)[1:] { // the first is makeImage's
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
