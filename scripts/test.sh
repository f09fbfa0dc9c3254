# Sourced by ./dev: runs the tests and the benchmarks.

# chart_tools: helm 3 and 4 and kubeconform; empty where they cannot be built.
chart_tools() {
  export KRYPTON_TEST_HELM KRYPTON_TEST_HELM4 KRYPTON_TEST_KUBECONFORM
  KRYPTON_TEST_HELM=$(go_tool helm helm.sh/helm/v3/cmd/helm@v3.19.5)
  KRYPTON_TEST_HELM4=$(go_tool helm4 helm.sh/helm/v4/cmd/helm@v4.3.1)
  KRYPTON_TEST_KUBECONFORM=$(go_tool kubeconform github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0)
}

# prepare_tests: fetches and builds, once, what the tests have from PyPI, npm and Go, and names it in the environment.
prepare_tests() {
  export KRYPTON_TEST_PYTHON KRYPTON_TEST_PYTHON_LEGACY KRYPTON_GRPCURL
  export KRYPTON_TEST_PYTHON_MODELS KRYPTON_TEST_NODE_OPENAI KRYPTON_TEST_NODE_GRAFANA
  KRYPTON_GRPCURL=$(go_tool grpcurl github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4)
  KRYPTON_TEST_PYTHON=$(test_python)
  KRYPTON_TEST_PYTHON_LEGACY=$(test_python legacy)
  KRYPTON_TEST_PYTHON_MODELS=$(models_python)
  KRYPTON_TEST_NODE_OPENAI=$(node_openai)
  KRYPTON_TEST_NODE_GRAFANA=$(node_grafana)
  chart_tools
}

# build_for_tests PRESET: a fresh machine has much to fetch; that waits for others, so it goes on beside the compiler.
# What goes wrong there is tried again, and said, by run_tests.
build_for_tests() {
  local ahead
  set -m  # A process group of its own, which can be ended whole.
  (exec </dev/null >/dev/null 2>&1; renice -n 19 "$BASHPID"; prepare_tests) &
  ahead=$!
  set +m
  trap "kill -- -$ahead 2>/dev/null; rm -rf '$cache'/go-bin/.build-*" EXIT
  build "$1"
  ! kill -0 "$ahead" 2>/dev/null || say "Waiting for the tests' tools, which are fetched and built beside (once)"
  wait "$ahead" || true
  trap - EXIT
}

# run_tests PRESET [NAME]: ctest, then one line of totals.
run_tests() {
  local preset=$1 name=${2:-}
  prepare_tests
  # A 3.x beside Debian's, where ./dev test monitoring has built it.
  [ ! -x "$cache/monitoring/prometheus3" ] || export KRYPTON_TEST_PROMETHEUS3=$cache/monitoring/prometheus3
  [ -n "$KRYPTON_TEST_HELM" ] || say "helm cannot be built (no Go here): the tests of the chart are skipped"
  [ -n "$KRYPTON_GRPCURL" ] || say "grpcurl cannot be built (no Go here): its tests are skipped"
  local select=()
  [ -n "$name" ] && select=(-R "$name")
  local results=$root/build/$preset/tests.xml status=0
  rm -f "$results"
  say "Testing $preset"
  # Three places a core: most tests of the mesh wait; what computes takes three (PROCESSORS).
  ctest --preset "$preset" -j "$((3 * jobs))" --no-tests=error --output-junit "$results" \
    --test-output-size-passed 20000 --test-output-size-failed 200000 --test-output-truncation head \
    "${select[@]}" || status=$?
  grep -q '<testcase' "$results" 2>/dev/null || fail "no test is named like '$name'"
  echo
  python3 "$root/scripts/summary.py" "$results"
  return "$status"
}

run_bench() {
  KRYPTON_TEST_PYTHON=$(test_python)
  exec "$KRYPTON_TEST_PYTHON" -m bench "$@"
}
