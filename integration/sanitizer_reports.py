"""A pytest plugin: what a sanitizer has reported of any process fails the test in which it did.

cmake/sanitized.sh names the folder of reports; without it there is nothing to look at.
"""

import os
from pathlib import Path

import pytest

FOLDER = os.environ.get("KRYPTON_TEST_SANITIZER_REPORTS")
seen = {}  # File → how many bytes of it have been told.


def news():
    """What has been added to the reports since the last call."""
    found = []
    for path in sorted(Path(FOLDER).iterdir()) if FOLDER else ():
        text = path.read_text(errors="replace")
        if len(text) > seen.get(path, 0):
            found.append(f"===== {path.name}\n{text[seen.get(path, 0):]}")
            seen[path] = len(text)
    return "\n".join(found)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item, nextitem):
    """After all fixtures that end with this test have ended too: their processes' last words count."""
    try:
        return (yield)
    finally:
        if text := news():
            pytest.fail(f"a sanitizer has reported:\n{text}", pytrace=False)
