package translation

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	k8syaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"

	"canary-split/tests/istio/harness"
)

// overlays are the kustomizations that put a canary on the gateway; base is the world without one.
const base = "manifests/base"

func overlays() []string { return kustomizations("manifests/overlays") }

// kustomizations are those right below a folder.
func kustomizations(folder string) []string {
	found, err := filepath.Glob(filepath.Join(harness.Top(), folder, "*/kustomization.yaml"))
	if err != nil || len(found) == 0 {
		panic(fmt.Sprint("no overlays: ", err))
	}
	for i, path := range found {
		found[i], _ = filepath.Rel(harness.Top(), filepath.Dir(path))
	}
	slices.Sort(found)
	return found
}

var (
	rendered   = map[string]string{}
	renderedMu sync.Mutex
)

// render is what `kubectl kustomize` prints for a folder of the repository.
func render(folder string) (string, error) {
	renderedMu.Lock()
	defer renderedMu.Unlock()
	if text, ok := rendered[folder]; ok {
		return text, nil
	}
	files, err := tree()
	if err != nil {
		return "", err
	}
	objects, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(files, "/"+folder)
	if err != nil {
		return "", fmt.Errorf("%s: %w", folder, err)
	}
	text, err := objects.AsYaml()
	if err != nil {
		return "", fmt.Errorf("%s: %w", folder, err)
	}
	rendered[folder] = string(text)
	return rendered[folder], nil
}

// The tests do not depend on which image is the newest.
var (
	image   = regexp.MustCompile(`(?m)^  url: oci://.*$`)
	noImage = "  url: oci://registry.example.com/canary-split@sha256:" + strings.Repeat("0", 64)
)

// tree is what is shipped, as it is after `make image`, which writes a file that is no part of the repository.
var tree = sync.OnceValues(func() (filesys.FileSystem, error) {
	files := filesys.MakeFsInMemory()
	for _, folder := range []string{"manifests", "wasmplugin"} {
		err := filepath.WalkDir(filepath.Join(harness.Top(), folder), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			name, err := filepath.Rel(harness.Top(), path)
			if err != nil {
				return err
			}
			if name == "wasmplugin/wasmplugin.yaml" {
				data = image.ReplaceAllLiteral(data, []byte(noImage))
			}
			return files.WriteFile("/"+name, data)
		})
		if err != nil {
			return nil, err
		}
	}
	return files, files.WriteFile("/wasmplugin/in-cluster/canary_split.wasm.gz", []byte{0x1f, 0x8b})
})

// parse reads YAML documents as kubectl does with strict validation: a repeated key is an error.
func parse(text string) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	documents := k8syaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		} else if err != nil {
			return nil, err
		}
		if len(bytes.TrimSpace(document)) == 0 {
			continue
		}
		js, err := yaml.YAMLToJSONStrict(document)
		if err != nil {
			return nil, err
		}
		object := &unstructured.Unstructured{}
		if err := object.UnmarshalJSON(js); err != nil {
			return nil, err
		}
		objects = append(objects, object)
	}
}
