"""One agent: is it well, what waits, why is it slow, does it scale."""

from .overview import KNOWN
from .parts import RATE, build, heat, lines, number, query, variable

ONE = 'namespace="$namespace", agent="$agent"'
DURATION = "krypton_invocation_duration_seconds_bucket"

VARIABLES = [
    variable("namespace", "Namespace", f"label_values({KNOWN}, namespace)", several=False),
    variable("agent", "Agent", f'label_values({KNOWN}{{namespace="$namespace"}}, agent)', several=False),
]


def quantile(share, series, by="le"):
    return f"histogram_quantile({share}, sum by ({by}) (rate({series}{{{ONE}}}[{RATE}])))"


NOW = [
    number("Calls", "Calls that ended.", "reqps", f"sum(rate(krypton_invocations_total{{{ONE}}}[{RATE}]))"),
    number("Failed", "Share of 5xx.", "percentunit",
           f"""(sum(rate(krypton_invocations_total{{{ONE}, status=~"5.."}}[{RATE}])) or vector(0))
               / sum(rate(krypton_invocations_total{{{ONE}}}[{RATE}]))""", empty="no calls", bad_from=0.01),
    number("P95", "Latency.", "s", quantile(0.95, DURATION), empty="no calls"),
    number("Waiting", "Calls in the queue.", "short", f"sum(krypton_buffer_depth{{{ONE}}})", bad_from=50),
    number("Ready replicas", "Sidecars that take requests.", "short",
           f"sum(krypton_proxy_ready{{{ONE}}}) or vector(0)"),
    number("Wanted replicas", "What the scaler wants.", "short", f"max(krypton_agent_replicas_desired{{{ONE}}})"),
]

TRAFFIC = [
    lines("Calls by status", "As callers saw them.", "reqps",
          query(f"sum by (status) (rate(krypton_invocations_total{{{ONE}}}[{RATE}]))", "{{status}}"), stacked=True),
    lines("Latency", "Percentiles of calls, streams left out.", "s",
          *[query(quantile(share, DURATION), f"p{share * 100:g}", exemplar=share == 0.99)
            for share in (0.5, 0.9, 0.95, 0.99)], empty="no calls in this time"),
    heat("Latency, as a heat map", "Calls a second by how long they took; dots are traces.",
         f"sum by (le) (rate({DURATION}{{{ONE}}}[{RATE}]))"),
]

ERRORS = [
    lines("Errors by status", "Calls that ended with 4xx or 5xx.", "reqps",
          query(f"""sum by (status) (rate(krypton_invocations_total{{{ONE}, status=~"4..|5.."}}[{RATE}]))""",
                "{{status}}"), empty="no errors"),
    lines("Errors of the mesh", "Calls that the gateway ended itself, by reason: full queue, no replica in time, "
          "no answer in time, no connection.", "reqps",
          query(f"sum by (reason) (rate(krypton_gateway_errors_total{{{ONE}}}[{RATE}]))", "{{reason}}")),
    lines("Calls sent again", "Retries of the gateways by reason; callers do not see them.", "reqps",
          query(f"sum by (reason) (rate(krypton_gateway_retries_total{{{ONE}}}[{RATE}]))", "{{reason}}")),
    lines("Refused by sidecars", "Requests that the agent never saw.", "reqps",
          query(f"sum by (reason) (rate(krypton_proxy_rejected_total{{{ONE}}}[{RATE}]))", "{{reason}}"),
          empty="no replica runs"),
]

WAITING = [
    lines("Queue", "Calls that wait at the gateways.", "short",
          query(f"sum(krypton_buffer_depth{{{ONE}}})", "waiting"),
          query(f"sum(krypton_proxy_parked{{{ONE}}})", "parked at sidecars"), decimals=0),
    lines("Wait in the queue", "How long calls that had to wait did so.", "s",
          *[query(quantile(share, "krypton_buffer_wait_seconds_bucket"), f"p{share * 100:g}")
            for share in (0.5, 0.95, 0.99)], empty="no call had to wait"),
    lines("Cold starts", "Starts of a replica that calls waited for.", "short",
          query(f"sum(increase(krypton_cold_starts_total{{{ONE}}}[{RATE}]))", "cold starts")),
    lines("Stages of a cold start", "P95 of each: decide, start, ready, first byte.", "s",
          query(quantile(0.95, "krypton_cold_start_stage_seconds_bucket", "stage, le"), "{{stage}}"),
          empty="no cold start in this time"),
]

SCALING = [
    lines("Replicas wanted and ready", "The scaler's wish and the sidecars' own word.", "short",
          query(f"max(krypton_agent_replicas_desired{{{ONE}}})", "wanted"),
          query(f"sum(krypton_proxy_ready{{{ONE}}}) or vector(0)", "ready"), decimals=0),
    lines("In flight against concurrency", "Requests at the replicas, and how many they may have.", "short",
          query(f"sum(krypton_proxy_inflight{{{ONE}}})", "in flight"),
          query(f"sum(krypton_proxy_concurrency{{{ONE}}})", "concurrency"), empty="no replica runs", decimals=0),
    lines("In flight by replica", "Requests in flight at each replica.", "short",
          query(f"sum by (pod) (krypton_proxy_inflight{{{ONE}}})", "{{pod}}"), empty="no replica runs", decimals=0),
    lines("Decisions per minute", "Of the scaler, by direction.", "cpm",
          query(f"sum by (direction) (rate(krypton_scaler_decisions_total{{{ONE}}}[{RATE}])) * 60",
                "{{direction}}")),
    lines("Streams", "Standing streams: upgraded connections, event streams of a GET.", "short",
          query(f"sum(krypton_gateway_streams{{{ONE}}})", "through gateways"),
          query(f"sum(krypton_proxy_streams{{{ONE}}})", "at sidecars"), decimals=0),
]

DASHBOARD = build("agent", "Krypton / Agent", "One agent: traffic, errors, waiting, cold starts, replicas.",
                  VARIABLES, [("", NOW), ("Traffic", TRAFFIC), ("Errors", ERRORS),
                              ("Waiting and waking", WAITING), ("Replicas", SCALING)])
