"""`krypton validate --cluster` over many manifests at once."""

import json
import os
import re
import subprocess
from pathlib import Path

KRYPTON = Path(os.environ["KRYPTON_BINARY_DIR"]) / "krypton"
PROBLEM = re.compile(r"^-(?::\d+)? \(document (\d+)\): (.*)$")
REASON = re.compile(r'^(?:(?:agent|model|resource) "[^"]*": )?((?:metadata|spec|kind|apiVersion)\S*) (.*)$')
# The tests' own variables are none that a program of Krypton knows.
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("KRYPTON_")}
# Documents of one file, and problems that are printed of one (common/resource/manifest.h).
BATCH = 20


def problems(manifests):
    """For each manifest a list of (field, text); a problem without a field has an empty one. No two manifests may
    have the same name: one file may not say it twice."""
    found = [[] for _ in manifests]
    for at in range(0, len(manifests), BATCH):
        batch = manifests[at:at + BATCH]
        # JSON is YAML.
        text = "\n".join("---\n" + json.dumps(each, ensure_ascii=True) for each in batch)
        done = subprocess.run([KRYPTON, "validate", "--cluster", "-"], input=text, capture_output=True, text=True,
                              timeout=60, env=ENVIRONMENT)
        assert done.returncode in (0, 1) and not done.stderr, done
        for line in done.stdout.split("\n"):
            if problem := PROBLEM.match(line):
                reason = REASON.match(problem[2])
                found[at + int(problem[1]) - 1].append((reason[1], reason[2]) if reason else ("", problem[2]))
            elif line and not re.match(r"^-: \d+ resources? (is|are) right$", line):
                raise AssertionError(f"not understood: {line}")
    return found
