#!/usr/bin/env bash
# Inside the cluster's network (`cluster run`): images and chart go into the registry, then pytest. Arguments are
# pytest's, or names of test files: `run.sh agents -k wakes`.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
results=$root/build/kubernetes-tests.xml
chart_results=$root/build/chart-api-tests.xml

arguments=()
for argument in "$@"; do
  if [ -f "$here/test_$argument.py" ]; then arguments+=("test_$argument.py"); else arguments+=("$argument"); fi
done

"$root/dev" images --push "$REGISTRY/krypton"
"$root/dev" chart --push "$REGISTRY/charts"
/usr/bin/python3 "$here/images/make.py" --push "$REGISTRY/test" --models-python "$KRYPTON_TEST_PYTHON_MODELS"

KRYPTON_BINARY_DIR=$(cd "$root" && realpath "${KRYPTON_IMAGES_FROM:-build/release/bin}")
export KRYPTON_BINARY_DIR

# What an API server alone can say of the definitions: beside the others, which mostly wait.
chart= chart_log=$root/build/chart-api-tests.log
if [ ${#arguments[@]} -eq 0 ]; then
  cd "$here/../chart"
  setsid nice -n 10 "$KRYPTON_TEST_PYTHON" -m pytest -q -ra -p no:cacheprovider --junitxml="$chart_results" \
    test_api_server.py test_client.py test_foreign.py test_kubectl.py test_install.py >"$chart_log" 2>&1 &
  chart=$!
  trap 'kill -- "-$chart" 2>/dev/null || true' EXIT
fi

cd "$here"
status=0
"$KRYPTON_TEST_PYTHON" -m pytest -q -ra -p no:cacheprovider --durations=10 --ignore=monitoring --junitxml="$results" \
  "${arguments[@]}" || status=$?
if [ -n "$chart" ]; then
  wait "$chart" || status=$?
  trap - EXIT
  cat "$chart_log"
  results=("$results" "$chart_results")
fi
if [ "$status" -ne 0 ]; then
  rm -rf "$root/build/kubernetes-logs"
  cp -r "$(dirname "$KUBECONFIG")/log" "$root/build/kubernetes-logs"
  echo "The logs of the cluster's own processes are in build/kubernetes-logs"
fi
python3 "$root/scripts/summary.py" "${results[@]}"
exit "$status"
