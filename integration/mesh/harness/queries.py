"""The queries of dashboards, rules and recipes."""

import json
import os
import re
import subprocess
from pathlib import Path

import yaml

SOURCE = Path(os.environ["KRYPTON_SOURCE_DIR"])
DASHBOARDS = SOURCE / "dashboards"
RULES = DASHBOARDS / "krypton-rules.yaml"
NAMES = sorted(file.stem for file in DASHBOARDS.glob("*.json"))
# What Grafana puts for its variables.
FILLED = {"$__rate_interval": "1m", "$namespace": "default", "$agent": "echo", "$model": "llama"}


def load(name):
    return json.loads((DASHBOARDS / f"{name}.json").read_text())


def panels(name):
    return [panel for panel in load(name)["panels"] if panel["type"] != "row"]


def queries(name, **variables):
    """(where, query) of each panel and variable, variables filled in."""
    found = [(panel["title"], target["expr"]) for panel in panels(name) for target in panel["targets"]]
    for variable in load(name)["templating"]["list"]:
        if variable["type"] == "query":
            found.append((f"variable {variable['name']}",
                          re.fullmatch(r"label_values\((.*), \w+\)", variable["query"]["query"])[1]))
    return [(where, filled(expr, variables)) for where, expr in found]


def filled(expr, variables):
    for name, value in {**FILLED, **{f"${name}": value for name, value in variables.items()}}.items():
        expr = expr.replace(name, value)
    return expr


def rules():
    return [rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]]


def recipes(namespace, agent):
    """The queries of docs/scaling-on-kubernetes.md, for this agent."""
    text = (SOURCE / "docs" / "scaling-on-kubernetes.md").read_text()
    found = []
    for block in re.findall(r"^```yaml\n(.*?)^```", text, re.M | re.S):
        for name in ("query", "metricsQuery"):
            found += [" ".join(query.split()) for query in re.findall(rf"^ *{name}: >-\n((?: {{8,}}.*\n)+?)(?= {{0,8}}\S+:|\Z)",
                                                                     block, re.M)]
    found += [f"sum({each})" for each in re.findall(r"`sum\((krypton_[^)]*)\)`", text)]
    own = f'namespace="{namespace}",agent="{agent}"'
    return [query.replace("<<.LabelMatchers>>", own).replace('agent="hello"', f'agent="{agent}"')
            .replace('namespace="default"', f'namespace="{namespace}"') for query in found]


def named_in(expr):
    """Names of metrics in a query: identifiers outside of strings, braces, by(...) and functions."""
    bare = re.sub(r'"(\\.|[^"\\])*"', "", expr)
    bare = re.sub(r"\{[^{}]*\}|\[[^\]]*\]", "", bare)
    bare = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^()]*\)", "", bare)
    return set(re.findall(r"\b((?:krypton_|process_|workqueue_|rest_client_|controller_runtime_|leader_|\w+:)[\w:]*)\b(?!\s*\()", bare))


def parses(*exprs):
    """What promtool says against them; empty when nothing."""
    rules = "groups: [{name: queries, rules: [" + ",".join(
        '{record: "x:y%d", expr: %s}' % (n, quoted(expr)) for n, expr in enumerate(exprs)) + "]}]"
    path = Path(os.environ.get("TMPDIR", "/tmp")) / f"krypton-queries-{os.getpid()}.yaml"
    path.write_text(rules)
    try:
        done = subprocess.run(["promtool", "check", "rules", path], capture_output=True, text=True)
    finally:
        path.unlink()
    return "" if done.returncode == 0 else done.stdout + done.stderr


def quoted(text):
    return "'" + text.replace("'", "''") + "'"
