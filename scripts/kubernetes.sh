# Sourced by ./dev: the tests on a real cluster.

# why_no_cluster: what this machine lacks for one, a line each; nothing when it can.
why_no_cluster() {
  [ "$(id -u)" -eq 0 ] || echo "this user is not root: a cluster needs network namespaces, mounts and control groups"
  [ -f "$cache/kubernetes/complete" ] || command -v go >/dev/null || echo "Go is not installed: the programs of Kubernetes are built with it"
  grep -qw overlay /proc/filesystems || modprobe overlay 2>/dev/null || echo "the kernel has no overlay file system"
  [ -w /sys/fs/cgroup ] || echo "/sys/fs/cgroup cannot be written: this is a container without control groups of its own"
  unshare --net true 2>/dev/null || echo "network namespaces are not allowed here"
}

# test_kubernetes [PYTEST ARG...]: 77 when this machine cannot.
test_kubernetes() { test_in_cluster integration/kubernetes/run.sh "$@"; }

# test_monitoring [PYTEST ARG...]: likewise, with the Prometheus Operator.
test_monitoring() { test_in_cluster integration/kubernetes/monitoring/run.sh "$@"; }

# test_in_cluster SCRIPT ARG...
test_in_cluster() {
  local lacks; lacks=$(why_no_cluster)
  if [ -n "$lacks" ]; then
    printf 'NOT RUN: the tests on a real Kubernetes cluster, because\n' >&2
    printf '  %s\n' "$lacks" >&2
    return 77
  fi
  install_packages base test images kubernetes
  build_image_programs krypton_kube_integration_test
  export KRYPTON_TEST_PYTHON KRYPTON_TEST_PYTHON_MODELS KRYPTON_TEST_DEFINITIONS
  export KRYPTON_GOOGLEAPIS_DIR KRYPTON_SOURCE_DIR=$root
  chart_tools
  KRYPTON_TEST_DEFINITIONS=$(foreign_definitions)
  KRYPTON_TEST_PYTHON=$(test_python)
  KRYPTON_TEST_PYTHON_MODELS=$(models_python)
  KRYPTON_GOOGLEAPIS_DIR=$(googleapis)
  # Before the cluster's network is entered, from which no package source is reached.
  if [[ $1 == */monitoring/* ]]; then
    export KRYPTON_TEST_MONITORING
    KRYPTON_TEST_MONITORING=$("$root/integration/kubernetes/monitoring/build.sh")
  fi
  "$root/integration/kubernetes/cluster" run "$root/$1" "${@:2}"
}
