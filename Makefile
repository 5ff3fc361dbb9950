# Thin targets; what they need is installed by tests/setup.sh, which names what it cannot install.
WASM := target/wasm32-wasip1/release/canary_split.wasm
PYTHON := .venv/bin/python
# Everything here looks for build results in this folder.
export CARGO_TARGET_DIR := $(CURDIR)/target
# The module names no path of the machine that built it: the same source gives the same bytes. The linker leaves relocations to
# wasmplugin/trim. (Encoded, for paths with spaces.)
MODULE_FLAGS = CARGO_ENCODED_RUSTFLAGS="-Clink-arg=--emit-relocs$$(printf -- '\037--remap-path-prefix=%s=' \
	"$${CARGO_HOME:-$$HOME/.cargo}"/registry/src/*/ "$(CURDIR)/")"

# Istio's test library asks for these folders, but does not use them here.
export TARGET_OUT := /tmp
export LOCAL_OUT := /tmp

.PHONY: help build demo test test-fast test-envoy fuzz mutants soak bench bench-regex budget corpora test-manifests test-operate test-browser screenshots test-istio test-cluster test-envoy-gateway fixtures chart lint audit advisories image tool release-prepare release-dry-run platforms simulate setup clean

help: ## print this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-18s %s\n", $$1, $$2}'

build: ## the module: target/wasm32-wasip1/release/canary_split.wasm
	tests/setup.sh build
	@cargo fetch --quiet --locked --target wasm32-wasip1
	@$(MODULE_FLAGS) cargo build --locked --profile module --lib --no-default-features --target wasm32-wasip1
	@$(MAKE) --no-print-directory $(TRIMMED)
	@mkdir -p $(dir $(WASM)) && cp $(TRIMMED) $(WASM).part && mv $(WASM).part $(WASM)

# The compiler's output, without code that never runs, and smaller.
BUILT := target/wasm32-wasip1/module/canary_split.wasm
TRIMMED := target/trim/canary_split.wasm
$(TRIMMED): $(BUILT) $(addprefix wasmplugin/trim/,src/cut.rs src/main.rs src/reach.rs Cargo.lock package-lock.json) Makefile
	@cargo run --quiet --locked --manifest-path wasmplugin/trim/Cargo.toml --target-dir target/trim -- $< $@.part
	@wasmplugin/trim/node_modules/.bin/wasm-opt -Oz --flatten --rereloop -Oz --flatten --rereloop -Oz -Oz --strip-target-features $@.part -o $@.part && mv $@.part $@

demo: build ## a whole canary on this machine: Envoy, v1, v2 (DEMO_EXIT=1 ends by itself)
	tests/setup.sh demo
	$(PYTHON) tests/demo/demo.py

# Half of the time is waiting for other processes. The tests of a file share a gateway, so one process runs them, in order. The demo
# has fixed ports, and pages are slow where others compute: these are alone.
TWO := $(PYTHON) -m pytest -q -n 2 --dist loadfile

setup: ## everything that `make test` needs
	tests/setup.sh all

test: setup build ## every test
	cargo test --locked --all-features
	$(TWO) tests/manifests tests/envoy tests/operate tests/soak
	$(PYTHON) -m pytest -q tests/demo tests/browser
	$(MAKE) test-istio test-cluster test-envoy-gateway

test-fast: build ## native tests, the tool's, and the built module in the fake host
	tests/setup.sh tool
	cargo test --locked --all-features

test-envoy: setup build ## the built module in every supported Envoy (ENVOY=1.39.3 for one)
	$(TWO) tests/envoy

TOOLS := PATH="$(CURDIR)/target/tools/bin:$$PATH"
# Pinned: it decides how the fuzz targets are built.
CARGO_FUZZ := target/tools/bin/cargo-fuzz
$(CARGO_FUZZ):
	cargo install --locked --root target/tools --version 0.13.2 cargo-fuzz

FUZZ := $(TOOLS) cargo fuzz
FUZZERS := config cookie matches decision
MINUTE := 60

fuzz: build $(CARGO_FUZZ) ## a minute of libFuzzer for each target; then 10⁶ random requests through the built module (MINUTE=600 for longer)
	CORPORA=unpack cargo test --locked --all-features --test fuzz -- --quiet
	@for fuzzer in $(FUZZERS); do \
		echo "fuzz: $$fuzzer"; \
		$(FUZZ) run --fuzz-dir tests/fuzz --target-dir target/fuzz/build --sanitizer none $$fuzzer target/fuzz/corpus/$$fuzzer -- \
			-max_total_time=$(MINUTE) -max_len=4096 -timeout=10 -rss_limit_mb=1024 -artifact_prefix=target/fuzz/finds/$$fuzzer/ -print_final_stats=1 2>target/fuzz/$$fuzzer.log \
		|| { tail -n 60 target/fuzz/$$fuzzer.log; echo "fuzz: fix it, then keep the input: make corpora"; exit 1; }; \
		grep -E 'stat::(number_of_executed_units|average_exec_per_sec|peak_rss_mb)|^Done' target/fuzz/$$fuzzer.log; \
	done
	REQUESTS=1000000 cargo test --locked --all-features --test wasm -- --nocapture no_request_traps

CARGO_MUTANTS := target/tools/bin/cargo-mutants
$(CARGO_MUTANTS):
	cargo install --locked --root target/tools --version 27.1.0 cargo-mutants

# Each job builds in a folder of its own, hence no CARGO_TARGET_DIR. A mutant that never ends is caught too; until it is stopped it may
# take memory, hence the limit.
MUTANTS := $(TOOLS) CARGO_PROFILE_DEV_DEBUG=0 cargo mutants --colors never
mutants: $(CARGO_MUTANTS) ## bugs inserted into the pure part one at a time: a native test has to fail for each; an hour (FILE=src/split.rs for less)
	tests/setup.sh rust
	@$(MUTANTS) --list --no-config >target/mutants.list
	@sed -n "s/^    '\(.*\)',/\1/p" .cargo/mutants.toml | while read -r known; do \
		grep -qEe "$$known" target/mutants.list || { echo ".cargo/mutants.toml: no such mutant: $$known"; exit 1; }; \
	done
	@unset CARGO_TARGET_DIR; ulimit -v 12000000; $(MUTANTS) --output target --jobs 2 $(addprefix --file ,$(FILE)) \
		|| { [ $$? -eq 3 ] && [ ! -s target/mutants.out/missed.txt ]; }

soak: build ## ten minutes under fire: visitors, hostile clients, failing applications, pushes; ends in a table (SECONDS=60 for less)
	tests/setup.sh demo
	$(PYTHON) tests/soak/soak.py $(or $(SECONDS),600)

bench: build ## what a request costs, next to Lua, an empty module and one written by hand (ROUNDS=15 for less; WRITE=1: into docs/performance.md)
	tests/setup.sh demo
	$(PYTHON) tests/bench/bench.py $(ROUNDS) $(if $(WRITE),--write)

bench-regex: build ## what regexes cost, in Envoy's own routes and in the filter (BEFORE=MODULE: another build too; WRITE=1: into docs/regex.md)
	tests/setup.sh demo
	$(PYTHON) tests/bench/regexes.py $(if $(BEFORE),--before $(BEFORE)) $(if $(WRITE),--write)

budget: build ## writes tests/budget.yaml: host calls and instructions of each regime
	UPDATE=1 cargo test --locked --all-features --test budget -- --quiet

corpora: $(CARGO_FUZZ) ## copies what make fuzz has kept and found into the repository
	@for fuzzer in $(FUZZERS); do $(FUZZ) cmin --fuzz-dir tests/fuzz --target-dir target/fuzz/build --sanitizer none $$fuzzer target/fuzz/corpus/$$fuzzer; done
	CORPORA=pack cargo test --locked --all-features --test fuzz -- --quiet

test-manifests: setup build ## the shipped manifests render and mean what we say
	$(TWO) tests/manifests

test-operate: setup build ## metrics, rules and dashboard on a real Prometheus; some seconds of the soak
	$(TWO) tests/operate tests/soak

test-browser: setup build ## a real Chromium against the demo's stack and the tool's dashboard
	cargo build --locked --bin canary-split
	$(PYTHON) -m pytest -q tests/browser

screenshots: setup build ## the pictures of the documents: docs/v1.png, docs/v2.png, docs/dashboard.png, docs/demo.svg; docs/status.svg after make test-cluster
	$(PYTHON) tests/browser/screenshots.py
	$(PYTHON) tests/demo/picture.py
	[ ! -e target/istio/status.ansi ] || $(PYTHON) tests/demo/picture.py status

test-istio: setup build target/istio/translation.test target/istio/reading.test ## what kubectl reads, and what Istio makes of the manifests, on every Envoy (ENVOY=1.39.3 for one)
	cd tests/istio/reading && $(CURDIR)/target/istio/reading.test
	cd tests/istio/translation && $(CURDIR)/target/istio/translation.test -test.v -test.failfast

test-cluster: setup build target/istio/cluster.test ## the documents in a cluster: API server, Istio, cert-manager, kubectl, the tool (ENVOY=1.38.2 for another)
	cargo build --locked --bin canary-split
	cd tests/istio/cluster && $(CURDIR)/target/istio/cluster.test -test.v -test.failfast

test-envoy-gateway: setup build ## manifests/envoy-gateway in Envoy Gateway's own control plane, with an Envoy
	$(PYTHON) tests/envoy-gateway/sandbox.py -m pytest -q tests/envoy-gateway

fixtures: target/istio/translation.test target/istio/reading.test ## writes tests/envoy/istio: what Istio makes of the overlays; and what kubectl reads
	cd tests/istio/reading && $(CURDIR)/target/istio/reading.test -update
	cd tests/istio/translation && $(CURDIR)/target/istio/translation.test -test.run Fixtures -update

# Go knows what is stale, and does nothing if nothing is. The API server must know which version it is.
KUBERNETES := k8s.io/component-base/version
GOTEST := go test -c -vet=off -ldflags "-X $(KUBERNETES).gitVersion=v1.36.1 -X $(KUBERNETES).gitMajor=1 -X $(KUBERNETES).gitMinor=36"

GOTESTS := target/istio/translation.test target/istio/reading.test target/istio/cluster.test
.PHONY: $(GOTESTS)
$(GOTESTS): target/istio/%.test:
	tests/setup.sh go
	cd tests/istio && $(GOTEST) -o $(CURDIR)/$@ ./$*

# Another version is installed again. It calls no further linters: what they find would depend on the machine.
ACTIONLINT_VERSION := 1.7.12
ACTIONLINT := target/tools/actionlint-$(ACTIONLINT_VERSION)/actionlint
$(ACTIONLINT):
	GOBIN=$(CURDIR)/$(@D) go install github.com/rhysd/actionlint/cmd/actionlint@v$(ACTIONLINT_VERSION)

TYPOS := target/tools/bin/typos
$(TYPOS):
	cargo install --locked --root target/tools --version 1.52.0 typos-cli

lint: $(TYPOS) ## formatting, clippy for both targets (with the lints against panics), documentation, spelling, workflows
	tests/setup.sh rust
	cargo fmt --check
	tests/setup.sh go
	@unformatted=$$(gofmt -l tests/istio); [ -z "$$unformatted" ] || { echo "gofmt -w $$unformatted"; exit 1; }
	@$(MAKE) --no-print-directory $(ACTIONLINT)
	@$(ACTIONLINT) -shellcheck= -pyflakes=
	cargo clippy --locked --all-features --all-targets -- -D warnings
	cargo clippy --locked --lib --no-default-features --target wasm32-wasip1 -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --lib --quiet
	$(TYPOS)

target/tools/bin/cargo-deny:
	cargo install --locked --root target/tools --version 0.20.2 cargo-deny
target/tools/bin/cargo-cyclonedx:
	cargo install --locked --root target/tools --version 0.5.9 cargo-cyclonedx

audit: build target/tools/bin/cargo-deny target/tools/bin/cargo-cyclonedx ## licences and sources of all dependencies; the module's parts: .image/canary-split.cdx.json
	$(TOOLS) cargo deny --locked check licenses bans sources
	$(TOOLS) cargo deny --locked --config wasmplugin/deny.toml check licenses bans sources
	$(TOOLS) python3 wasmplugin/sbom.py

advisories: target/tools/bin/cargo-deny ## known vulnerabilities of all dependencies; fetches RustSec's database
	$(TOOLS) cargo deny --locked check advisories

image: build ## OCI layout and tarball in .image/; URL=REGISTRY/NAME or URL=in-cluster sets it in the WasmPlugin; FORM=artifact
	tests/setup.sh image
	python3 wasmplugin/image.py $(if $(FORM),--form $(FORM)) $(if $(URL),--url $(URL))

tool: ## the native tool: target/release/canary-split
	tests/setup.sh rust
	cargo build --locked --release --bin canary-split

chart: ## into wasmplugin/chart what it has from elsewhere: schema, alerts, dashboard, version, image
	python3 wasmplugin/chart.py

release-dry-run: ## a whole release as far as this machine can make one: .release/
	tests/setup.sh image
	python3 release/dry_run.py

release-prepare: ## a version and its image's digest wherever they are said: VERSION=1.2.3
	python3 release/prepare.py $(VERSION)

platforms: ## the tool compiles for every platform of a release; every package of the demo exists for Linux on ARM and macOS
	tests/setup.sh platforms
	$(PYTHON) release/platforms.py

simulate: ## who moves when weights are edited: this split next to others
	tests/setup.sh rust
	@cargo run --locked --quiet --release -- simulate

clean: ## remove what was built and installed here
	rm -rf target .venv .image wasmplugin/trim/node_modules wasmplugin/in-cluster/canary_split.wasm.gz
