package translation

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"canary-split/tests/istio/harness"
)

// spoiled is an entry of tests/istio/spoiled.yaml, where the fields are explained.
type spoiled struct {
	Mistake string `json:"mistake"`
	Overlay string `json:"overlay"`
	Edits   []struct {
		Object string `json:"object"`
		Old    string `json:"old"`
		New    string `json:"new"`
	} `json:"edits"`
	Caught []string `json:"caught"`
	Unseen []string `json:"unseen"`
	Says   string   `json:"says"`
	Check  []string `json:"check"` // tests/tool/check.rs looks at it

	folder string
}

// tables are those of mistakes, with the folder of the manifests that are spoiled, and where people look for the symptom of a mistake that
// no cluster reports.
var tables = []struct{ file, folder, page, section string }{
	{"tests/istio/spoiled.yaml", "manifests", "docs/troubleshooting.md", "Symptoms"},
	{"tests/istio/spoiled-gateway-api.yaml", "manifests/gateway-api", "docs/gateway-api.md", "Mistakes that no cluster reports"},
}

func spoiledOnes(t *testing.T, file, folder string) (table []spoiled) {
	text, err := os.ReadFile(filepath.Join(harness.Top(), file))
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(text, &table); err != nil {
		t.Fatal(err)
	}
	for i := range table {
		table[i].folder = folder
	}
	return table
}

// apply edits the rendered manifests.
func (s *spoiled) apply() (*world, error) {
	text, err := render(s.folder + "/overlays/" + s.Overlay)
	if err != nil {
		return nil, err
	}
	documents := strings.Split(text, "\n---\n")
	for _, edit := range s.Edits {
		kind, name, _ := strings.Cut(edit.Object, "/")
		var at []int
		for i, document := range documents {
			objects, err := parse(document)
			if err != nil {
				return nil, err
			}
			if objects[0].GetKind() == kind && (name == "" || objects[0].GetName() == name) {
				at = append(at, i)
			}
		}
		if len(at) != 1 {
			return nil, fmt.Errorf("%d objects are %s", len(at), edit.Object)
		}
		document := &documents[at[0]]
		if count := strings.Count(*document, edit.Old); count != 1 {
			return nil, fmt.Errorf("%s has %q %d times:\n%s", edit.Object, edit.Old, count, *document)
		}
		*document = strings.Replace(*document, edit.Old, edit.New, 1)
	}
	return worldOf(strings.Join(documents, "\n---\n"))
}

func TestEveryMistakeIsCaughtByTheChecksThatTheTableNames(t *testing.T) {
	ours := map[string]bool{}
	for _, check := range checks() {
		ours[check.name] = check.ours
	}
	unseen := 0
	var all []spoiled
	for _, table := range tables {
		all = append(all, spoiledOnes(t, table.file, table.folder)...)
	}
	for _, s := range all {
		t.Run(s.Mistake, func(t *testing.T) {
			w, err := s.apply()
			if err != nil {
				t.Fatal(err)
			}
			faults := w.faults()
			var seen, notSeen []string
			for _, name := range names(faults) {
				if ours[name] {
					notSeen = append(notSeen, name)
				} else {
					seen = append(seen, name)
				}
			}
			if !slices.Equal(seen, s.Caught) || !slices.Equal(notSeen, s.Unseen) {
				t.Errorf("caught by %q and %q, the table says %q and %q:\n%v", seen, notSeen, s.Caught, s.Unseen, faults)
			}
			if !strings.Contains(fmt.Sprint(faults), s.Says) {
				t.Errorf("nobody says %q: %v", s.Says, faults)
			}
			t.Logf("%s: %s", strings.Join(append(seen, notSeen...), ", "), s.Mistake)
		})
		if len(s.Caught) == 0 {
			unseen++
		}
	}
	t.Logf("%d of these mistakes are accepted by every cluster", unseen)
}

// After a mistake that no cluster reports, people look for the symptom.
func TestTheSymptomsListEveryMistakeThatNoClusterReports(t *testing.T) {
	for _, table := range tables {
		text, err := os.ReadFile(filepath.Join(harness.Top(), table.page))
		if err != nil {
			t.Fatal(err)
		}
		_, section, found := strings.Cut(string(text), "\n## "+table.section+"\n")
		if !found {
			t.Fatalf("%s has no section %s", table.page, table.section)
		}
		section, _, _ = strings.Cut(section, "\n## ")
		for _, s := range spoiledOnes(t, table.file, table.folder) {
			if len(s.Caught) == 0 && !strings.Contains(section, s.Mistake) {
				t.Errorf("%s has not: %s", table.page, s.Mistake)
			}
		}
	}
}
