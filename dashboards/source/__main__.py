"""Writes the dashboards from their source, and what the chart carries: `python -m dashboards.source`.

With --check it only compares.
"""

import json
import sys
from pathlib import Path

from . import agent, mesh, models, overview
from .parts import DASHBOARDS

FOLDER = Path(__file__).resolve().parent.parent
CHART = FOLDER.parent / "charts" / "krypton" / "files"
RULES = "krypton-rules.yaml"


def texts():
    """(file, content) of all that is made. Helm takes no files from outside of a chart: it has copies."""
    made = {"overview": overview, "agent": agent, "models": models, "mesh": mesh}
    for key, module in made.items():
        name = f"{DASHBOARDS[key]}.json"
        yield FOLDER / name, json.dumps(module.DASHBOARD, indent=1) + "\n"
        yield CHART / "dashboards" / name, json.dumps(module.DASHBOARD, separators=(",", ":")) + "\n"
    yield CHART / RULES, (FOLDER / RULES).read_text()


def main():
    stale = [(file, text) for file, text in texts() if not file.exists() or file.read_text() != text]
    for file, text in stale:
        print(file.relative_to(FOLDER.parent), "differs from its source" if "--check" in sys.argv else "written")
        if "--check" not in sys.argv:
            file.write_text(text)
    return 1 if stale and "--check" in sys.argv else 0


sys.exit(main())
