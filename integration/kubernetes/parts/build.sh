# The programs, from Go modules: one binary holds Kubernetes (hyperkube/main.go), beside it etcd, CoreDNS and
# helm. About fifteen minutes on two cores, once; they stay in the cache folder.

kubernetes_version=1.34.4
etcd_version=3.6.16
coredns_version=1.12.4
helm_version=3.19.5

build_programs() {
  local stamp="$kubernetes_version $etcd_version $coredns_version $helm_version"
  [ "$(cat "$programs/complete" 2>/dev/null)" != "$stamp" ] || return 0
  command -v go >/dev/null || fail "Go is not installed, and the programs of Kubernetes are built with it"
  mkdir -p "$programs"
  build_kubernetes
  build_etcd
  say "Building CoreDNS $coredns_version (once, about a minute)"
  GOBIN=$programs go install "github.com/coredns/coredns@v$coredns_version" 2> >(download_progress)
  say "Building helm $helm_version (once, about a minute)"
  # Beside the other tools of ./dev, which uses it too.
  GOBIN=$cache/go-bin go install "helm.sh/helm/v3/cmd/helm@v$helm_version" 2> >(download_progress)
  echo "$stamp" > "$programs/complete"
}

# build_kubernetes: its go.mod asks for the staging modules as v0.0.0 (they lie in the same tree); from outside
# they have versions, and no `replace` is needed.
build_kubernetes() {
  local version=v$kubernetes_version staging=v0.${kubernetes_version#1.}
  say "Building Kubernetes $kubernetes_version (once, 5 to 10 minutes)"
  local work; work=$(mktemp -d)
  cp "$here/hyperkube/main.go" "$work"
  local upstream
  upstream=$(cd "$work" && go mod download -json "k8s.io/kubernetes@$version" | sed -n 's/.*"GoMod": "\(.*\)".*/\1/p')
  {
    printf 'module hyperkube\ngo 1.24.0\nrequire k8s.io/kubernetes %s\n' "$version"
    grep -oE '\bk8s\.io/[a-z-]+ v0\.0\.0$' "$upstream" | sort -u | sed "s/^/require /; s/v0\.0\.0/$staging/"
  } > "$work/go.mod"
  local package=k8s.io/component-base/version
  local flags="-s -w -X $package.gitVersion=$version -X $package.gitMajor=1 -X $package.gitMinor=34"
  (cd "$work" && GOFLAGS=-mod=mod go mod tidy 2> >(download_progress) &&
    go build -v -trimpath -ldflags "$flags" -o "$programs/hyperkube" . 2> >(package_progress))
  rm -rf "$work"
  local program
  for program in kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl; do
    ln -sf hyperkube "$programs/$program"
  done
}

# build_etcd: a program of three lines, because `go install` refuses a module that has a `replace`.
build_etcd() {
  say "Building etcd $etcd_version (once, half a minute)"
  local work; work=$(mktemp -d)
  printf 'module etcd\ngo 1.24.0\nrequire go.etcd.io/etcd/server/v3 v%s\n' "$etcd_version" > "$work/go.mod"
  cat > "$work/main.go" <<'GO'
package main

import (
	"os"

	"go.etcd.io/etcd/server/v3/etcdmain"
)

func main() { etcdmain.Main(os.Args) }
GO
  (cd "$work" && GOFLAGS=-mod=mod go mod tidy 2> >(download_progress) &&
    go build -trimpath -ldflags "-s -w" -o "$programs/etcd" .)
  rm -rf "$work"
}

# Filters of what go says: a count that goes on, and everything that is not progress.
download_progress() { count_lines '^go: (downloading|finding|found)' "modules fetched"; }
package_progress() { count_lines '^[a-zA-Z0-9_./-]+$' "packages compiled"; }

count_lines() {
  local count=0 line
  while read -r line; do
    if ! [[ $line =~ $1 ]]; then echo "$line" >&2; continue; fi
    count=$((count + 1))
    if [ -t 2 ]; then printf '\r\033[K  %d %s' "$count" "$2" >&2
    elif [ $((count % 200)) -eq 0 ]; then echo "  $count $2" >&2; fi
  done
  [ ! -t 2 ] || printf '\r\033[K' >&2
}
