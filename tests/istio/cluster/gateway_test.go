package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	authentication "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	meshconfig "istio.io/api/mesh/v1alpha1"
	"istio.io/istio/pilot/cmd/pilot-agent/app"
	istioagent "istio.io/istio/pkg/istio-agent"
	"istio.io/istio/pkg/security"
	"istio.io/istio/pkg/test/env"
	"istio.io/istio/security/pkg/nodeagent/sds"

	"canary-split/tests/istio/harness"
)

const (
	gatewayService = "istio-ingressgateway"
	// Each of the gateway's pods has a network of its own, since Envoy takes ports that others want too, on every address.
	gatewayNetworks = "10.245."
	// Envoy's admin interface listens on the pod's own loopback, where `kubectl exec` would go.
	adminRelay = "15999"
)

// gatewayContainer runs the container of the gateway's pods as their (injected) spec says: pilot-agent with Envoy.
type gatewayContainer struct {
	*controlPlane
	t      *testing.T
	envoy  string
	hosts  string
	folder string

	mu   sync.Mutex
	pods []*gatewayPod // the newest is the last
}

// gatewayPod is one of them.
type gatewayPod struct {
	name, address, folder string
	process               int
}

func (g *gatewayPod) log() string { return filepath.Join(g.folder, "log") }

// names are those of the pods that run.
func (g *gatewayContainer) names() (names []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, pod := range g.pods {
		names = append(names, pod.name)
	}
	return names
}

// pod is the one of this name, or the newest.
func (g *gatewayContainer) pod(name string) *gatewayPod {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, pod := range slices.Backward(g.pods) {
		if name == "" || pod.name == name {
			return pod
		}
	}
	return nil
}

func (g *gatewayContainer) log() string { return g.pod("").log() }

func (g *gatewayContainer) start(ctx context.Context, pod *corev1.Pod, address string) (func(), error) {
	spec := pod.Spec.Containers[0]
	running := &gatewayPod{name: pod.Name, address: address, folder: filepath.Join(g.folder, pod.Name)}
	if err := g.mountVolumes(ctx, pod, running.folder); err != nil {
		return nil, err
	}
	logs, err := os.Create(running.log())
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("/proc/self/exe", spec.Args...)
	cmd.Env = append(g.variables(pod, &spec, address), partVariable+"=gateway", "HOSTS="+g.hosts, "PATH="+os.Getenv("PATH"),
		"WASM_INSECURE_REGISTRIES="+registryHost, // its certificate is of this test
		fmt.Sprintf(`PROXY_CONFIG={"binaryPath": %q, "proxyBootstrapTemplatePath": %q}`,
			g.envoy, filepath.Join(env.IstioSrc, "tools/packaging/common/envoy_bootstrap.json")))
	cmd.Dir = running.folder
	cmd.Stdout, cmd.Stderr = logs, logs
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL,
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	running.process = cmd.Process.Pid
	g.mu.Lock()
	g.pods = append(g.pods, running)
	g.mu.Unlock()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	if err := connect(running.process, address); err != nil {
		return nil, err
	}
	// An agent says that it is ready only when asked, as the kubelet asks: no event tells. That it has ended is one.
	ready := "http://" + address + ":15021/healthz/ready"
	for deadline := time.After(harness.Patience); ; {
		if response, err := http.Get(ready); err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				break
			}
		}
		select {
		case err := <-ended:
			return nil, fmt.Errorf("pilot-agent: %w\n%s", err, tail(running.log(), 20))
		case <-deadline:
			return nil, fmt.Errorf("the gateway is not ready after %v:\n%s", harness.Patience, tail(running.log(), 20))
		case <-time.After(20 * time.Millisecond):
		}
	}
	return func() {
		_ = cmd.Process.Kill() // the first of its namespace: Envoy goes with it
		<-ended
		g.mu.Lock()
		defer g.mu.Unlock()
		g.pods = slices.DeleteFunc(g.pods, func(each *gatewayPod) bool { return each == running })
	}, nil
}

// admin asks Envoy's admin interface, as `pilot-agent request GET PATH` in the pod does.
func (g *gatewayContainer) admin(path string) string {
	response, err := http.Get("http://" + net.JoinHostPort(g.pod("").address, adminRelay) + "/" + path)
	if err != nil {
		g.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	return string(body)
}

// runsTheModule says whether the plugin is the module that the agent has fetched: with FAIL_OPEN, traffic flows without it too.
func (g *gatewayContainer) runsTheModule() bool {
	return strings.Contains(g.admin("config_dump?resource=ecds_filters"), "/var/lib/istio/data/")
}

// hasTheFilter says whether a listener has a place for the plugin.
func (g *gatewayContainer) hasTheFilter() bool {
	return strings.Contains(g.admin("config_dump?resource=dynamic_listeners"), "trafficextension")
}

// connect lays a cable from here into the network namespace of a process, which shall have this address.
func connect(pid int, address string) error {
	name := "gw-" + strconv.Itoa(pid)
	link := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: name}, PeerName: "eth0", PeerNamespace: netlink.NsPid(pid)}
	if err := netlink.LinkAdd(link); err != nil {
		return fmt.Errorf("a pair of virtual interfaces: %w", err)
	}
	return setUpLink(name, hereFrom(address))
}

// hereFrom is the address of this end of the cable.
func hereFrom(address string) string { return strings.TrimSuffix(address, ".2") + ".1" }

func setUpLink(name, address string) error {
	link, err := netlink.LinkByName(name)
	if err != nil {
		return err
	}
	addr, err := netlink.ParseAddr(address + "/24")
	if err != nil {
		return err
	}
	if err := netlink.AddrAdd(link, addr); err != nil {
		return err
	}
	return netlink.LinkSetUp(link)
}

// mountVolumes writes what the kubelet would mount.
func (g *gatewayContainer) mountVolumes(ctx context.Context, pod *corev1.Pod, folder string) error {
	hour := int64(3600)
	token, err := g.client.CoreV1().ServiceAccounts(pod.Namespace).CreateToken(ctx, pod.Spec.ServiceAccountName,
		&authentication.TokenRequest{Spec: authentication.TokenRequestSpec{Audiences: []string{"istio-ca"}, ExpirationSeconds: &hour}},
		metav1.CreateOptions{})
	if err != nil {
		return err
	}
	files := map[string]string{
		"var/run/secrets/tokens/istio-token": token.Status.Token,
		"etc/istio/pod/labels":               downward(pod.Labels),
		"etc/istio/pod/annotations":          downward(pod.Annotations),
	}
	for _, each := range []struct{ configMap, key, path string }{
		{"istio-ca-root-cert", "root-cert.pem", "var/run/secrets/istio/root-cert.pem"},
		{"istio", "mesh", "etc/istio/config/mesh"},
	} {
		var text string
		harness.Until(g.t, each.configMap, func() bool {
			found, err := g.client.CoreV1().ConfigMaps(pod.Namespace).Get(ctx, each.configMap, metav1.GetOptions{})
			if err == nil {
				text = found.Data[each.key]
			}
			return text != ""
		})
		files[each.path] = text
	}
	for path, text := range files {
		write(g.t, filepath.Join(folder, path), text)
	}
	return nil
}

// downward is how the downward API writes a map into a file.
func downward(values map[string]string) string {
	var text strings.Builder
	for key, value := range values {
		fmt.Fprintf(&text, "%s=%q\n", key, value)
	}
	return text.String()
}

// variables are the container's, with what they refer to put in.
func (g *gatewayContainer) variables(pod *corev1.Pod, spec *corev1.Container, address string) (variables []string) {
	fields := map[string]string{
		"metadata.name": pod.Name, "metadata.namespace": pod.Namespace, "spec.nodeName": nodeName,
		"spec.serviceAccountName": pod.Spec.ServiceAccountName, "status.podIP": address, "status.hostIP": hereFrom(address),
	}
	values := map[string]string{}
	for _, each := range spec.Env {
		value := each.Value
		if each.ValueFrom != nil && each.ValueFrom.FieldRef != nil {
			value = fields[each.ValueFrom.FieldRef.FieldPath]
		}
		for name, earlier := range values {
			value = strings.ReplaceAll(value, "$("+name+")", earlier)
		}
		values[each.Name] = value
		variables = append(variables, each.Name+"="+value)
	}
	for i, argument := range spec.Args {
		for name, value := range values {
			argument = strings.ReplaceAll(argument, "$("+name+")", value)
		}
		spec.Args[i] = argument
	}
	return variables
}

// runGatewayContainer is the container's process, the first in its namespaces.
func runGatewayContainer() error {
	// Nothing that is mounted here is seen elsewhere.
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("mounts: %w", err)
	}
	for _, mount := range []struct {
		source, target, kind string
		flags                uintptr
	}{
		{"proc", "/proc", "proc", 0},
		{"tmpfs", "/var/lib", "tmpfs", 0}, // the agent keeps modules in /var/lib/istio/data
		{os.Getenv("HOSTS"), "/etc/hosts", "", syscall.MS_BIND},
	} {
		if err := syscall.Mount(mount.source, mount.target, mount.kind, mount.flags, ""); err != nil {
			return fmt.Errorf("%s: %w", mount.target, err)
		}
	}
	if err := os.MkdirAll("/var/lib/istio/data", 0o755); err != nil {
		return err
	}
	address := os.Getenv("INSTANCE_IP")
	if err := plugIn(address); err != nil {
		return err
	}
	admin, err := net.Listen("tcp", net.JoinHostPort(address, adminRelay))
	if err != nil {
		return err
	}
	go relay(admin, func() string { return "127.0.0.1:15000" })
	return runPilotAgent(os.Args[1:])
}

func runPilotAgent(arguments []string) error {
	agent := app.NewRootCommand(func(options *security.Options, secrets security.SecretManager, key *meshconfig.PrivateKeyProvider) istioagent.SDSService {
		return sds.NewServer(options, secrets, key)
	})
	agent.SetArgs(arguments)
	return agent.Execute()
}

// plugIn waits for the cable that connect lays.
func plugIn(address string) error {
	if lo, err := netlink.LinkByName("lo"); err != nil {
		return err
	} else if err := netlink.LinkSetUp(lo); err != nil {
		return err
	}
	links, done := make(chan netlink.LinkUpdate, 16), make(chan struct{})
	defer close(done)
	if err := netlink.LinkSubscribe(links, done); err != nil {
		return err
	}
	patience := time.After(harness.Patience)
	err := setUpLink("eth0", address)
	for errors.As(err, &netlink.LinkNotFoundError{}) {
		select {
		case <-links:
			err = setUpLink("eth0", address)
		case <-patience:
			return err
		}
	}
	if err != nil {
		return err
	}
	gateway, err := netlink.ParseIPNet(hereFrom(address) + "/32")
	if err != nil {
		return err
	}
	return netlink.RouteAdd(&netlink.Route{Gw: gateway.IP})
}

func tail(path string, lines int) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	all := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
