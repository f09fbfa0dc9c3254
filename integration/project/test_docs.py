"""The pages of docs, held against what they describe."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(os.environ["KRYPTON_SOURCE_DIR"])
BINARIES = Path(os.environ["KRYPTON_BINARY_DIR"])
DOCS = SOURCE / "docs"
PAGES = [SOURCE / "README.md", SOURCE / "CONTRIBUTING.md", *sorted(DOCS.glob("*.md"))]


def test_flags_are_what_the_programs_say():
    done = subprocess.run([sys.executable, SOURCE / "scripts/flags_page.py", BINARIES, "--check"], capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_errors_are_those_of_the_source():
    source = dict(re.findall(r'\{"([a-z_]+)", (\d{3})\}', (SOURCE / "common/http/error.cc").read_text()))
    rows = re.findall(r"^\| `([a-z_]+)` \| (\d{3}) \| (.+?) \|", (DOCS / "errors.md").read_text(), re.M)
    assert {code: status for code, status, _ in rows} == source
    assert len(rows) == len(source) and all(len(when) > 10 for _, _, when in rows)


def test_events_are_those_of_the_source():
    folder = SOURCE / "manager/platform/kubernetes"
    source = "\n".join(path.read_text() for kind in ("*.h", "*.cc") for path in folder.rglob(kind)
                       if not path.name.endswith("_test.cc"))
    for name, reason in re.findall(r'constexpr char (k\w+)\[\] = "(\w+)";', source):
        source = source.replace(f"{{{name},", f'{{"{reason}",')
    reasons = set(re.findall(r'EventType::k\w+, "(\w+)"', source))
    reasons |= set(re.findall(r'Refused\(\*\S+, "(\w+)"', source))
    reasons |= set(re.findall(r'"(Scaled\w+)"', source)) | set(re.findall(r'set\(\{"(\w+)", Cut', source))
    reasons |= set(re.findall(r'\{"\w+", "(\w+)", "(?:is|can|end|fail)', source))
    table = (DOCS / "troubleshooting.md").read_text().split("## Events")[1].split("\n## ")[0]
    told = {reason for row in re.findall(r"^\| (`.*?) \|", table, re.M) for reason in re.findall(r"`(\w+)`", row)}
    assert told == reasons and len(told) > 10


def anchors(text):
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", text, flags=re.M | re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=[page.name for page in PAGES])
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path) if path else page
        assert file.exists(), target
        if anchor and file.suffix == ".md":
            assert anchor in anchors(file.read_text()), target


@pytest.mark.parametrize("name", ["kubernetes", "troubleshooting", "operations", "errors", "scaling-on-kubernetes"])
def test_flags_and_values_that_pages_name_exist(name):
    """What a page writes as `--flag` or as a value of the chart is one."""
    text = (DOCS / f"{name}.md").read_text()
    flags = set(re.findall(r"^\| `(?:-\w, )?--(?:\[no-\])?([\w-]+)", (DOCS / "flags.md").read_text(), re.M))
    values = set(re.findall(r"^\| `([\w.]+)` \|", (DOCS / "chart-values.md").read_text(), re.M))
    sections = {value.split(".")[0] for value in values}
    others = {"help", "version", "no-FLAG", "FLAG", "preset", "target", "plain-http"} | OTHER_PROGRAMS
    for flag in re.findall(r"`--([\w-]+)", text):
        assert flag in flags | others or flag.removeprefix("no-") in flags, f"--{flag}"
    for value in re.findall(r"`([a-z]\w*(?:\.\w+)+)(?:=[^`]*)?`", text):
        if value.split(".")[0] in sections and not value.endswith((".md", ".json", ".yaml", ".proto", ".cc", ".h", ".py")):
            assert value in values or any(name.startswith(value + ".") for name in values), value


# Flags of helm, kubectl, ctest and our scripts, which pages name too.
OTHER_PROGRAMS = {"take-ownership", "force-conflicts", "check", "push", "port-base", "state-dir", "model",
                  "port"}
