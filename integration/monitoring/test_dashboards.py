"""The dashboards: from their source, of Grafana's types, asking for documented series only."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from grafana_foundation_sdk.models.dashboard import Dashboard

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "mesh"))

from harness.metrics_page import documented  # noqa: E402
from harness.queries import DASHBOARDS, NAMES, SOURCE, load, named_in, panels, parses, queries  # noqa: E402

PUBLISHED = ["Invocations per second", "P95 invocation latency", "Desired replicas",
             "Scaling decisions per minute", "Sidecar in-flight", "Sidecar rejected"]


def test_there_are_four():
    assert NAMES == ["krypton-agent", "krypton-mesh", "krypton-models", "krypton-overview"]
    assert (SOURCE / "deploy" / "grafana" / "krypton-overview.json").samefile(DASHBOARDS / "krypton-overview.json")


def test_the_files_are_what_their_source_makes():
    done = subprocess.run([sys.executable, "-m", "dashboards.source", "--check"], cwd=SOURCE, text=True,
                          capture_output=True)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}run: python -m dashboards.source"


def test_the_published_panels_stand_on_top():
    first = load("krypton-overview")["panels"][:6]
    assert [panel["title"] for panel in first] == PUBLISHED
    expected = {"krypton_invocations_total": 0, "krypton_invocation_duration_seconds_bucket": 1,
                "krypton_agent_replicas_desired": 2, "krypton_scaler_decisions_total": 3,
                "krypton_proxy_inflight": 4, "krypton_proxy_rejected_total": 5}
    for series, number in expected.items():
        assert series in first[number]["targets"][0]["expr"]


@pytest.mark.parametrize("name", NAMES)
def test_every_query_parses(name):
    found = [expr for _, expr in queries(name)]
    assert found and not parses(*found)


@pytest.mark.parametrize("name", NAMES)
def test_every_series_is_documented(name):
    known = documented()
    for where, expr in queries(name):
        asked = named_in(expr)
        assert asked, f"{where}: no series in {expr}"
        assert asked <= known, f"{where}: docs/metrics.md lacks {asked - known}"


@pytest.mark.parametrize("name", NAMES)
def test_it_reads_as_a_person_would_have_set_it(name):
    dashboard = load(name)
    assert dashboard["uid"] == name and dashboard["id"] is None and dashboard["tags"] == ["krypton"]
    assert dashboard["title"] and dashboard["description"] and dashboard["refresh"] == "30s"
    assert 36 <= dashboard["schemaVersion"] <= 42
    source, *others = dashboard["templating"]["list"]
    assert (source["name"], source["type"], source["query"]) == ("DS_PROM", "datasource", "prometheus")
    assert [each["name"] for each in dashboard["__inputs"]] == ["DS_PROM"]
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    for variable in others:
        assert variable["label"] and variable["datasource"]["uid"] == "${DS_PROM}"
    for panel in panels(name):
        where = f"{name}: {panel['title']}"
        assert panel["title"] and panel["description"].endswith("."), where
        assert panel["datasource"] == {"type": "prometheus", "uid": "${DS_PROM}"}, where
        defaults = panel["fieldConfig"]["defaults"]
        if panel["type"] not in ("table", "heatmap"):
            assert defaults["unit"], where
        assert defaults["noValue"], where
        grid = panel["gridPos"]
        assert grid["x"] + grid["w"] <= 24 and grid["h"] > 0, where
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"]), where
        for target in panel["targets"]:
            assert target["datasource"] == panel["datasource"], where
            for window in re.findall(r"\[([^\]]+)\]", target["expr"]):
                assert window == "$__rate_interval", f"{where}: {target['expr']}"
            if panel["type"] == "timeseries":
                assert target["legendFormat"] not in ("", "__auto"), where


@pytest.mark.parametrize("name", NAMES)
def test_no_two_panels_cover_each_other(name):
    cells = set()
    for panel in load(name)["panels"]:
        grid = panel["gridPos"]
        mine = {(grid["x"] + x, grid["y"] + y) for x in range(grid["w"]) for y in range(grid["h"])}
        assert not mine & cells, panel["title"]
        cells |= mine


@pytest.mark.parametrize("name", NAMES)
def test_it_links_to_the_others(name):
    urls = {link["url"] for link in load(name)["links"]}
    assert urls == {f"/d/{other}" for other in NAMES if other != name}


@pytest.mark.parametrize("name", NAMES)
def test_the_foundation_sdk_opens_it(name):
    content = load(name)
    opened = Dashboard.from_json(content)
    assert opened.uid == name and len(opened.panels) == len(content["panels"])


@pytest.mark.parametrize("name", NAMES)
def test_the_published_sed_line_names_the_data_source(name):
    text = (DASHBOARDS / f"{name}.json").read_text()
    done = subprocess.run(["sh", "-c", r'sed "s/\${DS_PROM}/$PROM_UID/g" ' + str(DASHBOARDS / f"{name}.json")],
                          env={**os.environ, "PROM_UID": "prometheus"}, capture_output=True, text=True)
    assert json.loads(done.stdout) == json.loads(text.replace("${DS_PROM}", "prometheus"))
    for panel in json.loads(done.stdout)["panels"]:
        if panel["type"] != "row":
            assert panel["datasource"]["uid"] == "prometheus"


def test_grafanas_own_types_take_them(tmp_path):
    modules = os.environ.get("KRYPTON_TEST_NODE_GRAFANA")
    if not modules:
        pytest.skip("npm's @grafana/schema is not there: ./dev test fetches it where npm is")
    lines = ["import type { Dashboard } from '@grafana/schema';",
             "// JSON has the values of string enums.",
             "type Plain<T> = T extends string ? `${T}` : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;"]
    for number, name in enumerate(NAMES):
        content = load(name)
        del content["__inputs"], content["__requires"]  # Of the export's envelope.
        lines.append(f"export const d{number}: Plain<Dashboard> = {json.dumps(content, indent=1)};")
    (tmp_path / "dashboards.ts").write_text("\n".join(lines))
    (tmp_path / "node_modules").symlink_to(Path(modules) / "node_modules")
    done = subprocess.run(
        ["node", "node_modules/typescript/bin/tsc", "--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext",
         "--moduleResolution", "nodenext", "dashboards.ts"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
