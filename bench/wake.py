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
  env:
  - name: BENCH_OPEN_AFTER_MS
    value: "{delay}"
---
"""

# Half of the agents open their port at once, and show how long the whole takes. The others load for
# a while, as real ones do, and show how soon the open port is noticed.
DELAYS = (0, 250)


def cold_starts(krypton, folder, count):
    """Each of `count` agents is called once, while it has no process. Milliseconds: one dictionary
    a cold start."""
    say(f"{count} cold starts")
    manifests = write_manifests(krypton, folder / "manifests", count)
    ready, manager = krypton.manager(manifests)
    try:
        port, gateway = krypton.gateway(port_of(ready["grpc"]), "gateway-wake")
        try:
            wait_for(lambda: status(port, "wake-0") != 404, "the first agent's route")
            return [cold_start(port, number) for number in range(1, count)]
        finally:
            gateway.stop(15)
    finally:
        manager.stop(60)


def write_manifests(krypton, folder, count):
    folder.mkdir()
    command = krypton.bench / "bench-upstream"
    (folder / "agents.yaml").write_text(
        "".join(MANIFEST.format(number=number, command=command, delay=DELAYS[number % len(DELAYS)])
                for number in range(count)))
    return folder


def status(port, name):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", f"/v1/agents/bench/{name}/json")
    return connection.getresponse().status


def cold_start(port, number):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.connect()
    sent = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    connection.request("GET", f"/v1/agents/bench/wake-{number}/born")
    answer = connection.getresponse()
    born = json.loads(answer.read())
    done = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
    stages = dict(re.findall(r"(\w+);dur=([\d.]+)", answer.getheader("server-timing") or ""))
    start = {
        # By the mesh's own clock: the report of the queue arrived → the scaler decided.
        "decide": float(stages.get("decide", "nan")),
        # From the request to the agent's main(): the platform was asked before that.
        "process": (born["main"] - sent) / 1e6,
    }
    if DELAYS[number % len(DELAYS)] == 0:
        start["total"] = (done - sent) / 1e6
    else:
        start["open_to_request"] = (born["request"] - born["open"]) / 1e6
    return start
