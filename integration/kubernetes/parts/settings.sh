# Names, addresses and folders. Everything of a cluster carries its name, so that several can stand
# side by side: the network namespace, the folder of its state, its control group.

name=${KRYPTON_TEST_CLUSTER:-test}
cache=${KRYPTON_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/krypton}
programs=$cache/kubernetes
state=$cache/clusters/$name
network=krypton-$name
group=krypton-$name

# Inside the namespace; the same in each cluster, since namespaces do not see one another.
node_address=10.88.0.1
pod_range=10.244.0.0/24
service_range=10.96.0.0/16
api_service=10.96.0.1
api=https://$node_address:6443
registry=$node_address:5000

say() { printf '\033[1m==> %s\033[0m\n' "$*" >&2; }
fail() { printf 'cluster: %s\n' "$*" >&2; exit 1; }

parts_of_the_cluster() { echo etcd apiserver controllers scheduler registry dns containerd kubelet kubeproxy; }

# check_machine: what no script can install, said plainly.
check_machine() {
  [ "$(id -u)" -eq 0 ] || fail "a cluster needs root (network namespaces, mounts, control groups)"
  local missing=() tool
  for tool in containerd runc iptables ip conntrack openssl docker-registry skopeo gcc; do
    command -v "$tool" >/dev/null || missing+=("$tool")
  done
  [ -x /usr/lib/cni/bridge ] || missing+=(containernetworking-plugins)
  [ ${#missing[@]} -eq 0 ] || fail "not installed: ${missing[*]} (packages.list, "kubernetes:")"
}

# eventually SECONDS COMMAND...: until it succeeds.
eventually() {
  local end=$((SECONDS + $1)); shift
  until "$@" >/dev/null 2>&1; do
    [ $SECONDS -lt $end ] || { say "This did not become true: $*"; return 1; }
    read -rt 0.1 <> <(:) || true  # A tenth of a second, without a process.
  done
}
