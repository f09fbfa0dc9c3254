"""Figures of the mesh in a cluster; printed, and bounded loosely, since the machine is shared."""

import json
import os
import statistics
import time

from harness.load import burst, summary
from harness.waiting import eventually
from kube import audit
from kube.agents import agent, always_on, moment


def note(name, value):
    """One line in the report, and in the file that KRYPTON_FIGURES names."""
    print(f"FIGURE {name}: {value}")
    if path := os.environ.get("KRYPTON_FIGURES"):
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps({"name": name, "value": value}) + "\n")


def test_a_cold_start_costs_less_than_the_kubelets_own_readiness(start, namespace):
    """Call → first byte, against the moment when the pod's Ready condition would have let a Service send it a call."""
    ours, kubelets, container = [], [], []
    for number in range(5):
        cold = start(agent(namespace, f"cold-{number}", scaleToZeroAfter="60s", imagePullPolicy="IfNotPresent"))
        began, wall = time.monotonic(), time.time()
        assert cold.call("/pid").status == 200
        ours.append(time.monotonic() - began)
        pod = cold.has(1).pods()[0]
        ready = next(each for each in pod["status"]["conditions"] if each["type"] == "Ready")
        kubelets.append(moment(ready["lastTransitionTime"]) + 1 - wall)  # The time is cut to a second.
        started = next(each for each in pod["status"]["containerStatuses"])["state"]["running"]["startedAt"]
        container.append(moment(started) - wall)
        cold.delete()
    note("cold start, call → answer, median s", round(statistics.median(ours), 2))
    note("cold start by the kubelet's readiness, median s (±1)", round(statistics.median(kubelets), 2))
    note("of it until the agent's container ran, median s (±1)", round(statistics.median(container), 2))
    assert statistics.median(ours) <= statistics.median(kubelets) + 0.5


def test_how_fast_a_burst_scales_up(start, namespace):
    busy = start(always_on(namespace, "burst", concurrency=1, maxReplicas=5)).has(1)
    began = time.monotonic()
    with busy.traffic("/sleep?ms=200", workers=10) as traffic:
        eventually(lambda: len(busy.pods()) == 5, 60, "five are asked for")
        note("burst of 10 on one replica, → five pods exist, s", round(time.monotonic() - began, 2))
        eventually(lambda: len(busy.running()) == 5, 90, "five run")
        note("burst of 10 on one replica, → five ready, s", round(time.monotonic() - began, 2))
    assert not traffic.bad(), summary(traffic.bad())


def test_how_often_the_manager_writes_at_rest(mesh, start, namespace):
    """Writes in a quiet time, by the audit log; the lease's renewals are counted apart."""
    still = start(always_on(namespace, "still")).has(1)
    eventually(lambda: still.condition("Ready")["status"] == "True", 20)
    before, began = audit.now(), time.monotonic()
    eventually(lambda: time.monotonic() - began > 20, 30, "a quiet while", every=0.5)
    writes = [event["objectRef"]["resource"] for event in audit.by_manager(before) if event["verb"] in audit.WRITES]
    leases, others = writes.count("leases"), [each for each in writes if each != "leases"]
    note("writes at rest an hour, leases aside", round(len(others) * 180))
    note("lease renewals an hour", leases * 180)
    assert not [each for each in others if each != "tokenreviews"], others


def test_what_five_hundred_agents_cost_the_manager(mesh, namespace, api):
    """At rest, and while all of them change; CPU and memory of the leader."""
    bodies = [agent(namespace, f"many-{number}") for number in range(500)]
    leader = mesh.leading_pod()

    def figures():
        page = mesh.scrape(leader, 8080)
        return page.total("process_cpu_seconds_total"), page.total("process_resident_memory_bytes") / 2**20

    def seen(generation):
        statuses = [each.get("status", {}).get("observedGeneration") for each in api.list("agents", namespace)]
        return len(statuses) == 500 and all(status == generation for status in statuses)
    began, (cpu, _) = time.monotonic(), figures()
    for body in bodies:
        api.apply(body)
    eventually(lambda: seen(1), 120, "all have a status", every=0.3)
    note("500 agents made, all with a status, s", round(time.monotonic() - began, 1))
    note("of the manager's CPU for it, s", round(figures()[0] - cpu, 2))
    began, (cpu, memory) = time.monotonic(), figures()
    eventually(lambda: time.monotonic() - began > 15, 20, "a quiet while", every=0.5)
    note("manager with 500 agents at rest, % of a core", round(100 * (figures()[0] - cpu) / (time.monotonic() - began), 2))
    note("manager with 500 agents, MiB resident", round(memory, 1))
    began, (cpu, _) = time.monotonic(), figures()
    for body in bodies:
        api.merge("agents", namespace, body["metadata"]["name"], {"spec": {"maxReplicas": 7}})
    eventually(lambda: seen(2), 180, "all changes are seen", every=0.3)
    note("500 agents changed, all seen, s", round(time.monotonic() - began, 1))
    note("of the manager's CPU for it, s", round(figures()[0] - cpu, 2))
    note("manager afterwards, MiB resident", round(figures()[1], 1))
    assert figures()[1] < 200


def test_a_thousand_calls_to_an_agent_at_zero_are_all_answered(start, namespace):
    many = start(agent(namespace, "many", concurrency=16, maxReplicas=3))
    began = time.monotonic()
    results = burst(many.mesh.gateway, many.path("/pid"), 1000, timeout=120)
    assert summary(results) == {(200, ""): 1000}
    note("1000 calls at once to an agent at zero, all answered after s", round(time.monotonic() - began, 2))
