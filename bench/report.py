"""The tables for people, and the file for machines."""

import json

from bench.budgets import lines, stage
from bench.figures import BODY, SMALL

MARKS = {True: "yes", False: "NO", None: "-"}
KINDS = {SMALL: "small JSON", BODY: "64 KiB"}


def table(head, rows):
    rows = [head, *[[str(cell) for cell in row] for row in rows]]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()
            for row in rows]
    text.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(text)


def number(value, digits=1):
    return "-" if value is None else f"{value:,.{digits}f}"


def print_all(results):
    print_requests(results)
    print_peers(results)
    print_chats(results["chats"])
    starts = results["cold_starts"]
    if starts:
        rows = [[name, *[number(stage(starts, name, q), 2) for q in (0.5, 0.99)]]
                for name in ("decide", "process", "open_to_request", "total")]
        print(f"\nCold starts ({len(starts)}), ms\n")
        print(table(["stage", "p50", "p99"], rows))
    if results["manager"]:
        print("\nManager\n")
        rows = [[name, ", ".join(f"{key} {value:g}" for key, value in figure.items()
                                 if not key.startswith("budget"))]
                for name, figure in sorted(results["manager"].items())]
        print(table(["figure", "values"], rows))
    for name, reason in results["missing"].items():
        print(f"\nnot measured: {name} ({reason})")
    print("\nBudgets\n")
    print(table(["what", "budget", "figure", "met"],
                [[line.what, line.budget, line.figure, MARKS[line.met]]
                 for line in lines(results)]))


def print_requests(results):
    rows = []
    for (name, path, connections), sample in sorted(
            results["throughput"].items(), key=lambda item: (item[0][1] != SMALL, item[0][2])):
        cpu = "-" if name == "direct" else number(sample["cpu_us"])
        rows.append([KINDS[path], connections, name, number(sample["rps"], 0), cpu,
                     *[number(sample[key], 0) for key in ("p50", "p99", "p999")],
                     number(sample["errors"], 0)])
    print("\nRequests, each connection one after another\n")
    print(table(["answer", "connections", "through", "requests/s", "CPU µs/request", "p50 µs",
                 "p99 µs", "p99.9 µs", "errors"], rows))


def print_peers(results):
    rows = []
    for name in results["resident_idle_kib"]:
        half = results["half_load"].get(name, {})
        delay = results["event_delay_us"].get(name, {})
        kept = [results[key].get(name) for key in ("idle_connection_bytes", "stream_bytes")]
        rows.append([
            name, number(results["syscalls"].get(name)), number(half.get("p99"), 0),
            number(delay.get("p50"), 0), number(delay.get("p99"), 0),
            number(results["resident_idle_kib"][name] / 1024),
            *[number(None if value is None else value / 1024) for value in kept]])
    print("\nBeside\n")
    print(table(["through", "syscalls/request", "p99 µs at half load", "event +µs p50",
                 "event +µs p99", "idle MiB", "KiB/idle connection", "KiB/SSE stream"], rows))


def print_chats(chats):
    if not chats:
        return
    rows = [[streams, name, *[number(figures[key], 0) for key in ("first_p50", "gap_p50", "gap_p99")],
             "-" if name == "direct" else number(figures["cpu_ms"], 2)]
            for (name, streams), figures in sorted(chats.items(), key=lambda item: item[0][1])]
    print("\nStreaming chats, 200 tokens each; microseconds beyond the direct way's, which are as they are\n")
    print(table(["streams", "through", "first token +µs p50", "gap +µs p50", "gap +µs p99",
                 "CPU ms/1,000 tokens"], rows))


def write_json(results, path):
    flat = dict(results)
    flat["throughput"] = [
        {"through": name, "target": target, "connections": connections, **sample}
        for (name, target, connections), sample in results["throughput"].items()]
    flat["chats"] = [{"through": name, "streams": streams, **figures}
                     for (name, streams), figures in results["chats"].items()]
    flat["budgets"] = [vars(line) for line in lines(results)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(flat, indent=1) + "\n")
