package translation

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"sync"

	cmutil "github.com/cert-manager/cert-manager/pkg/controller"
	admission "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	k8sruntime "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"istio.io/istio/pkg/config/analysis/analyzers"
	"istio.io/istio/pkg/config/analysis/diag"
	"istio.io/istio/pkg/config/analysis/local"
	"istio.io/istio/pkg/config/crd"
	"istio.io/istio/pkg/config/schema/collections"
	"istio.io/istio/pkg/test/env"
	"istio.io/istio/pkg/webhooks/validation/server"

	"canary-split/tests/istio/harness"
)

// ---- the API server: schemas, CEL rules and unknown fields -----------------------------------------------------------

var schemas = sync.OnceValues(func() (*crd.Validator, error) {
	// cert-manager's kinds lie in its module, which is found by one of its functions.
	function := runtime.FuncForPC(reflect.ValueOf(cmutil.NewContextFactory).Pointer())
	file, _ := function.FileLine(function.Entry())
	certManager := filepath.Join(filepath.Dir(file), "../../deploy/crds")
	validator, err := crd.NewValidatorFromFiles(
		filepath.Join(env.IstioSrc, "manifests/charts/base/files/crd-all.gen.yaml"),
		filepath.Join(certManager, "cert-manager.io_certificates.yaml"),
		filepath.Join(certManager, "cert-manager.io_clusterissuers.yaml"),
		filepath.Join(certManager, "cert-manager.io_issuers.yaml"),
		filepath.Join(harness.GatewayAPIKinds(), "gateway.networking.k8s.io_gateways.yaml"),
		filepath.Join(harness.GatewayAPIKinds(), "gateway.networking.k8s.io_httproutes.yaml"),
	)
	if err == nil {
		validator.SkipMissing = true // Kubernetes' own kinds: kubernetesFaults
	}
	return validator, err
})

func schemaFaults(w *world) (faults []string) {
	validator, err := schemas()
	if err != nil {
		return []string{err.Error()}
	}
	for _, object := range w.applied {
		// It fills in defaults where it looks.
		if err := validator.ValidateCustomResource(object.DeepCopy()); err != nil {
			faults = append(faults, fmt.Sprintf("%s %s: %v", object.GetKind(), object.GetName(), err))
		}
	}
	return faults
}

// kubernetesFaults looks at Kubernetes' own kinds.
func kubernetesFaults(w *world) []string {
	if _, err := w.running(); err != nil {
		return []string{err.Error()}
	}
	return nil
}

// ---- istiod's admission webhook --------------------------------------------------------------------------------------

var webhook = sync.OnceValues(func() (http.Handler, error) {
	mux := http.NewServeMux()
	_, err := server.New(server.Options{Schemas: collections.Istio, DomainSuffix: "cluster.local", Mux: mux})
	return mux, err
})

// webhookFaults counts warnings as faults.
func webhookFaults(w *world) (faults []string) {
	for _, object := range w.applied {
		if !isIstio(object) {
			continue
		}
		response, err := review(object)
		if err != nil {
			return []string{err.Error()}
		}
		for _, warning := range response.Warnings {
			faults = append(faults, fmt.Sprintf("%s %s: warning: %s", object.GetKind(), object.GetName(), warning))
		}
		if !response.Allowed {
			faults = append(faults, fmt.Sprintf("%s %s: %s", object.GetKind(), object.GetName(), response.Result.Message))
		}
	}
	return faults
}

func review(object *unstructured.Unstructured) (*admission.AdmissionResponse, error) {
	handler, err := webhook()
	if err != nil {
		return nil, err
	}
	raw, err := object.MarshalJSON()
	if err != nil {
		return nil, err
	}
	gvk := object.GroupVersionKind()
	body, err := json.Marshal(admission.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "admission.k8s.io/v1", Kind: "AdmissionReview"},
		Request: &admission.AdmissionRequest{
			UID:       types.UID("1"),
			Kind:      metav1.GroupVersionKind{Group: gvk.Group, Version: gvk.Version, Kind: gvk.Kind},
			Name:      object.GetName(),
			Namespace: object.GetNamespace(),
			Operation: admission.Create,
			Object:    k8sruntime.RawExtension{Raw: raw},
		},
	})
	if err != nil {
		return nil, err
	}
	request := httptest.NewRequest(http.MethodPost, "/validate", bytes.NewReader(body))
	request.Header.Set("Content-Type", "application/json")
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	var answer admission.AdmissionReview
	if err := json.Unmarshal(recorder.Body.Bytes(), &answer); err != nil || answer.Response == nil {
		return nil, fmt.Errorf("the webhook answers %d %s: %v", recorder.Code, recorder.Body, err)
	}
	return answer.Response, nil
}

// ---- istioctl analyze ------------------------------------------------------------------------------------------------

// analyzerFaults needs no suppression; below a warning only one message counts here.
func analyzerFaults(w *world) (faults []string) {
	running, err := w.running()
	if err != nil {
		return nil // kubernetesFaults says it
	}
	var text strings.Builder
	write := func(object any) {
		document, _ := yaml.Marshal(object)
		fmt.Fprintf(&text, "%s\n---\n", document)
	}
	for _, object := range w.applied {
		if isIstio(object) {
			write(object)
		}
	}
	for _, object := range running {
		write(object)
	}
	analyzer := local.NewIstiodAnalyzer(analyzers.AllCombined(), "", gatewayNamespace, nil)
	source := local.ReaderSource{Name: "applied", Reader: strings.NewReader(text.String())}
	if err := analyzer.AddTestReaderKubeSource([]local.ReaderSource{source}); err != nil {
		faults = append(faults, err.Error())
	}
	stop := make(chan struct{})
	defer close(stop)
	result, err := analyzer.Analyze(stop)
	if err != nil {
		return append(faults, err.Error())
	}
	if known := len(analyzers.All()); len(result.ExecutedAnalyzers) < known {
		faults = append(faults, fmt.Sprintf("only %d of %d analyzers were executed", len(result.ExecutedAnalyzers), known))
	}
	for _, message := range result.Messages {
		// IST0118, a port's name without a protocol, is an error for `istioctl validate`.
		if message.Type.Level().IsWorseThanOrEqualTo(diag.Warning) || message.Type.Code() == "IST0118" {
			faults = append(faults, message.String())
		}
	}
	return faults
}
