package cluster

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/tools/cache"
)

// The addresses that the cloud would give to the Services of the gateways: Istio's own, and that of a Gateway of the Gateway API.
const (
	loadBalancer           = "192.0.2.10"
	gatewayAPILoadBalancer = "192.0.2.11"
)

// gatewayNameLabel is on what Istio makes for a Gateway of the Gateway API.
const gatewayNameLabel = "gateway.networking.k8s.io/gateway-name"

// proxy replaces kube-proxy, the cluster's DNS and the cloud's load balancer: it takes connections to a Service's
// addresses to one of its ready endpoints, and writes the names into a hosts file.
type proxy struct {
	*controlPlane
	t     *testing.T
	hosts string

	mu    sync.Mutex
	names map[string]string
	open  map[string]net.Listener
}

func startProxy(ctx context.Context, t *testing.T, p *controlPlane, hosts string) *proxy {
	x := &proxy{controlPlane: p, t: t, hosts: hosts, names: map[string]string{registryHost: registryAddress}, open: map[string]net.Listener{}}
	x.writeHosts()
	see := func(object any) { x.see(ctx, object.(*corev1.Service)) }
	_, err := p.informers.Core().V1().Services().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: see, UpdateFunc: func(_, object any) { see(object) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		x.mu.Lock()
		defer x.mu.Unlock()
		for _, listener := range x.open {
			_ = listener.Close()
		}
	})
	return x
}

func (x *proxy) see(ctx context.Context, service *corev1.Service) {
	if service.Spec.ClusterIP == "" || service.Spec.ClusterIP == corev1.ClusterIPNone || len(service.Spec.Selector) == 0 {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	addresses := []string{service.Spec.ClusterIP}
	if service.Spec.Type == corev1.ServiceTypeLoadBalancer {
		public := loadBalancer
		if service.Labels[gatewayNameLabel] != "" {
			public = gatewayAPILoadBalancer
		}
		addresses = append(addresses, public)
		if len(service.Status.LoadBalancer.Ingress) == 0 {
			service = service.DeepCopy()
			service.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: public}}
			_, _ = x.client.CoreV1().Services(service.Namespace).UpdateStatus(ctx, service, metav1.UpdateOptions{})
		}
	}
	for _, address := range addresses {
		for _, port := range service.Spec.Ports {
			where := net.JoinHostPort(address, fmt.Sprint(port.Port))
			if port.Protocol != corev1.ProtocolTCP || x.open[where] != nil {
				continue
			}
			listener, err := net.Listen("tcp", where)
			if err != nil {
				x.t.Errorf("service %s: %v", service.Name, err)
				continue
			}
			x.open[where] = listener
			go x.serve(listener, service.Namespace, service.Name, port.Name)
		}
	}
	x.names[service.Name+"."+service.Namespace+".svc"] = service.Spec.ClusterIP
	x.writeHosts()
}

// writeHosts writes into the existing file: it is mounted elsewhere.
func (x *proxy) writeHosts() {
	var text strings.Builder
	fmt.Fprintln(&text, "127.0.0.1 localhost")
	for name, address := range x.names {
		fmt.Fprintln(&text, address, name)
	}
	if err := os.WriteFile(x.hosts, []byte(text.String()), 0o644); err != nil {
		x.t.Error(err)
	}
}

func (x *proxy) serve(listener net.Listener, namespace, service, port string) {
	relay(listener, func() string {
		endpoints := x.endpoints(namespace, service, port)
		if len(endpoints) == 0 {
			return ""
		}
		return endpoints[rand.IntN(len(endpoints))]
	})
}

// relay takes each connection to the address that is chosen for it; none is a closed connection.
func relay(listener net.Listener, choose func() string) {
	for {
		client, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer client.Close()
			server, err := net.Dial("tcp", choose())
			if err != nil {
				return
			}
			defer server.Close()
			go func() {
				_, _ = io.Copy(server, client)
				_ = server.(*net.TCPConn).CloseWrite()
			}()
			_, _ = io.Copy(client, server)
		}()
	}
}

func (x *proxy) endpoints(namespace, service, port string) (found []string) {
	selector := labels.SelectorFromSet(labels.Set{discoveryv1.LabelServiceName: service})
	slices, _ := x.informers.Discovery().V1().EndpointSlices().Lister().EndpointSlices(namespace).List(selector)
	for _, slice := range slices {
		for _, each := range slice.Ports {
			if *each.Name != port {
				continue
			}
			for _, endpoint := range slice.Endpoints {
				if endpoint.Conditions.Ready != nil && *endpoint.Conditions.Ready {
					found = append(found, net.JoinHostPort(endpoint.Addresses[0], fmt.Sprint(*each.Port)))
				}
			}
		}
	}
	return found
}
