"""The tables of docs/metrics.md: which series there are, and how many."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

PAGE = Path(os.environ["KRYPTON_SOURCE_DIR"]) / "docs" / "metrics.md"


@dataclass
class Row:
    section: str
    name: str
    kind: str
    labels: set
    components: set  # Empty in the tables of what only TLS and clusters bring.
    meaning: str

    @property
    def names(self):
        """As its samples are called."""
        return {f"{self.name}_{part}" for part in ("bucket", "sum", "count")} if self.kind == "histogram" else {self.name}

    @property
    def buckets(self):
        found = re.search(r"buckets ([\d. ]+)", self.meaning)
        return {float(bound) for bound in found[1].split()} | {float("inf")} if found else set()


def rows():
    found, section = [], ""
    for line in PAGE.read_text().splitlines():
        if line.startswith("#"):
            section = line.strip("# ")
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) in (4, 5) and re.fullmatch(r"`\w+`", cells[0]):
            name, kind, labels, *components, meaning = cells
            assert meaning, line
            found.append(Row(section, name.strip("`"), kind, set(re.findall(r"`([^`]+)`", labels)),
                             set(re.split(r",\s*", components[0])) if components else set(), meaning))
    return found


def documented(elsewhere=False):
    """Every name that a sample may have; or of those that a mesh on one machine without TLS does not have."""
    return set().union(*(row.names for row in rows() if not (elsewhere and row.components)))


def how_many():
    """{component: (series of its own, for each agent)}."""
    text = PAGE.read_text().partition("## How many series")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([a-z ,]+) \| (\d+) \| (\d+|none) \|$", text, re.M)
    return {component: (int(own), None if each == "none" else int(each)) for component, own, each in rows}
