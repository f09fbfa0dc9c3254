"""What `krypton validate` says of the table of good and bad manifests; test_api_server.py asks an API server."""

import pytest
from harness import validate
from manifests import WORDLESS, table

ROWS = table()


@pytest.fixture(scope="module")
def said():
    return validate.problems([manifest for _, manifest, _, _ in ROWS])


@pytest.mark.parametrize("index", range(len(ROWS)), ids=[row[0] or "empty" for row in ROWS])
def test_krypton_validate_says_what_the_table_says(said, index):
    text, _, field, words = ROWS[index]
    problems = said[index]
    if not field:
        assert problems == [], text
        return
    fields = [problem[0] for problem in problems]
    assert any(found.startswith(field) for found in fields), (text, problems)
    if words is not WORDLESS:
        assert any(words in problem[1] for problem in problems), (text, problems)


def test_the_table_has_both_verdicts_for_each_kind():
    for kind in ("Agent", "Model"):
        verdicts = {bool(field) for _, manifest, field, _ in ROWS if manifest["kind"] == kind}
        assert verdicts == {True, False}
