"""The queries of docs/scaling-on-kubernetes.md: they parse, ask for documented series, and say the documented port."""

import re
import sys
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "mesh"))

from harness.metrics_page import documented  # noqa: E402
from harness.queries import SOURCE, named_in, parses, recipes  # noqa: E402

PAGE = SOURCE / "docs" / "scaling-on-kubernetes.md"


def blocks():
    return [yaml.safe_load(text) for text in re.findall(r"^```yaml\n(.*?)^```", PAGE.read_text(), re.M | re.S)]


def test_every_block_is_yaml():
    assert len(blocks()) >= 5 and all(blocks())


def test_every_query_parses_and_asks_for_documented_series():
    found = recipes("default", "hello")
    assert len(found) == 3
    assert not parses(*found)
    for query in found:
        assert named_in(query) and named_in(query) <= documented(), query


def test_keda_reads_the_gateways_own_port():
    (trigger,) = [each for block in blocks() if isinstance(block, list) for each in block if each["type"] == "metrics-api"]
    assert trigger["metadata"]["url"].endswith(":8081/metrics")
    assert trigger["metadata"]["valueLocation"] == 'krypton_buffer_depth{agent="hello",namespace="default"}'
