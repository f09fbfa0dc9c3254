"""Recording rules and alerts: unit-tested each, complete, and with a runbook."""

import re
import subprocess
import sys
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "mesh"))

from harness.metrics_page import documented  # noqa: E402
from harness.queries import DASHBOARDS, RULES, SOURCE, named_in, rules  # noqa: E402

TESTS = DASHBOARDS / "krypton-rules-test.yaml"
ALERTS = {"KryptonAgentUnavailable", "KryptonColdStartsFailing", "KryptonQueueFull", "KryptonErrorBudgetBurn",
          "KryptonSidecarRejecting", "KryptonModelSlowToFirstToken", "KryptonScalerMissing", "KryptonRegistryStale",
          "KryptonReconcileFailing", "KryptonCertificateExpiring"}


def alerts():
    return [rule for rule in rules() if "alert" in rule]


def run(*command):
    done = subprocess.run(["promtool", *command], capture_output=True, text=True, cwd=DASHBOARDS)
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_takes_them():
    run("check", "rules", RULES.name)


def test_each_alert_fires_and_does_not():
    run("test", "rules", TESTS.name)
    tested = {True: set(), False: set()}
    for test in yaml.safe_load(TESTS.read_text())["tests"]:
        for case in test["alert_rule_test"]:
            tested[bool(case["exp_alerts"])].add(case["alertname"])
    assert tested[True] == tested[False] == {alert["alert"] for alert in alerts()} == ALERTS


def test_each_alert_says_all_it_should():
    for alert in alerts():
        name, notes = alert["alert"], alert["annotations"]
        assert set(notes) == {"summary", "description", "runbook_url", "dashboard_url"}, name
        assert alert["labels"]["severity"] in ("critical", "warning", "info"), name
        assert notes["summary"].endswith(".") and "{{" not in notes["summary"], name
        assert "{{" in notes["description"] or "on ()" in alert["expr"], name
        if alert["labels"]["severity"] == "warning":
            assert re.fullmatch(r"\d+[mh]", alert["for"]) and alert["for"] not in ("1m", "2m"), name
        dashboard = re.match(r"/d/([\w-]+)", notes["dashboard_url"])[1]
        assert (DASHBOARDS / f"{dashboard}.json").exists(), name


def test_each_alert_has_a_runbook():
    book = (SOURCE / "docs" / "runbooks.md").read_text()
    sections = {part.split("\n", 1)[0].strip(): part for part in book.split("\n## ")[1:]}
    for alert in alerts():
        page, _, anchor = alert["annotations"]["runbook_url"].partition("#")
        assert page.endswith("/docs/runbooks.md") and anchor == alert["alert"].lower()
        section = sections[alert["alert"]]
        for part in ("**What it means.**", "**How to confirm.**", "**How to end it.**"):
            assert part in section, f"{alert['alert']} lacks {part}"
    assert set(sections) == ALERTS


def test_they_ask_for_documented_series_only():
    known = documented() | {rule["record"] for rule in rules() if "record" in rule}
    for rule in rules():
        asked = named_in(rule["expr"])
        assert asked and asked <= known, f"{rule.get('alert') or rule['record']}: {asked - known}"


def test_recording_rules_are_named_by_level_metric_and_operation():
    for rule in rules():
        if "record" in rule:
            assert re.fullmatch(r"[a-z_]+:[a-z_]+:[a-z0-9_]+", rule["record"]), rule["record"]
            level = set(re.match(r"(\w+):", rule["record"])[1].split("_"))
            assert level == set(re.search(r"by \(([^)]*)\)", rule["expr"])[1].split(", ")), rule["record"]
