package translation

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	cluster3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	listener3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	route3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	hcm "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"istio.io/istio/pilot/pkg/features"
	"istio.io/istio/pilot/pkg/model"
	v3 "istio.io/istio/pilot/pkg/xds/v3"
	"istio.io/istio/pilot/test/xds"
	"istio.io/istio/pilot/test/xdstest"
	"istio.io/istio/pkg/test"
)

const waypointFolder = "manifests/gateway-api/waypoint"

// waypoint is an istiod, and the waypoint of a world as it knows it.
func waypoint(t *testing.T, w *world) (*xds.FakeDiscoveryServer, *model.Proxy) {
	test.SetForTest(t, &features.EnableAmbient, true)
	test.SetForTest(t, &features.EnableAmbientWaypoints, true)
	s := istiod(t, w, nil)
	proxy := proxyOf(gatewayPod(must(w.running())(t)))
	proxy.Type = model.Waypoint
	return s, s.SetupProxy(proxy)
}

// atWaypoint is what istiod makes for it: the chains of its Services, and the plugin's config, if it has one.
func atWaypoint(t *testing.T, w *world) (x *translation, chains map[string]*listener3.FilterChain, config string) {
	s, proxy := waypoint(t, w)
	running := must(w.running())(t)
	x = &translation{gateway: gatewayPod(running)}
	for _, object := range running {
		if pod, ok := object.(*corev1.Pod); ok {
			x.pods = append(x.pods, pod)
		}
	}
	x.clusters = xdstest.ExtractClusters(s.Clusters(proxy))
	x.endpoints = xdstest.ExtractLoadAssignments(s.Endpoints(proxy))
	chains = chainsOf(s.Listeners(proxy))
	for _, chain := range chains {
		if at := slices.IndexFunc(filterNames(chain), isPlugin); at >= 0 {
			x.filter = filterNames(chain)[at]
		}
	}
	if x.filter != "" {
		x.wasm = wasmOf(t, generate(t, s, proxy, v3.ExtensionConfigurationType, x.filter))
		config = xdstest.UnmarshalAny[wrapperspb.StringValue](t, x.wasm.Config.Configuration).GetValue()
	}
	return x, chains, config
}

// chainsOf are a waypoint's, by SERVICE:PORT.
func chainsOf(listeners []*listener3.Listener) map[string]*listener3.FilterChain {
	chains := map[string]*listener3.FilterChain{}
	for _, chain := range xdstest.ExtractListener("main_internal", listeners).FilterChains {
		// inbound-vip|PORT|http|HOST
		if parts := strings.Split(chain.Name, "|"); len(parts) == 4 {
			service, _, _ := strings.Cut(parts[3], ".")
			chains[service+":"+parts[1]] = chain
		}
	}
	return chains
}

// goesTo is the version of the pods to which a chain sends a request with this subset.
func (x *translation) goesTo(chain *listener3.FilterChain, subset string) string {
	var virtualHosts []*route3.VirtualHost
	if manager := connectionManager(chain); manager != nil {
		virtualHosts = manager.GetRouteConfig().GetVirtualHosts()
	}
	if len(virtualHosts) != 1 {
		return fmt.Sprintf("%d virtual hosts", len(virtualHosts))
	}
	cluster := choose(virtualHosts[0], "x-canary-subset", subset).GetRoute().GetCluster()
	return x.versionsOf(cluster)
}

func TestAWaypointHasTheFilterForTheServiceAndSendsEachSubsetToItsVersion(t *testing.T) {
	w := must(shipped(waypointFolder))(t)
	x, chains, config := atWaypoint(t, w)
	chain := chains["httpbin:8000"]
	if chain == nil {
		t.Fatalf("no chain for httpbin:8000: %v", chains)
	}
	filters := filterNames(chain)
	for _, name := range []string{"envoy.filters.http.fault", "envoy.filters.http.cors"} {
		if at := slices.Index(filters, name); at < 0 || at > slices.Index(filters, x.filter) {
			t.Errorf("the plugin is not after %s: %v", name, filters)
		}
	}
	if slices.Index(filters, "envoy.filters.http.router") < slices.Index(filters, x.filter) {
		t.Errorf("the plugin is not before the router: %v", filters)
	}
	for subset, version := range map[string]string{"": "v1", "v1": "v1", "v2": "v2"} {
		if found := x.goesTo(chain, subset); found != version {
			t.Errorf("subset %q goes to %q, not to %s", subset, found, version)
		}
	}
	for service, chain := range chains {
		if has, meant := slices.Contains(filterNames(chain), x.filter), strings.HasPrefix(service, "httpbin:"); has != meant {
			t.Errorf("the plugin is on %s: %v", service, has)
		}
	}
	if !strings.Contains(config, `"weight":20`) || !strings.Contains(config, "x-user-id") {
		t.Errorf("the config: %s", config)
	}
}

const shippedTarget = `[{"group":"","kind":"Service","name":"httpbin"}]`

// What is applied as a plugin's target, its namespace, and which of the waypoint's Services then have the filter.
func TestWhereAPluginAttachesToAWaypoint(t *testing.T) {
	all := []string{"httpbin", "httpbin-v1", "httpbin-v2"}
	for _, c := range []struct {
		target, namespace string
		attached          []string
	}{
		{shippedTarget, "canary", []string{"httpbin"}},
		{`[{"group":"gateway.networking.k8s.io","kind":"Gateway","name":"waypoint"}]`, "canary", all},
		{`[{"group":"gateway.networking.k8s.io","kind":"GatewayClass","name":"istio-waypoint"}]`, "istio-system", all},
		{`[{"group":"gateway.networking.k8s.io","kind":"GatewayClass","name":"istio-waypoint"}]`, "canary", nil},
		{`[{"group":"gateway.networking.k8s.io","kind":"Gateway","name":"waypoint"}]`, "istio-system", nil},
		{shippedTarget, "istio-system", nil},
		{"", "canary", nil}, // a selector
	} {
		t.Run(c.target+" in "+c.namespace, func(t *testing.T) {
			w := must(must(shipped(waypointFolder))(t).edited("WasmPlugin", func(object map[string]any) error {
				plugin := &unstructured.Unstructured{Object: object}
				plugin.SetNamespace(c.namespace)
				spec := object["spec"].(map[string]any)
				delete(spec, "targetRefs")
				if c.target == "" {
					spec["selector"] = map[string]any{"matchLabels": map[string]any{gatewayNameLabel: "waypoint"}}
					return nil
				}
				var targets []any
				err := json.Unmarshal([]byte(c.target), &targets)
				spec["targetRefs"] = targets
				return err
			}))(t)
			x, chains, _ := atWaypoint(t, w)
			var attached []string
			for service, chain := range chains {
				if x.filter != "" && slices.Contains(filterNames(chain), x.filter) {
					name, _, _ := strings.Cut(service, ":")
					attached = append(attached, name)
				}
			}
			slices.Sort(attached)
			if attached = slices.Compact(attached); !slices.Equal(attached, c.attached) {
				t.Errorf("on %v, not on %v", attached, c.attached)
			}
		})
	}
}

// What istiod makes of a Service at its waypoint is a fixture as well, but for what only Istio's Envoy and ztunnel have: the tunnel that
// leads to the chain, and the filters that tell of the peer.
func TestTheFixturesOfAWaypointAreWhatIstiodMakes(t *testing.T) {
	s, proxy := waypoint(t, must(shipped(waypointFolder))(t))
	chain := chainsOf(s.Listeners(proxy))["httpbin:8000"]
	manager := connectionManager(chain)
	manager.HttpFilters = slices.DeleteFunc(manager.HttpFilters, func(filter *hcm.HttpFilter) bool {
		return strings.HasPrefix(filter.Name, "waypoint_")
	})
	manager.Tracing = nil // in a file an older Envoy refuses the tags that it does not know
	all := resources{}
	add(t, &all.Listeners, []*listener3.Listener{{
		Name: "0.0.0.0_8000",
		Address: &core.Address{Address: &core.Address_SocketAddress{SocketAddress: &core.SocketAddress{
			Address: "0.0.0.0", PortSpecifier: &core.SocketAddress_PortValue{PortValue: 8000},
		}}},
		FilterChains: []*listener3.FilterChain{{Filters: []*listener3.Filter{{
			Name: "envoy.filters.network.http_connection_manager", ConfigType: &listener3.Filter_TypedConfig{TypedConfig: must(anypb.New(manager))(t)},
		}}}},
	}})
	var clusters []*cluster3.Cluster
	for name, made := range xdstest.ExtractClusters(s.Clusters(proxy)) {
		if made.GetType() == cluster3.Cluster_EDS {
			clusters = append(clusters, &cluster3.Cluster{
				Name: name, ClusterDiscoveryType: made.ClusterDiscoveryType, EdsClusterConfig: made.EdsClusterConfig, ConnectTimeout: made.ConnectTimeout,
			})
		}
	}
	add(t, &all.Clusters, clusters)
	add(t, &all.Endpoints, s.Endpoints(proxy))
	at := slices.IndexFunc(filterNames(chain), isPlugin)
	for _, resource := range generate(t, s, proxy, v3.ExtensionConfigurationType, filterNames(chain)[at]) {
		all.Extensions = append(all.Extensions, asText(t, must(resource.Resource.UnmarshalNew())(t)))
	}
	keep(t, "waypoint/httpbin.json", all.text(t))
}
