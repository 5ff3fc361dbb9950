package translation

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/websocket"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"canary-split/tests/istio/harness"
)

// client is a browser: it knows the certificate that was issued, and finds the gateway under the host's name.
type client struct {
	*http.Client
	transport *http.Transport
}

func newClient(t *testing.T, http2 bool) *client {
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			_, port, _ := net.SplitHostPort(address)
			return new(net.Dialer).DialContext(ctx, network, edge[port])
		},
		TLSClientConfig:   trusting(t),
		ForceAttemptHTTP2: http2,
	}
	t.Cleanup(transport.CloseIdleConnections)
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client{&http.Client{Transport: transport, CheckRedirect: stay, Timeout: harness.Patience}, transport}
}

func trusting(t *testing.T) *tls.Config {
	chain, _, err := selfSigned(host)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(chain)
	return &tls.Config{RootCAs: roots, ServerName: host}
}

type answer struct {
	*http.Response
	body string
}

// get asks the host over https; headers are NAME, VALUE, …
func (c *client) get(headers ...string) (*answer, error) {
	request, err := http.NewRequest(http.MethodGet, "https://"+host+"/", nil)
	if err != nil {
		return nil, err
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Add(headers[i], headers[i+1])
	}
	response, err := c.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, body)
	}
	return &answer{response, string(body)}, err
}

// count asks this many times and says how often v2 answered.
func (c *client) count(t *testing.T, total int, headers ...string) (v2 int) {
	t.Helper()
	for range total {
		answer, err := c.get(headers...)
		if err != nil {
			t.Fatal(err)
		}
		if answer.body == "v2" {
			v2++
		}
	}
	return v2
}

// load asks over both protocols.
func load(t *testing.T) (stop func() int64) {
	var workers []func() error
	for _, http2 := range []bool{true, false, true, false} {
		c := newClient(t, http2)
		workers = append(workers, func() error {
			_, err := c.get()
			return err
		})
	}
	return harness.Load(t, workers...)
}

func TestAStockEnvoyDoesWhatTheManifestsSay(t *testing.T) {
	for _, version := range harness.EnvoyVersions(t) {
		t.Run("Envoy "+version, func(t *testing.T) {
			serve(t, version, "manifests").play([]step{
				{"prepared: nobody sees v2", preparedShowsNobody},
				{"http is redirected to https", httpIsRedirected},
				{"weighted: the split is as the weights say", weightedSplits},
				{"a client's own subset header is worth nothing", spoofedHeaderIsWorthNothing},
				{"a weight is moved without a failed request", weightMovesUnderLoad},
				{"a broken rule keeps its last good version", brokenRuleKeepsLastGood},
				{"sticky: a visitor stays", visitorStays},
				{"testers: who knows the secret sees v2", testersSeeV2},
				{"a websocket reaches v2", websocketReachesV2},
				{"what Istio has verified of a token decides", verifiedClaimsDecide},
				{"adopted: weights that a controller writes stick to visitors", adoptedWeightsStick},
				{"sealed: no application sees the header", sealedHeaderIsUnseen},
				{"the way back leaves v1 without a failed request", wayBack},
				{"an EnvoyFilter that is too wide has Envoy refuse all routes of the port", wideEnvoyFilterFreezesThePort},
			})
		})
	}
}

// On the newest Envoy alone: what istiod makes of these is in the fixtures, too, which run on all of them.
func TestAStockEnvoyDoesWhatTheManifestsOfTheGatewayAPISay(t *testing.T) {
	serve(t, harness.NewestEnvoy(t), "manifests/gateway-api").play([]step{
		{"prepared: nobody sees v2", preparedShowsNobody},
		{"http is redirected to https", httpIsRedirected},
		{"weighted: the split is as the weights say", weightedSplits},
		{"a client's own subset header is worth nothing", spoofedHeaderIsWorthNothing},
		{"a weight is moved without a failed request", weightMovesUnderLoad},
		{"sticky: a visitor stays", visitorStays},
		{"trafficextension: a visitor stays, as with the WasmPlugin", extensionTakesOver},
		{"testers: who knows the secret sees v2", testersSeeV2},
		{"a websocket reaches v2", websocketReachesV2},
		{"sealed: no application sees the header", sealedHeaderIsUnseen},
		{"a port that v2's Service has not: those who should see v2 get 500, nobody else", missingPortFails},
		{"the way back leaves v1 without a failed request", wayBack},
	})
}

// step is one of a story.
type step struct {
	rule string
	test func(*testing.T, *gateway)
}

func (g *gateway) play(steps []step) {
	t := g.t
	for _, step := range steps {
		if !t.Run(step.rule, func(t *testing.T) {
			g.t = t
			step.test(t, g)
		}) {
			break // what follows builds on it
		}
	}
	g.t = t
}

func must[T any](value T, err error) func(*testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
}

func preparedShowsNobody(t *testing.T, g *gateway) {
	c := newClient(t, true)
	if v2 := c.count(t, 200); v2 != 0 {
		t.Errorf("%d of 200 see v2", v2)
	}
	g.runsTheModule()
}

func httpIsRedirected(t *testing.T, _ *gateway) {
	response, err := newClient(t, false).Get("http://" + host + "/anything?q=1")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if to := response.Header.Get("location"); response.StatusCode != 301 || to != "https://"+host+"/anything?q=1" {
		t.Errorf("%s to %q", response.Status, to)
	}
}

func weightedSplits(t *testing.T, g *gateway) {
	g.apply(g.overlay("weighted"))
	for _, http2 := range []bool{false, true} {
		c := newClient(t, http2)
		harness.Until(t, "v2", func() bool { return c.count(t, 20) > 0 })
		const total = 1000
		v2 := c.count(t, total)
		if !harness.Near(v2, total, 0.2) {
			t.Errorf("%d of %d see v2", v2, total)
		}
		answer := must(c.get())(t)
		if want := map[bool]int{false: 1, true: 2}[http2]; answer.ProtoMajor != want {
			t.Errorf("HTTP/%d was spoken, not HTTP/%d", answer.ProtoMajor, want)
		}
		t.Logf("%s: %d of %d see v2", answer.Proto, v2, total)
	}
}

func spoofedHeaderIsWorthNothing(t *testing.T, _ *gateway) {
	c := newClient(t, true)
	const total = 500
	if v2 := c.count(t, total, "X-Canary-Subset", "v2", "x-canary-subset", "v2"); !harness.Near(v2, total, 0.2) {
		t.Errorf("%d of %d see v2", v2, total)
	}
	answer := must(c.get("x-canary-subset", "v3"))(t)
	if seen := answer.Header.Get("x-seen"); seen != "["+answer.body+"]" {
		t.Errorf("the application saw %s", seen)
	}
}

func weightMovesUnderLoad(t *testing.T, g *gateway) {
	c := newClient(t, true)
	stop := load(t)
	for _, weights := range [][2]int{{0, 100}, {100, 0}, {50, 50}, {0, 100}} {
		start := time.Now()
		g.apply(must(g.overlay("weighted").weighing(weights[0], weights[1]))(t))
		harness.Until(t, fmt.Sprint("weights ", weights), func() bool {
			v2 := c.count(t, 40)
			return map[int]bool{0: v2 == 0, 100: v2 == 40, 50: v2 > 8 && v2 < 32}[weights[1]]
		})
		t.Logf("%v: seen by all requests after %v", weights, time.Since(start).Round(time.Millisecond))
	}
	t.Logf("%d requests meanwhile", stop())
	g.check()
}

// The last step has left 0/100 in force.
func brokenRuleKeepsLastGood(t *testing.T, g *gateway) {
	c := newClient(t, true)
	broken := must(g.overlay("weighted").withConfig(func(text string) string {
		return strings.Replace(text, `"weight":20`, `"weight":"20"`, 1)
	}))(t)
	g.apply(broken)
	says := `rules[0].split[1].weight: "20" is a string, not a number (rule httpbin keeps its last good version)`
	harness.Until(t, says, func() bool { return strings.Contains(g.logs.String(), says) })
	if v2 := c.count(t, 200); v2 != 200 {
		t.Errorf("%d of 200 see v2: the last good weights were 0/100", v2)
	}
	g.apply(must(g.overlay("weighted").weighing(100, 0))(t))
	harness.Until(t, "the fix", func() bool { return c.count(t, 40) == 0 })
}

func visitorStays(t *testing.T, g *gateway) {
	g.apply(g.overlay("sticky"))
	first := newClient(t, true)
	harness.Until(t, "the cookie", func() bool { return len(must(first.get())(t).Cookies()) > 0 })
	const visitors = 100
	v2 := 0
	for range visitors {
		visitor := newClient(t, false)
		visitor.Jar, _ = cookiejar.New(nil)
		home := must(visitor.get())(t)
		cookies := home.Cookies()
		if len(cookies) != 1 || cookies[0].Name != "canary-httpbin" || !cookies[0].Secure || !cookies[0].HttpOnly {
			t.Fatalf("%v", home.Header.Values("set-cookie"))
		}
		for range 5 {
			if again := must(visitor.get())(t); again.body != home.body || len(again.Cookies()) != 0 {
				t.Fatalf("%s became %s, cookies %v", home.body, again.body, again.Cookies())
			}
		}
		if home.body == "v2" {
			v2++
		}
		visitor.transport.CloseIdleConnections()
	}
	if !harness.Near(v2, visitors, 0.2) {
		t.Errorf("%d of %d see v2", v2, visitors)
	}
}

// extensionTakesOver has the newer kind do what the WasmPlugin did, for the same visitors.
func extensionTakesOver(t *testing.T, g *gateway) {
	c := newClient(t, true)
	homes := map[string]string{}
	for len(homes) < 40 {
		answer := must(c.get())(t)
		homes["canary-httpbin="+answer.Cookies()[0].Value] = answer.body
	}
	stop := load(t)
	extension := g.overlay("trafficextension")
	g.apply(extension)
	g.delete(g.overlay("sticky"), "WasmPlugin")
	harness.Until(t, "the extension alone", func() bool {
		filters := g.ask("/config_dump?resource=dynamic_listeners")
		return !strings.Contains(filters, "istio-translated-wasmplugin") && strings.Contains(filters, "trafficextension")
	})
	for cookie, home := range homes {
		if again := must(c.get("cookie", cookie))(t).body; again != home {
			t.Errorf("%s became %s", home, again)
		}
	}
	t.Logf("%d requests meanwhile", stop())
	g.runsTheModule()
	g.delete(extension, "TrafficExtension")
}

// missingPortFails as docs/gateway-api.md says.
func missingPortFails(t *testing.T, g *gateway) {
	g.apply(must(g.overlay("testers").edited("HTTPRoute", func(object map[string]any) error {
		rules, _, err := unstructured.NestedSlice(object, "spec", "rules")
		for _, rule := range rules {
			for _, backend := range asSlice(rule.(map[string]any)["backendRefs"]) {
				backend.(map[string]any)["port"] = int64(8000) // v1's
			}
		}
		return errors.Join(err, unstructured.SetNestedSlice(object, rules, "spec", "rules"))
	}))(t))
	c := newClient(t, true)
	harness.Until(t, "500", func() bool {
		answer, err := c.get("x-canary-key", testersKey)
		return err != nil && answer != nil && answer.StatusCode == http.StatusInternalServerError
	})
	if v2 := c.count(t, 40); v2 != 0 {
		t.Errorf("%d of 40 see v2", v2)
	}
}

func asSlice(value any) []any {
	found, _ := value.([]any)
	return found
}

// The rule's own secret, as shipped.
const testersKey = "replace-me-3fb1c2d4e5f60718"

func testersSeeV2(t *testing.T, g *gateway) {
	g.apply(g.overlay("testers"))
	c := newClient(t, true)
	harness.Until(t, "the testers' rule", func() bool { return c.count(t, 20, "x-canary-key", testersKey) == 20 })
	if v2 := c.count(t, 100, "x-canary-key", testersKey); v2 != 100 {
		t.Errorf("%d of 100 testers see v2", v2)
	}
	if v2 := c.count(t, 100, "x-canary-key", "a guess", "x-canary-subset", "v2"); v2 != 0 {
		t.Errorf("%d of 100 others see v2", v2)
	}
}

func websocketReachesV2(t *testing.T, _ *gateway) {
	config := must(websocket.NewConfig("wss://"+host+"/ws", "https://"+host))(t)
	config.Header.Set("x-canary-key", testersKey)
	raw := must(tls.Dial("tcp", edge["443"], trusting(t)))(t)
	defer raw.Close()
	socket := must(websocket.NewClient(config, raw))(t)
	for _, turn := range []struct{ say, hear string }{{"", "this is v2"}, {"hello", "hello"}} {
		if turn.say != "" {
			must(socket.Write([]byte(turn.say)))(t)
		}
		heard := make([]byte, len(turn.hear))
		if _, err := io.ReadFull(socket, heard); err != nil || string(heard) != turn.hear {
			t.Fatalf("heard %q, not %q: %v", heard, turn.hear, err)
		}
	}
}

func sealedHeaderIsUnseen(t *testing.T, g *gateway) {
	g.apply(g.overlay("sealed"))
	c := newClient(t, true)
	harness.Until(t, "v2 with a seal", func() bool { return c.count(t, 20) > 0 && must(c.get())(t).Header.Get("x-seen") == "[]" })
	const total = 300
	v2 := 0
	for range total {
		answer := must(c.get("x-canary-subset", "v2"))(t)
		if seen := answer.Header.Get("x-seen"); seen != "[]" {
			t.Fatalf("%s saw %s", answer.body, seen)
		}
		if answer.body == "v2" {
			v2++
		}
	}
	if !harness.Near(v2, total, 0.2) {
		t.Errorf("%d of %d see v2", v2, total)
	}
}

func wayBack(t *testing.T, g *gateway) {
	stop := load(t)
	c := newClient(t, true)
	g.apply(must(shipped(g.family + "/base"))(t))
	harness.Until(t, "v1 alone", func() bool { return c.count(t, 40) == 0 })
	g.delete(g.overlay("weighted"), "WasmPlugin")
	harness.Until(t, "a gateway without the filter", func() bool {
		return !strings.Contains(g.ask("/config_dump?resource=dynamic_listeners"), "trafficextension")
	})
	t.Logf("%d requests meanwhile", stop())
	if v2 := c.count(t, 100); v2 != 0 {
		t.Errorf("%d of 100 see v2", v2)
	}
}
