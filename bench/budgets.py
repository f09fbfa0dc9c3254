"""The design's budgets: what each compares, and whether it is met."""

import math
from dataclasses import dataclass

from bench.figures import BODY, SMALL


@dataclass
class Line:
    what: str
    budget: str
    figure: str
    met: bool | None  # None: could not be measured here.


def quantile(values, q):
    values = sorted(value for value in values if not math.isnan(value))
    return values[min(int(q * len(values)), len(values) - 1)] if values else math.nan


def at_most(what, value, limit, unit):
    if value is None or math.isnan(value):
        return Line(what, f"≤ {limit:g} {unit}", "not measured", None)
    return Line(what, f"≤ {limit:g} {unit}", f"{value:.3g} {unit}", value <= limit)


def ratio(what, ours, theirs, limit, name, unit="µs"):
    budget = f"≤ {limit:g} × {name}"
    if ours is None or theirs is None:
        return Line(what, budget, "not measured", None)
    value = ours / theirs
    return Line(what, budget, f"{value:.2f} × ({ours:.1f} / {theirs:.1f} {unit})", value <= limit)


def lines(results):
    """One line a budget, in the order of design.md §7."""
    manager = results["manager"]
    return [*cpu_lines(results["throughput"]), *latency_lines(results["half_load"]),
            *memory_lines(results), *chat_lines(results["chats"]),
            *wake_lines(results["cold_starts"], manager.get("wake_to_platform_asked", {})),
            *manager_lines(manager)]


def cpu_lines(throughput):
    def cpu(name, path=SMALL, connections=32):
        sample = throughput.get((name, path, connections))
        return sample and sample["cpu_us"]

    gateway, both = cpu("gateway"), cpu("gateway+sidecar")
    return [
        ratio("gateway, CPU a request", gateway, cpu("nginx"), 1.2, "nginx"),
        ratio("gateway, CPU a request", gateway, cpu("envoy"), 0.55, "Envoy"),
        ratio("… with 256 connections", cpu("gateway", connections=256),
              cpu("nginx", connections=256), 1.1, "nginx"),
        ratio("… with 64 KiB bodies", cpu("gateway", BODY), cpu("nginx", BODY), 1.1, "nginx"),
        ratio("gateway + sidecar, CPU a request", both, cpu("nginx"), 2.2, "one nginx hop"),
        ratio("gateway + sidecar, CPU a request", both, cpu("go+queue-proxy"), 0.3,
              "Go + queue-proxy"),
    ]


def latency_lines(half_load):
    def p99(name):
        return half_load.get(name, {}).get("p99")

    return [ratio("p99 at half load through both", p99("gateway+sidecar"), p99("nginx+nginx"), 1.5,
                  "two nginx hops")]


def chat_lines(chats):
    def value(name, key):
        return chats.get((name, 64), {}).get(key)

    def added(name):
        # Less than a microsecond is none.
        found = value(name, "gap_p99")
        return None if found is None else max(found, 1.0)

    lines = []
    for ours, theirs, name in (("gateway", "nginx", "nginx"),
                               ("gateway+sidecar", "nginx+nginx", "two nginx hops")):
        lines.append(ratio(f"64 chats through {ours}, added gap p99", added(ours), added(theirs),
                           1.5, name))
        lines.append(ratio(f"64 chats through {ours}, CPU of 1,000 tokens", value(ours, "cpu_ms"),
                           value(theirs, "cpu_ms"), 1.3, name, "ms"))
    return lines


def memory_lines(results):
    idle, events = results["idle_connection_bytes"], results["stream_bytes"]
    resident = results["resident_idle_kib"]

    def kib(value, divisor=1024):
        return None if value is None else value / divisor

    return [
        at_most("memory an idle client connection", kib(idle.get("gateway")), 3, "KiB"),
        at_most("memory an open SSE stream", kib(events.get("gateway")), 5, "KiB"),
        at_most("resident, idle: sidecar", kib(resident.get("sidecar")), 16, "MiB"),
        at_most("resident, idle: gateway", kib(resident.get("gateway")), 24, "MiB"),
    ]


def stage(starts, name, q):
    return quantile([start[name] for start in starts if name in start], q)


def wake_lines(starts, asked):
    return [
        at_most("request at zero → platform asked, p99", asked.get("p99_ms"), 10, "ms"),
        at_most("agent's port open → request reaches it, p99",
                stage(starts, "open_to_request", 0.99), 20, "ms"),
    ]


def manager_lines(figures):
    def value(figure, name):
        return figures.get(figure, {}).get(name)

    return [
        at_most("resident: manager with 1,000 agents", value("manager_resident", "mib"), 48, "MiB"),
        at_most("resident: manager, a connected sidecar", value("memory_per_sidecar", "kib"), 40,
                "KiB"),
        at_most("registry: one change → 10 gateways, p99", value("registry_fan_out", "p99_ms"), 50,
                "ms"),
        at_most("scaler tick, 10,000 agents, median", value("scaler_tick", "p50_ms"), 20, "ms"),
    ]
