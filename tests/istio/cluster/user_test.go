package cluster

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"canary-split/tests/istio/harness"
)

// user is somebody at a terminal, in a copy of the repository.
type user struct {
	t       *testing.T
	folder  string
	env     []string
	started time.Time

	kubeconfigs map[string]string
}

// as is the same terminal with the rights of another user: viewer, operator or stranger.
func (u *user) as(name string) *user {
	u.t.Helper()
	kubeconfig := u.kubeconfigs[name]
	if kubeconfig == "" {
		u.t.Fatalf("no user %s", name)
	}
	other := *u
	other.env = append(slices.Clone(u.env), "KUBECONFIG="+kubeconfig)
	return &other
}

// newUser has the parts of the repository that he or she changes, the built module, kubectl, Helm and the tool, which is a plugin of
// kubectl as well.
func newUser(t *testing.T, p *controlPlane) *user {
	u := &user{t: t, folder: t.TempDir(), started: time.Now()}
	for _, part := range []string{"docs", "manifests", "wasmplugin"} {
		if err := os.CopyFS(filepath.Join(u.folder, part), os.DirFS(filepath.Join(harness.Top(), part))); err != nil {
			t.Fatal(err)
		}
	}
	// image.py finds these from where it lies.
	for _, file := range []string{"Cargo.toml", "README.md", harness.Module} {
		text, err := os.ReadFile(filepath.Join(harness.Top(), file))
		if err != nil {
			t.Fatalf("%v (make build makes it)", err)
		}
		write(t, filepath.Join(u.folder, file), string(text))
	}
	kubectl := os.Getenv("KUBECTL")
	if kubectl == "" {
		kubectl = filepath.Join(harness.Top(), ".venv/bin/kubectl")
	}
	if _, err := os.Stat(kubectl); err != nil {
		t.Fatalf("%v; run: tests/setup.sh all", err)
	}
	bin := filepath.Join(u.folder, "bin")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		t.Fatal(err)
	}
	tool := filepath.Join(harness.Top(), harness.Tool)
	if _, err := os.Stat(tool); err != nil {
		t.Fatalf("%v; run: cargo build --bin canary-split", err)
	}
	helm := filepath.Join(harness.Top(), "target/helm/helm")
	if _, err := os.Stat(helm); err != nil {
		t.Fatalf("%v; run: tests/setup.sh helm", err)
	}
	for name, file := range map[string]string{"kubectl": kubectl, "helm": helm, "canary-split": tool, "kubectl-canary_split": tool} {
		if err := os.Symlink(file, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	u.kubeconfigs = p.kubeconfigs
	u.env = append(os.Environ(), "KUBECONFIG="+p.kubeconfig, "KUBECACHEDIR="+filepath.Join(u.folder, "cache"), "PATH="+bin+":"+os.Getenv("PATH"), "GATEWAY="+loadBalancer, "PORT=443")
	for _, home := range []string{"CACHE", "CONFIG", "DATA"} {
		u.env = append(u.env, "HELM_"+home+"_HOME="+filepath.Join(u.folder, "helm"))
	}
	return u
}

// try runs a line of shell and returns what it prints.
func (u *user) try(line, input string) (string, error) {
	cmd := exec.Command("sh", "-c", line)
	cmd.Dir, cmd.Env = u.folder, u.env
	cmd.Stdin = strings.NewReader(input)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	err := cmd.Run()
	return strings.TrimSpace(output.String()), err
}

func (u *user) run(line string) string {
	u.t.Helper()
	output, err := u.try(line, "")
	if err != nil {
		u.t.Fatalf("$ %s\n%s\n%v", line, output, err)
	}
	u.say("$ %s", line)
	return output
}

func (u *user) apply(manifests string) {
	u.t.Helper()
	if output, err := u.try("kubectl apply --server-side -f -", manifests); err != nil {
		u.t.Fatalf("kubectl apply: %v\n%s", err, output)
	}
}

// say is a line of the time line.
func (u *user) say(format string, args ...any) {
	u.t.Logf("%6.1f s  %s", time.Since(u.started).Seconds(), fmt.Sprintf(format, args...))
}

// show prints what the user sees, below the time line.
func (u *user) show(output string) {
	for _, line := range strings.Split(output, "\n") {
		u.t.Logf("          %s", line)
	}
}

// finds runs a line that ends in a grep until it finds this text; "": once, and it finds nothing.
func (u *user) finds(line, text string) {
	u.t.Helper()
	if text == "" {
		if output, err := u.try(line, ""); err == nil || output != "" {
			u.t.Errorf("$ %s\n%s\nnothing was expected", line, output)
		}
		u.say("$ %s: nothing", line)
		return
	}
	var output string
	harness.Until(u.t, line, func() bool {
		output, _ = u.try(line, "")
		return strings.Contains(output, text)
	})
	u.say("$ %s", line)
	u.show(output)
}

// line is the only one with this part of the code block after a text of a document.
func (u *user) line(document, text, part string) (found string) {
	u.t.Helper()
	for _, line := range u.code(document, text) {
		if strings.Contains(line, part) {
			if found != "" {
				u.t.Fatalf("%s has two lines with %q after %q", document, part, text)
			}
			found = line
		}
	}
	if found == "" {
		u.t.Fatalf("%s has no line with %q after %q", document, part, text)
	}
	return found
}

// inline is the code within a sentence that has this part.
func (u *user) inline(document, part string) string {
	u.t.Helper()
	all, err := os.ReadFile(filepath.Join(u.folder, document))
	if err != nil {
		u.t.Fatal(err)
	}
	for _, code := range regexp.MustCompile("`(kubectl [^`]+)`").FindAllStringSubmatch(string(all), -1) {
		if strings.Contains(code[1], part) {
			return strings.Join(strings.Fields(code[1]), " ")
		}
	}
	u.t.Fatalf("%s has no %q", document, part)
	return ""
}

// code is the code block after a text of a document, line by line, without comments.
func (u *user) code(document, text string) (lines []string) {
	u.t.Helper()
	all, err := os.ReadFile(filepath.Join(u.folder, document))
	if err != nil {
		u.t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(all), text)
	_, block, fenced := strings.Cut(rest, "```sh\n")
	block, _, _ = strings.Cut(block, "```")
	if !found || !fenced {
		u.t.Fatalf("%s has no code after %q", document, text)
	}
	for _, line := range strings.Split(strings.TrimSpace(block), "\n") {
		line, _, _ = strings.Cut(line, "  #")
		lines = append(lines, strings.TrimSpace(line))
	}
	return lines
}
