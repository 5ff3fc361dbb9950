package translation

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"istio.io/istio/pkg/wasm"

	"canary-split/tests/istio/harness"
)

const registryAddress = "127.0.0.1:5000"

// forms are the two that Istio's agent takes, by the argument of image.py.
var forms = []string{"compat", "artifact"}

// published are the urls that image.py has written into the WasmPlugin, by form, once the images are in a registry.
var published = sync.OnceValues(func() (map[string]string, error) {
	listener, err := net.Listen("tcp", registryAddress)
	if err != nil {
		return nil, err
	}
	go func() { _ = http.Serve(listener, registry.New(registry.Logger(log.New(io.Discard, "", 0)))) }()
	urls := map[string]string{}
	for _, form := range forms {
		url, err := publish(form)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", form, err)
		}
		urls[form] = url
	}
	return urls, nil
})

func imageURL(t *testing.T) string {
	urls, err := published()
	if err != nil {
		t.Fatal(err)
	}
	return urls["compat"]
}

// publish runs image.py as `make image URL=…` does, on a copy of the WasmPlugin, and pushes what it has made.
func publish(form string) (string, error) {
	folder, err := os.MkdirTemp("", "canary-image-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(folder)
	plugin := filepath.Join(folder, "wasmplugin")
	if err := os.CopyFS(plugin, os.DirFS(filepath.Join(harness.Top(), "wasmplugin"))); err != nil {
		return "", err
	}
	made := exec.Command("python3", filepath.Join(harness.Top(), "wasmplugin/image.py"), "--form", form,
		"--out", folder, "--wasmplugin", plugin, "--url", registryAddress+"/"+form+"/canary-split")
	if output, err := made.CombinedOutput(); err != nil {
		return "", fmt.Errorf("image.py: %w\n%s", err, output)
	}
	manifest, err := os.ReadFile(filepath.Join(plugin, "wasmplugin.yaml"))
	if err != nil {
		return "", err
	}
	written := regexp.MustCompile(`(?m)^  url: (oci://(\S+))$`).FindSubmatch(manifest)
	if written == nil {
		return "", fmt.Errorf("image.py has written no url:\n%s", manifest)
	}
	image, err := harness.Image(folder)
	if err != nil {
		return "", err
	}
	target, err := name.ParseReference(string(written[2]))
	if err != nil {
		return "", err
	}
	// By the digest in the url: the registry refuses another one's image.
	return string(written[1]), remote.Write(target, image)
}

func TestIstiosAgentFindsTheModuleInBothFormsOfTheImage(t *testing.T) {
	urls, err := published()
	if err != nil {
		t.Fatal(err)
	}
	built, err := os.ReadFile(filepath.Join(harness.Top(), harness.Module))
	if err != nil {
		t.Fatal(err)
	}
	for _, form := range forms {
		t.Run(form, func(t *testing.T) {
			cache := wasm.NewLocalFileCache(t.TempDir(), wasm.Options{HTTPRequestTimeout: harness.Patience, HTTPRequestMaxRetries: 1})
			defer cache.Cleanup()
			file, err := cache.Get(urls[form], wasm.GetOptions{RequestTimeout: harness.Patience})
			if err != nil {
				t.Fatal(err)
			}
			pulled, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(pulled, built) {
				t.Errorf("%d bytes, not the module's %d", len(pulled), len(built))
			}
			wrong := strings.Replace(urls[form], "@sha256:", "@sha256:0", 1)[:len(urls[form])]
			if _, err := cache.Get(wrong, wasm.GetOptions{RequestTimeout: harness.Patience}); err == nil {
				t.Error("a digest that is not the image's is pulled all the same")
			}
		})
	}
}
