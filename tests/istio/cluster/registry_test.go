package cluster

import (
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"canary-split/tests/istio/harness"
)

// The registry of the README's commands.
const (
	registryHost    = "registry.example.com"
	registryAddress = "192.0.2.20"
)

func startRegistry(t *testing.T) {
	listener, err := net.Listen("tcp", registryAddress+":443")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	server.Listener = listener
	server.StartTLS()
	t.Cleanup(server.Close)
}

// push does what `crane push .image/oci REFERENCE` does.
func push(t *testing.T, folder, reference string) {
	image, err := harness.Image(folder)
	if err != nil {
		t.Fatal(err)
	}
	target, err := name.ParseReference(reference)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, registryAddress+":443")
		},
	}
	if err := remote.Write(target, image, remote.WithTransport(transport)); err != nil {
		t.Fatal(err)
	}
}
