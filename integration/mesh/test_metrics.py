"""Every series is documented, named as published, bounded, and true."""

import gzip
import json
import os
import re
import subprocess
import time

import pytest
from harness import http, metrics
from harness.counts import UNKNOWN
from harness.http import Connection
from harness.mesh import PROBE
from harness.metrics_page import PAGE, how_many, rows
from harness.processes import SLOW
from harness.waiting import eventually
from prometheus_client.openmetrics import parser as openmetrics

MESH = {}
BUCKETS = "0.025 0.05 0.1 0.25 0.5 1 2.5 5 10 30".split()
MODEL_BUCKETS = "0.05 0.1 0.25 0.5 1 2.5 5 10 30 60 120".split()
MODEL = {"apiVersion": "krypton.ai/v1alpha1", "kind": "Model",
         "metadata": {"name": "talker", "annotations": {
             "krypton.ai/local-command": f"exec python3 -S {PROBE}"}},
         "spec": {"source": {"huggingface": "example/none", "file": "none.gguf"}, "mode": "serverless",
                  "minReplicas": 0}}


def ask_model(mesh, model):
    return http.call(mesh.http, "POST", "/v1/chat/completions", body=json.dumps({"model": model}).encode())


@pytest.fixture(scope="module", autouse=True)
def used(mesh):
    """A mesh in which everything has happened once, so that every series exists."""
    mesh.apply("used", maxReplicas=2, scaleToZeroAfter="5m")
    mesh.apply("fixed", mode="always-on", maxReplicas=1)
    assert mesh.call("used", "/pid").status == 200
    assert mesh.call("fixed", "/pid").status == 200
    assert mesh.call("unknown").status == 404
    mesh.write("talker.yaml", json.dumps(MODEL))
    eventually(lambda: ask_model(mesh, "talker").status == 200, 15 * SLOW, "the model answers")
    for name in ("made-up", "default/made-up", "made/up/"):
        assert ask_model(mesh, name).status == 404
    mesh.get("control_plane", "/v1/agents", "http")


def scrapes(mesh):
    """A scrape of each component, the sidecar's too."""
    (endpoint,) = mesh.endpoints("used")
    return {"gateway": mesh.scrape("gateway"), "manager": mesh.scrape("manager"),
            "control plane": mesh.scrape("control_plane"),
            "sidecar": metrics.scrape(mesh.sidecar_ops(endpoint["instance"]))}


def test_the_pages_buckets_are_the_true_ones(mesh):
    found = scrapes(mesh)
    listed = [row for row in rows() if row.kind == "histogram" and row.components]
    assert len(listed) >= 10
    for row in listed:
        for component in row.components:
            seen = {float(labels["le"]) for labels in found[component].label_sets(f"{row.name}_bucket")}
            assert seen == row.buckets, row.name


def family_name(family):
    """The name as a series has it: the parser takes `_total` off counters."""
    return f"{family.name}_total" if family.type == "counter" else family.name


def test_every_documented_series_is_exposed(mesh):
    found = scrapes(mesh)
    for row in rows():
        for component in row.components:
            families = {family_name(f): f for f in found[component].families.values()}
            assert row.name in families, f"{component} does not expose {row.name}"
            family = families[row.name]
            assert family.type == row.kind, f"{row.name} is a {family.type}"
            for sample in family.samples:
                assert set(sample.labels) - {"le"} == row.labels, f"{row.name}{sample.labels}"


def test_every_exposed_series_is_documented(mesh):
    known = {(row.name, component) for row in rows() for component in row.components}
    found = {(family_name(family), component) for component, scrape in scrapes(mesh).items()
             for family in scrape.families.values()}
    assert not found - known, f"docs/metrics.md lacks {sorted(found - known)}"


def test_the_published_names(mesh):
    found = scrapes(mesh)
    gateway, manager = found["gateway"], found["manager"]
    used = {"agent": "used", "namespace": "default"}
    assert gateway.value("krypton_invocations_total", **used, status="200") >= 1
    buckets = [labels["le"] for labels in gateway.label_sets("krypton_invocation_duration_seconds_bucket")
               if labels["agent"] == "used"]
    assert sorted(map(float, buckets)) == [*map(float, BUCKETS), float("inf")]
    for direction in ("up", "down", "noop"):
        assert manager.value("krypton_scaler_decisions_total", **used, direction=direction) is not None
    assert manager.value("krypton_agent_replicas_desired", **used) == 1
    assert gateway.value("krypton_model_invocations_total", model="talker", status="200") >= 1
    assert gateway.value("krypton_model_invocations_total", model="_unknown", status="404") >= 3
    buckets = [labels["le"] for labels in
               gateway.label_sets("krypton_model_invocation_duration_seconds_bucket")
               if labels["model"] == "talker"]
    assert sorted(map(float, buckets)) == [*map(float, MODEL_BUCKETS), float("inf")]
    for kind in ("prompt", "completion"):
        assert gateway.value("krypton_model_tokens_total", model="talker", type=kind) == 0
    control_plane = found["control plane"]
    assert control_plane.value("krypton_api_requests_total", route="list_agents", method="GET", code="200") >= 1
    assert control_plane.total("krypton_api_request_duration_seconds_count", route="list_agents") >= 1
    sidecar = found["sidecar"]
    assert sidecar.value("krypton_proxy_requests_total", **used, code="200") >= 1
    for reason in ("over_capacity", "shutting_down"):  # Known label sets start at zero.
        assert sidecar.value("krypton_proxy_rejected_total", **used, reason=reason) == 0
    assert sidecar.value("krypton_proxy_inflight", **used) == 0
    for stage in ("decide", "start", "ready", "first_byte"):
        assert gateway.value("krypton_cold_start_stage_seconds_count", **used, stage=stage) == 1, stage
    assert gateway.value("krypton_cold_starts_total", **used) == 1
    assert gateway.value("krypton_buffer_depth", **used) == 0
    for component, scrape in found.items():
        builds = scrape.label_sets("krypton_build_info")
        assert len(builds) == 1 and set(builds[0]) == {"version", "component"}, component


def test_promtool_finds_nothing(mesh):
    for component, scrape in scrapes(mesh).items():
        done = subprocess.run(["promtool", "check", "metrics"], input=scrape.text, capture_output=True,
                              text=True)
        assert done.returncode == 0 and not done.stdout + done.stderr, f"{component}: {done}"


def test_the_text_format(mesh):
    for component in mesh.components:
        answer = http.call(mesh.address(component, "ops"), target="/metrics")
        assert answer.header("content-type") == "text/plain; version=0.0.4; charset=utf-8"
        lines = answer.text.split("\n")
        assert lines[-1] == "" and "" not in lines[:-1]
        names = [line.split(" ")[2] for line in lines if line.startswith("# TYPE")]
        helped = [line.split(" ")[2] for line in lines if line.startswith("# HELP")]
        assert names == helped and len(set(names)) == len(names)


ACCEPTS = {  # What Prometheus 2.42 and 3.11 send; and a client that quotes.
    "quoted": 'application/openmetrics-text; version="1.0.0"; charset="utf-8"',
    2: "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
       "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    3: "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
       "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,"
       "text/plain;version=0.0.4;q=0.2,*/*;q=0.1"}


def open_metrics(address, accept=ACCEPTS[3]):
    answer = http.call(address, target="/metrics", headers={"accept": accept})
    assert answer.header("content-type") == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert answer.text.endswith("\n# EOF\n")
    return list(openmetrics.text_string_to_metric_families(answer.text))


def test_openmetrics_for_who_prefers_it(mesh):
    for component in mesh.components:
        plain = {family_name(f): f.type for f in mesh.scrape(component).families.values()}
        for accept in ACCEPTS.values():
            families = open_metrics(mesh.address(component, "ops"), accept)
            assert {family_name(f): f.type for f in families} == plain, component


def exemplars(mesh, component, family):
    return [sample.exemplar for found in open_metrics(mesh.address(component, "ops"))
            if found.name == family for sample in found.samples if sample.exemplar]


def test_sampled_traces_are_exemplars_of_durations(mesh):
    def traced(flags):
        trace = os.urandom(16).hex()
        return trace, {"traceparent": f"00-{trace}-{os.urandom(8).hex()}-{flags}"}

    trace, header = traced("01")
    _, unsampled = traced("00")
    assert mesh.call("used", "/pid", headers=header).status == 200
    assert mesh.call("used", "/pid", headers=unsampled).status == 200
    (exemplar,) = exemplars(mesh, "gateway", "krypton_invocation_duration_seconds")
    assert exemplar.labels == {"trace_id": trace}
    assert 0 < exemplar.value < 30 and abs(float(exemplar.timestamp) - time.time()) < 60 * SLOW
    trace, header = traced("01")
    assert http.call(mesh.address("control_plane", "http"), target="/v1/agents", headers=header).status == 200
    eventually(lambda: [e.labels["trace_id"] for e in exemplars(
        mesh, "control_plane", "krypton_api_request_duration_seconds")] == [trace], 5 * SLOW, "its exemplar")
    assert "trace_id" not in mesh.scrape("gateway").text


def test_whatever_is_accepted_there_is_an_answer(mesh):
    address = mesh.address("gateway", "ops")
    for accept in ("application/json", "text/html", "image/png;q=0", "nonsense", "text/plain;version=9"):
        answer = http.call(address, target="/metrics", headers={"accept": accept})
        assert answer.status == 200 and answer.header("content-type").startswith("text/plain; version=0.0.4"), accept
    head = http.call(address, "HEAD", "/metrics")
    assert head.status == 200 and not head.body
    assert head.header("content-type") == "text/plain; version=0.0.4; charset=utf-8"
    zipped = http.call(address, target="/metrics", headers={"accept-encoding": "gzip"})
    assert zipped.header("content-encoding") == "gzip" and "Accept-Encoding" in zipped.header("vary")
    assert b"krypton_build_info" in gzip.decompress(zipped.body)
    assert http.call(address, "POST", "/metrics", body=b"x").status == 405


def test_process_series_are_true(mesh):
    for component, process in mesh.components.items():
        scrape = mesh.scrape(component)
        status = open(f"/proc/{process.pid}/status").read()
        threads = int(re.search(r"Threads:\s+(\d+)", status)[1])
        rss = int(re.search(r"VmRSS:\s+(\d+)", status)[1]) * 1024
        assert abs(scrape.value("process_resident_memory_bytes") - rss) < 0.1 * rss
        assert abs(scrape.value("process_threads") - threads) <= 2
        boot = next(int(line.split()[1]) for line in open("/proc/stat") if line.startswith("btime"))
        ticks = int(open(f"/proc/{process.pid}/stat").read().rpartition(")")[2].split()[19])
        started = boot + ticks / os.sysconf("SC_CLK_TCK")
        assert abs(scrape.value("process_start_time_seconds") - started) < 2
        fds = len(os.listdir(f"/proc/{process.pid}/fd"))
        assert abs(scrape.value("process_open_fds") - fds) <= 5
        for name in ("cpu_seconds_total", "max_fds", "virtual_memory_bytes", "virtual_memory_max_bytes"):
            assert scrape.value(f"process_{name}") is not None, name


def test_the_other_ops_paths(mesh):
    for component in mesh.components:
        address = mesh.address(component, "ops")
        for target in ("/healthz", "/readyz", "/version"):
            assert http.call(address, target=target).status == 200, (component, target)
        assert re.search(r"\d+\.\d+\.\d+", http.call(address, target="/version").text)


def test_gateway_stays_ready_without_its_manager_and_control_plane_says_what_it_lacks(new_mesh):
    mesh = new_mesh()
    mesh.components["manager"].kill()
    answer = http.call(mesh.address("gateway", "ops"), target="/healthz")
    assert answer.status == 200
    assert http.call(mesh.address("gateway", "ops"), target="/readyz").status == 200
    assert http.call(mesh.address("control_plane", "ops"), target="/healthz").status == 200


def test_the_number_of_series_is_what_the_page_says(mesh):
    page = how_many()
    for component, scrape in scrapes(mesh).items():
        own, each = page[component]
        labels = [dict(labels) for _, labels in scrape.samples]
        # "fixed" was called once; each other status adds one when it first occurs.
        of_agent = [each for each in labels if each.get("agent") == "fixed"]
        if component == "sidecar":
            others = [each for each in labels if "code" not in each]
        else:
            others = [each for each in labels if each.get("agent", UNKNOWN) == UNKNOWN and each.get("model") != "talker"]
            of_model = [each for each in labels if "talker" in (each.get("model"), each.get("agent"))]
            if component == "gateway":
                assert f"each model is {len(of_model)} at" in PAGE.read_text()
        assert abs(len(others) - own) <= max(5, own / 10), f"{component}: {len(others)} of its own"
        assert (len(of_agent) or None) == each, f"{component}: {len(of_agent)} for each agent"


def ask(address, requests, answers):
    """Sends each request and takes down its status; on one connection as long as that stays open."""
    connection = None
    for data in requests:
        connection = connection or Connection(address, 30 * SLOW)
        connection.send(data)
        answer = connection.read()
        answers.append(answer.status)
        if answer.header("connection") == "close":
            connection = connection.close()
    if connection:
        connection.close()


def strange(number):
    """Invented agents, paths, methods and hosts, each another."""
    agent, method = f"/v1/agents/ns{number}/agent{number}/x", f"M{number}X"
    return [http.request("GET", agent, host=f"h{number}.example"),
            http.request("GET", f"/path{number}", host="a"),
            http.request(method, "/v1/agents/default/used/pid", host=f"host{number}"),
            http.request("GET", f"/v1/agents/default/used/p{number}", {f"x-{number}": "1"})]


def test_10000_invented_names_leave_the_number_of_series(mesh):
    def sizes():
        return {component: len(scrape) for component, scrape in scrapes(mesh).items()}

    (endpoint,) = mesh.endpoints("used")
    rest = mesh.address("control_plane", "http")
    targets = [(mesh.http, 1), (rest, 5), (endpoint["address"], 10), (mesh.address("gateway", "ops"), 10)]

    def send(first, count):
        answers = []
        for address, share in targets:
            requests = [r for n in range(first, first + count // 4 // share) for r in strange(n)]
            ask(address, requests, answers)
        return answers

    send(0, 40)  # One of each kind, so that the fixed values exist.
    before = sizes()
    answers = send(1000, 10_000)
    assert len(answers) >= 10_000 and 0 not in answers
    assert sizes() == before


def test_deleted_agents_take_their_series_along(mesh):
    names = [f"brief{n}" for n in range(20)]
    before = {component: len(mesh.scrape(component)) for component in mesh.components}
    for name in names:
        mesh.apply(name, wait=False, maxReplicas=1)
    mesh.wait_known(*names)
    for name in names[:3]:
        assert mesh.call(name, "/pid").status == 200
    for name in names:
        mesh.delete(name)
    eventually(lambda: all(len(mesh.scrape(c)) <= before[c] for c in before), 40 * SLOW,
               "as many series as before")


def test_counts_are_exact(mesh):
    def count():
        return mesh.scrape("gateway").total("krypton_invocations_total", agent="used")

    before, began = count(), time.monotonic()
    for code in (200, 404, 500):
        for _ in range(10):
            mesh.call("used", f"/status?code={code}")
    # A call is counted once its answer has been sent.
    eventually(lambda: count() - before == 30, 5 * SLOW, lambda: f"{count() - before} of 30 calls are counted")
    scrape = mesh.scrape("gateway")
    for code in (404, 500):
        assert scrape.value("krypton_invocations_total", agent="used", namespace="default",
                            status=str(code)) >= 10
    seconds = scrape.value("krypton_invocation_duration_seconds_sum", agent="used", namespace="default")
    assert 0 < seconds < time.monotonic() - began + 60
