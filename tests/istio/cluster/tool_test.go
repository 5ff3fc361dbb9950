package cluster

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"golang.org/x/net/websocket"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"

	"canary-split/tests/istio/harness"
)

const rights = "## Rights"

// tool is a session of those who have the rights that manifests/rbac gives, at three gateway pods.
func (s *story) tool() {
	for _, line := range s.user.code("docs/cli.md", rights) {
		s.user.run(line)
	}
	s.scaleGateway(3)
	defer s.scaleGateway(1)
	s.theRightsSuffice()
	s.noOtherRights()
	s.everyGatewayCanBeAsked()
	viewer := s.user.as("viewer")
	for _, line := range []string{"canary-split check manifests", "kubectl canary-split check manifests/base"} {
		s.user.show(viewer.run(line))
	}
	s.living()
}

// scaleGateway waits until this many pods of the gateway run.
func (s *story) scaleGateway(pods int) {
	s.user.run(fmt.Sprintf("kubectl -n istio-system scale deployment/istio-ingressgateway --replicas=%d", pods))
	s.user.run("kubectl -n istio-system rollout status deployment/istio-ingressgateway --timeout=60s")
	harness.Until(s.t, "as many pods", func() bool { return len(s.gateway.names()) == pods })
}

// Changes that the API server looks at and does not keep.
var patches = []string{
	`kubectl -n istio-system patch wasmplugin canary-split --dry-run=server --type=json -p '[{"op":"test","path":"/kind","value":"WasmPlugin"}]'`,
	`kubectl -n canary patch virtualservice httpbin --dry-run=server --type=json -p '[{"op":"test","path":"/kind","value":"VirtualService"}]'`,
	`kubectl -n canary patch destinationrule httpbin --dry-run=server --type=json -p '[{"op":"test","path":"/kind","value":"DestinationRule"}]'`,
}

// All kinds that the tool reads.
const looked = "kubectl get -A wasmplugins,trafficextensions,virtualservices,destinationrules,gateways.networking.istio.io,envoyfilters," +
	"services,pods,namespaces,deployments,replicasets,statefulsets,daemonsets,certificates"

func (s *story) theRightsSuffice() {
	for _, name := range []string{"viewer", "operator"} {
		s.user.as(name).run(looked)
		for _, kind := range []string{"wasmplugins", "virtualservices", "pods", "deployments"} {
			s.user.as(name).run("kubectl auth can-i watch -A " + kind)
		}
	}
	for _, line := range patches {
		s.user.as("operator").run(line)
	}
}

func (s *story) noOtherRights() {
	refused := []struct {
		users string
		line  string
	}{
		{"viewer operator stranger", "kubectl get -A secrets"},
		{"viewer operator stranger", "kubectl -n istio-system delete wasmplugin canary-split --dry-run=server"},
		{"viewer operator stranger", "kubectl -n istio-system scale deployment/istio-ingressgateway --replicas=1 --dry-run=server"},
		{"viewer operator stranger", "kubectl -n istio-system exec deployment/istio-ingressgateway -- pilot-agent request GET stats"},
		{"viewer operator stranger", "kubectl get --raw /api/v1/namespaces/canary/pods/httpbin:80/proxy/"},
		{"viewer operator stranger", "kubectl -n canary port-forward deployment/httpbin :80"},
		{"viewer stranger", patches[0]},
		{"viewer stranger", patches[1]},
		{"viewer stranger", patches[2]},
		{"stranger", "kubectl get -A wasmplugins"},
	}
	for _, each := range refused {
		for _, name := range strings.Fields(each.users) {
			output, err := s.user.as(name).try(each.line, "")
			if err == nil || !strings.Contains(strings.ToLower(output), "forbidden") {
				s.t.Errorf("as %s: $ %s\n%s\n%v", name, each.line, output, err)
			}
		}
	}
}

// everyGatewayCanBeAsked: its statistics by the API server's proxy; Envoy's admin interface by a port-forward, as kubectl does it, as it
// did before, and as the tool does it.
func (s *story) everyGatewayCanBeAsked() {
	config, err := clientcmd.BuildConfigFromFlags("", s.user.kubeconfigs["viewer"])
	if err != nil {
		s.t.Fatal(err)
	}
	fingerprint := regexp.MustCompile(`(?m)^canary_config_fingerprint\{plugin="istio-system\.canary-split[^"]*"\} ([1-9][0-9]*)$`)
	rejected := regexp.MustCompile(`(?m)^envoy_(http_rds|extension_config_discovery)_.+_update_rejected\{.*\} 0$`)
	given := map[string]bool{}
	for _, pod := range s.gateway.names() {
		var statistics string
		var found []string
		defer func() {
			if s.t.Failed() {
				s.t.Logf("%s says:\n%.2000s\nits log:\n%s", pod, statistics, tail(s.gateway.pod(pod).log(), 20))
			}
		}()
		harness.Until(s.t, pod+" says which config it has", func() bool {
			statistics, err = s.user.as("viewer").try("kubectl get --raw /api/v1/namespaces/istio-system/pods/"+pod+":15090/proxy/stats/prometheus", "")
			found = fingerprint.FindStringSubmatch(statistics)
			return err == nil && found != nil && len(rejected.FindAllString(statistics, -1)) >= 2
		})
		given[found[1]] = true
		target := s.cluster.client.CoreV1().RESTClient().Post().Namespace("istio-system").Resource("pods").Name(pod).SubResource("portforward").URL()
		for way, ask := range map[string]func(*rest.Config, *url.URL) (string, error){"SPDY": overSPDY, "SPDY in a WebSocket": overTunnel, "WebSocket": overWebSocket} {
			clusters, err := ask(config, target)
			if err != nil || !strings.Contains(clusters, `"outbound|8000|v1|httpbin.canary.svc.cluster.local"`) {
				s.t.Errorf("%s, port-forward by %s: %v\n%.300s", pod, way, err, clusters)
			}
		}
	}
	if len(given) != 1 {
		s.t.Errorf("the gateways have several configs: %v", given)
	}
	s.user.say("%d gateway pods have one config, and can be asked what arrived", len(s.gateway.names()))
}

const clusters = "/clusters?format=json"

func overSPDY(config *rest.Config, target *url.URL) (string, error) {
	transport, upgrader, err := spdy.RoundTripperFor(config)
	if err != nil {
		return "", err
	}
	dialer := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, target)
	return overPort(func(ready, stop chan struct{}) (*portforward.PortForwarder, error) {
		return portforward.New(dialer, []string{":15000"}, stop, ready, nil, nil)
	})
}

func overTunnel(config *rest.Config, target *url.URL) (string, error) {
	dialer, err := portforward.NewSPDYOverWebsocketDialer(target, config)
	if err != nil {
		return "", err
	}
	return overPort(func(ready, stop chan struct{}) (*portforward.PortForwarder, error) {
		return portforward.New(dialer, []string{":15000"}, stop, ready, nil, nil)
	})
}

// overPort asks at the local port that is forwarded.
func overPort(forwarder func(ready, stop chan struct{}) (*portforward.PortForwarder, error)) (string, error) {
	ready, stop, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	defer close(stop)
	forward, err := forwarder(ready, stop)
	if err != nil {
		return "", err
	}
	go func() { ended <- forward.ForwardPorts() }()
	select {
	case <-ready:
	case err := <-ended:
		return "", err
	}
	ports, err := forward.GetPorts()
	if err != nil {
		return "", err
	}
	response, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d%s", ports[0].Local, clusters))
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var body bytes.Buffer
	_, err = body.ReadFrom(response.Body)
	return body.String(), err
}

// overWebSocket speaks the older protocol, without SPDY: the first byte of a message says whether it is data (0) or an error (1), and
// the first message of each kind is the port.
func overWebSocket(config *rest.Config, target *url.URL) (string, error) {
	secure, err := rest.TLSConfigFor(config)
	if err != nil {
		return "", err
	}
	at := *target
	at.Scheme, at.RawQuery = "wss", "ports=15000"
	dial, err := websocket.NewConfig(at.String(), "https://"+at.Host)
	if err != nil {
		return "", err
	}
	dial.TlsConfig, dial.Protocol = secure, []string{"v4.channel.k8s.io"}
	dial.Header.Set("Authorization", "Bearer "+config.BearerToken)
	connection, err := websocket.DialConfig(dial)
	if err != nil {
		return "", err
	}
	defer connection.Close()
	if err := connection.SetDeadline(time.Now().Add(harness.Patience)); err != nil {
		return "", err
	}
	request := "\x00GET " + clusters + " HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
	if err := websocket.Message.Send(connection, []byte(request)); err != nil {
		return "", err
	}
	var body strings.Builder
	for seen := map[byte]bool{}; !strings.HasSuffix(body.String(), "0\r\n\r\n"); {
		var message []byte
		if err := websocket.Message.Receive(connection, &message); err != nil {
			return body.String(), err
		}
		switch kind := message[0]; {
		case !seen[kind]:
			seen[kind] = true
		case kind == 1:
			return body.String(), fmt.Errorf("%s", message[1:])
		default:
			body.Write(message[1:])
		}
	}
	return body.String(), nil
}
