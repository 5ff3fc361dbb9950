package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netns"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/remotecommand"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"

	"canary-split/tests/istio/harness"
)

const (
	kubeletAddress = "10.244.255.2"
	kubeletPort    = 10250
	// The process to enter the network of.
	enterVariable = "CANARY_SPLIT_ENTER"
)

// startNodeAPI answers what the API server asks the node for `kubectl logs`, `kubectl exec` and `kubectl port-forward`, for pods of the
// gateway: these are the only ones that documents and the tool look into.
func startNodeAPI(t *testing.T, gateway *gatewayContainer) {
	listener, err := net.Listen("tcp", net.JoinHostPort(kubeletAddress, strconv.Itoa(kubeletPort)))
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	handle := func(pattern string, answer func(http.ResponseWriter, *http.Request, *gatewayPod)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if pod := gateway.pod(r.PathValue("pod")); pod != nil {
				answer(w, r, pod)
				return
			}
			http.Error(w, "nothing here looks into "+r.PathValue("pod"), http.StatusNotFound)
		})
	}
	handle("/containerLogs/{namespace}/{pod}/{container}", func(w http.ResponseWriter, r *http.Request, pod *gatewayPod) { http.ServeFile(w, r, pod.log()) })
	handle("/exec/{namespace}/{pod}/{container}", execute)
	handle("/portForward/{namespace}/{pod}", forward)
	server := httptest.NewUnstartedServer(mux)
	_ = server.Listener.Close()
	server.Listener = listener
	server.StartTLS()
	t.Cleanup(server.Close)
}

// execute runs a command in the container: its output and how it ended go over streams of their own.
func execute(w http.ResponseWriter, r *http.Request, pod *gatewayPod) {
	if _, err := httpstream.Handshake(r, w, []string{remotecommand.StreamProtocolV4Name}); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	opened := make(chan httpstream.Stream, 4)
	connection := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(stream httpstream.Stream, replied <-chan struct{}) error {
		go func() {
			<-replied
			opened <- stream
		}()
		return nil
	})
	if connection == nil {
		return
	}
	defer connection.Close()
	streams := map[string]httpstream.Stream{}
	for expected := 1 + len(r.URL.Query()["output"]) + len(r.URL.Query()["error"]); len(streams) < expected; {
		select {
		case stream := <-opened:
			streams[stream.Headers().Get(corev1.StreamType)] = stream
		case <-time.After(harness.Patience):
			return
		}
	}
	cmd := pod.command(r.URL.Query()["command"])
	if stream := streams[corev1.StreamTypeStdout]; stream != nil {
		cmd.Stdout = stream
	}
	if stream := streams[corev1.StreamTypeStderr]; stream != nil {
		cmd.Stderr = stream
	}
	status := metav1.Status{Status: metav1.StatusSuccess}
	if err := cmd.Run(); err != nil {
		status = metav1.Status{Status: metav1.StatusFailure, Message: err.Error()}
		if ended := new(exec.ExitError); errors.As(err, &ended) {
			status.Reason = remotecommand.NonZeroExitCodeReason
			status.Details = &metav1.StatusDetails{Causes: []metav1.StatusCause{
				{Type: remotecommand.ExitCodeCauseType, Message: strconv.Itoa(ended.ExitCode())},
			}}
		}
	}
	_ = json.NewEncoder(streams[corev1.StreamTypeError]).Encode(status)
}

// command is one of the gateway's image, which holds pilot-agent and nothing else here.
func (g *gatewayPod) command(words []string) *exec.Cmd {
	if words[0] != "pilot-agent" {
		return exec.Command(words[0] + " is not in this container")
	}
	cmd := exec.Command("/proc/self/exe", words[1:]...)
	cmd.Env = append(os.Environ(), partVariable+"=command", fmt.Sprintf("%s=%d", enterVariable, g.process))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// runCommand is the process of a command in the gateway's container.
func runCommand() error {
	if process := os.Getenv(enterVariable); process != "" {
		// A thread enters, not a process: what it executes begins in the network that it has entered.
		runtime.LockOSThread()
		number, err := strconv.Atoi(process)
		if err != nil {
			return err
		}
		network, err := netns.GetFromPid(number)
		if err != nil {
			return err
		}
		if err := netns.Set(network); err != nil {
			return err
		}
		if err := os.Unsetenv(enterVariable); err != nil {
			return err
		}
		return syscall.Exec("/proc/self/exe", os.Args, os.Environ())
	}
	return runPilotAgent(os.Args[1:])
}
