package cluster

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"canary-split/tests/istio/harness"
)

const host = "canary.example.com"

// edge is what the host's name resolves to.
var edge = loadBalancer

// titles are what a person sees of the two versions.
var titles = map[string]string{"v1": "<title>httpbin.org</title>", "v2": "<title>tornado WebSocket example</title>"}

// client is a browser that trusts the certificate that was issued, and finds the gateway under the host's name.
type client struct{ *http.Client }

func newClient(t *testing.T, p *controlPlane) *client {
	resolved := edge
	transport := &http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			_, port, _ := net.SplitHostPort(address)
			return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort(resolved, port))
		},
		TLSClientConfig:   trusting(t, p),
		ForceAttemptHTTP2: true,
	}
	t.Cleanup(transport.CloseIdleConnections)
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client{&http.Client{Transport: transport, CheckRedirect: stay, Timeout: harness.Patience}}
}

// trusting trusts what cert-manager has issued, and nothing else.
func trusting(t *testing.T, p *controlPlane) *tls.Config {
	secret, err := p.client.CoreV1().Secrets(istioNamespace).Get(t.Context(), "httpbin-ingress-cert", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(secret.Data["tls.crt"]) {
		t.Fatal("no certificate in the secret")
	}
	return &tls.Config{RootCAs: roots, ServerName: host}
}

// visit says which version answered; headers are NAME, VALUE, …
func (c *client) visit(headers ...string) (version string, response *http.Response, err error) {
	request, err := http.NewRequest(http.MethodGet, "https://"+host+"/", nil)
	if err != nil {
		return "", nil, err
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Add(headers[i], headers[i+1])
	}
	if response, err = c.Do(request); err != nil {
		return "", nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return "", response, err
	}
	for version, title := range titles {
		if response.StatusCode == http.StatusOK && strings.Contains(string(body), title) {
			return version, response, nil
		}
	}
	return "", response, fmt.Errorf("%s: %s", response.Status, body)
}

// count visits this many times and says how often v2 answered.
func (c *client) count(t *testing.T, total int, headers ...string) (v2 int) {
	t.Helper()
	for range total {
		version, _, err := c.visit(headers...)
		if err != nil {
			t.Fatal(err)
		}
		if version == "v2" {
			v2++
		}
	}
	return v2
}

// load visits without end, until it is stopped: over HTTP/2, over HTTP/1.1, and on a new connection each time.
func load(t *testing.T, p *controlPlane) (stop func() int64) {
	var workers []func() error
	for _, kind := range []func(*http.Transport){
		func(*http.Transport) {},
		func(each *http.Transport) { each.ForceAttemptHTTP2 = false },
		func(each *http.Transport) { each.ForceAttemptHTTP2, each.DisableKeepAlives = false, true },
	} {
		c := newClient(t, p)
		kind(c.Transport.(*http.Transport))
		workers = append(workers, func() error {
			_, _, err := c.visit()
			return err
		})
	}
	return harness.Load(t, workers...)
}
