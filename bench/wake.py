"""Cold starts of the real mesh: manager, local platform, sidecars, gateway."""

import http.client
import json
import re
import time

from bench.figures import say
from bench.krypton import port_of
from bench.processes import wait_for

MANIFEST = """apiVersion: krypton.ai/v1alpha1
kind: Agent
metadata:
  name: wake-{number}
  namespace: bench
  annotations:
    krypton.ai/local-command: {command}
spec:
  image: bench/upstream
  protocol: http
  mode: serverless
  minReplicas: 0
  maxReplicas: 1
  scaleToZeroAfter: 300s
---
"""


def cold_starts(krypton, folder, count):
    """Each of `count` agents is called once, while it has no process. Milliseconds."""
    say(f"{count} cold starts")
    manifests = write_manifests(krypton, folder / "manifests", count)
    ready, manager = krypton.manager(manifests)
    try:
        port, gateway = krypton.gateway(port_of(ready["grpc"]), "gateway-wake")
        try:
            wait_for(lambda: status(port, "wake-0") != 404, "the first agent's route")
            return [cold_start(port, f"wake-{number}") for number in range(1, count)]
        finally:
            gateway.stop(15)
    finally:
        manager.stop(60)


def write_manifests(krypton, folder, count):
    folder.mkdir()
    command = krypton.bench / "bench-upstream"
    (folder / "agents.yaml").write_text(
        "".join(MANIFEST.format(number=number, command=command) for number in range(count)))
    return folder


def status(port, name):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", f"/v1/agents/bench/{name}/json")
    return connection.getresponse().status


def cold_start(port, name):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.connect()
    sent = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    connection.request("GET", f"/v1/agents/bench/{name}/born")
    answer = connection.getresponse()
    born = json.loads(answer.read())
    done = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    stages = dict(re.findall(r"(\w+);dur=([\d.]+)", answer.getheader("server-timing") or ""))
    return {
        # Of the mesh's own clock: the report of the queue arrived → the scaler decided.
        "decide": float(stages.get("decide", "nan")),
        # An upper bound of "asked": the agent's process has begun to run.
        "process": (born["main"] - sent) / 1e6,
        "open_to_request": (born["request"] - born["open"]) / 1e6,
        "total": (done - sent) / 1e6,
    }
