package cluster

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"canary-split/tests/istio/harness"
)

const nodeName = "node"

// container runs what an image would; it returns as soon as the pod is ready, with what ends it.
type container func(ctx context.Context, pod *corev1.Pod, address string) (stop func(), err error)

// kubelet replaces the scheduler and the kubelet of the only node: it gives each pod an address, runs what its image
// represents, and says that it is ready.
type kubelet struct {
	*controlPlane
	t      *testing.T
	images map[string]container

	mu      sync.Mutex
	next    int
	running map[types.UID]func()
	seen    map[types.UID]bool
}

func startKubelet(ctx context.Context, t *testing.T, p *controlPlane, images map[string]container) *kubelet {
	k := &kubelet{controlPlane: p, t: t, images: images, running: map[types.UID]func(){}, seen: map[types.UID]bool{}}
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: nodeName}, Status: corev1.NodeStatus{
		Addresses:       []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: kubeletAddress}},
		DaemonEndpoints: corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: kubeletPort}},
	}}
	if _, err := p.client.CoreV1().Nodes().Create(ctx, node, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	look := func(object any) {
		if pod, ok := object.(*corev1.Pod); ok {
			k.look(ctx, pod)
		}
	}
	_, err := p.informers.Core().V1().Pods().Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc: look, UpdateFunc: func(_, object any) { look(object) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.stopAll)
	return k
}

func (k *kubelet) look(ctx context.Context, pod *corev1.Pod) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case pod.DeletionTimestamp != nil:
		go k.end(ctx, pod)
	case !k.seen[pod.UID]:
		k.seen[pod.UID] = true
		k.next++
		address := fmt.Sprintf("10.244.0.%d", k.next)
		if strings.HasPrefix(pod.Name, gatewayService) || pod.Labels[gatewayNameLabel] != "" {
			address = fmt.Sprintf("%s%d.2", gatewayNetworks, k.next)
		}
		go func() {
			if err := k.run(ctx, pod, address); err != nil && ctx.Err() == nil {
				k.t.Errorf("pod %s: %v", pod.Name, err)
			}
		}()
	}
}

func (k *kubelet) run(ctx context.Context, pod *corev1.Pod, address string) error {
	pods := k.client.CoreV1().Pods(pod.Namespace)
	binding := &corev1.Binding{ObjectMeta: metav1.ObjectMeta{Name: pod.Name}, Target: corev1.ObjectReference{Kind: "Node", Name: nodeName}}
	if err := pods.Bind(ctx, binding, metav1.CreateOptions{}); err != nil {
		return err
	}
	start, main := k.image(pod)
	if start == nil {
		return fmt.Errorf("nothing here runs the image %s", main)
	}
	// An address before it is ready, as a real one has; Istio looks at it.
	if err := k.report(ctx, pod, address, corev1.ConditionFalse); err != nil {
		return err
	}
	stop, err := start(ctx, pod, address)
	if err != nil {
		return err
	}
	k.mu.Lock()
	k.running[pod.UID] = stop
	k.mu.Unlock()
	return k.report(ctx, pod, address, corev1.ConditionTrue)
}

// image is that of the first container that is no sidecar: here no sidecar runs.
func (k *kubelet) image(pod *corev1.Pod) (container, string) {
	for _, each := range pod.Spec.Containers {
		for name, start := range k.images {
			if strings.Contains(each.Image, name) && (len(pod.Spec.Containers) == 1 || each.Name != "istio-proxy") {
				return start, each.Image
			}
		}
	}
	return nil, pod.Spec.Containers[0].Image
}

func (k *kubelet) report(ctx context.Context, pod *corev1.Pod, address string, ready corev1.ConditionStatus) error {
	var conditions []corev1.PodCondition
	for _, kind := range []corev1.PodConditionType{corev1.PodScheduled, corev1.PodInitialized} {
		conditions = append(conditions, corev1.PodCondition{Type: kind, Status: corev1.ConditionTrue})
	}
	for _, kind := range []corev1.PodConditionType{corev1.ContainersReady, corev1.PodReady} {
		conditions = append(conditions, corev1.PodCondition{Type: kind, Status: ready, LastTransitionTime: metav1.Now()})
	}
	status := map[string]any{"status": corev1.PodStatus{
		Phase: corev1.PodRunning, PodIP: address, PodIPs: []corev1.PodIP{{IP: address}}, Conditions: conditions,
	}}
	patch, err := json.Marshal(status)
	if err != nil {
		return err
	}
	_, err = k.client.CoreV1().Pods(pod.Namespace).Patch(ctx, pod.Name, types.MergePatchType, patch, metav1.PatchOptions{}, "status")
	return err
}

// end stops what runs, and only then lets the pod go: its endpoint is gone before, as in a graceful end.
func (k *kubelet) end(ctx context.Context, pod *corev1.Pod) {
	k.mu.Lock()
	stop := k.running[pod.UID]
	delete(k.running, pod.UID)
	k.mu.Unlock()
	if stop != nil {
		stop()
	}
	_ = k.client.CoreV1().Pods(pod.Namespace).Delete(ctx, pod.Name, *metav1.NewDeleteOptions(0))
}

func (k *kubelet) stopAll() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, stop := range k.running {
		stop()
	}
}

// ---- images ----------------------------------------------------------------------------------------------------------

// application runs one of the demo's on the pod's address and container port.
func application(name string) container {
	return func(_ context.Context, pod *corev1.Pod, address string) (func(), error) {
		port := pod.Spec.Containers[0].Ports[0].ContainerPort
		cmd := exec.Command(filepath.Join(harness.Top(), ".venv/bin/python"), filepath.Join(harness.Top(), "tests/apps", name), fmt.Sprint(port), address)
		cmd.Env = append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		output, err := cmd.StdoutPipe()
		if err != nil {
			return nil, err
		}
		if err := cmd.Start(); err != nil {
			return nil, err
		}
		// It says its port as soon as it can be reached.
		if _, err := bufio.NewReader(output).ReadString('\n'); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		return func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}, nil
	}
}

// fileServer serves the files of the pod's ConfigMap, as the web server of wasmplugin/in-cluster does.
func (p *controlPlane) fileServer(ctx context.Context, pod *corev1.Pod, address string) (func(), error) {
	name := pod.Spec.Volumes[0].ConfigMap.Name
	files, err := p.client.CoreV1().ConfigMaps(pod.Namespace).Get(ctx, name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	port := pod.Spec.Containers[0].Ports[0].ContainerPort
	listener, err := net.Listen("tcp", fmt.Sprintf("%s:%d", address, port))
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		file, ok := files.BinaryData[strings.TrimPrefix(r.URL.Path, "/")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write(file)
	})}
	go func() { _ = server.Serve(listener) }()
	return func() { _ = server.Close() }, nil
}
