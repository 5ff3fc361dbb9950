package translation

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"reflect"
	"slices"
	"strings"

	cluster3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listener3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	route3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	httpwasm "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/wasm/v3"
	hcm "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	wasm3 "github.com/envoyproxy/go-control-plane/envoy/extensions/wasm/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	gatewayapi "sigs.k8s.io/gateway-api/apis/v1"

	"istio.io/istio/pilot/pkg/model"
	v3 "istio.io/istio/pilot/pkg/xds/v3"
	"istio.io/istio/pilot/test/xds"
	"istio.io/istio/pilot/test/xdstest"
	"istio.io/istio/pkg/config/mesh"
	"istio.io/istio/pkg/spiffe"
	"istio.io/istio/pkg/test"
	"istio.io/istio/pkg/util/sets"
)

// translation is what istiod makes for the ingress gateway.
type translation struct {
	listeners []*listener3.Listener
	routes    []*route3.RouteConfiguration
	clusters  map[string]*cluster3.Cluster
	endpoints map[string][]string
	filter    string // the plugin's resource, by which the listeners name it
	wasm      *httpwasm.Wasm
	secrets   []string // that the gateway is given, of those that its listeners ask for
	pods      []*corev1.Pod
	gateway   *corev1.Pod
}

// istiod is the real discovery server on a fake Kubernetes client.
func istiod(t test.Failer, w *world, change func(*xds.FakeOptions)) *xds.FakeDiscoveryServer {
	configs, err := w.configs()
	if err != nil {
		t.Fatal(err)
	}
	running, err := w.running()
	if err != nil {
		t.Fatal(err)
	}
	options := xds.FakeOptions{
		Configs:           configs,
		KubernetesObjects: running,
		MeshConfig:        mesh.DefaultMeshConfig(),
		// The gateway is known by its identity; whether it may read secrets is not what is tested.
		DisableSecretAuthorization: true,
	}
	if change != nil {
		change(&options)
	}
	return xds.NewFakeDiscoveryServer(t, options)
}

// gatewayPod is one that Istio has made for a Gateway of the Gateway API, or that of the installation.
func gatewayPod(running []runtime.Object) *corev1.Pod {
	for _, object := range running {
		if pod, ok := object.(*corev1.Pod); ok && ofGatewayAPI(pod) {
			return pod
		}
	}
	for _, object := range running {
		if pod, ok := object.(*corev1.Pod); ok && pod.Namespace == gatewayNamespace && strings.HasPrefix(pod.Name, gatewayService) {
			return pod
		}
	}
	panic("istioctl renders no gateway")
}

func proxyOf(pod *corev1.Pod) *model.Proxy {
	return &model.Proxy{
		Type: model.Router, ID: pod.Name + "." + pod.Namespace, IPAddresses: []string{pod.Status.PodIP},
		ConfigNamespace: pod.Namespace, Labels: pod.Labels,
		VerifiedIdentity: &spiffe.Identity{TrustDomain: "cluster.local", Namespace: pod.Namespace, ServiceAccount: pod.Spec.ServiceAccountName},
		Metadata:         &model.NodeMetadata{Namespace: pod.Namespace, Labels: pod.Labels, ClusterID: "Kubernetes", IstioVersion: "1.32.0"},
	}
}

// guards are what others may have put on the same gateway; the plugin has its place among them.
const guards = `
apiVersion: security.istio.io/v1
kind: RequestAuthentication
metadata: {name: tokens, namespace: istio-system}
spec:
  selector: {matchLabels: {istio: ingressgateway}}
  jwtRules: [{issuer: test, jwks: '{"keys": []}'}]
---
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: all, namespace: istio-system}
spec:
  selector: {matchLabels: {istio: ingressgateway}}
  rules: [{}]
`

// translate asks istiod for all that a gateway asks it for.
func translate(w *world) (*translation, error) {
	out := &translation{}
	running, err := w.running()
	if err != nil {
		return nil, err
	}
	out.gateway = gatewayPod(running)
	text := guards
	if ofGatewayAPI(out.gateway) {
		target := fmt.Sprintf("targetRefs: [{group: %s, kind: Gateway, name: %s}]", gatewayapi.GroupName, out.gateway.Labels[gatewayNameLabel])
		text = strings.ReplaceAll(guards, "selector: {matchLabels: {istio: ingressgateway}}", target)
	}
	guarded, err := worldOf(text)
	if err != nil {
		return nil, err
	}
	guarded.applied = append(guarded.applied, w.applied...)
	err = test.Wrap(func(t test.Failer) {
		s := istiod(t, guarded, nil)
		proxy := s.SetupProxy(proxyOf(out.gateway))
		for _, object := range running {
			if pod, ok := object.(*corev1.Pod); ok {
				out.pods = append(out.pods, pod)
			}
		}
		out.listeners, out.routes = s.Listeners(proxy), s.Routes(proxy)
		out.clusters = xdstest.ExtractClusters(s.Clusters(proxy))
		out.endpoints = xdstest.ExtractLoadAssignments(s.Endpoints(proxy))
		out.filter = out.pluginFilter()
		if out.filter != "" {
			out.wasm = wasmOf(t, generate(t, s, proxy, v3.ExtensionConfigurationType, out.filter))
		}
		for _, l := range out.listeners {
			for _, name := range xdstest.ExtractListenerSecretResources(t, l) {
				if name != "" && len(generate(t, s, proxy, v3.SecretType, name)) == 1 {
					out.secrets = append(out.secrets, name)
				}
			}
		}
	})
	return out, err
}

func generate(t test.Failer, s *xds.FakeDiscoveryServer, proxy *model.Proxy, kind, name string) model.Resources {
	watched := &model.WatchedResource{TypeUrl: kind, ResourceNames: sets.New(name)}
	resources, _, err := s.Discovery.Generators[kind].Generate(proxy, watched, &model.PushRequest{Forced: true, Push: s.PushContext()})
	if err != nil {
		t.Fatal(err)
	}
	return resources
}

func wasmOf(t test.Failer, resources model.Resources) *httpwasm.Wasm {
	if len(resources) != 1 {
		t.Fatalf("%d extension configs", len(resources))
	}
	extension := xdstest.UnmarshalAny[core.TypedExtensionConfig](t, resources[0].Resource)
	return xdstest.UnmarshalAny[httpwasm.Wasm](t, extension.TypedConfig)
}

// ---- reading it ------------------------------------------------------------------------------------------------------

func connectionManager(chain *listener3.FilterChain) *hcm.HttpConnectionManager {
	for _, filter := range chain.Filters {
		if filter.Name == "envoy.filters.network.http_connection_manager" {
			return xdstest.SilentlyUnmarshalAny[hcm.HttpConnectionManager](filter.GetTypedConfig())
		}
	}
	return nil
}

func filterNames(chain *listener3.FilterChain) (found []string) {
	if manager := connectionManager(chain); manager != nil {
		for _, filter := range manager.HttpFilters {
			found = append(found, filter.Name)
		}
	}
	return found
}

func isPlugin(filter string) bool {
	return strings.HasPrefix(filter, model.TrafficExtensionResourceNamePrefix)
}

func (x *translation) pluginFilter() string {
	for _, l := range x.listeners {
		for _, chain := range l.FilterChains {
			if at := slices.IndexFunc(filterNames(chain), isPlugin); at >= 0 {
				return filterNames(chain)[at]
			}
		}
	}
	return ""
}

// portsOf is where a gateway's pod listens: those that Istio makes for a Gateway do so on the Gateway's own ports.
func portsOf(gateway *corev1.Pod) map[string]uint32 {
	if ofGatewayAPI(gateway) {
		return map[string]uint32{"http": 80, "https": 443}
	}
	return map[string]uint32{"http": 8080, "https": 8443}
}

// chain is what a client meets at a port of the gateway's Service: `http` or `https`.
func (x *translation) chain(scheme string) (*listener3.FilterChain, error) {
	port := portsOf(x.gateway)[scheme]
	for _, l := range x.listeners {
		if l.GetAddress().GetSocketAddress().GetPortValue() != port {
			continue
		}
		if len(l.FilterChains) != 1 {
			return nil, fmt.Errorf("%s: %d filter chains", l.Name, len(l.FilterChains))
		}
		return l.FilterChains[0], nil
	}
	return nil, fmt.Errorf("the gateway does not listen for %s (port %d)", scheme, port)
}

// virtualHost is the one for a host, by the routes that a port's connection manager names.
func (x *translation) virtualHost(scheme, host string) (*route3.VirtualHost, error) {
	chain, err := x.chain(scheme)
	if err != nil {
		return nil, err
	}
	name := connectionManager(chain).GetRds().GetRouteConfigName()
	for _, routes := range x.routes {
		if routes.Name != name {
			continue
		}
		for _, virtualHost := range routes.VirtualHosts {
			if slices.Contains(virtualHost.Domains, host) {
				return virtualHost, nil
			}
		}
	}
	return nil, fmt.Errorf("%s: no virtual host for %s", scheme, host)
}

// choose is Envoy's choice for a request to `/` with this value of the subset header, or without one if it is empty.
// What else a route matches is not understood, so it does not match.
func choose(virtualHost *route3.VirtualHost, header, value string) *route3.Route {
	for _, candidate := range virtualHost.GetRoutes() {
		if prefix, ok := candidate.Match.PathSpecifier.(*route3.RouteMatch_Prefix); !ok || prefix.Prefix != "/" {
			continue
		}
		if !slices.ContainsFunc(candidate.Match.Headers, func(m *route3.HeaderMatcher) bool {
			return !strings.EqualFold(m.Name, header) || value == "" || m.GetStringMatch().GetExact() != value
		}) {
			return candidate
		}
	}
	return nil
}

// ---- what must hold at the gateway -----------------------------------------------------------------------------------

// gatewayChecks are assertions on what istiod has made. No tool of Istio's makes them.
func gatewayChecks() []check {
	reads := func(name string, find func(*reading) []string) check {
		return check{name: name, ours: true, find: func(w *world) []string {
			r, err := read(w)
			if err != nil {
				return nil // untranslatable says it
			}
			return find(r)
		}}
	}
	return []check{
		{name: "translate", find: untranslatable},
		reads("plugin on both listeners", pluginOnBothListeners),
		reads("plugin's place", pluginsPlace),
		reads("plugin as written", pluginAsWritten),
		reads("rule's hosts are served", rulesHostsAreServed),
		reads("header routes", headerRoutes),
		reads("endpoints listen", endpointsListen),
		reads("websockets stay open", websocketsStayOpen),
		reads("seal", sealIsKept),
		reads("redirect", redirects),
		reads("certificate", certificateIsThere),
	}
}

type reading struct {
	*translation
	plugin *plugin
	host   string
}

var readings = map[*world]*reading{}

func read(w *world) (*reading, error) {
	if r, ok := readings[w]; ok {
		return r, nil
	}
	p, err := w.plugin()
	if err != nil {
		return nil, err
	}
	x, err := translate(w)
	if err != nil {
		return nil, err
	}
	r := &reading{translation: x, plugin: p, host: host}
	readings[w] = r
	return r, nil
}

// host is the one that the manifests serve as shipped.
const host = "canary.example.com"

// untranslatable is what istiod itself refuses, and what it makes that contradicts itself.
func untranslatable(w *world) []string {
	if _, err := w.running(); err != nil {
		return nil // kubernetesFaults says it
	}
	r, err := read(w)
	if err != nil {
		return []string{err.Error()}
	}
	c := &collector{}
	xdstest.ValidateListeners(c, r.listeners)
	xdstest.ValidateRouteConfigurations(c, r.routes)
	for _, cluster := range r.clusters {
		xdstest.ValidateCluster(c, cluster)
	}
	return c.faults
}

func pluginOnBothListeners(r *reading) (faults []string) {
	for _, scheme := range []string{"http", "https"} {
		chain, err := r.chain(scheme)
		if err != nil {
			faults = append(faults, err.Error())
		} else if !slices.ContainsFunc(filterNames(chain), isPlugin) {
			faults = append(faults, fmt.Sprintf("%s: no plugin among %v", scheme, filterNames(chain)))
		}
	}
	return faults
}

// pluginsPlace: verified claims must be there when it decides, and it must decide before a route is asked for anything.
func pluginsPlace(r *reading) (faults []string) {
	for _, scheme := range []string{"http", "https"} {
		chain, err := r.chain(scheme)
		if err != nil {
			continue
		}
		filters := filterNames(chain)
		at := slices.IndexFunc(filters, isPlugin)
		if at < 0 {
			continue
		}
		for _, earlier := range []string{"envoy.filters.http.jwt_authn", "envoy.filters.http.rbac"} {
			if i := slices.Index(filters, earlier); i < 0 || i > at {
				faults = append(faults, fmt.Sprintf("%s: not after %s: %v", scheme, earlier, filters))
			}
		}
		for _, later := range []string{"envoy.filters.http.fault", "envoy.filters.http.cors", "envoy.filters.http.router"} {
			if slices.Index(filters, later) < at {
				faults = append(faults, fmt.Sprintf("%s: not before %s: %v", scheme, later, filters))
			}
		}
	}
	return faults
}

func pluginAsWritten(r *reading) (faults []string) {
	if r.wasm == nil {
		return nil // pluginOnBothListeners says it
	}
	say := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }
	if r.wasm.Config.FailurePolicy != wasm3.FailurePolicy_FAIL_OPEN {
		say("failure policy %v: while the module cannot be loaded the whole gateway refuses", r.wasm.Config.FailurePolicy)
	}
	if r.wasm.Config.RootId != r.plugin.rootID {
		say("root id %q, not %q", r.wasm.Config.RootId, r.plugin.rootID)
	}
	uri := r.wasm.Config.GetVmConfig().GetCode().GetRemote().GetHttpUri().GetUri()
	if uri != r.plugin.url {
		say("url %q, not %q", uri, r.plugin.url)
	}
	if !strings.Contains(uri, "@sha256:") && r.wasm.Config.GetVmConfig().GetCode().GetRemote().GetSha256() == "" {
		say("url %q names no digest: a gateway may run another module than the one that was tested", uri)
	}
	text := xdstest.SilentlyUnmarshalAny[wrapperspb.StringValue](r.wasm.Config.Configuration).GetValue()
	var delivered map[string]any
	if err := json.Unmarshal([]byte(text), &delivered); err != nil {
		say("config %q: %v", text, err)
	} else if !reflect.DeepEqual(delivered, asJSON(r.plugin.raw)) {
		say("config %s, not %v", text, r.plugin.raw)
	}
	return faults
}

// asJSON gives numbers the type that JSON has for them.
func asJSON(value map[string]any) (out map[string]any) {
	text, _ := json.Marshal(value)
	_ = json.Unmarshal(text, &out)
	return out
}

func rulesHostsAreServed(r *reading) (faults []string) {
	for _, rule := range r.plugin.config.Rules {
		for _, name := range rule.Hosts {
			if _, err := r.virtualHost("https", name); err != nil {
				faults = append(faults, fmt.Sprintf("rule %s: %v", rule.Name, err))
			}
		}
	}
	return faults
}

// headerRoutes: each subset's value leads to that subset's cluster, and no value at all to stable.
func headerRoutes(r *reading) (faults []string) {
	virtualHost, err := r.virtualHost("https", r.host)
	if err != nil {
		return []string{err.Error()}
	}
	stable := map[string]bool{}
	for _, rule := range r.plugin.config.Rules {
		if len(rule.Split) > 0 {
			stable[rule.Split[0].Subset] = true
		}
	}
	expect := func(value, subset string) {
		target := choose(virtualHost, r.plugin.config.Header, value).GetRoute().GetCluster()
		if r.subsetOf(target) != subset {
			faults = append(faults, fmt.Sprintf("%s: %q leads to %q, not to subset %s", r.plugin.config.Header, value, target, subset))
		}
	}
	for _, subset := range r.plugin.config.subsets() {
		expect(r.plugin.config.value(subset), subset)
	}
	for subset := range stable {
		expect("", subset)
	}
	return faults
}

// subsetOf is the DestinationRule's, or the version of all pods of a Service.
func (x *translation) subsetOf(cluster string) string {
	parts := strings.Split(cluster, "|")
	if len(parts) != 4 || parts[2] != "" || !ofGatewayAPI(x.gateway) {
		return append(parts, "", "")[2]
	}
	return x.versionsOf(cluster)
}

// versionsOf are those of a cluster's pods.
func (x *translation) versionsOf(cluster string) string {
	versions := map[string]bool{}
	for _, pod := range x.pods {
		if slices.ContainsFunc(x.endpoints[cluster], func(address string) bool { return strings.HasPrefix(address, pod.Status.PodIP+":") }) {
			versions[pod.Labels["version"]] = true
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(versions)), " and ")
}

// endpointsListen: Envoy takes a route to a cluster that is not there, and answers 503 for it.
func endpointsListen(r *reading) (faults []string) {
	listening := map[string]bool{}
	for _, pod := range r.pods {
		for _, container := range pod.Spec.Containers {
			for _, port := range container.Ports {
				listening[net.JoinHostPort(pod.Status.PodIP, fmt.Sprint(port.ContainerPort))] = true
			}
		}
	}
	for _, routes := range r.routes {
		for _, targets := range xdstest.ExtractVirtualHosts(routes) {
			for _, target := range targets {
				if target == "" {
					continue // a redirect
				}
				switch addresses := r.endpoints[target]; {
				case r.clusters[target] == nil:
					faults = append(faults, fmt.Sprintf("%s: no such cluster", target))
				case len(addresses) == 0:
					faults = append(faults, fmt.Sprintf("%s: no endpoints", target))
				default:
					for _, address := range addresses {
						if !listening[address] {
							faults = append(faults, fmt.Sprintf("%s: no container listens on %s", target, address))
						}
					}
				}
			}
		}
	}
	slices.Sort(faults)
	return slices.Compact(faults)
}

func websocketsStayOpen(r *reading) (faults []string) {
	chain, err := r.chain("https")
	if err != nil {
		return nil
	}
	upgrades := connectionManager(chain).GetUpgradeConfigs()
	if !slices.ContainsFunc(upgrades, func(u *hcm.HttpConnectionManager_UpgradeConfig) bool { return u.UpgradeType == "websocket" }) {
		faults = append(faults, "https: websockets are not upgraded")
	}
	virtualHost, err := r.virtualHost("https", r.host)
	if err != nil {
		return faults
	}
	for _, candidate := range virtualHost.Routes {
		target := candidate.GetRoute().GetCluster()
		if timeout := candidate.GetRoute().GetTimeout().AsDuration(); timeout != 0 {
			faults = append(faults, fmt.Sprintf("%s: a websocket would be cut after %v", target, timeout))
		}
		// Over HTTP/2 a websocket needs extended CONNECT, which no HTTP/1.1 application speaks.
		options := r.clusters[target].GetTypedExtensionProtocolOptions()["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"]
		if strings.Contains(options.String(), "http2") {
			faults = append(faults, fmt.Sprintf("%s: HTTP/2 to the application, which takes no websocket", target))
		}
	}
	return faults
}

// sealIsKept: with a seal no application may see the header, or it could echo the seal.
func sealIsKept(r *reading) (faults []string) {
	virtualHost, err := r.virtualHost("https", r.host)
	if err != nil || r.plugin.config.Seal == "" {
		return nil
	}
	for _, candidate := range virtualHost.Routes {
		if !slices.Contains(candidate.RequestHeadersToRemove, r.plugin.config.Header) {
			faults = append(faults, fmt.Sprintf("%s: %s reaches the application", candidate.GetRoute().GetCluster(), r.plugin.config.Header))
		}
	}
	return faults
}

func redirects(r *reading) []string {
	virtualHost, err := r.virtualHost("http", r.host)
	if err != nil {
		return []string{err.Error()}
	}
	if virtualHost.RequireTls == route3.VirtualHost_ALL {
		return nil
	}
	var faults []string
	for _, subset := range r.plugin.config.subsets() {
		chosen := choose(virtualHost, r.plugin.config.Header, r.plugin.config.value(subset))
		if chosen.GetRedirect().GetSchemeRedirect() != "https" {
			faults = append(faults, fmt.Sprintf("http: %s is not redirected to https", subset))
		}
	}
	return faults
}

func certificateIsThere(r *reading) (faults []string) {
	chain, err := r.chain("https")
	if err != nil {
		return nil
	}
	for _, l := range r.listeners {
		for _, name := range xdstest.ExtractListenerSecretResources(fails{}, l) {
			if name != "" && !slices.Contains(r.secrets, name) {
				faults = append(faults, fmt.Sprintf("%s: no such secret where the gateway runs", name))
			}
		}
	}
	if chain.TransportSocket == nil {
		faults = append(faults, "https: no TLS")
	}
	return faults
}

// fails is for helpers that cannot fail on what istiod itself has made.
type fails struct{ test.Failer }
