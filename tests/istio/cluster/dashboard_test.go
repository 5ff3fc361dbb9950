package cluster

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"canary-split/tests/istio/harness"
)

// dashboard is `canary-split dashboard`, and the page that it serves: what is asked here is what the page asks.
type dashboard struct {
	*user
	process *exec.Cmd
	url     string
	looks   *bufio.Reader
}

// picture is what the page shows after a look.
type picture struct {
	State struct {
		Source     string
		IsWritable bool
		Status     status
		Rules      []struct {
			Key, Plugin, Object, Rule, URL string
			Verdict                        struct{ Level, Text string }
			Space                          [][2]uint64
		}
		Events []struct{ Text string }
		Lost   *struct{ Why string }
	}
	// What was counted since the look before.
	Latest map[string]struct {
		Subsets []struct{ Decided float64 }
	}
	History map[string][]any
}

// order is a change that the page asks for.
type order struct {
	Plugin  string   `json:"plugin"`
	Rule    string   `json:"rule"`
	What    string   `json:"what"`
	Weights []string `json:"weights,omitempty"`
	Agreed  *agreed  `json:"agreed,omitempty"`
}

type agreed struct {
	Old map[string]int `json:"old"`
	New map[string]int `json:"new"`
}

// What the page is told of a change: before it is made, and when it is.
type told struct {
	change
	Written bool
	Diff    struct {
		Plugins []struct {
			Rules []struct {
				Rule     string
				Visitors []struct{ Moved struct{ Share float64 } }
			}
		}
	}
}

// dashboard starts it with the rights of a user, and follows each of its looks. It ends with the test.
func (s *story) dashboard(name string) *dashboard {
	s.t.Helper()
	d := &dashboard{user: s.user.as(name)}
	line := "canary-split dashboard --write --interval 2s -o json"
	d.process = exec.Command("sh", "-c", "exec "+line)
	d.process.Dir, d.process.Env = d.folder, d.env
	d.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	output, err := d.process.StdoutPipe()
	if err == nil {
		err = d.process.Start()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = d.process.Process.Kill() })
	var printed struct{ URL string }
	if err := json.NewDecoder(output).Decode(&printed); err != nil {
		s.t.Fatalf("$ %s: %v", line, err)
	}
	d.say("$ %s: as %s", line, name)
	d.url = printed.URL
	d.looks = bufio.NewReader(d.ask(http.MethodGet, "events", nil).Body)
	return d
}

// ask is a request of the page.
func (d *dashboard) ask(method, path string, body any) *http.Response {
	d.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		d.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(d.t.Context(), method, d.url+path, bytes.NewReader(text))
	if err != nil {
		d.t.Fatal(err)
	}
	if method == http.MethodPost {
		request.Header.Set("content-type", "application/json")
		request.Header.Set("origin", "http://"+request.URL.Host)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

// reads what is asked for.
func (d *dashboard) reads(method, path string, body, into any) {
	d.t.Helper()
	response := d.ask(method, path, body)
	text, err := io.ReadAll(response.Body)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil || response.StatusCode != http.StatusOK {
		d.t.Fatalf("%s %s: %s: %v\n%s", method, path, response.Status, err, text)
	}
}

func (d *dashboard) preview(o order) (said told) {
	d.t.Helper()
	text, err := json.Marshal(o)
	if err != nil {
		d.t.Fatal(err)
	}
	d.reads(http.MethodGet, "preview?"+url.Values{"order": {string(text)}}.Encode(), nil, &said)
	return said
}

// look is the first from now on of which this holds.
func (d *dashboard) look(what string, holds func(picture) bool) (seen picture) {
	d.t.Helper()
	for deadline := time.Now().Add(harness.Patience); ; {
		line, err := d.looks.ReadString('\n')
		if err != nil || time.Now().After(deadline) {
			d.t.Fatalf("still waiting for %s: %v; the last look: %+v", what, err, seen)
		}
		data, isLook := strings.CutPrefix(line, "data: ")
		if !isLook {
			continue
		}
		seen = picture{}
		if err := json.Unmarshal([]byte(data), &seen); err != nil {
			d.t.Fatalf("%v\n%s", err, data)
		}
		if len(seen.State.Rules) == 1 && holds(seen) {
			return seen
		}
	}
}

// enough requests for a share.
const enough = 200

func verdictIs(text string) func(picture) bool {
	return func(seen picture) bool {
		rule, requests := seen.State.Rules[0], 0.0
		for _, each := range seen.Latest[rule.Key].Subsets {
			requests += each.Decided
		}
		return rule.Verdict.Level == "good" && rule.Verdict.Text == text && requests >= enough
	}
}

// move does what somebody does who tries an order, reads who would move, and agrees.
func (d *dashboard) move(o order, expected map[string]int, moved float64) {
	d.t.Helper()
	before := d.run(weightsNow)
	shown := d.preview(o)
	rules := shown.Diff.Plugins[0].Rules
	if fmt.Sprint(shown.New) != fmt.Sprint(expected) || shown.Written || abs(shown.Moved-moved) > 1e-6 ||
		len(rules) != 1 || len(rules[0].Visitors) == 0 || abs(rules[0].Visitors[0].Moved.Share-moved) > 1e-6 {
		d.t.Errorf("the preview of %+v: %+v", o, shown)
	}
	if weights := d.run(weightsNow); weights != before {
		d.t.Errorf("a preview has made %s of %s", weights, before)
	}
	o.Agreed = &agreed{shown.Old, shown.New}
	var done told
	d.reads(http.MethodPost, "change", o, &done)
	if !done.Written || done.Gateways == nil || done.Gateways.Current != 3 || done.Gateways.Total != 3 {
		d.t.Errorf("%+v: %+v", o, done)
	}
	d.say("dashboard: %s%v is in force on three gateways after %d ms", o.What, o.Weights, done.TookMs)
}

// dashboardMoves shows the split on the page's interface, moves it, and rolls it back. There are requests meanwhile.
func (s *story) dashboardMoves() {
	// Visitors who stay are moved.
	patched := func(patch string) {
		s.user.run(fmt.Sprintf("kubectl -n istio-system patch wasmplugin canary-split --type=json -p '[%s]'", patch))
	}
	patched(`{"op":"add","path":"/spec/pluginConfig/rules/0/sticky","value":{"cookie":{}}}`)
	d := s.dashboard("operator")
	var whole picture
	d.reads(http.MethodGet, "state", nil, &whole)
	if state := whole.State; state.Source != "the cluster" || !state.IsWritable || state.Lost != nil || len(state.Rules) != 1 {
		s.t.Fatalf("%+v", state)
	}
	const fifth, all = 1 << 32 / 5, 1 << 32
	rule := whole.State.Rules[0]
	if rule.Plugin != "istio-system/canary-split" || rule.Object != "WasmPlugin istio-system/canary-split" || rule.Rule != "httpbin" || rule.URL != "https://canary.example.com/" ||
		fmt.Sprint(rule.Space) != fmt.Sprintf("[[1 %d] [0 %d]]", fifth, all-fifth) || len(whole.History[rule.Key]) == 0 {
		s.t.Errorf("%+v", whole)
	}
	seen := d.look("80/20 on all gateways", verdictIs("httpbin: 20 % on v2, all 3 gateways have it, 0.0 % errors"))
	s.agrees(seen.State.Status, map[string]int{"v1": 80, "v2": 20})
	if said := seen.State.Status; len(said.Findings) != 0 || len(said.Plugins[0].Gateways) != 3 {
		s.t.Errorf("%+v", said)
	}
	var found struct{ Text string }
	d.reads(http.MethodGet, "explain?"+url.Values{"url": {rule.URL}, "plugin": {rule.Plugin}}.Encode(), nil, &found)
	if !strings.Contains(found.Text, "VirtualService canary/httpbin http[0]") || !strings.Contains(found.Text, "subset v2 port 8001: 1 of 1 pods ready") {
		s.t.Errorf("a first visit:\n%s", found.Text)
	}

	forty := order{Plugin: rule.Plugin, Rule: rule.Rule, What: "set", Weights: []string{"v2=40%"}}
	s.dashboardIsRefused(forty)
	d.move(forty, map[string]int{"v1": 60, "v2": 40}, 0.2)
	if weights := s.user.run(weightsNow); weights != "60 40" {
		s.t.Errorf("the weights are %s", weights)
	}
	moved := verdictIs("httpbin: 40 % on v2, all 3 gateways have it, 0.0 % errors")
	d.look("the verdict after the move", moved)
	// Between two looks after it there is no request from before it.
	seen = d.look("shares after the move", moved)
	s.agrees(seen.State.Status, map[string]int{"v1": 60, "v2": 40})
	if said := "rule httpbin: v2 went from 20 to 40"; !seen.happened(said) {
		s.t.Errorf("no event %q: %+v", said, seen.State.Events)
	}
	if v2 := newClient(s.t, s.cluster).count(s.t, 300); !harness.Near(v2, 300, 0.4) {
		s.t.Errorf("%d of 300 see v2", v2)
	}

	d.move(order{Plugin: rule.Plugin, Rule: rule.Rule, What: "rollback"}, map[string]int{"v1": 60, "v2": 0}, 0.4)
	if v2 := newClient(s.t, s.cluster).count(s.t, 200); v2 != 0 {
		s.t.Errorf("%d of 200 see v2", v2)
	}
	d.look("the verdict after the rollback", verdictIs("httpbin: everybody on v1, all 3 gateways have it, 0.0 % errors"))
	d.ends()
	patched(`{"op":"remove","path":"/spec/pluginConfig/rules/0/sticky"}`)
	s.user.as("operator").run("canary-split set v1=80 v2=20 --yes")
}

// dashboardIsRefused: a page has the rights of whoever has started it.
func (s *story) dashboardIsRefused(o order) {
	d := s.dashboard("viewer")
	shown := d.preview(o)
	o.Agreed = &agreed{shown.Old, shown.New}
	response := d.ask(http.MethodPost, "change", o)
	text, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusUnprocessableEntity || !strings.Contains(string(text), "cannot patch resource") {
		s.t.Errorf("%s: %v\n%s", response.Status, err, text)
	}
	if weights := s.user.run(weightsNow); weights != "80 20" {
		s.t.Errorf("the weights are %s", weights)
	}
	d.ends()
}

// agrees: the weights are in force everywhere, and requests go where they say.
func (s *story) agrees(said status, weights map[string]int) {
	s.t.Helper()
	for name, each := range said.subsets() {
		share := float64(weights[name]) / 100
		if each.Weight == nil || *each.Weight != weights[name] || each.InForce == nil || *each.InForce != weights[name] || len(each.InForceByGateway) != 3 ||
			each.Decided == nil || each.Arrived == nil || each.Errors == nil || *each.Errors != 0 {
			s.t.Fatalf("%s: %+v", name, each)
		}
		if !harness.Near(int(*each.Decided*enough), enough, share) || abs(*each.Arrived-*each.Decided) > 0.03 {
			s.t.Errorf("%s: %.3f decided, %.3f arrived", name, *each.Decided, *each.Arrived)
		}
	}
}

func (p picture) happened(text string) bool {
	for _, event := range p.State.Events {
		if event.Text == text {
			return true
		}
	}
	return false
}

// ends interrupts it, as Ctrl-C does.
func (d *dashboard) ends() {
	d.t.Helper()
	if err := d.process.Process.Signal(syscall.SIGINT); err != nil {
		d.t.Fatal(err)
	}
	_ = d.process.Wait()
	if by := d.process.ProcessState.Sys().(syscall.WaitStatus); by.Signal() != syscall.SIGINT && by.ExitStatus() != 130 {
		d.t.Errorf("it ended by %v", d.process.ProcessState)
	}
	if _, err := http.Get(d.url); err == nil {
		d.t.Error("it is interrupted and answers")
	}
}
