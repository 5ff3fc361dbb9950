package translation

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	gatewayapi "sigs.k8s.io/gateway-api/apis/v1"
	"sigs.k8s.io/yaml"

	istioctl "istio.io/istio/operator/pkg/render"
	pilotcrd "istio.io/istio/pilot/pkg/config/kube/crd"
	"istio.io/istio/pkg/config"
)

const (
	gatewayNamespace = "istio-system"
	gatewayService   = "istio-ingressgateway"
)

// world is what somebody has applied, in addition to an Istio as `istioctl install` leaves it.
type world struct {
	applied []*unstructured.Unstructured
}

func worldOf(text string) (*world, error) {
	objects, err := parse(text)
	return &world{objects}, err
}

func shipped(folder string) (*world, error) {
	text, err := render(folder)
	if err != nil {
		return nil, err
	}
	return worldOf(text)
}

func (w *world) all(kind string) []*unstructured.Unstructured {
	return slices.Collect(func(yield func(*unstructured.Unstructured) bool) {
		for _, object := range w.applied {
			if object.GetKind() == kind && !yield(object) {
				return
			}
		}
	})
}

func isIstio(object *unstructured.Unstructured) bool {
	return strings.HasSuffix(object.GroupVersionKind().Group, ".istio.io")
}

// configs are the objects that Istio reads, as its Kubernetes client would hand them over.
func (w *world) configs() ([]config.Config, error) {
	var text strings.Builder
	for _, object := range w.applied {
		if isIstio(object) {
			document, err := yaml.Marshal(object)
			if err != nil {
				return nil, err
			}
			fmt.Fprintf(&text, "%s\n---\n", document)
		}
	}
	configs, others, err := pilotcrd.ParseInputs(text.String())
	if err != nil {
		return nil, err
	}
	if len(others) != 0 {
		return nil, fmt.Errorf("kinds that Istio does not know: %v", others)
	}
	for i := range configs {
		configs[i].Domain = "cluster.local" // else a host without a dot would end at the namespace
	}
	return configs, nil
}

// ---- what controllers would have made of it --------------------------------------------------------------------------

// running is what is in the cluster once every controller has done its work: pods, endpoints, secrets, and the gateway.
func (w *world) running() ([]runtime.Object, error) {
	cluster := &cluster{}
	if err := cluster.install(); err != nil {
		return nil, err
	}
	for _, object := range w.applied {
		if err := cluster.apply(object); err != nil {
			return nil, fmt.Errorf("%s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
	return cluster.objects(), nil
}

type cluster struct {
	namespaces []*corev1.Namespace
	pods       []*corev1.Pod
	services   []*corev1.Service
	secrets    []*corev1.Secret
	gateways   []runtime.Object // and routes: of the Gateway API
}

// istioInstalled is the gateway's Deployment and Service, from the charts that istioctl renders.
var istioInstalled = sync.OnceValues(func() ([]*unstructured.Unstructured, error) {
	sets, _, err := istioctl.GenerateManifest(nil, []string{"profile=default"}, true, nil, nil)
	if err != nil {
		return nil, err
	}
	var found []*unstructured.Unstructured
	for _, set := range sets {
		for _, manifest := range set.Manifests {
			if manifest.GetName() == gatewayService && slices.Contains([]string{"Deployment", "Service"}, manifest.GetKind()) {
				found = append(found, manifest.Unstructured)
			}
		}
	}
	if len(found) != 2 {
		return nil, fmt.Errorf("istioctl renders %d objects for the gateway, not its Deployment and its Service", len(found))
	}
	return found, nil
})

func (c *cluster) install() error {
	c.namespaces = append(c.namespaces, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: gatewayNamespace}})
	installed, err := istioInstalled()
	if err != nil {
		return err
	}
	for _, object := range installed {
		if err := c.apply(object); err != nil {
			return err
		}
	}
	return nil
}

// typed fails on a field that the kind does not have.
func typed[T any](object *unstructured.Unstructured) (*T, error) {
	out := new(T)
	err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(object.Object, out, true)
	return out, err
}

func (c *cluster) apply(object *unstructured.Unstructured) error {
	if isGatewayAPI(object) {
		found, err := gatewayObject(object)
		c.gateways = append(c.gateways, found)
		return err
	}
	switch object.GetKind() {
	case "Namespace":
		namespace, err := typed[corev1.Namespace](object)
		if err != nil {
			return err
		}
		c.namespaces = append(c.namespaces, namespace)
	case "Deployment":
		deployment, err := typed[appsv1.Deployment](object)
		if err != nil {
			return err
		}
		selector, err := metav1.LabelSelectorAsSelector(deployment.Spec.Selector)
		if err != nil {
			return err
		}
		if !selector.Matches(labels.Set(deployment.Spec.Template.Labels)) {
			return fmt.Errorf("`selector` does not match template `labels`")
		}
		c.pods = append(c.pods, podOf(deployment, len(c.pods)))
	case "Service":
		service, err := typed[corev1.Service](object)
		if err != nil {
			return err
		}
		c.services = append(c.services, service)
	case "Certificate":
		secret, err := issue(object)
		if err != nil {
			return err
		}
		c.secrets = append(c.secrets, secret)
	}
	return nil
}

// podOf is the one pod of a Deployment, running and ready, at an address of loopback.
func podOf(deployment *appsv1.Deployment, number int) *corev1.Pod {
	address := fmt.Sprintf("127.0.1.%d", number+1)
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: deployment.Namespace,
			Name:      deployment.Name + "-0",
			Labels:    deployment.Spec.Template.Labels,
		},
		Spec: deployment.Spec.Template.Spec,
		Status: corev1.PodStatus{
			Phase:      corev1.PodRunning,
			PodIP:      address,
			PodIPs:     []corev1.PodIP{{IP: address}},
			Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
		},
	}
}

func (c *cluster) objects() []runtime.Object {
	var objects []runtime.Object
	for _, object := range c.gateways {
		objects = append(objects, object)
		if gateway, ok := object.(*gatewayapi.Gateway); ok {
			deployment, service := deployed(gateway)
			c.pods, c.services = append(c.pods, podOf(deployment, len(c.pods))), append(c.services, service)
		}
	}
	for _, namespace := range c.namespaces {
		namespace.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"}
		metav1.SetMetaDataLabel(&namespace.ObjectMeta, corev1.LabelMetadataName, namespace.Name)
		objects = append(objects, namespace)
	}
	for _, pod := range c.pods {
		c.inject(pod)
		pod.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"}
		objects = append(objects, pod)
	}
	for number, service := range c.services {
		service.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Service"}
		service.Spec.ClusterIP = fmt.Sprintf("10.96.0.%d", number+1)
		for i := range service.Spec.Ports {
			setDefaults(&service.Spec.Ports[i])
		}
		objects = append(objects, service, c.endpointsOf(service))
	}
	for _, secret := range c.secrets {
		secret.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}
		objects = append(objects, secret)
	}
	return objects
}

// inject does what Istio's injector does, as far as anybody looks at it here.
func (c *cluster) inject(pod *corev1.Pod) {
	for _, namespace := range c.namespaces {
		if namespace.Name == pod.Namespace && namespace.Labels["istio-injection"] == "enabled" {
			pod.Spec.Containers = append(pod.Spec.Containers, corev1.Container{Name: "istio-proxy", Image: "proxyv2"})
		}
	}
}

// setDefaults does what the API server does.
func setDefaults(port *corev1.ServicePort) {
	if port.Protocol == "" {
		port.Protocol = corev1.ProtocolTCP
	}
	if port.TargetPort == (intstr.IntOrString{}) {
		port.TargetPort = intstr.FromInt32(port.Port)
	}
}

// endpointsOf is what the EndpointSlice controller writes: a numeric targetPort is taken as it is, whether or not a container
// listens there; a named one is that of the containers.
func (c *cluster) endpointsOf(service *corev1.Service) *discoveryv1.EndpointSlice {
	slice := &discoveryv1.EndpointSlice{
		TypeMeta: metav1.TypeMeta{APIVersion: "discovery.k8s.io/v1", Kind: "EndpointSlice"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: service.Namespace,
			Name:      service.Name + "-0",
			Labels:    map[string]string{discoveryv1.LabelServiceName: service.Name},
		},
		AddressType: discoveryv1.AddressTypeIPv4,
	}
	ready := true
	var selected []*corev1.Pod
	for _, pod := range c.pods {
		if pod.Namespace == service.Namespace && labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(pod.Labels)) {
			selected = append(selected, pod)
			slice.Endpoints = append(slice.Endpoints, discoveryv1.Endpoint{
				Addresses:  []string{pod.Status.PodIP},
				Conditions: discoveryv1.EndpointConditions{Ready: &ready},
				TargetRef:  &corev1.ObjectReference{Kind: "Pod", Namespace: pod.Namespace, Name: pod.Name},
			})
		}
	}
	for i := range service.Spec.Ports {
		port := &service.Spec.Ports[i]
		number := port.TargetPort.IntVal
		if port.TargetPort.Type == intstr.String {
			number = containerPort(selected, port.TargetPort.StrVal)
		}
		slice.Ports = append(slice.Ports, discoveryv1.EndpointPort{Name: &port.Name, Port: &number, Protocol: &port.Protocol})
	}
	return slice
}

func containerPort(pods []*corev1.Pod, name string) int32 {
	for _, pod := range pods {
		for _, container := range pod.Spec.Containers {
			for _, port := range container.Ports {
				if port.Name == name {
					return port.ContainerPort
				}
			}
		}
	}
	return 0
}

// issue makes the secret that cert-manager would: it is next to the Certificate, wherever that is.
func issue(certificate *unstructured.Unstructured) (*corev1.Secret, error) {
	name, _, _ := unstructured.NestedString(certificate.Object, "spec", "secretName")
	hosts, _, _ := unstructured.NestedStringSlice(certificate.Object, "spec", "dnsNames")
	chain, key, err := selfSigned(strings.Join(hosts, ","))
	if err != nil {
		return nil, err
	}
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: certificate.GetNamespace(), Name: name},
		Type:       corev1.SecretTypeTLS,
		Data:       map[string][]byte{corev1.TLSCertKey: chain, corev1.TLSPrivateKeyKey: key},
	}, nil
}

var (
	issued   = map[string][2][]byte{}
	issuedMu sync.Mutex
)

// selfSigned is always the same for the same names, so that a world can be made twice.
func selfSigned(hosts string) (chain, key []byte, err error) {
	issuedMu.Lock()
	defer issuedMu.Unlock()
	if pair, ok := issued[hosts]; ok {
		return pair[0], pair[1], nil
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: "canary"},
		DNSNames:     strings.Split(hosts, ","),
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		IsCA:         true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		return nil, nil, err
	}
	privateDER, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		return nil, nil, err
	}
	chain = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	key = pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: privateDER})
	issued[hosts] = [2][]byte{chain, key}
	return chain, key, nil
}

// ---- what the manifests say ------------------------------------------------------------------------------------------

// plugins are of either kind: TrafficExtension is the newer one.
func (w *world) plugins() []*unstructured.Unstructured {
	return append(w.all("WasmPlugin"), w.all("TrafficExtension")...)
}

// moduleField is where a plugin has a field of its module.
func moduleField(plugin *unstructured.Unstructured, name string) []string {
	if plugin.GetKind() == "TrafficExtension" {
		return []string{"spec", "wasm", name}
	}
	return []string{"spec", name}
}

// plugin is what the checks need of a WasmPlugin.
type plugin struct {
	namespace, name, url, rootID string
	config                       pluginConfig
	raw                          map[string]any
}

type pluginConfig struct {
	Header string `json:"header"`
	Seal   string `json:"seal"`
	Rules  []struct {
		Name   string   `json:"name"`
		Hosts  []string `json:"hosts"`
		Subset string   `json:"subset"`
		Split  []struct {
			Subset string  `json:"subset"`
			Weight float64 `json:"weight"`
		} `json:"split"`
	} `json:"rules"`
}

func (w *world) plugin() (*plugin, error) {
	found := w.plugins()
	if len(found) == 0 {
		return &plugin{}, nil
	}
	if len(found) != 1 {
		return nil, fmt.Errorf("%d plugins", len(found))
	}
	p := &plugin{namespace: found[0].GetNamespace(), name: found[0].GetName()}
	p.url, _, _ = unstructured.NestedString(found[0].Object, moduleField(found[0], "url")...)
	p.rootID, _, _ = unstructured.NestedString(found[0].Object, moduleField(found[0], "pluginName")...)
	p.raw, _, _ = unstructured.NestedMap(found[0].Object, moduleField(found[0], "pluginConfig")...)
	js, err := json.Marshal(p.raw)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(js, &p.config); err != nil {
		return nil, err
	}
	if p.config.Header == "" {
		p.config.Header = "x-canary-subset"
	}
	return p, nil
}

// value is what the filter writes for a subset.
func (c *pluginConfig) value(subset string) string {
	if c.Seal != "" {
		return subset + "." + c.Seal
	}
	return subset
}

// subsets are all that a rule can choose; stable ones are in it too.
func (c *pluginConfig) subsets() []string {
	var names []string
	for _, rule := range c.Rules {
		if rule.Subset != "" {
			names = append(names, rule.Subset)
		}
		for _, share := range rule.Split {
			names = append(names, share.Subset)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
