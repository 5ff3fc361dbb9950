package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"canary-split/tests/istio/harness"
)

// What `canary-split status -o json` says, as the contract has it.
type status struct {
	Plugins []struct {
		Namespace, Name string
		ManagedBy       *string
		Gateways        []struct {
			Namespace, Pod string
			Current        bool
			Faults         *int
			Rejected       *int
		}
		Rules []struct {
			Name    string
			Hosts   []string
			State   string
			Ramp    *struct{ State string }
			Subsets []subset
		}
	}
	Findings []struct {
		Code, File, Severity, Message string
		Line                          *int
	}
	Notes []string
}

type subset struct {
	Name             string
	Stable, Tripped  bool
	Weight, InForce  *int
	InForceByGateway map[string]int
	Decided, Arrived *float64
	Errors           *float64
	Pods             *struct{ Ready, Total int }
	Route            *string
}

// What `set` and `rollback` say.
type change struct {
	Plugin, Rule string
	Old, New     map[string]int
	Moved        float64
	Gateways     *struct{ Current, Total int }
	TookMs       int
}

// exit runs a line and returns how it ended.
func (u *user) exit(line string) (output string, code int) {
	u.t.Helper()
	output, err := u.try(line, "")
	if ended := new(exec.ExitError); errors.As(err, &ended) {
		code = ended.ExitCode()
	} else if err != nil {
		u.t.Fatalf("$ %s\n%v", line, err)
	}
	u.say("$ %s: %d", line, code)
	return output, code
}

// reads runs a line that has to end with this code, and reads the JSON that it prints.
func (u *user) reads(line string, expected int, into any) {
	u.t.Helper()
	output, code := u.exit(line + " -o json")
	if err := json.Unmarshal([]byte(output), into); err != nil || code != expected {
		u.t.Fatalf("$ %s\n%s\n%d instead of %d: %v", line, output, code, expected, err)
	}
}

func (s *story) status(expected int) (said status) {
	s.t.Helper()
	s.user.as("viewer").reads("canary-split status --interval 2s", expected, &said)
	return said
}

// codes are those of the findings.
func (s status) codes() (codes []string) {
	for _, finding := range s.Findings {
		codes = append(codes, finding.Code)
	}
	return codes
}

func (s status) subsets() map[string]subset {
	subsets := map[string]subset{}
	for _, each := range s.Plugins[0].Rules[0].Subsets {
		subsets[each.Name] = each
	}
	return subsets
}

// finds says whether a finding of this code exists, about an object and not a line of a file.
func (s *story) finding(said status, code, part string) {
	s.t.Helper()
	for _, finding := range said.Findings {
		if finding.Code == code && strings.Contains(finding.Message, part) && finding.Line == nil && strings.Contains(finding.File, " ") {
			return
		}
	}
	s.t.Errorf("no finding %s of %q: %+v", code, part, said.Findings)
}

// living runs the tool's commands for a cluster, each with the rights that it needs and no others.
func (s *story) living() {
	stop := load(s.t, s.cluster)
	s.statusAgrees()
	for _, line := range s.user.code("README.md", "## Daily commands") {
		s.user.show(s.user.as("operator").run(line))
	}
	s.user.as("operator").run("canary-split set 80/20 --yes")
	s.setAndRollback()
	s.dashboardMoves()
	s.user.say("%d requests meanwhile, 0 failed", stop())
	s.rampIsShown()
	s.somebodyElseWasFaster()
	s.explained()
	s.weightsAreLeft()
	s.faultyRule()
	s.gatewayLags()
	s.managed()
	s.usedWrongly()
	s.canaryEnds()
}

func (s *story) statusAgrees() {
	said := s.status(0)
	plugin := said.Plugins[0]
	if plugin.Namespace != "istio-system" || plugin.Name != "canary-split" || plugin.ManagedBy != nil || len(plugin.Gateways) != 3 || len(said.Findings) != 0 {
		s.t.Errorf("%+v", said)
	}
	for _, gateway := range plugin.Gateways {
		if !gateway.Current || gateway.Faults == nil || *gateway.Faults != 0 || gateway.Rejected == nil || *gateway.Rejected != 0 {
			s.t.Errorf("%+v", gateway)
		}
	}
	rule := plugin.Rules[0]
	if rule.Name != "httpbin" || fmt.Sprint(rule.Hosts) != "[canary.example.com]" || rule.State != "active" {
		s.t.Errorf("%+v", rule)
	}
	expected := map[string]struct {
		weight int
		stable bool
		route  string
	}{"v1": {80, true, "canary/httpbin http[1]"}, "v2": {20, false, "canary/httpbin http[0]"}}
	for name, each := range said.subsets() {
		want := expected[name]
		share := float64(want.weight) / 100
		if each.Weight == nil || *each.Weight != want.weight || each.InForce == nil || *each.InForce != want.weight || len(each.InForceByGateway) != 3 ||
			each.Stable != want.stable || each.Tripped || each.Route == nil || *each.Route != want.route || each.Pods == nil || each.Pods.Ready != 1 || each.Pods.Total != 1 ||
			each.Decided == nil || each.Arrived == nil || each.Errors == nil || *each.Errors != 0 {
			s.t.Fatalf("%s: %+v", name, each)
		}
		if abs(*each.Decided-share) > 0.05 || abs(*each.Arrived-*each.Decided) > 0.02 {
			s.t.Errorf("%s: %.3f decided, %.3f arrived", name, *each.Decided, *each.Arrived)
		}
	}
	text, code := s.user.as("viewer").exit("kubectl canary-split status --interval 1s")
	s.user.show(text)
	if code != 0 || !strings.Contains(text, "3 of 3 gateway pods") {
		s.t.Error("as a plugin of kubectl")
	}
	// On a terminal the second picture takes the place of the first, with bars of who has which part.
	watched, code := s.user.as("viewer").exit(`timeout -s INT 5 script -qefc "canary-split status --watch --interval 1s" /dev/null`)
	if inPlace := regexp.MustCompile("\x1b\\[[0-9]+A\x1b\\[J"); !inPlace.MatchString(watched) || strings.Count(watched, "3 of 3 gateway pods") < 2 || !strings.Contains(watched, "arrived  \x1b[30;44ma") {
		s.t.Errorf("%d: not refreshed in place:\n%q", code, watched)
	}
	// tests/demo/picture.py draws docs/status.svg from it.
	write(s.t, filepath.Join(harness.Top(), "target/istio/status.ansi"), watched)
}

func (s *story) setAndRollback() {
	operator := s.user.as("operator")
	var said change
	operator.reads("canary-split set httpbin v2=25% --yes", 0, &said)
	if said.Plugin != "istio-system/canary-split" || said.Rule != "httpbin" || fmt.Sprint(said.Old) != "map[v1:80 v2:20]" ||
		fmt.Sprint(said.New) != "map[v1:75 v2:25]" || said.Gateways == nil || said.Gateways.Current != 3 || said.Gateways.Total != 3 || said.TookMs <= 0 {
		s.t.Errorf("%+v", said)
	}
	if weights := s.user.run(weightsNow); weights != "75 25" {
		s.t.Errorf("the weights are %s", weights)
	}
	// A dry run writes nothing, and needs no right to write.
	s.user.as("viewer").reads("canary-split set v2=50% --dry-run", 0, &said)
	if weights := s.user.run(weightsNow); weights != "75 25" || fmt.Sprint(said.New) != "map[v1:50 v2:50]" {
		s.t.Errorf("the weights are %s, %+v", weights, said)
	}
	text, code := operator.exit("canary-split set 50/50 --yes")
	s.user.show(text)
	if code != 0 || !strings.Contains(text, "in force on 3 of 3 gateway pods") {
		s.t.Error("set in words")
	}
	operator.reads("canary-split rollback --yes", 0, &said)
	if fmt.Sprint(said.New) != "map[v1:50 v2:0]" || said.Gateways.Current != 3 {
		s.t.Errorf("%+v", said)
	}
	// A second is the promise, and a third of one is usual; here the machine has other things to do as well.
	if said.TookMs > 5000 {
		s.t.Errorf("the rollback took %d ms", said.TookMs)
	}
	if v2 := newClient(s.t, s.cluster).count(s.t, 200); v2 != 0 {
		s.t.Errorf("%d of 200 see v2", v2)
	}
	s.user.say("rolled back on three gateways after %d ms", said.TookMs)
	operator.reads("canary-split set v1=80 v2=20 --yes", 0, &said)
}

func (s *story) rampIsShown() {
	operator := s.user.as("operator")
	ramp := `[{"op":"add","path":"/spec/pluginConfig/rules/0/ramp","value":{"start":"` + time.Now().Add(-2*time.Hour).UTC().Format(time.RFC3339) +
		`","steps":[{"after":"1h","weights":{"v1":70,"v2":30}},{"after":"48h","weights":{"v1":0,"v2":100}}]}}]`
	s.user.run(fmt.Sprintf("kubectl -n istio-system patch wasmplugin canary-split --type=json -p '%s'", ramp))
	harness.Until(s.t, "the ramp's weights", func() bool {
		var said status
		output, _ := s.user.as("viewer").try("canary-split status --interval 1s -o json", "")
		return json.Unmarshal([]byte(output), &said) == nil && said.subsets()["v2"].InForce != nil && *said.subsets()["v2"].InForce == 30
	})
	said := s.status(0)
	if ramp := said.Plugins[0].Rules[0].Ramp; ramp == nil || ramp.State != "running" {
		s.t.Errorf("%+v", ramp)
	}
	for _, line := range []string{"canary-split set httpbin --pause --yes", "canary-split set httpbin --resume --yes"} {
		s.user.show(operator.run(line))
	}
	var rolledBack change
	operator.reads("canary-split rollback httpbin --yes", 0, &rolledBack)
	if fmt.Sprint(rolledBack.New) != "map[v1:80 v2:0]" {
		s.t.Errorf("%+v", rolledBack)
	}
	if ramp := s.user.run(`kubectl -n istio-system get wasmplugin canary-split -o 'jsonpath={.spec.pluginConfig.rules[0].ramp}'`); ramp != "" {
		s.t.Errorf("the ramp is still there: %s", ramp)
	}
	operator.run("canary-split set v1=80 v2=20 --yes")
}

// somebodyElseWasFaster answers the question of `set` after another edit.
func (s *story) somebodyElseWasFaster() {
	operator := s.user.as("operator")
	fifo := filepath.Join(s.user.folder, "answer")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		s.t.Fatal(err)
	}
	type ended struct {
		output string
		code   int
	}
	done := make(chan ended, 1)
	asked := filepath.Join(s.user.folder, "asked")
	go func() {
		// A terminal of its own, in which the answer is typed.
		output, err := operator.try(fmt.Sprintf(`script -qefc "canary-split set httpbin v2=30%%" %s <%s`, asked, fifo), "")
		code := 0
		if failed := new(exec.ExitError); errors.As(err, &failed) {
			code = failed.ExitCode()
		}
		done <- ended{output, code}
	}()
	answer, err := os.OpenFile(fifo, os.O_WRONLY, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Close()
	harness.Until(s.t, "the question", func() bool {
		text, _ := os.ReadFile(asked)
		return strings.Contains(string(text), "[y/N]")
	})
	s.user.run(`kubectl -n istio-system annotate wasmplugin canary-split edited=meanwhile --overwrite`)
	if _, err := answer.WriteString("y\n"); err != nil {
		s.t.Fatal(err)
	}
	end := <-done
	if end.code != 1 || !strings.Contains(end.output, "changed by somebody else") {
		s.t.Errorf("%d\n%s", end.code, end.output)
	}
	if weights := s.user.run(weightsNow); weights != "80 20" {
		s.t.Errorf("the weights are %s", weights)
	}
	s.user.say("an edit in between: nothing is written, nothing is lost")
}

func (s *story) explained() {
	viewer := s.user.as("viewer")
	text, code := viewer.exit("canary-split explain https://canary.example.com/")
	s.user.show(text)
	for _, part := range []string{
		"VirtualService canary/httpbin http[0]", "VirtualService canary/httpbin http[1]",
		"subset v2 port 8001: 1 of 1 pods ready", "subset v1 port 8000: 1 of 1 pods ready",
	} {
		if code != 0 || !strings.Contains(text, part) {
			s.t.Errorf("no %q", part)
		}
	}
	if text, code := viewer.exit("canary-split explain http://canary.example.com/"); code != 0 || !strings.Contains(text, "to https") {
		s.t.Errorf("%d\n%s", code, text)
	}
	if text, code := viewer.exit("canary-split check --cluster --interval 1s"); code != 0 {
		s.t.Errorf("%d\n%s", code, text)
	}
}

// weightsAreLeft is how people come from the tutorial: the default route still has weights.
func (s *story) weightsAreLeft() {
	left := `[{"op":"replace","path":"/spec/http/1/route","value":[` +
		`{"destination":{"host":"httpbin.canary.svc.cluster.local","subset":"v1","port":{"number":8000}},"weight":50},` +
		`{"destination":{"host":"httpbin.canary.svc.cluster.local","subset":"v2","port":{"number":8001}},"weight":50}]}]`
	before := s.user.run(`kubectl -n canary get virtualservice httpbin -o 'jsonpath={.spec.http[1].route}'`)
	s.user.run(fmt.Sprintf("kubectl -n canary patch virtualservice httpbin --type=json -p '%s'", left))
	c := newClient(s.t, s.cluster)
	harness.Until(s.t, "the weights that are left", func() bool { return c.count(s.t, 100) > 45 })
	stop := load(s.t, s.cluster)
	said := s.status(1)
	s.finding(said, "arrived-off-decided", "v2")
	v2 := said.subsets()["v2"]
	if abs(*v2.Decided-0.2) > 0.05 || abs(*v2.Arrived-0.6) > 0.08 {
		s.t.Errorf("%.3f decided, %.3f arrived", *v2.Decided, *v2.Arrived)
	}
	text, code := s.user.as("viewer").exit("canary-split status --interval 2s --color always")
	s.user.show(text)
	if red := regexp.MustCompile("\x1b\\[31m(5|6)[0-9]\\.[0-9] %"); code != 1 || !red.MatchString(text) {
		s.t.Error("what arrived is not red")
	}
	stop()
	s.user.run(fmt.Sprintf(`kubectl -n canary patch virtualservice httpbin --type=json -p '[{"op":"replace","path":"/spec/http/1/route","value":%s}]'`, before))
	harness.Until(s.t, "the routes as before", func() bool { return c.count(s.t, 100) < 35 })
}

func (s *story) faultyRule() {
	s.user.run(`kubectl -n istio-system patch wasmplugin canary-split --type=json -p '[{"op":"add","path":"/spec/pluginConfig/rules/0/ramp","value":{"steps":[]}}]'`)
	var said status
	harness.Until(s.t, "a rule on last good", func() bool {
		output, _ := s.user.as("viewer").try("canary-split status --interval 1s -o json", "")
		return json.Unmarshal([]byte(output), &said) == nil && said.Plugins[0].Rules[0].State == "last_good"
	})
	said = s.status(1)
	s.finding(said, "config-faults", "last good")
	for _, gateway := range said.Plugins[0].Gateways {
		if !gateway.Current || gateway.Faults == nil || *gateway.Faults == 0 {
			s.t.Errorf("%+v", gateway)
		}
	}
	if v2 := said.subsets()["v2"]; v2.InForce == nil || *v2.InForce != 20 {
		s.t.Errorf("%+v", v2)
	}
	// The rollback leaves out what has the fault.
	var back change
	s.user.as("operator").reads("canary-split rollback httpbin --yes", 0, &back)
	if said := s.status(0); said.Plugins[0].Rules[0].State != "active" || *said.subsets()["v2"].InForce != 0 {
		s.t.Errorf("%+v", said)
	}
	s.user.as("operator").run("canary-split set v1=80 v2=20 --yes")
}

// gatewayLags stops the agent of one gateway, which then gets no push; then its Envoy too, which then does not answer.
func (s *story) gatewayLags() {
	lagging := s.gateway.pod("")
	signal := func(process int, signal syscall.Signal) {
		if err := syscall.Kill(process, signal); err != nil {
			s.t.Fatal(err)
		}
	}
	signal(lagging.process, syscall.SIGSTOP)
	defer signal(lagging.process, syscall.SIGCONT)
	text, code := s.user.as("operator").exit("canary-split set v2=10% --yes --timeout 3s")
	s.user.show(text)
	if code != 1 || !strings.Contains(text, "in force on 2 of 3 gateway pods") || !strings.Contains(text, lagging.name) {
		s.t.Errorf("%d", code)
	}
	said := s.status(1)
	s.finding(said, "config-behind", lagging.name)
	s.finding(said, "weights-differ", lagging.name)
	if v2 := said.subsets()["v2"]; v2.InForce != nil || v2.InForceByGateway[lagging.name] != 20 {
		s.t.Errorf("%+v", v2)
	}
	envoy := s.onlyChild(lagging.process)
	signal(envoy, syscall.SIGSTOP)
	said = s.status(1)
	signal(envoy, syscall.SIGCONT)
	s.finding(said, "gateway-silent", lagging.name)
	if v2 := said.subsets()["v2"]; v2.InForce == nil || *v2.InForce != 10 || len(v2.InForceByGateway) != 2 {
		s.t.Errorf("the others: %+v", v2)
	}
	signal(lagging.process, syscall.SIGCONT)
	var change change
	s.user.as("operator").reads("canary-split set v1=80 v2=20 --yes", 0, &change)
	if change.Gateways.Current != 3 {
		s.t.Errorf("%+v", change)
	}
}

// canaryEnds: v2 becomes stable, then the rule and what only it has needed go; nobody moves and no request fails.
func (s *story) canaryEnds() {
	operator := s.user.as("operator")
	if text, code := operator.exit("canary-split promote httpbin v2 --yes"); code != 1 || !strings.Contains(text, "v2=100%") {
		s.t.Errorf("%d\n%s", code, text)
	}
	operator.run("canary-split set httpbin v2=100% --yes")
	c := newClient(s.t, s.cluster)
	harness.Until(s.t, "v2 for all", func() bool { return c.count(s.t, 20) == 20 })
	stop := load(s.t, s.cluster)
	s.user.show(s.user.as("viewer").run("canary-split promote httpbin v2 --dry-run"))
	var said struct {
		change
		Steps   []struct{ Object, Diff string }
		Written bool
	}
	operator.reads("canary-split promote httpbin v2 --yes", 0, &said)
	if said.Moved != 0 || said.New["v2"] == 0 || said.New["v1"] != 0 || said.Gateways == nil || said.Gateways.Current != 3 || !said.Written || len(said.Steps) < 2 {
		s.t.Errorf("%+v", said)
	}
	if v2 := c.count(s.t, 100); v2 != 100 {
		s.t.Errorf("%d of 100 see v2", v2)
	}
	if now := s.status(0).subsets(); !now["v2"].Stable || now["v1"].Stable {
		s.t.Errorf("%+v", now)
	}
	if text, code := operator.exit("canary-split check --cluster --interval 1s"); code != 0 {
		s.t.Errorf("%d\n%s", code, text)
	}
	operator.reads("canary-split remove httpbin --yes", 0, &said)
	if said.Gateways == nil || said.Gateways.Current != 3 || len(said.Steps) < 3 {
		s.t.Errorf("%+v", said)
	}
	if v2 := c.count(s.t, 100); v2 != 100 {
		s.t.Errorf("%d of 100 see v2", v2)
	}
	s.user.say("%d requests meanwhile, 0 failed", stop())
	for line, expected := range map[string]string{
		`kubectl -n istio-system get wasmplugin canary-split -o 'jsonpath={.spec.pluginConfig.rules[*].name}'`:   "",
		`kubectl -n canary get virtualservice httpbin -o 'jsonpath={.spec.http[*].route[*].destination.subset}'`: "v2",
		`kubectl -n canary get destinationrule httpbin -o 'jsonpath={.spec.subsets[*].name}'`:                    "v2",
	} {
		if is := s.user.run(line); is != expected {
			s.t.Errorf("$ %s: %q", line, is)
		}
	}
	// All at once, as nobody would who has requests: a route may come before the subset that it names.
	s.user.run("kubectl apply -k manifests/overlays/weighted")
	harness.Until(s.t, "v1 again", func() bool { version, _, err := c.visit(); return err == nil && version == "v1" })
	harness.Until(s.t, "all is well", func() bool {
		_, err := s.user.as("viewer").try("canary-split status --interval 1s", "")
		return err == nil
	})
}

// onlyChild of a process: whichever of its threads has started it.
func (s *story) onlyChild(process int) (child int) {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", process))
	for _, thread := range threads {
		if children, err := os.ReadFile(thread); err == nil {
			_, _ = fmt.Sscan(string(children), &child)
		}
	}
	if child == 0 {
		s.t.Fatalf("process %d has no child", process)
	}
	return child
}

func (s *story) managed() {
	s.user.run("kubectl -n istio-system label wasmplugin canary-split argocd.argoproj.io/instance=shop")
	said := s.status(0)
	if by := said.Plugins[0].ManagedBy; by == nil || *by != "argocd" {
		s.t.Errorf("%v", by)
	}
	if text, code := s.user.as("operator").exit("canary-split rollback --dry-run"); code != 0 || !strings.Contains(text, "Argo CD") {
		s.t.Errorf("%d\n%s", code, text)
	}
	s.user.run("kubectl -n istio-system label wasmplugin canary-split argocd.argoproj.io/instance-")
}

func (s *story) usedWrongly() {
	second := "apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {name: canary-split-second, namespace: canary}\n" +
		"spec: {selector: {matchLabels: {app: nobody}}, url: oci://registry.example.com/x, pluginConfig: {header: x-second, rules: [{name: httpbin, split: [{subset: v1, weight: 1}, {subset: v2, weight: 1}]}]}}\n"
	for _, each := range []struct {
		as, line, part string
		code           int
	}{
		{"viewer", "canary-split set v2=25% --yes -o json", "cannot patch resource", 2},
		{"viewer", "canary-split set v2=25%", "--yes", 2},
		{"operator", "canary-split set nosuch v2=25% --yes", "nosuch", 2},
		{"operator", "canary-split set httpbin v3=25% --yes", "v3", 2},
		{"operator", "canary-split set httpbin v2=25 --yes", "v2=25%", 2},
		{"stranger", "canary-split status", "forbidden", 2},
		{"stranger", "canary-split rollback --yes", "forbidden", 2},
		{"viewer", "canary-split status nosuch --interval 1s", "no rule nosuch; there are httpbin", 2},
		{"viewer", "canary-split status --context nosuch", "no context nosuch", 2},
		{"viewer", "canary-split status --kubeconfig /nosuch", "/nosuch", 2},
		{"viewer", "env -u KUBECONFIG HOME=/nosuch canary-split status", "no cluster", 2},
		{"viewer", "canary-split status -n canary --interval 1s", "no WasmPlugin", 0},
	} {
		output, code := s.user.as(each.as).exit(each.line)
		if lines := strings.Count(output, "\n"); code != each.code || !strings.Contains(output, each.part) || lines > 0 {
			s.t.Errorf("as %s: $ %s\n%s\n%d instead of %d", each.as, each.line, output, code, each.code)
		}
	}
	// An API server that nobody is at.
	dead := filepath.Join(s.user.folder, "dead")
	config := "apiVersion: v1\nkind: Config\ncurrent-context: x\ncontexts: [{name: x, context: {cluster: x, user: x}}]\nusers: [{name: x, user: {}}]\n" +
		"clusters: [{name: x, cluster: {server: \"https://127.0.0.1:1\"}}]\n"
	write(s.t, dead, config)
	if output, code := s.user.exit("canary-split status --kubeconfig " + dead); code != 2 || !strings.Contains(output, "cannot be reached") {
		s.t.Errorf("%d\n%s", code, output)
	}
	// Nothing of a kubeconfig is printed, also where it cannot be read or its plugin fails.
	const token = "SGFT-of-the-user"
	user := "apiVersion: v1\nkind: Config\ncurrent-context: x\ncontexts: [{name: x, context: {cluster: x, user: x}}]\n" +
		"clusters: [{name: x, cluster: {server: \"https://127.0.0.1:1\"}}]\nusers:\n- name: x\n  user: "
	for text, part := range map[string]string{
		user + "{token: [x, " + token + "]}\n": "not a kubeconfig: line 8",
		user + "{token: " + token + "\n":       "not a kubeconfig: line",
		user + "{exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: sh, args: [-c, \"echo " + token + "; exit 3\"]}}\n": "exec plugin has failed: exit status: 3",
		user + "{exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: sh, args: [-c, \"echo '{" + token + "'\"]}}\n":      "not an ExecCredential",
		user + "{exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: /nosuch}}\n":                                        "exec plugin cannot be started",
	} {
		write(s.t, dead, text)
		output, code := s.user.exit("canary-split status --kubeconfig " + dead)
		if code != 2 || !strings.Contains(output, part) || strings.Contains(output, token) || strings.Contains(output, "\n") {
			s.t.Errorf("%s\n%d: %s", text, code, output)
		}
	}
	// A user who may write but not ask the gateways is told that it is written.
	s.user.run("kubectl -n istio-system delete rolebinding canary-split-operator")
	var blind change
	s.user.as("operator").reads("canary-split set v2=30% --yes", 1, &blind)
	if blind.Gateways == nil || blind.Gateways.Current != 0 || blind.Gateways.Total != 3 || s.user.run(weightsNow) != "70 30" {
		s.t.Errorf("%+v", blind)
	}
	s.user.run("kubectl apply -f manifests/rbac/operator.yaml")
	s.user.as("operator").run("canary-split set 80/20 --yes")
	// Two plugins with a rule of one name.
	s.user.apply(second)
	operator := s.user.as("operator")
	for line, part := range map[string]string{
		"canary-split rollback httpbin --yes":                 "choose with --plugin",
		"canary-split status httpbin --interval 1s":           "choose with --plugin",
		"canary-split rollback httpbin --yes --plugin nosuch": "no plugin nosuch",
	} {
		if output, code := operator.exit(line); code != 2 || !strings.Contains(output, part) {
			s.t.Errorf("$ %s\n%d: %s", line, code, output)
		}
	}
	said := s.status(1)
	s.finding(said, "no-gateway-pod", "canary-split-second")
	s.user.run("kubectl -n canary delete wasmplugin canary-split-second")
}

func abs(number float64) float64 {
	if number < 0 {
		return -number
	}
	return number
}
