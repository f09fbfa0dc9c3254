"""Measures Krypton beside nginx, HAProxy, Envoy and Go, and holds it against its budgets."""

import argparse
import os
import platform
import tempfile
from pathlib import Path

from bench import figures, report, scale, wake
from bench.figures import FULL, QUICK, STANDING, say
from bench.krypton import Krypton
from bench.load import Load
from bench.peers import Peers
from bench.processes import Cores
from bench.subjects import Subjects

ROOT = Path(__file__).resolve().parent.parent


def arguments():
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two minutes instead of ten")
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "release",
                        help="the build to measure")
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "bench.json",
                        help="where the figures go")
    parser.add_argument("--only", choices=["traffic", "chat", "wake", "manager"],
                        help="one part instead of all")
    return parser.parse_args()


def cache_folder():
    base = os.environ.get("KRYPTON_CACHE_DIR")
    if base is None:
        base = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "krypton"
    folder = Path(base) / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def measure_traffic(results, krypton, peers, load, effort):
    # Memory by processes that have done nothing else yet.
    with Subjects(krypton, peers) as subjects:
        results["resident_idle_kib"] = figures.resident_idle(subjects)
        results["idle_connection_bytes"] = figures.held_memory(
            subjects, load, "idle", figures.SMALL, effort.idle_connections)
    with Subjects(krypton, peers) as subjects:
        results["stream_bytes"] = figures.held_memory(
            subjects, load, "events", STANDING, effort.streams)
    with Subjects(krypton, peers) as subjects:
        results["throughput"] = figures.throughput(subjects, load, effort)
        capacities = {name: results["throughput"][(name, figures.SMALL, 32)]["rps"]
                      for name in subjects.all}
        results["half_load"] = figures.latency_at_half_load(subjects, load, effort, capacities)
        results["event_delay_us"] = figures.event_delay(subjects, load, effort)
        results["syscalls"] = figures.system_calls(subjects, load, effort)


def main():
    options = arguments()
    effort = QUICK if options.quick else FULL
    cores = Cores()
    say(f"{cores}; {platform.processor() or platform.machine()}, Linux {platform.release()}")
    parts = {options.only} if options.only else {"traffic", "chat", "wake", "manager"}
    results = {"quick": options.quick, "throughput": {}, "half_load": {}, "event_delay_us": {},
               "syscalls": {}, "resident_idle_kib": {}, "idle_connection_bytes": {},
               "stream_bytes": {}, "chats": {}, "cold_starts": [], "manager": {}}
    with tempfile.TemporaryDirectory(prefix="krypton-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # nginx' worker is another user.
        krypton, load = Krypton(options.build, folder, cores), Load(options.build, folder, cores)
        peers = Peers(folder, cache_folder(), cores)
        if "traffic" in parts:
            measure_traffic(results, krypton, peers, load, effort)
        if "chat" in parts:
            with Subjects(krypton, peers) as subjects:
                results["chats"] = figures.chats(subjects, load, effort)
        if "wake" in parts:
            results["cold_starts"] = wake.cold_starts(krypton, folder, effort.cold_starts)
        if "manager" in parts:
            results["manager"] = scale.manager_figures(krypton, folder)
        results["missing"] = peers.missing
    report.print_all(results)
    report.write_json(results, options.json)
    say(f"figures in {options.json}")


if __name__ == "__main__":
    main()
