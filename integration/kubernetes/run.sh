#!/usr/bin/env bash
# Inside the cluster's network (`cluster run`): images and chart go into the registry, then pytest. Arguments are
# pytest's, or names of test files: `run.sh agents -k wakes`.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
results=$root/build/kubernetes-tests.xml

arguments=()
for argument in "$@"; do
  if [ -f "$here/test_$argument.py" ]; then arguments+=("test_$argument.py"); else arguments+=("$argument"); fi
done

"$root/dev" images --push "$REGISTRY/krypton"
"$root/dev" chart --push "$REGISTRY/charts"
/usr/bin/python3 "$here/images/make.py" --push "$REGISTRY/test" --models-python "$KRYPTON_TEST_PYTHON_MODELS"

export KRYPTON_BINARY_DIR=${KRYPTON_IMAGES_FROM:-$root/build/release/bin}
cd "$here"
status=0
"$KRYPTON_TEST_PYTHON" -m pytest -q -ra -p no:cacheprovider --durations=10 --ignore=monitoring --junitxml="$results" \
  "${arguments[@]}" || status=$?
if [ ${#arguments[@]} -eq 0 ]; then  # What an API server alone can say of the definitions.
  (cd "$here/../chart" && "$KRYPTON_TEST_PYTHON" -m pytest -q -ra \
    -p no:cacheprovider test_api_server.py test_client.py test_foreign.py test_kubectl.py test_install.py) || status=$?
fi
if [ "$status" -ne 0 ]; then
  rm -rf "$root/build/kubernetes-logs"
  cp -r "$(dirname "$KUBECONFIG")/log" "$root/build/kubernetes-logs"
  echo "The logs of the cluster's own processes are in build/kubernetes-logs"
fi
python3 "$root/scripts/summary.py" "$results"
exit "$status"
