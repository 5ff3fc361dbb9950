package translation

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	k8sruntime "k8s.io/apimachinery/pkg/runtime"
	gatewayapi "sigs.k8s.io/gateway-api/apis/v1"
)

const (
	// The labels by which Istio knows the pods that it makes for a Gateway.
	gatewayNameLabel = "gateway.networking.k8s.io/gateway-name"
	managedLabel     = "gateway.istio.io/managed"
	waypointClass    = "istio-waypoint"
)

func isGatewayAPI(object *unstructured.Unstructured) bool {
	return object.GroupVersionKind().Group == gatewayapi.GroupName
}

// withDefaults is what the API server makes of an object of the Gateway API; Istio relies on it.
func withDefaults(object *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	validator, err := schemas()
	if err != nil {
		return nil, err
	}
	object = object.DeepCopy()
	_ = validator.ValidateCustomResource(object) // schemaFaults says what is wrong
	return object, nil
}

// gatewayObject is one of the Gateway API's, as Istio's client reads it.
func gatewayObject(object *unstructured.Unstructured) (k8sruntime.Object, error) {
	object, err := withDefaults(object)
	if err != nil {
		return nil, err
	}
	// What a kind does not have is pruned, as the schema says.
	read := func(into k8sruntime.Object) (k8sruntime.Object, error) {
		return into, k8sruntime.DefaultUnstructuredConverter.FromUnstructured(object.Object, into)
	}
	switch object.GetKind() {
	case "Gateway":
		return read(&gatewayapi.Gateway{})
	case "HTTPRoute":
		return read(&gatewayapi.HTTPRoute{})
	}
	return nil, fmt.Errorf("nothing here reads the kind %s", object.GetKind())
}

// deployed is what Istio's controller makes for a Gateway: a Deployment and a Service that are called after it.
func deployed(gateway *gatewayapi.Gateway) (*appsv1.Deployment, *corev1.Service) {
	name, managed := gateway.Name+"-"+string(gateway.Spec.GatewayClassName), "istio.io-gateway-controller"
	if gateway.Spec.GatewayClassName == waypointClass {
		name, managed = gateway.Name, "istio.io-mesh-controller"
	}
	labels := map[string]string{
		gatewayNameLabel: gateway.Name, "gateway.networking.k8s.io/gateway-class-name": string(gateway.Spec.GatewayClassName),
		managedLabel: managed, "service.istio.io/canonical-name": name, "service.istio.io/canonical-revision": "latest",
	}
	meta := metav1.ObjectMeta{Namespace: gateway.Namespace, Name: name, Labels: labels}
	address := gatewayapi.HostnameAddressType
	gateway.Status.Addresses = []gatewayapi.GatewayStatusAddress{{Type: &address, Value: name + "." + gateway.Namespace + ".svc.cluster.local"}}
	deployment := &appsv1.Deployment{ObjectMeta: meta}
	deployment.Spec.Template.Labels = labels
	deployment.Spec.Template.Spec.ServiceAccountName = name
	service := &corev1.Service{ObjectMeta: meta}
	service.Spec.Type = corev1.ServiceTypeLoadBalancer
	service.Spec.Selector = map[string]string{gatewayNameLabel: gateway.Name}
	for _, listener := range gateway.Spec.Listeners {
		protocol := strings.ToLower(string(listener.Protocol))
		service.Spec.Ports = append(service.Spec.Ports, corev1.ServicePort{
			Name: string(listener.Name), Port: int32(listener.Port), AppProtocol: &protocol,
		})
	}
	return deployment, service
}

// ofGatewayAPI says whether a pod is one that Istio has made for a Gateway.
func ofGatewayAPI(pod *corev1.Pod) bool { return pod.Labels[gatewayNameLabel] != "" }

// overlaysOfGatewayAPI are the same canaries behind a Gateway of the Gateway API.
func overlaysOfGatewayAPI() []string { return kustomizations("manifests/gateway-api/overlays") }

// In an HTTPRoute the more specific rule wins: no list can be in the wrong order.
func TestTheOrderOfAnHTTPRoutesRulesDoesNotMatter(t *testing.T) {
	w := must(must(shipped("manifests/gateway-api/overlays/weighted"))(t).edited("HTTPRoute", func(object map[string]any) error {
		rules, _, err := unstructured.NestedSlice(object, "spec", "rules")
		slices.Reverse(rules)
		return errors.Join(err, unstructured.SetNestedSlice(object, rules, "spec", "rules"))
	}))(t)
	for name, faults := range w.faults() {
		t.Errorf("%s: %v", name, faults)
	}
}

// targetRefs are of the Gateway API alone.
func TestIstiosOwnGatewayIsNoTarget(t *testing.T) {
	w := must(must(shipped("manifests/overlays/weighted"))(t).edited("WasmPlugin", func(object map[string]any) error {
		spec := object["spec"].(map[string]any)
		delete(spec, "selector")
		spec["targetRefs"] = []any{map[string]any{"group": gatewayapi.GroupName, "kind": "Gateway", "name": gatewayService}}
		return nil
	}))(t)
	if x, err := translate(w); err != nil || x.filter != "" {
		t.Errorf("%v: the gateway has the filter %q", err, x.filter)
	}
}
