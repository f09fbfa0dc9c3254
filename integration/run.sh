#!/bin/sh
# Runs one pytest file for CTest. 77 says "skipped" to it: the environment is made by ./dev test.
if [ -z "$KRYPTON_TEST_PYTHON" ]; then
  echo "KRYPTON_TEST_PYTHON is not set: run ./dev test" >&2
  exit 77
fi
here=$(dirname "$0")
PYTHONPATH=$here exec "$KRYPTON_TEST_PYTHON" -m pytest -q -ra -p no:cacheprovider -p sanitizer_reports --durations=5 "$here/$1"
