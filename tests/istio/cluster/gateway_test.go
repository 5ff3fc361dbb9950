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
	"strings"
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
	// The gateway's pod has a network of its own, since Envoy takes ports that others want too, on every address.
	gatewayAddress = "10.245.0.2"
	nodeAddress    = "10.245.0.1"
	gatewayLink    = "gateway"
	// Envoy's admin interface listens on the pod's own loopback, where `kubectl exec` would go.
	adminRelay = "15999"
)

// gatewayContainer runs the container of the gateway's pod as its (injected) spec says: pilot-agent with Envoy.
type gatewayContainer struct {
	*controlPlane
	t      *testing.T
	envoy  string
	hosts  string
	folder string
}

func (g *gatewayContainer) start(ctx context.Context, pod *corev1.Pod, address string) (func(), error) {
	spec := pod.Spec.Containers[0]
	if err := g.mountVolumes(ctx, pod); err != nil {
		return nil, err
	}
	logs, err := os.Create(g.log())
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("/proc/self/exe", spec.Args...)
	cmd.Env = append(g.variables(pod, &spec, address), partVariable+"=gateway", "HOSTS="+g.hosts, "PATH="+os.Getenv("PATH"),
		"WASM_INSECURE_REGISTRIES="+registryHost, // its certificate is of this test
		fmt.Sprintf(`PROXY_CONFIG={"binaryPath": %q, "proxyBootstrapTemplatePath": %q}`,
			g.envoy, filepath.Join(env.IstioSrc, "tools/packaging/common/envoy_bootstrap.json")))
	cmd.Dir = g.folder
	cmd.Stdout, cmd.Stderr = logs, logs
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL,
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	if err := connect(cmd.Process.Pid); err != nil {
		return nil, err
	}
	ready := "http://" + address + ":15021/healthz/ready"
	for deadline := time.Now().Add(harness.Patience); ; time.Sleep(20 * time.Millisecond) {
		if response, err := http.Get(ready); err == nil {
			_ = response.Body.Close()
			if response.StatusCode == http.StatusOK {
				break
			}
		}
		select {
		case err := <-ended:
			return nil, fmt.Errorf("pilot-agent: %w\n%s", err, tail(g.log(), 20))
		default:
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("the gateway is not ready after %v:\n%s", harness.Patience, tail(g.log(), 20))
		}
	}
	return func() {
		_ = cmd.Process.Kill() // the first of its namespace: Envoy goes with it
		<-ended
	}, nil
}

// admin asks Envoy's admin interface, as `pilot-agent request GET PATH` in the pod does.
func (g *gatewayContainer) admin(path string) string {
	response, err := http.Get("http://" + net.JoinHostPort(gatewayAddress, adminRelay) + "/" + path)
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

func (g *gatewayContainer) log() string { return filepath.Join(g.folder, "log") }

// connect lays a cable from here into the network namespace of a process.
func connect(pid int) error {
	link := &netlink.Veth{LinkAttrs: netlink.LinkAttrs{Name: gatewayLink}, PeerName: "eth0", PeerNamespace: netlink.NsPid(pid)}
	if err := netlink.LinkAdd(link); err != nil {
		return fmt.Errorf("a pair of virtual interfaces: %w", err)
	}
	return setUpLink(gatewayLink, nodeAddress)
}

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
func (g *gatewayContainer) mountVolumes(ctx context.Context, pod *corev1.Pod) error {
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
		write(g.t, filepath.Join(g.folder, path), text)
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
		"spec.serviceAccountName": pod.Spec.ServiceAccountName, "status.podIP": address, "status.hostIP": nodeAddress,
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
	if err := plugIn(); err != nil {
		return err
	}
	admin, err := net.Listen("tcp", net.JoinHostPort(gatewayAddress, adminRelay))
	if err != nil {
		return err
	}
	go relay(admin, func() string { return "127.0.0.1:15000" })
	agent := app.NewRootCommand(func(options *security.Options, secrets security.SecretManager, key *meshconfig.PrivateKeyProvider) istioagent.SDSService {
		return sds.NewServer(options, secrets, key)
	})
	agent.SetArgs(os.Args[1:])
	return agent.Execute()
}

// plugIn waits for the cable that connect lays.
func plugIn() error {
	if lo, err := netlink.LinkByName("lo"); err != nil {
		return err
	} else if err := netlink.LinkSetUp(lo); err != nil {
		return err
	}
	for deadline := time.Now().Add(harness.Patience); ; time.Sleep(time.Millisecond) {
		err := setUpLink("eth0", gatewayAddress)
		if err == nil {
			break
		}
		if !errors.As(err, &netlink.LinkNotFoundError{}) || time.Now().After(deadline) {
			return err
		}
	}
	gateway, err := netlink.ParseIPNet(nodeAddress + "/32")
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
