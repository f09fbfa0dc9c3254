"""Who is silent is not zero: stopped sidecars and gateways, and steady load that must not move anything."""

import random
import threading
import time

from harness import http
from harness.load import Traffic, burst, summary
from harness.processes import SLOW, stopped
from harness.waiting import always, eventually

MESH = {"gateways": 2, "manager": ["--scaler-interval", "200ms"]}


def desired(mesh, name):
    return mesh.scrape("manager").value("krypton_agent_replicas_desired", agent=name, namespace="default")


def test_one_of_20_sidecars_and_one_of_two_gateways_are_silent(mesh):
    quiet = [f"quiet{n}" for n in range(18)]
    for name in quiet:
        mesh.apply(name, wait=False, mode="always-on", maxReplicas=1)
    mesh.apply("held", wait=False, maxReplicas=1, scaleToZeroAfter="1s")
    mesh.apply("other", wait=False, maxReplicas=4, concurrency=1, scaleToZeroAfter="1s")
    mesh.wait_known(*quiet, "held", "other")
    for name in quiet:
        mesh.wait_replicas(name, 1, timeout=60)
    held = http.Connection(mesh.address("gateway1", "http"))
    held.send(http.request("GET", http.path("default", "held", "/hold")))
    (endpoint,) = eventually(lambda: mesh.endpoints("held"), 15 * SLOW, "held is up")
    eventually(lambda: mesh.route("held", gateway="gateway1")["inFlight"] == 1, 5 * SLOW)
    always(lambda: desired(mesh, "held") == 1, 3, "the call in flight has been reported")
    (sidecar, _), = mesh.sidecars(endpoint["instance"])
    with stopped(sidecar), stopped(mesh.components["gateway1"].pid):
        results = burst(mesh.http, http.path("default", "other", "/sleep?ms=300"), 12)
        assert all(r.status == 200 for r in results), summary(results)
        eventually(lambda: desired(mesh, "other") == 0, 90 * SLOW, "the other agent scales down again")
        always(lambda: desired(mesh, "held") == 1, 3, "the silent one is not taken for zero")
        assert all(desired(mesh, name) == 1 for name in quiet)
    held.close()
    eventually(lambda: desired(mesh, "held") == 0, 60 * SLOW, "it goes when it really is idle")


def test_steady_load_with_noise_changes_nothing(mesh):
    """2.0, 2.5 and 2.9 replicas' worth, ten per cent of noise: at most one change each."""
    worth = {"steady0": 16, "steady5": 20, "steady9": 23}  # Of 10 × 0.8 in flight a replica.
    for name in worth:
        mesh.apply(name, wait=False, concurrency=10, maxReplicas=6, minReplicas=1)
    mesh.wait_known(*worth)
    dice = random.Random(3)
    traffics = [Traffic(mesh.http, http.path("default", name, "/sleep?ms=400"), workers=workers,
                        pause=dice.uniform(0, 0.04)) for name, workers in worth.items()]
    for traffic in traffics:
        traffic.__enter__()
    try:
        for name in worth:
            eventually(lambda: desired(mesh, name) >= 2, 20 * SLOW, f"{name} has scaled")
        settle = time.monotonic()
        eventually(lambda: time.monotonic() - settle > 3, 10, "the ramp is over")
        seen = {name: [] for name in worth}
        watch = threading.Event()
        end = time.monotonic() + 12
        while time.monotonic() < end:
            metrics = mesh.scrape("manager")
            for name in worth:
                seen[name].append(metrics.value("krypton_agent_replicas_desired", agent=name,
                                                namespace="default"))
            watch.wait(0.1)
    finally:
        for traffic in traffics:
            traffic.__exit__()
    for name, values in seen.items():
        changes = sum(a != b for a, b in zip(values, values[1:]))
        assert changes <= 1, f"{name}: {values}"
    for traffic in traffics:
        assert not traffic.bad(), summary(traffic.results)
