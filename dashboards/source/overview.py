"""The first look: the six published panels on top, then what to look at next."""

from .parts import RATE, build, lines, query, rows_of, variable

# Each agent that a gateway knows has this series from the start, called or not.
KNOWN = "krypton_invocation_duration_seconds_count"
CHOSEN = 'namespace=~"$namespace", agent=~"$agent"'
AGENT = ("Open the agent",
         "/d/krypton-agent?var-namespace=${__field.labels.namespace}&var-agent=${__field.labels.agent}"
         "&${DS_PROM:queryparam}&${__url_time_range}")

VARIABLES = [
    variable("namespace", "Namespace", f"label_values({KNOWN}, namespace)"),
    variable("agent", "Agent", f'label_values({KNOWN}{{namespace=~"$namespace"}}, agent)'),
]

PUBLISHED = [
    lines("Invocations per second", "Calls that ended, per agent, at all gateways.", "reqps",
          query(f"sum by (namespace, agent) (rate(krypton_invocations_total{{{CHOSEN}}}[{RATE}]))",
                "{{namespace}}/{{agent}}"), link=AGENT, empty="no agent is known yet"),
    lines("P95 invocation latency", "From the first byte of a call to the last of its answer; streams left out.",
          "s", query(f"""histogram_quantile(0.95, sum by (namespace, agent, le)
              (rate(krypton_invocation_duration_seconds_bucket{{{CHOSEN}}}[{RATE}])))""",
                     "{{namespace}}/{{agent}}"), link=AGENT, empty="no calls in this time"),
    lines("Desired replicas", "What the scaler wants now.", "short",
          query(f"max by (namespace, agent) (krypton_agent_replicas_desired{{{CHOSEN}}})",
                "{{namespace}}/{{agent}}"), link=AGENT, decimals=0),
    lines("Scaling decisions per minute", "One a tick for each agent with demand or replicas, by direction.", "cpm",
          query(f"sum by (direction) (rate(krypton_scaler_decisions_total{{{CHOSEN}}}[{RATE}])) * 60",
                "{{direction}}")),
    lines("Sidecar in-flight", "Requests in flight at each replica, never above the agent's concurrency.", "short",
          query(f"sum by (namespace, agent, pod) (krypton_proxy_inflight{{{CHOSEN}}})",
                "{{namespace}}/{{agent}} {{pod}}"), empty="no replica runs"),
    lines("Sidecar rejected", "Requests that a replica refused: over_capacity is normal where gateways share "
          "replicas (they try another), shutting_down where one goes away.", "reqps",
          query(f"sum by (reason) (rate(krypton_proxy_rejected_total{{{CHOSEN}}}[{RATE}]))", "{{reason}}"),
          empty="no replica runs"),
]

NEXT = [
    lines("Failed calls", "Share of calls that ended with 5xx, per agent.", "percentunit",
          query(f"""sum by (namespace, agent) (rate(krypton_invocations_total{{{CHOSEN}, status=~"5.."}}[{RATE}]))
              / sum by (namespace, agent) (rate(krypton_invocations_total{{{CHOSEN}}}[{RATE}]))""",
                "{{namespace}}/{{agent}}"), link=AGENT, empty="no call failed"),
    lines("Calls waiting", "Calls in the gateways' queues, per agent.", "short",
          query(f"sum by (namespace, agent) (krypton_buffer_depth{{{CHOSEN}}})", "{{namespace}}/{{agent}}"),
          link=AGENT, decimals=0),
    lines("Cold starts per minute", "Times that a replica became ready for calls that had found none.", "cpm",
          query(f"sum by (namespace, agent) (rate(krypton_cold_starts_total{{{CHOSEN}}}[{RATE}])) * 60",
                "{{namespace}}/{{agent}}"), link=AGENT),
    lines("Calls of unknown agents", "Calls whose path names no agent, by status.", "reqps",
          query(f"""sum by (status) (rate(krypton_invocations_total{{namespace="_unknown"}}[{RATE}]))""",
                "{{status}}")),
    lines("API requests", "Calls of the control plane, by route.", "reqps",
          query(f"sum by (route) (rate(krypton_api_requests_total[{RATE}])) > 0", "{{route}}"),
          empty="nobody calls the control plane"),
    rows_of("Versions", "What runs, by component.",
            "count by (component, version) (krypton_build_info)"),
]

DASHBOARD = build("overview", "Krypton / Overview", "Agents of a Krypton mesh: traffic, latency, scaling.",
                  VARIABLES, [("", PUBLISHED), ("What to look at next", NEXT)])
