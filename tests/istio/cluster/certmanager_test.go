package cluster

import (
	"context"
	"path/filepath"
	"reflect"
	"runtime"
	"testing"

	"github.com/cert-manager/cert-manager/pkg/controller"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/approver"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/selfsigned"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/issuing"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/keymanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/readiness"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/requestmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/trigger"
	_ "github.com/cert-manager/cert-manager/pkg/controller/clusterissuers"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/selfsigned"
)

// certManagerKinds is the folder of the kinds in cert-manager's module.
func certManagerKinds() string {
	function := runtime.FuncForPC(reflect.ValueOf(controller.NewContextFactory).Pointer())
	file, _ := function.FileLine(function.Entry())
	return filepath.Join(filepath.Dir(file), "../../deploy/crds")
}

// startCertManager starts those of its controllers that a certificate signed by itself needs.
func startCertManager(ctx context.Context, t *testing.T, p *controlPlane) {
	options := controller.ContextOptions{Kubeconfig: p.kubeconfig, KubernetesAPIQPS: 1000, KubernetesAPIBurst: 1000}
	options.ClusterResourceNamespace = "cert-manager"
	factory, err := controller.NewContextFactory(ctx, options)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{
		"clusterissuers", "certificaterequests-approver", "certificaterequests-issuer-selfsigned", "certificates-trigger",
		"certificates-key-manager", "certificates-request-manager", "certificates-issuing", "certificates-readiness",
	} {
		construct := controller.Known()[name]
		if construct == nil {
			t.Fatalf("cert-manager has no controller %s", name)
		}
		running, err := construct(factory)
		if err != nil {
			t.Fatal(err)
		}
		go func() { _ = running.Run(1, ctx) }()
	}
	shared, err := factory.Build()
	if err != nil {
		t.Fatal(err)
	}
	shared.SharedInformerFactory.Start(ctx.Done())
	shared.KubeSharedInformerFactory.Start(ctx.Done())
	shared.HTTP01ResourceMetadataInformersFactory.Start(ctx.Done())
}
