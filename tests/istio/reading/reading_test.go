// Package reading holds what kubectl makes of a corpus of manifests, for the tool to be compared with (src/bin/canary-split/input/yaml/corpus.rs).
package reading

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"testing"

	"k8s.io/apimachinery/pkg/util/yaml"
	sigs "sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write what kubectl reads into read.json")

const (
	corpus  = "corpus.yaml"
	reading = "read.json"
)

// A text is an entry of the corpus.
type text struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// A result is what kubectl reads of a text until it refuses something.
type result struct {
	Name      string            `json:"name"`
	Documents []json.RawMessage `json:"documents"`
	Refused   bool              `json:"refused"`
}

// read decodes a stream as kubectl's resource.Builder does.
func read(t *testing.T, one text) result {
	t.Helper()
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader([]byte(one.Text)), 4096)
	found := result{Name: one.Name, Documents: []json.RawMessage{}}
	for {
		var document json.RawMessage
		err := decoder.Decode(&document)
		switch {
		case errors.Is(err, io.EOF):
			return found
		case err != nil:
			found.Refused = true
			return found
		case len(document) == 0 || string(document) == "null":
			continue
		}
		var value any
		if err := json.Unmarshal(document, &value); err != nil {
			found.Refused = true
			return found
		}
		sorted, err := json.Marshal(value)
		if err != nil {
			t.Fatalf("%s: %v", one.Name, err)
		}
		found.Documents = append(found.Documents, sorted)
	}
}

func TestTheCorpusSaysWhatKubectlReads(t *testing.T) {
	written, err := os.ReadFile(corpus)
	if err != nil {
		t.Fatal(err)
	}
	var texts []text
	if err := sigs.UnmarshalStrict(written, &texts); err != nil {
		t.Fatal(err)
	}
	results := make([]result, 0, len(texts))
	for _, one := range texts {
		results = append(results, read(t, one))
	}
	said, err := json.MarshalIndent(results, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	said = append(said, '\n')
	if *update {
		if err := os.WriteFile(reading, said, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	known, err := os.ReadFile(reading)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(said, known) {
		t.Errorf("%s is not what kubectl reads of %s: make fixtures", reading, corpus)
	}
}
