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
func (g *gatewayPod) dial(port int32) (connection net.Conn, err error) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		// Never unlocked: the thread that has entered the network ends with this goroutine.
		runtime.LockOSThread()
		var network netns.NsHandle
		if network, err = netns.GetFromPid(g.process); err != nil {
			return
		}
		defer network.Close()
		if err = netns.Set(network); err != nil {
			return
		}
		connection, err = net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	}()
	<-done
	return connection, err
}
