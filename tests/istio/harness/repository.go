package harness

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// Module is the built filter, below Top.
const Module = "target/wasm32-wasip1/release/canary_split.wasm"

// Tool is the built command line, below Top.
const Tool = "target/debug/canary-split"

// Top is the repository's folder.
func Top() string {
	folder, err := os.Getwd() // that of the test's package
	if err != nil {
		panic(err)
	}
	return filepath.Join(folder, "..", "..", "..")
}

// EnvoyVersions are those of tests/envoy/versions.txt, in its order; ENVOY=VERSION limits them to one.
func EnvoyVersions(t *testing.T) []string {
	t.Helper()
	versions := listedVersions(t, func(string) bool { return true })
	only := os.Getenv("ENVOY")
	if only == "" {
		return versions
	}
	if !slices.Contains(versions, only) {
		t.Fatalf("ENVOY=%s is none of %v", only, versions)
	}
	return []string{only}
}

// NewestEnvoy is the one of the newest released Istio; ENVOY=VERSION names another.
func NewestEnvoy(t *testing.T) string {
	t.Helper()
	if os.Getenv("ENVOY") != "" {
		return EnvoyVersions(t)[0]
	}
	released := listedVersions(t, func(comment string) bool { return !strings.Contains(comment, "-dev") })
	return released[len(released)-1]
}

func listedVersions(t *testing.T, wanted func(comment string) bool) (versions []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(Top(), "tests/envoy/versions.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(text), "\n") {
		version, comment, _ := strings.Cut(line, "#")
		if version = strings.TrimSpace(version); version != "" && wanted(comment) {
			versions = append(versions, version)
		}
	}
	return versions
}

// EnvoyBinary is where tests/setup.sh has put this version.
func EnvoyBinary(t *testing.T, version string) string {
	t.Helper()
	binary := filepath.Join(Top(), ".venv/envoy", version, "envoy/_bin/envoy")
	if _, err := os.Stat(binary); err != nil {
		t.Fatalf("Envoy %s is not installed (%v); run: tests/setup.sh all", version, err)
	}
	return binary
}

// Image is the one in an OCI layout that image.py has written.
func Image(folder string) (v1.Image, error) {
	index, err := layout.ImageIndexFromPath(filepath.Join(folder, "oci"))
	if err != nil {
		return nil, err
	}
	descriptors, err := index.IndexManifest()
	if err != nil {
		return nil, err
	}
	return index.Image(descriptors.Manifests[0].Digest)
}
