"""The manager at the sizes of the budgets: its own benchmark (manager/bench, simulated agents over
real streams), and the resident size of the real one."""

import json
import subprocess

from bench.figures import say
from bench.processes import Process, wait_for
from bench.wake import write_manifests

AGENTS = 1_000


def manager_figures(krypton, folder):
    """{figure: what bench-manager printed of it}, and the manager's size with 1,000 agents."""
    figures = {"manager_resident": {"agents": AGENTS, "mib": resident_mib(krypton, folder)}}
    program = krypton.bench / "bench-manager"
    if not program.exists():
        say(f"{program} is not built")
        return figures
    say("the manager's own benchmark")
    process = Process([program], krypton.cores.every, folder / "bench-manager.log",
                      stdout=subprocess.PIPE)
    try:
        output, _ = process.popen.communicate(timeout=300)
    finally:
        process.stop()
    for line in output.splitlines():
        figure = json.loads(line)
        figures[figure.pop("figure")] = figure
    return figures


def resident_mib(krypton, folder):
    """Of a manager that knows 1,000 agents, all of them asleep."""
    say(f"a manager with {AGENTS} agents")
    manifests = write_manifests(krypton, folder / "many", AGENTS)
    ready, manager = krypton.manager(manifests, "manager-many")
    try:
        def settled(last=[0]):
            before, last[0] = last[0], manager.cpu_seconds()
            return last[0] == before and last[0] > 0

        wait_for(settled, "the manager to have read its manifests", 60, pause=1)
        return manager.resident_kib() / 1024
    finally:
        manager.stop(60)
