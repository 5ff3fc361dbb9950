package cluster

import (
	"context"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"istio.io/istio/operator/pkg/component"
	"istio.io/istio/operator/pkg/render"
	"istio.io/istio/pilot/pkg/bootstrap"
	"istio.io/istio/pkg/config/constants"
	"istio.io/istio/pkg/test/env"

	"canary-split/tests/istio/harness"
)

const (
	istioNamespace = "istio-system"
	istioKinds     = "manifests/charts/base/files/crd-all.gen.yaml"
)

// installIstio does what `istioctl install` does: the control plane, and once it runs the gateway.
func (s *story) installIstio() {
	labels := filepath.Join(harness.Top(), "manifests/metrics/istio.yaml")
	sets, _, err := render.GenerateManifest([]string{labels}, []string{
		"profile=default",
		"values.telemetry.enabled=false", // istio.stats is in Istio's build of Envoy alone
		"values.defaultRevision=default", // istioctl sets it after an install: the webhook for every namespace
	}, true, nil, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	controlPlane := []string{"apiVersion: v1\nkind: Namespace\nmetadata: {name: istio-system}\n"}
	var gateway []string
	for _, set := range sets {
		for _, manifest := range set.Manifests {
			switch {
			case manifest.GetKind() == "CustomResourceDefinition": // they are there
			case set.Component != component.IngressComponentName:
				controlPlane = append(controlPlane, manifest.Content)
			case manifest.GetKind() == "Deployment":
				gateway = append(gateway, manifest.Content)
			default: // before the Deployment: its pods need their account
				gateway = append([]string{manifest.Content}, gateway...)
			}
		}
	}
	s.user.apply(strings.Join(controlPlane, "\n---\n"))
	harness.Until(s.t, "istiod's webhooks", func() bool { return webhooksAreOn(s.t.Context(), s.cluster) })
	s.user.say("istiod and its webhooks run")
	s.user.apply(strings.Join(gateway, "\n---\n"))
}

func istioSource() string { return env.IstioSrc }

// istiod is the container of istiod's pod.
func (p *controlPlane) istiod(ctx context.Context, pod *corev1.Pod, address string) (func(), error) {
	args := bootstrap.NewPilotArgs(func(args *bootstrap.PilotArgs) {
		args.Namespace, args.PodName, args.Revision = pod.Namespace, pod.Name, "default"
		args.RegistryOptions.KubeConfig = p.kubeconfig
		args.RegistryOptions.Registries = []string{"Kubernetes"}
		args.RegistryOptions.ClusterRegistriesNamespace = pod.Namespace
		kube := &args.RegistryOptions.KubeOptions
		kube.Revision, kube.DomainSuffix, kube.ClusterID = "default", constants.DefaultClusterLocalDomain, "Kubernetes"
		kube.KubernetesAPIQPS, kube.KubernetesAPIBurst = 1000, 1000
		args.InjectionOptions.InjectionDirectory = "none" // it reads the ConfigMap then
		args.ServerOptions = bootstrap.DiscoveryServerOptions{
			HTTPAddr: address + ":8080", MonitoringAddr: address + ":15014",
			GRPCAddr: address + ":15010", SecureGRPCAddr: address + ":15012", HTTPSAddr: address + ":15017",
		}
	})
	server, err := bootstrap.NewServer(args)
	if err != nil {
		return nil, err
	}
	stop := make(chan struct{})
	if err := server.Start(stop); err != nil {
		return nil, err
	}
	return func() {
		close(stop)
		server.WaitUntilCompletion()
	}, nil
}

// webhooksAreOn: istiod has written its authority, and lets them fail closed as soon as it has tried them.
func webhooksAreOn(ctx context.Context, p *controlPlane) bool {
	injector, err := p.client.AdmissionregistrationV1().MutatingWebhookConfigurations().Get(ctx, "istio-sidecar-injector", metav1.GetOptions{})
	if err != nil || len(injector.Webhooks[0].ClientConfig.CABundle) == 0 {
		return false
	}
	for _, name := range []string{"istio-validator-istio-system", "istiod-default-validator"} {
		found, err := p.client.AdmissionregistrationV1().ValidatingWebhookConfigurations().Get(ctx, name, metav1.GetOptions{})
		if err != nil || *found.Webhooks[0].FailurePolicy != "Fail" {
			return false
		}
	}
	return true
}
