"""The figures of the traffic path: one function a kind, each returning plain numbers."""

import statistics
import sys
from dataclasses import dataclass

SMALL, BODY = "/json", "/body?bytes=65536"
STANDING = "/events?interval_ms=1000"


@dataclass(frozen=True)
class Effort:
    """How long it all takes."""

    rounds: int
    seconds: float  # Of one measurement.
    connections: tuple
    chats: tuple  # Streams at a time, and milliseconds between two tokens of each.
    cold_starts: int
    idle_connections: int = 10_000
    streams: int = 1_000


FULL = Effort(rounds=3, seconds=1.2, connections=(1, 32, 256),
              chats=((1, 5), (64, 10), (512, 40)), cold_starts=60)
QUICK = Effort(rounds=1, seconds=0.7, connections=(32, 256), chats=((64, 10),), cold_starts=15)


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


def throughput(subjects, load, effort):
    """{(subject, path, connections): {"rps", "cpu_us", "p50", "p99", "p999"}}, medians of rounds."""
    samples = {}
    for number in range(effort.rounds):
        say(f"requests, round {number + 1} of {effort.rounds}")
        for path in (SMALL, BODY):
            for connections in effort.connections:
                for subject in subjects.all.values():
                    result = load.requests(subject, path, connections, effort.seconds)
                    samples.setdefault((subject.name, path, connections), []).append(
                        {"rps": result["rps"], "cpu_us": result["cpu_us"],
                         "errors": result["errors"], **percentiles(result["latency_us"])})
    return {key: medians(rounds) for key, rounds in samples.items()}


def percentiles(distribution):
    return {name: distribution[name] for name in ("p50", "p99", "p999")}


def medians(rounds):
    return {name: statistics.median(sample[name] for sample in rounds) for name in rounds[0]}


def latency_at_half_load(subjects, load, effort, capacities):
    """p99 of both chains at the same rate: half of what the slower one can carry."""
    names = [name for name in ("gateway+sidecar", "nginx+nginx") if name in subjects.all]
    rate = min(capacities[name] for name in names) / 2
    say(f"latency at {rate:.0f} requests/s")
    samples = {name: [] for name in names}
    for _ in range(max(effort.rounds, 2)):
        for name in names:
            result = load.requests(subjects[name], SMALL, 64, 2 * effort.seconds, rate)
            samples[name].append(percentiles(result["latency_us"]))
    return {name: {"rate": rate, **medians(rounds)} for name, rounds in samples.items()}


def event_delay(subjects, load, effort):
    """What each proxy adds to an event, in microseconds: ten streams, an event each 20 ms."""
    say("events")
    samples = {name: [] for name in subjects.all}
    for _ in range(effort.rounds):
        for name, subject in subjects.all.items():
            result = load.events(subject, 10, 20, 1.5 * effort.seconds)
            samples[name].append({"p50": result["delay_us"]["p50"],
                                  "p99": result["delay_us"]["p99"]})
    delays = {name: medians(rounds) for name, rounds in samples.items()}
    direct = delays["direct"]
    return {name: {key: value - direct[key] for key, value in delay.items()}
            for name, delay in delays.items() if name != "direct"}


def chats(subjects, load, effort):
    """{(subject, streams): {"first_p50", "gap_p50", "gap_p99", "cpu_ms"}}: what a token's way costs,
    in microseconds beyond the direct one's (which is given as it is), and the CPU of 1,000 tokens."""
    samples = {}
    for number in range(effort.rounds):
        say(f"chats, round {number + 1} of {effort.rounds}")
        for streams, pace in effort.chats:
            for name in ("direct", "nginx", "envoy", "gateway", "nginx+nginx", "gateway+sidecar"):
                if subjects[name] is None:
                    continue
                result = load.chat(subjects[name], streams, pace, 3 * effort.seconds)
                samples.setdefault((name, streams), []).append(
                    {"first_p50": result["first_us"]["p50"], "gap_p50": result["gap_us"]["p50"],
                     "gap_p99": result["gap_us"]["p99"], "cpu_ms": result["cpu_ms"]})
    found = {key: medians(rounds) for key, rounds in samples.items()}
    return {(name, streams): figures if name == "direct" else
            {key: value - (found["direct", streams][key] if "_p" in key else 0)
             for key, value in figures.items()}
            for (name, streams), figures in found.items()}


def system_calls(subjects, load, effort):
    say("system calls")
    return {name: load.syscalls(subject, SMALL, 32, effort.seconds)
            for name, subject in subjects.all.items() if subject.processes}


def resident_idle(subjects):
    """KiB, before any load."""
    return {name: subject.resident_kib()
            for name, subject in subjects.all.items() if subject.processes}


def held_memory(subjects, load, kind, target, count):
    """Bytes of resident memory that one held connection or stream costs, once the code that serves
    it is mapped."""
    say(f"memory of {count} {'idle connections' if kind == 'idle' else 'event streams'}")
    figures = {}
    for name, subject in subjects.all.items():
        if not subject.processes or name in ("nginx+nginx", "go+queue-proxy"):
            continue
        load.hold(subject, kind, target, 4, lambda: None, seconds=2.2)  # Two events, two reports.
        before = subject.resident_kib()
        during = load.hold(subject, kind, target, count, subject.resident_kib)
        figures[name] = (during - before) * 1024 / count
    return figures
