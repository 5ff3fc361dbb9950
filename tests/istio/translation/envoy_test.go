package translation

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	gatewayapi "sigs.k8s.io/gateway-api/apis/v1"

	"istio.io/istio/pilot/pkg/features"
	"istio.io/istio/pilot/pkg/model"
	v3 "istio.io/istio/pilot/pkg/xds/v3"
	"istio.io/istio/pilot/test/xds"
	"istio.io/istio/pkg/security"
	"istio.io/istio/pkg/spiffe"
	"istio.io/istio/pkg/test"
	"istio.io/istio/pkg/wasm"

	"canary-split/tests/istio/harness"
)

// gateway is istiod, a stock Envoy that is its ingress gateway, and the applications.
type gateway struct {
	t          *testing.T
	family     string // the folder of the manifests
	istiod     *xds.FakeDiscoveryServer
	admin      string
	cache      string // where the agent keeps modules
	logs       journal
	envoy      *exec.Cmd
	exited     chan struct{}
	hasRefused bool // what is meant to be refused was, and is still counted
}

// journal is a log that is read while it is written.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(part []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(part)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// agent is what pilot-agent does on the way from istiod to Envoy: it fetches the module and writes where it lies.
type agent struct {
	model.XdsResourceGenerator
	cache wasm.Cache
}

func (a agent) Generate(proxy *model.Proxy, watched *model.WatchedResource, request *model.PushRequest) (model.Resources, model.XdsLogDetails, error) {
	resources, details, err := a.XdsResourceGenerator.Generate(proxy, watched, request)
	if err != nil || resources == nil {
		return nil, details, err // nil is "nothing to push", which an empty list is not
	}
	converted := make([]*anypb.Any, len(resources))
	for i, resource := range resources {
		converted[i] = resource.Resource
	}
	if err := wasm.MaybeConvertWasmExtensionConfig(converted, a.cache); err != nil {
		return nil, details, err
	}
	out := make(model.Resources, len(resources))
	for i := range resources {
		out[i] = &discovery.Resource{Name: resources[i].Name, Resource: converted[i]}
	}
	return out, details, nil
}

// gatewayIdentity takes any client for this pod; a token has been checked before this is asked.
type gatewayIdentity struct{ pod *corev1.Pod }

func (gatewayIdentity) AuthenticatorType() string { return "test" }

func (g gatewayIdentity) Authenticate(security.AuthContext) (*security.Caller, error) {
	id := spiffe.Identity{TrustDomain: "cluster.local", Namespace: g.pod.Namespace, ServiceAccount: g.pod.Spec.ServiceAccountName}
	return &security.Caller{AuthSource: security.AuthSourceIDToken, Identities: []string{id.String()}}, nil
}

// forStockEnvoy leaves out what only Istio's build of Envoy has, and what only an agent can serve.
func forStockEnvoy(t test.Failer, options *xds.FakeOptions) {
	test.SetForTest(t, &features.ALPNFilter, false)
	test.SetForTest(t, &features.MetadataExchange, false)
	test.SetForTest(t, &security.AuthPlaintext, true)
	options.MeshConfig.EnableAutoMtls = wrapperspb.Bool(false)
	options.ListenerBuilder = func() (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") }
}

// edge is where clients find the gateway, by the port that they ask for.
var edge map[string]string

// overlay is one of the manifests that the gateway is of.
func (g *gateway) overlay(name string) *world {
	g.t.Helper()
	return must(shipped(g.family + "/overlays/" + name))(g.t)
}

// serve starts it all, with nobody on v2.
func serve(t *testing.T, version, family string) *gateway {
	g := &gateway{t: t, family: family, admin: "127.0.0.1:19000", cache: t.TempDir(), exited: make(chan struct{})}
	w := g.overlay("prepared")
	running, err := w.running()
	if err != nil {
		t.Fatal(err)
	}
	pod := gatewayPod(running)
	edge = map[string]string{}
	for port, scheme := range map[string]string{"80": "http", "443": "https"} {
		edge[port] = fmt.Sprintf("127.0.0.1:%d", portsOf(pod)[scheme])
	}
	w.setURL(imageURL(t))
	g.istiod = istiod(t, w, func(options *xds.FakeOptions) { forStockEnvoy(t, options) })
	g.istiod.Discovery.Authenticators = []security.Authenticator{gatewayIdentity{pod}}
	cache := wasm.NewLocalFileCache(g.cache, wasm.Options{HTTPRequestTimeout: harness.Patience, HTTPRequestMaxRetries: 1})
	t.Cleanup(cache.Cleanup)
	kind := v3.ExtensionConfigurationType
	g.istiod.Discovery.Generators[kind] = agent{g.istiod.Discovery.Generators[kind], cache}

	for _, object := range running {
		if pod, ok := object.(*corev1.Pod); ok && pod.Namespace != gatewayNamespace {
			startApplication(t, pod)
		}
	}
	g.startEnvoy(version, pod)
	return g
}

const bootstrap = `
node:
  id: router~%[1]s~%[2]s.%[3]s~%[3]s.svc.cluster.local
  cluster: %[4]s.%[3]s
  metadata: {NAMESPACE: %[3]s, CLUSTER_ID: Kubernetes, ISTIO_VERSION: 1.32.0, SERVICE_ACCOUNT: %[4]s, LABELS: %[6]s}
admin: {address: {socket_address: {address: 127.0.0.1, port_value: 19000}}}
dynamic_resources:
  # As the agent: delta, one stream for all.
  ads_config:
    api_type: DELTA_GRPC
    transport_api_version: V3
    set_node_on_first_message_only: true
    grpc_services: [{envoy_grpc: {cluster_name: istiod}}]
  lds_config: {ads: {}, resource_api_version: V3, initial_fetch_timeout: 0s}
  cds_config: {ads: {}, resource_api_version: V3, initial_fetch_timeout: 0s}
static_resources:
  clusters:
  - name: istiod
    type: STATIC
    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        "@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: {http2_protocol_options: {}}
    load_assignment:
      cluster_name: istiod
      endpoints: [{lb_endpoints: [{endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: %[5]d}}}}]}]
`

func (g *gateway) startEnvoy(version string, pod *corev1.Pod) {
	t := g.t
	binary := harness.EnvoyBinary(t, version)
	config := filepath.Join(t.TempDir(), "bootstrap.yaml")
	port := g.istiod.Listener.Addr().(*net.TCPAddr).Port
	labels := must(json.Marshal(pod.Labels))(t)
	text := fmt.Sprintf(bootstrap, pod.Status.PodIP, pod.Name, pod.Namespace, pod.Spec.ServiceAccountName, port, labels)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	g.envoy = exec.Command(binary, "-c", config, "--concurrency", "2", "--disable-hot-restart", "-l", "warning",
		// misc: fields that the newer Envoys deprecate, in every route that Istio writes.
		"--component-log-level", "wasm:info,misc:error")
	g.envoy.Stdout, g.envoy.Stderr = &g.logs, &g.logs
	g.envoy.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := g.envoy.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(g.exited)
		_ = g.envoy.Wait()
	}()
	t.Cleanup(func() {
		if !g.hasRefused {
			g.check()
		}
		_ = g.envoy.Process.Kill()
		<-g.exited
		if t.Failed() {
			t.Log(g.logs.String())
		}
	})
	harness.Until(t, "Envoy to be ready", func() bool { return strings.HasPrefix(g.ask("/ready"), "LIVE") })
}

// ask is Envoy's admin interface; an Envoy that has ended is an error.
func (g *gateway) ask(path string) string {
	select {
	case <-g.exited:
		g.t.Fatalf("Envoy has ended:\n%s", g.logs.String())
	default:
	}
	response, err := http.Get("http://" + g.admin + path)
	if err != nil {
		return ""
	}
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	return string(body)
}

var refusals = "/stats?filter=" + `(update_rejected|update_failure|config_fail|config_conflict|wasm.*(trap|crash|fail))`

// check: Envoy is alive and has refused nothing.
func (g *gateway) check() {
	g.t.Helper()
	if ready := g.ask("/ready"); !strings.HasPrefix(ready, "LIVE") {
		g.t.Errorf("Envoy is not ready: %q", ready)
	}
	stats := g.ask(refusals)
	if !strings.Contains(stats, "lds.update_rejected: 0") {
		g.t.Errorf("no statistics: %q", stats)
	}
	for _, line := range strings.Split(strings.TrimSpace(stats), "\n") {
		if !strings.HasSuffix(line, ": 0") {
			g.t.Errorf("refused: %s", line)
		}
	}
}

// runsTheModule: with FAIL_OPEN a gateway without it serves as well.
func (g *gateway) runsTheModule() {
	g.t.Helper()
	if dump := g.ask("/config_dump?resource=ecds_filters"); !strings.Contains(dump, g.cache) {
		g.t.Errorf("the module is not the one that the agent has fetched into %s:\n%s", g.cache, dump)
	}
}

// apply is `kubectl apply` of another world.
func (g *gateway) apply(w *world) {
	g.t.Helper()
	w.setURL(imageURL(g.t))
	configs, err := w.configs()
	if err != nil {
		g.t.Fatal(err)
	}
	for _, next := range configs {
		old := g.istiod.Store().Get(next.GroupVersionKind, next.Name, next.Namespace)
		if old == nil {
			_, err = g.istiod.Store().Create(next)
		} else {
			next.ResourceVersion = old.ResourceVersion
			_, err = g.istiod.Store().Update(next)
		}
		if err != nil {
			g.t.Fatal(err)
		}
	}
	for _, object := range w.applied {
		if isGatewayAPI(object) {
			if err := g.applyRoute(must(gatewayObject(object))(g.t)); err != nil {
				g.t.Fatal(err)
			}
		}
	}
}

// applyRoute is that for the Gateway API, which istiod reads from Kubernetes alone.
func (g *gateway) applyRoute(object runtime.Object) error {
	route, ok := object.(*gatewayapi.HTTPRoute)
	if !ok {
		return nil // the Gateway is always the same
	}
	routes := g.istiod.KubeClient().GatewayAPI().GatewayV1().HTTPRoutes(route.Namespace)
	_, err := routes.Update(context.Background(), route, metav1.UpdateOptions{})
	return err
}

func (w *world) setURL(url string) {
	for _, object := range w.plugins() {
		_ = unstructured.SetNestedField(object.Object, url, moduleField(object, "url")...)
	}
}

// withConfig is the same with another pluginConfig.
func (w *world) withConfig(change func(string) string) (*world, error) {
	var text strings.Builder
	for _, object := range w.applied {
		document, err := object.MarshalJSON()
		if err != nil {
			return nil, err
		}
		if slices.Contains([]string{"WasmPlugin", "TrafficExtension"}, object.GetKind()) {
			changed := change(string(document))
			if changed == string(document) {
				return nil, fmt.Errorf("nothing changed in %s", document)
			}
			document = []byte(changed)
		}
		fmt.Fprintf(&text, "%s\n---\n", document)
	}
	return worldOf(text.String())
}

var weights = regexp.MustCompile(`\{"subset":"v1","weight":\d+\},\{"subset":"v2","weight":\d+\}`)

// weighing is the same with other weights.
func (w *world) weighing(v1, v2 int) (*world, error) {
	return w.withConfig(func(text string) string {
		return weights.ReplaceAllString(text, fmt.Sprintf(`{"subset":"v1","weight":%d},{"subset":"v2","weight":%d}`, v1, v2))
	})
}
