"""What Prometheus says is what the client counted and what docs/metrics.md says, in labels and in numbers."""

import pytest
from happenings import LIST_CALLS, MODEL, TEAMS
from harness.counts import UNKNOWN
from harness.metrics_page import documented, how_many, rows
from harness.waiting import eventually
from kube.mesh import SYSTEM

# What the operator puts on every series; and `namespace`, where a series has none of its own.
OF_TARGETS = {"__name__", "job", "instance", "pod", "container", "endpoint", "service"}
JOBS = {"gateway": "krypton-gateway", "control plane": "krypton-control-plane", "manager": "krypton-manager",
        "sidecar": f"{SYSTEM}/krypton-agents"}
OURS = '__name__!~"up|scrape_.*"'


def test_calls_are_what_the_client_counted(used, prometheus):
    assert len(used.counts.agents) >= 8 and {status for _, status in used.counts.models} == {"200", "400", "503"}
    eventually(lambda: not used.counts.differences(prometheus), 30, lambda: used.counts.differences(prometheus), every=0.5)


def values(used):
    """(query, what it must be) of the other published series."""
    for team in TEAMS:
        one = f'namespace="{team}", agent="echo"'
        through = {status: used.counts.agents[team, "echo", status] for status in ("200", "404", "500")}
        for status, count in through.items():
            yield (f'sum(krypton_proxy_requests_total{{{one}, code="{status}"}})',
                   count + used.straight.get((team, status), 0))
        yield f'sum(krypton_gateway_errors_total{{{one}, reason="queue_full"}})', used.counts.agents[team, "echo", "503"]
        yield f"sum(krypton_proxy_inflight{{{one}}})", 0
        yield f"sum(krypton_agent_replicas_desired{{{one}}})", 1
        yield f'sum(krypton_scaler_decisions_total{{{one}, direction="up"}} >= bool 1)', 1
        yield (f'sum(krypton_proxy_rejected_total{{{one}, reason="over_capacity"}}) >= bool '
               f'{used.straight.get((team, "503"), 0)}', 1)
        yield f'sum(krypton_proxy_rejected_total{{{one}, reason="shutting_down"}})', 0
    listed = 'route="list_agents", method="GET", code="200"'
    yield f"sum(krypton_api_requests_total{{{listed}}})", LIST_CALLS
    yield 'sum(krypton_api_request_duration_seconds_count{route="list_agents"})', LIST_CALLS
    yield f'sum(krypton_model_time_to_first_token_seconds_count{{model="{MODEL}"}})', 3
    yield f'sum(krypton_invocations_total{{agent="{UNKNOWN}", status="404"}})', 1


def test_the_other_published_series_are_true(used, prometheus):
    for query, wanted in values(used):
        eventually(lambda: prometheus.value(query) == wanted, 30,
                   lambda: f"{query} is {wanted}: {prometheus.value(query)}", every=0.5)


def test_published_series_have_their_labels(used, prometheus):
    published = [row for row in rows() if row.section == "Published"]
    assert len(published) == 12
    for row in published:
        (name,) = row.names if row.kind != "histogram" else {f"{row.name}_bucket"}
        jobs = {JOBS[component] for component in row.components}
        seen = prometheus.ask(name)
        assert {labels["job"] for labels, _ in seen} == jobs, name
        for labels, _ in seen:
            assert labels.keys() - OF_TARGETS - {"namespace", "le"} == row.labels - {"namespace"}, labels
            own = labels["namespace"] in (*TEAMS, UNKNOWN, "")
            assert own == ("namespace" in row.labels or row.components == {"sidecar"} or labels["job"] == JOBS["sidecar"])
        if row.kind == "histogram":
            assert {float(labels["le"]) for labels, _ in seen} == row.buckets, name


@pytest.mark.parametrize("component", JOBS)
def test_each_series_of_a_process_is_on_the_page(used, prometheus, component):
    seen = {labels["__name__"] for labels, _ in prometheus.ask(
        f'group by (__name__) ({{job="{JOBS[component]}", {OURS}}})')}
    assert seen and seen <= documented(), seen - documented()


def test_each_series_of_the_page_has_been_scraped(used, prometheus):
    seen = {labels["__name__"] for labels, _ in prometheus.ask(f'group by (__name__) ({{job=~".+", {OURS}}})')}
    assert not documented() - seen


def test_the_number_of_series_is_what_the_page_says(used, prometheus):
    """Of each process; what has called `rolling` has seen one status only."""
    for component, (own, each) in how_many().items():
        job = JOBS[component.removesuffix(" of a cluster")]
        if component == "manager":
            continue  # Of one on a single machine.
        if component == "sidecar":
            seen = prometheus.value(f'max(count by (pod) ({{job="{job}", code="", {OURS}}}))')
        else:
            seen = prometheus.value(f'max(count by (pod) ({{job="{job}", agent=~"|{UNKNOWN}", model=~"|{UNKNOWN}", {OURS}}}))')
        assert abs(seen - own) <= max(5, own / 10), f"{component}: {seen} of its own, the page says {own}"
        if each:
            of_agent = prometheus.value(f'max(count by (pod) ({{job="{job}", namespace="{TEAMS[1]}", agent="rolling", {OURS}}}))')
            assert of_agent == each, f"{component}: {of_agent} for each agent"
