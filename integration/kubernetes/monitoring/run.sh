#!/usr/bin/env bash
# Inside the cluster's network (`cluster run`): images of the mesh, of the tests' agents and of the monitoring stack
# and the chart go into the registry, then pytest. Arguments are pytest's.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../../.." && pwd)
results=$root/build/monitoring-tests.xml

# What build.sh made, which has to be run outside: no package source is reached from here.
: "${KRYPTON_TEST_MONITORING:?is set by ./dev test monitoring}"
"$root/dev" images --push "$REGISTRY/krypton"
"$root/dev" chart --push "$REGISTRY/charts"
/usr/bin/python3 "$here/../images/make.py" --push "$REGISTRY/test" --models-python "$KRYPTON_TEST_PYTHON_MODELS"
/usr/bin/python3 "$here/images.py" --push "$REGISTRY/test" "$KRYPTON_TEST_MONITORING"

cd "$here"
status=0
"$KRYPTON_TEST_PYTHON" -m pytest -q -ra -p no:cacheprovider --durations=10 --junitxml="$results" "$@" || status=$?
python3 "$root/scripts/summary.py" "$results"
exit "$status"
