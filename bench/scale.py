"""The manager's own benchmarks (C++, simulated agents over real streams), as they print them."""

import json
import subprocess

from bench.figures import say
from bench.processes import Process

PROGRAMS = ("manager-bench",)


def manager_figures(krypton, folder, quick):
    """One flat dictionary of all that they measure; empty when they are not built."""
    figures = {}
    for program in PROGRAMS:
        path = krypton.bench / program
        if not path.exists():
            say(f"{program} is not built")
            continue
        say(program)
        every_core = krypton.cores.measured | krypton.cores.driving
        process = Process([path, *(["--quick"] if quick else [])], every_core,
                          folder / f"{program}.log", stdout=subprocess.PIPE)
        try:
            output, _ = process.popen.communicate(timeout=300)
        finally:
            process.stop()
        figures.update(json.loads(output))
    return figures
