package translation

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"

	"golang.org/x/net/websocket"
	corev1 "k8s.io/api/core/v1"
)

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
			listener, err := net.Listen("tcp", net.JoinHostPort(pod.Status.PodIP, fmt.Sprint(port.ContainerPort)))
			if err != nil {
				t.Fatal(err)
			}
			server := &http.Server{Handler: handler}
			t.Cleanup(func() { server.Close() })
			go func() { _ = server.Serve(listener) }()
		}
	}
}
