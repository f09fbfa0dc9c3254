# Sourced by ./dev: runs the tests and the benchmarks.

# run_tests PRESET [NAME]: ctest, then one line of totals.
run_tests() {
  local preset=$1 name=${2:-}
  local grpcurl; grpcurl=$(go_tool grpcurl github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4)
  export KRYPTON_TEST_PYTHON KRYPTON_TEST_PYTHON_LEGACY KRYPTON_GRPCURL=$grpcurl
  KRYPTON_TEST_PYTHON=$(test_python)
  KRYPTON_TEST_PYTHON_LEGACY=$(test_python legacy)
  [ -n "$grpcurl" ] || say "grpcurl cannot be built (no Go here): its tests are skipped"
  local select=()
  [ -n "$name" ] && select=(-R "$name")
  local log=build/$preset/test.log status=0
  say "Testing $preset"
  ctest --preset "$preset" -j "$jobs" --no-tests=error "${select[@]}" 2>&1 | tee "$log" || status=$?
  summarize_tests "$log"
  return "$status"
}

# summarize_tests LOG: `N passed, N failed, N skipped` from ctest's output.
summarize_tests() {
  local total failed skipped
  total=$(grep -cE '^ *[0-9]+/[0-9]+ Test +#' "$1" || true)
  skipped=$(grep -cE '\*\*\*(Skipped|Not Run)' "$1" || true)
  failed=$(grep -cE '^ *[0-9]+/[0-9]+ Test +#.*\*\*\*(Failed|Timeout|Exception)' "$1" || true)
  printf '%d passed, %d failed, %d skipped\n' $((total - failed - skipped)) "$failed" "$skipped"
}

run_bench() {
  KRYPTON_TEST_PYTHON=$(test_python)
  exec "$KRYPTON_TEST_PYTHON" -m bench "$@"
}
