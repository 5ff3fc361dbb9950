package cluster

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"

	"github.com/vishvananda/netns"
	"k8s.io/cri-streaming/pkg/streaming/portforward"

	"canary-split/tests/istio/harness"
)

// forward is the node's part of `kubectl port-forward`, by the kubelet's own code: clients speak SPDY or WebSockets.
func forward(w http.ResponseWriter, r *http.Request, pod *gatewayPod) {
	options, err := portforward.NewV4Options(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	portforward.ServePortForward(w, r, pod, pod.name, "", options, harness.Patience, harness.Patience, portforward.SupportedProtocols)
}

// PortForward copies between a stream and a port on the pod's loopback.
func (g *gatewayPod) PortForward(_ context.Context, _, _ string, port int32, stream io.ReadWriteCloser) error {
	defer stream.Close()
	connection, err := g.dial(port)
	if err != nil {
		return err
	}
	defer connection.Close()
	go func() {
		_, _ = io.Copy(connection, stream)
		_ = connection.(*net.TCPConn).CloseWrite()
	}()
	_, err = io.Copy(stream, connection)
	return err
}

// dial connects from within the pod.
func (g *gatewayPod) dial(port int32) (net.Conn, error) {
	here, err := netns.Get()
	if err != nil {
		return nil, err
	}
	defer here.Close()
	pod, err := netns.GetFromPid(g.process)
	if err != nil {
		return nil, err
	}
	defer pod.Close()
	// A thread enters, and comes back: were it to end, so would the pods that it has started (Pdeathsig).
	runtime.LockOSThread()
	if err := netns.Set(pod); err != nil {
		runtime.UnlockOSThread()
		return nil, err
	}
	connection, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if back := netns.Set(here); back != nil {
		return nil, back // and nothing else may run on this thread
	}
	runtime.UnlockOSThread()
	return connection, err
}
