package cluster

import (
	"encoding/json"
	"fmt"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"canary-split/tests/istio/harness"
)

const helmPage = "docs/helm.md"

// chart takes the WasmPlugin over, moves a weight, rolls back, meets an edit of the tool, is removed, and installs the filter where there
// is none. What follows finds what it would have found without it.
func (s *story) chart() {
	s.valuesOfThePage()
	install := s.user.code(helmPage, "## Install")[0]
	takeOver := s.user.code(helmPage, "**A WasmPlugin that kubectl has applied**")[0]
	upgrade := s.user.code(helmPage, "## Move a weight")[0]
	rollback := s.user.code(helmPage, "## Roll back")[0]
	force := s.user.code(helmPage, "So write the weight into")[0]
	uninstall := s.user.code(helmPage, "## Remove")[0]

	s.user.run("kubectl -n istio-system apply view-last-applied wasmplugin canary-split >before.yaml")
	if refusal, err := s.user.try(install, ""); err == nil || !strings.Contains(refusal, "invalid ownership metadata") {
		s.t.Errorf("an object of kubectl's is taken over unasked: %v\n%s", err, refusal)
	}
	visitors := s.newVisitors(100)
	start := visitors.homes()
	stop := load(s.t, s.cluster)
	s.user.run(takeOver)
	s.managedByHelm()
	if now := visitors.homes(); !slices.Equal(now, start) {
		s.t.Errorf("visitors moved:\n%v\n%v", start, now)
	}

	s.helm(upgrade, "80")
	moved, stayed := 0, 0
	for visitor, now := range visitors.homes() {
		switch before := start[visitor]; {
		case before == "v2" && now != "v2":
			s.t.Error("a visitor of v2 moved, though v2 has grown")
		case before != now:
			moved++
		default:
			stayed++
		}
	}
	// v1 goes from 80 to 50 of 100.
	if !harness.Near(moved, moved+stayed, 0.3) {
		s.t.Errorf("%d of %d visitors moved", moved, moved+stayed)
	}
	s.user.say("%d of %d visitors moved, all of them to v2", moved, moved+stayed)
	// One worker of Envoy has a config a moment later than another; and connections that began without the filter stay without.
	areHome := func() bool { return slices.Equal(visitors.homes(), start) }
	s.helm(rollback, "20")
	harness.Until(s.t, "everybody at home after the rollback", areHome)

	s.editedBeside(force)
	harness.Until(s.t, "everybody at home with the weights of the start", areHome)
	s.bothKindsAreTaken()

	for _, line := range []string{install, "kubectl apply -f before.yaml"} {
		s.remove(uninstall)
		s.user.run(line)
		harness.Until(s.t, "the module on the gateway", s.gateway.runsTheModule)
		harness.Until(s.t, "everybody at home with the filter back", areHome)
		if line == install {
			s.managedByHelm()
		}
	}
	s.user.say("%d requests meanwhile, 0 failed", stop())
}

// valuesOfThePage are written where its commands look for them, with the image that this cluster has.
func (s *story) valuesOfThePage() {
	page, err := os.ReadFile(filepath.Join(s.user.folder, helmPage))
	if err != nil {
		s.t.Fatal(err)
	}
	var values string
	for _, block := range strings.Split(string(page), "```yaml\n")[1:] {
		block, _, _ = strings.Cut(block, "```")
		values += block
	}
	url := s.user.run("kubectl -n istio-system get wasmplugin canary-split -o 'jsonpath={.spec.url}'")
	_, digest, _ := strings.Cut(url, "@")
	placeholder := "sha256:" + strings.Repeat("0", 64)
	if strings.Count(values, placeholder) != 1 || !strings.HasPrefix(digest, "sha256:") {
		s.t.Fatalf("%s has no placeholder, or %s no digest:\n%s", helmPage, url, values)
	}
	write(s.t, filepath.Join(s.user.folder, "values.yaml"), strings.Replace(values, placeholder, digest, 1))
}

// helm runs a line and waits until the gateway has this weight of v2.
func (s *story) helm(line, weight string) {
	s.t.Helper()
	s.user.run(line)
	harness.Until(s.t, "v2 has "+weight, func() bool { return s.weightInForce() == weight })
}

// weightInForce is that of v2 on the gateway, as it says itself.
func (s *story) weightInForce() string {
	for _, line := range strings.Split(s.gateway.admin("stats/prometheus?filter=canary_config_weight"), "\n") {
		if value, found := strings.CutPrefix(line, `canary_config_weight{rule="httpbin",subset="v2"} `); found {
			return value
		}
	}
	return ""
}

// remove runs a line after which there is only v1.
func (s *story) remove(line string) {
	s.user.run(line)
	harness.Until(s.t, "a gateway without the filter", func() bool { return !s.gateway.hasTheFilter() })
	if v2 := newClient(s.t, s.cluster).count(s.t, 50); v2 != 0 {
		s.t.Errorf("%d of 50 see v2", v2)
	}
}

// managedByHelm waits until all is well, by Helm's WasmPlugin.
func (s *story) managedByHelm() {
	s.t.Helper()
	var said status
	harness.Until(s.t, "status says that Helm manages the WasmPlugin", func() bool {
		output, err := s.user.try("canary-split status --interval 1s -o json", "")
		return err == nil && json.Unmarshal([]byte(output), &said) == nil && len(said.Plugins) == 1 &&
			said.Plugins[0].ManagedBy != nil && *said.Plugins[0].ManagedBy == "helm"
	})
}

// editedBeside: after an edit of the tool Helm does not take it back in silence.
func (s *story) editedBeside(force string) {
	text := s.user.run("canary-split set httpbin v2=10% --yes")
	if !strings.Contains(text, "Helm") {
		s.t.Errorf("the tool does not say who manages the object:\n%s", text)
	}
	plain := strings.Replace(force, " --force-conflicts", "", 1)
	refusal, err := s.user.try(plain, "")
	if err == nil || !strings.Contains(refusal, `conflict with "canary-split"`) || !strings.Contains(refusal, ".spec.pluginConfig.rules") {
		s.t.Errorf("an edit of the tool is overwritten: %v\n%s", err, refusal)
	}
	s.user.say("$ %s", plain)
	s.user.show(refusal)
	set := s.user.run(weightsNow)
	if v1, v2, _ := strings.Cut(set, " "); set == "80 20" || v1 == "" {
		s.t.Errorf("the weights are %s", set)
	} else {
		s.helm(fmt.Sprintf("%s --set 'rules[0].split[0].weight=%s,rules[0].split[1].weight=%s'", plain, v1, v2), v2)
	}
	s.helm(force, "20")
	// From here on Helm is the only one again.
	s.helm(plain+" --set 'rules[0].split[1].weight=25'", "25")
	s.helm(plain, "20")
}

// bothKindsAreTaken by the API server and by Istio's validation.
func (s *story) bothKindsAreTaken() {
	for _, kind := range []string{"WasmPlugin", "TrafficExtension"} {
		s.user.run("helm template other wasmplugin/chart -f values.yaml --set priority=10,phase=AUTHN,image.pullPolicy=Always,kind=" + kind +
			" | kubectl apply --server-side --force-conflicts --dry-run=server -f -")
	}
}

// visitors come back, each with his or her own cookies.
type visitors struct {
	*story
	client *client
	jars   []*cookiejar.Jar
}

func (s *story) newVisitors(count int) visitors {
	v := visitors{s, newClient(s.t, s.cluster), nil}
	for range count {
		jar, _ := cookiejar.New(nil)
		v.jars = append(v.jars, jar)
	}
	return v
}

// homes are the versions that they see now.
func (v visitors) homes() (homes []string) {
	v.t.Helper()
	for _, jar := range v.jars {
		v.client.Jar = jar
		version, _, err := v.client.visit()
		if err != nil {
			v.t.Fatal(err)
		}
		homes = append(homes, version)
	}
	return homes
}
