package translation

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"testing"

	"golang.org/x/net/websocket"
	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
)

// shared listens on one address where Envoy has the same port on every address, as in a pod of its own.
var shared = net.ListenConfig{Control: func(_, _ string, connection syscall.RawConn) (err error) {
	controlled := connection.Control(func(socket uintptr) {
		err = unix.SetsockoptInt(int(socket), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	})
	return errors.Join(controlled, err)
}}

// startApplication listens where the pod's containers do. It answers who it is and which subset header it has seen, and it
// takes a websocket and echoes what it is told.
func startApplication(t *testing.T, pod *corev1.Pod) {
	version := pod.Labels["version"]
	echo := websocket.Server{Handler: func(socket *websocket.Conn) {
		fmt.Fprintf(socket, "this is %s", version)
		_, _ = io.Copy(socket, socket)
	}}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			echo.ServeHTTP(w, r)
			return
		}
		w.Header().Set("x-seen", fmt.Sprint(r.Header.Values("x-canary-subset")))
		fmt.Fprint(w, version)
	})
	for _, container := range pod.Spec.Containers {
		for _, port := range container.Ports {
			listener, err := shared.Listen(t.Context(), "tcp", net.JoinHostPort(pod.Status.PodIP, fmt.Sprint(port.ContainerPort)))
			if err != nil {
				t.Fatal(err)
			}
			server := &http.Server{Handler: handler}
			t.Cleanup(func() { server.Close() })
			go func() { _ = server.Serve(listener) }()
		}
	}
}
