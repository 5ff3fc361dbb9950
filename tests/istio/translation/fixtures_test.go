package translation

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"sigs.k8s.io/yaml"

	v3 "istio.io/istio/pilot/pkg/xds/v3"
	"istio.io/istio/pilot/test/xds"
	istiobootstrap "istio.io/istio/pkg/bootstrap"
	"istio.io/istio/pkg/config/mesh"
	"istio.io/istio/pkg/test/env"
	"istio.io/istio/pkg/util/protomarshal"

	"canary-split/tests/istio/harness"
)

var update = flag.Bool("update", false, "write tests/envoy/istio again")

// What istiod makes of each overlay lies in tests/envoy/istio, so that the tests of the filter, which need no Go, run on it.
func TestTheFixturesAreWhatIstiodMakes(t *testing.T) {
	for family, folders := range map[string][]string{"": overlays(), "gateway-api": overlaysOfGatewayAPI()} {
		for _, folder := range folders {
			t.Run(folder, func(t *testing.T) {
				keep(t, filepath.Join(family, filepath.Base(folder)+".json"), generated(t, must(shipped(folder))(t)))
			})
		}
	}
}

// A gateway's bootstrap says which stats it shows, and with which labels.
func TestTheFixturesOfStatsAreWhatTheAgentMakesOfOurSettings(t *testing.T) {
	settings := must(os.ReadFile(filepath.Join(harness.Top(), "manifests/metrics/istio.yaml")))(t)
	operator := struct {
		Spec struct {
			MeshConfig struct {
				DefaultConfig json.RawMessage `json:"defaultConfig"`
			} `json:"meshConfig"`
		} `json:"spec"`
	}{}
	if err := yaml.UnmarshalStrict(must(withoutType(settings))(t), &operator); err != nil {
		t.Fatal(err)
	}
	proxy := mesh.DefaultProxyConfig()
	if err := protomarshal.ApplyJSON(string(operator.Spec.MeshConfig.DefaultConfig), proxy); err != nil {
		t.Fatal(err)
	}
	proxy.ConfigPath = t.TempDir()
	proxy.ProxyBootstrapTemplatePath = filepath.Join(env.IstioSrc, "tools/packaging/common/envoy_bootstrap.json")
	node := must(istiobootstrap.GetNodeMetaData(istiobootstrap.MetadataOptions{
		ID:          "router~127.0.0.1~gateway.istio-system~istio-system.svc.cluster.local",
		ProxyConfig: proxy,
	}))(t)
	file := must(istiobootstrap.New(istiobootstrap.Config{Node: node}).CreateFile())(t)
	made := struct {
		StatsConfig map[string]any `json:"stats_config"`
	}{}
	if err := json.Unmarshal(must(os.ReadFile(file))(t), &made); err != nil {
		t.Fatal(err)
	}
	keep(t, "bootstrap/stats_config.json", append(must(json.MarshalIndent(made.StatsConfig, "", " "))(t), '\n'))
}

// withoutType is an object but for its apiVersion and kind.
func withoutType(text []byte) ([]byte, error) {
	object := map[string]any{}
	if err := yaml.Unmarshal(text, &object); err != nil {
		return nil, err
	}
	delete(object, "apiVersion")
	delete(object, "kind")
	return yaml.Marshal(object)
}

// keep compares what was made with a file of tests/envoy/istio, or writes it.
func keep(t *testing.T, name string, made []byte) {
	path := filepath.Join(harness.Top(), "tests/envoy/istio", name)
	if *update {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, made, 0o644)); err != nil {
			t.Fatal(err)
		}
		return
	}
	kept, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(kept, made) {
		t.Errorf("%s is stale (%v); renew it: make fixtures", path, err)
	}
}

// The fake client takes the time for it.
var resourceVersion = regexp.MustCompile(`("ISTIO_META_WASM_PLUGIN_RESOURCE_VERSION":) "[^"]*"`)

// resources are what a gateway is sent, by kind.
type resources struct {
	Listeners  []json.RawMessage `json:"listeners"`
	Routes     []json.RawMessage `json:"routes"`
	Clusters   []json.RawMessage `json:"clusters"`
	Endpoints  []json.RawMessage `json:"endpoints"`
	Extensions []json.RawMessage `json:"extensions"`
}

func (r *resources) text(t *testing.T) []byte {
	text := must(json.MarshalIndent(r, "", " "))(t)
	return append(resourceVersion.ReplaceAll(text, []byte(`$1 "1"`)), '\n')
}

// generated is all that a gateway without Istio's own extensions is sent, but for the certificate.
func generated(t *testing.T, w *world) []byte {
	s := istiod(t, w, func(options *xds.FakeOptions) { forStockEnvoy(t, options) })
	running := must(w.running())(t)
	proxy := s.SetupProxy(proxyOf(gatewayPod(running)))
	x := &translation{listeners: s.Listeners(proxy)}
	all := resources{}
	for _, resource := range generate(t, s, proxy, v3.ExtensionConfigurationType, x.pluginFilter()) {
		all.Extensions = append(all.Extensions, asText(t, must(resource.Resource.UnmarshalNew())(t)))
	}
	add(t, &all.Listeners, x.listeners)
	add(t, &all.Routes, s.Routes(proxy))
	add(t, &all.Clusters, s.Clusters(proxy))
	add(t, &all.Endpoints, s.Endpoints(proxy))
	return all.text(t)
}

// add sorts them: istiod takes them from maps.
func add[M proto.Message](t *testing.T, to *[]json.RawMessage, messages []M) {
	messages = slices.SortedFunc(slices.Values(messages), func(a, b M) int {
		return strings.Compare(nameOf(a), nameOf(b))
	})
	for _, message := range messages {
		*to = append(*to, asText(t, message))
	}
}

func nameOf(message proto.Message) string {
	switch named := message.(type) {
	case interface{ GetName() string }:
		return named.GetName()
	case interface{ GetClusterName() string }: // endpoints
		return named.GetClusterName()
	}
	return ""
}

// asText is always the same for the same message: what protojson varies on purpose is white space.
func asText(t *testing.T, message proto.Message) json.RawMessage {
	return must(protojson.MarshalOptions{UseProtoNames: true}.Marshal(message))(t)
}
