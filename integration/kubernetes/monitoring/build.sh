#!/usr/bin/env bash
# Builds the monitoring stack from its Go modules into the cache folder, once: the Prometheus Operator, its
# config reloader, its CRDs, and a Prometheus of each major (Debian's is built without Kubernetes). Prints the folder.
set -euo pipefail
cache=${KRYPTON_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/krypton}
out=$cache/monitoring
operator=0.85.0
prometheus=3.16.0
prometheus_before=2.55.1

say() { printf '\033[1m==> %s\033[0m\n' "$*" >&2; }

# A module of one's own with the programs as tools: `go install` refuses modules that have a `replace`.
module() {
  (cd "$work" && rm -f go.mod go.sum && go mod init tools && go get -tool "$@") >"$work/log" 2>&1 ||
    { tail -n 20 "$work/log" >&2; exit 1; }
}

build_operator() {
  local module=github.com/prometheus-operator/prometheus-operator program
  say "Building the Prometheus Operator $operator (once, about two minutes)"
  module "$module/cmd/operator@v$operator" "$module/cmd/prometheus-config-reloader@v$operator" \
    "$module/pkg/apis/monitoring@v$operator" "$module/pkg/client@v$operator"
  for program in operator prometheus-config-reloader; do
    (cd "$work" && CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$out/$program" "$module/cmd/$program")
  done
  rm -rf "$out/crds"
  cp -r "$(cd "$work" && go list -m -f '{{.Dir}}' "$module")/example/prometheus-operator-crd" "$out/crds"
  chmod -R u+w "$out/crds"
}

build_prometheus() {
  local module=github.com/prometheus/prometheus
  say "Building Prometheus $prometheus (once, some minutes)"
  module "$module/cmd/prometheus@v0.3${prometheus#3.}"
  # Of its service discoveries those that the tests use: the others bring the clouds' whole SDKs.
  (cd "$work" && CGO_ENABLED=0 go build -trimpath -tags remove_all_sd,enable_kubernetes_sd \
    -ldflags "-s -w -X github.com/prometheus/common/version.Version=$prometheus" \
    -o "$out/prometheus3" "$module/cmd/prometheus")
}

# 2.x has no build tags for its discoveries: a copy of its source names the one that is wanted.
build_prometheus_before() {
  local module=github.com/prometheus/prometheus version=v0.${prometheus_before#2.}
  say "Building Prometheus $prometheus_before (once, some minutes)"
  cp -r "$(go mod download -json "$module@$version" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')" "$work/before"
  chmod -R u+w "$work/before"
  printf 'package plugins\n\nimport _ "%s/discovery/kubernetes"\n' "$module" > "$work/before/plugins/plugins.go"
  (cd "$work/before" && CGO_ENABLED=0 go build -mod=mod -trimpath \
    -ldflags "-s -w -X github.com/prometheus/common/version.Version=$prometheus_before" \
    -o "$out/prometheus2" ./cmd/prometheus)
}

# once NAME VERSION COMMAND: unless NAME of that version is there.
once() {
  [ "$(cat "$out/$1.version" 2>/dev/null)" != "$2" ] || return 0
  command -v go >/dev/null || { echo "Go is not installed, and $1 is built with it" >&2; exit 1; }
  work=$(mktemp -d)
  "$3"
  chmod -R u+w "$work" && rm -rf "$work"
  echo "$2" > "$out/$1.version"
}

mkdir -p "$out"
once operator "$operator" build_operator
once prometheus3 "$prometheus" build_prometheus
once prometheus2 "$prometheus_before" build_prometheus_before
echo "$out"
