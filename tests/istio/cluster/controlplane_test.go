package cluster

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.etcd.io/etcd/server/v3/embed"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/metadata/metadatainformer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/controller-manager/pkg/informerfactory"
	"k8s.io/klog/v2"
	"k8s.io/kubernetes/cmd/kube-apiserver/app"
	"k8s.io/kubernetes/pkg/controller/deployment"
	"k8s.io/kubernetes/pkg/controller/endpointslice"
	"k8s.io/kubernetes/pkg/controller/garbagecollector"
	"k8s.io/kubernetes/pkg/controller/replicaset"
	"k8s.io/kubernetes/pkg/controller/serviceaccount"
	gatewayapi "sigs.k8s.io/gateway-api/apis/v1"

	"canary-split/tests/istio/harness"
)

const apiPort = "6443"

// controlPlane is Kubernetes without nodes.
type controlPlane struct {
	client     kubernetes.Interface
	config     *rest.Config
	kubeconfig string
	informers  informers.SharedInformerFactory
	// The kubeconfigs of the users below.
	kubeconfigs map[string]string
}

// users by name, and the group of each.
var users = map[string]string{
	"admin":    "system:masters",
	"viewer":   "canary-viewers",   // as manifests/rbac/viewer.yaml calls them
	"operator": "canary-operators", // as manifests/rbac/operator.yaml does
	"stranger": "nobody",
}

const kubeconfigText = `
apiVersion: v1
kind: Config
current-context: test
contexts: [{name: test, context: {cluster: test, user: %[3]s}}]
clusters: [{name: test, cluster: {server: "https://127.0.0.1:%[1]s", certificate-authority: %[2]q}}]
users: [{name: %[3]s, user: {token: %[4]q}}]
`

// startControlPlane starts etcd and the API server, and the controllers that turn Deployments into pods and Services into
// endpoints.
func startControlPlane(ctx context.Context, t *testing.T) *controlPlane {
	folder := t.TempDir()
	p := &controlPlane{kubeconfigs: map[string]string{}}
	write(t, filepath.Join(folder, "service-accounts.pem"), newKey(t))
	certificate := filepath.Join(folder, "pki", "apiserver.crt") // the API server makes it
	var tokens strings.Builder
	for name, group := range users {
		token := rand.Text()
		fmt.Fprintf(&tokens, "%s,%s,%s,%q\n", token, name, name, group)
		p.kubeconfigs[name] = filepath.Join(folder, "kubeconfig-"+name)
		write(t, p.kubeconfigs[name], fmt.Sprintf(kubeconfigText, apiPort, certificate, name, token))
	}
	p.kubeconfig = p.kubeconfigs["admin"]
	write(t, filepath.Join(folder, "tokens"), tokens.String())

	logs, err := os.Create(filepath.Join(folder, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), partVariable+"=control-plane")
	cmd.Dir = folder
	cmd.Stdout, cmd.Stderr = logs, logs
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the API server's last words:\n%s", tail(logs.Name(), 20))
		}
	})

	harness.Until(t, "the API server", func() bool {
		if p.config, err = clientcmd.BuildConfigFromFlags("", p.kubeconfig); err != nil {
			return false
		}
		p.config.QPS, p.config.Burst = 1000, 1000
		if p.client, err = kubernetes.NewForConfig(p.config); err != nil {
			return false
		}
		return p.client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error() == nil
	})
	p.startControllers(ctx, t)
	return p
}

// newKey signs the tokens of service accounts.
func newKey(t *testing.T) string {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
}

// runControlPlane is the process of etcd and the API server; its folder is the working directory.
func runControlPlane() error {
	config := embed.NewConfig()
	config.Dir = "etcd"
	config.UnsafeNoFsync = true // it need not outlive the test
	config.LogLevel = "error"
	client, peer := url.URL{Scheme: "http", Host: "127.0.0.1:2379"}, url.URL{Scheme: "http", Host: "127.0.0.1:2380"}
	config.ListenClientUrls, config.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	config.ListenPeerUrls, config.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	config.InitialCluster = config.InitialClusterFromName(config.Name)
	etcd, err := embed.StartEtcd(config)
	if err != nil {
		return err
	}
	<-etcd.Server.ReadyNotify()

	server := app.NewAPIServerCommand()
	server.SetArgs([]string{
		"--etcd-servers=" + client.String(),
		"--bind-address=127.0.0.1", "--secure-port=" + apiPort, "--cert-dir=pki",
		"--token-auth-file=tokens", "--authorization-mode=RBAC",
		"--service-cluster-ip-range=" + serviceNetwork,
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=service-accounts.pem", "--service-account-signing-key-file=service-accounts.pem",
		"--advertise-address=10.244.255.1", "--endpoint-reconciler-type=none", // lo is the only interface
	})
	return server.Execute()
}

func (p *controlPlane) startControllers(ctx context.Context, t *testing.T) {
	p.informers = informers.NewSharedInformerFactory(p.client, 0)
	apps, core := p.informers.Apps().V1(), p.informers.Core().V1()
	deployments, err := deployment.NewDeploymentController(ctx, apps.Deployments(), apps.ReplicaSets(), core.Pods(), p.client)
	if err != nil {
		t.Fatal(err)
	}
	replicaSets := replicaset.NewReplicaSetController(ctx, apps.ReplicaSets(), core.Pods(), p.client, 500)
	endpoints := endpointslice.NewController(ctx, core.Pods(), core.Services(), core.Nodes(),
		p.informers.Discovery().V1().EndpointSlices(), 100, p.client, 0)
	accounts, err := serviceaccount.NewServiceAccountsController(klog.FromContext(ctx), core.ServiceAccounts(), core.Namespaces(), p.client,
		serviceaccount.DefaultServiceAccountsControllerOptions())
	if err != nil {
		t.Fatal(err)
	}
	collector, err := p.garbageCollector(ctx)
	if err != nil {
		t.Fatal(err)
	}
	p.informers.Start(ctx.Done())
	p.informers.WaitForCacheSync(ctx.Done())
	go deployments.Run(ctx, 2)
	go replicaSets.Run(ctx, 2)
	go endpoints.Run(ctx, 2)
	go accounts.Run(ctx, 1)
	go collector.Run(ctx, 2, harness.Patience)
	go collector.Sync(ctx, owned{p.client.Discovery()}, time.Second)
}

// garbageCollector deletes what a deleted object owned: without it the pods of a deleted Deployment would run on.
func (p *controlPlane) garbageCollector(ctx context.Context) (*garbagecollector.GarbageCollector, error) {
	client, err := metadata.NewForConfig(p.config)
	if err != nil {
		return nil, err
	}
	started := make(chan struct{})
	close(started)
	kinds := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(p.client.Discovery()))
	all := informerfactory.NewInformerFactory(p.informers, metadatainformer.NewSharedInformerFactory(client, 0))
	return garbagecollector.NewGarbageCollector(ctx, p.client, client, kinds, nil, all, started)
}

// owned are the kinds that own others here, and these.
type owned struct{ discovery.DiscoveryInterface }

func (o owned) ServerPreferredResources() ([]*metav1.APIResourceList, error) {
	verbs := metav1.Verbs{"delete", "list", "watch"}
	list := func(version string, names ...string) *metav1.APIResourceList {
		found := &metav1.APIResourceList{GroupVersion: version}
		for _, name := range names {
			found.APIResources = append(found.APIResources, metav1.APIResource{Name: name, Namespaced: true, Verbs: verbs})
		}
		return found
	}
	all := []*metav1.APIResourceList{
		list("v1", "pods", "services"), list("apps/v1", "deployments", "replicasets"), list("discovery.k8s.io/v1", "endpointslices"),
	}
	// Istio makes Deployments and Services for these.
	if _, err := o.ServerResourcesForGroupVersion(gatewayapi.GroupVersion.String()); err == nil {
		all = append(all, list(gatewayapi.GroupVersion.String(), "gateways"))
	}
	return all, nil
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
