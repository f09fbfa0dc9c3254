"""Models: tokens, how fast they come, what waits, how long loading takes."""

from .parts import RATE, build, heat, lines, query, variable

CHOSEN = 'model=~"$model"'
KNOWN = "krypton_model_invocation_duration_seconds_count"

VARIABLES = [variable("model", "Model", f"label_values({KNOWN}, model)")]


def quantile(share, series):
    return f"histogram_quantile({share}, sum by (model, le) (rate({series}_bucket{{{CHOSEN}}}[{RATE}])))"


CALLS = [
    lines("Calls per second", "Calls that ended, per model.", "reqps",
          query(f"sum by (model) (rate(krypton_model_invocations_total{{{CHOSEN}}}[{RATE}]))", "{{model}}"),
          empty="no model is known yet"),
    lines("Failed calls", "Share of calls that ended with 5xx.", "percentunit",
          query(f"""sum by (model) (rate(krypton_model_invocations_total{{{CHOSEN}, status=~"5.."}}[{RATE}]))
              / sum by (model) (rate(krypton_model_invocations_total{{{CHOSEN}}}[{RATE}]))""", "{{model}}"),
          empty="no call failed"),
    lines("P95 latency", "From the first byte of a call to the last of its answer.", "s",
          query(quantile(0.95, "krypton_model_invocation_duration_seconds"), "{{model}}", exemplar=True),
          empty="no calls in this time"),
    heat("Latency, as a heat map", "Calls a second by how long they took; dots are traces.",
         f"sum by (le) (rate(krypton_model_invocation_duration_seconds_bucket{{{CHOSEN}}}[{RATE}]))", width=24),
]

TOKENS = [
    lines("Tokens per second", "As answers report them, by type.", "short",
          query(f"sum by (model, type) (rate(krypton_model_tokens_total{{{CHOSEN}}}[{RATE}]))",
                "{{model}} {{type}}")),
    lines("Time to first token", "Of streamed answers: P50 and P95.", "s",
          *[query(quantile(share, "krypton_model_time_to_first_token_seconds"), f"{{{{model}}}} p{share * 100:g}")
            for share in (0.5, 0.95)], empty="no streamed answer in this time"),
    lines("Time per output token", "Mean of a streamed answer: P50 and P95.", "s",
          *[query(quantile(share, "krypton_model_time_per_output_token_seconds"), f"{{{{model}}}} p{share * 100:g}")
            for share in (0.5, 0.95)], empty="no streamed answer in this time"),
]

# Of a model, `agent` is its name there.
LOADING = [
    lines("Calls waiting", "Calls in the gateways' queues.", "short",
          query('sum by (namespace, agent) (krypton_buffer_depth{agent=~"$model"})', "{{namespace}}/{{agent}}"),
          decimals=0),
    lines("Loading", "P95 of a model's cold start, from the decision to readiness, by stage.", "s",
          query(f"""histogram_quantile(0.95, sum by (agent, stage, le)
              (rate(krypton_cold_start_stage_seconds_bucket{{agent=~"$model"}}[{RATE}])))""", "{{agent}} {{stage}}"),
          empty="no model was loaded in this time"),
    lines("Replicas wanted and ready", "The scaler's wish and the sidecars' own word.", "short",
          query('max by (namespace, agent) (krypton_agent_replicas_desired{agent=~"$model"})', "{{agent}} wanted"),
          query('sum by (namespace, agent) (krypton_proxy_ready{agent=~"$model"})', "{{agent}} ready"), decimals=0),
]

DASHBOARD = build("models", "Krypton / Models", "Models: calls, tokens, time to first token, loading.",
                  VARIABLES, [("", CALLS), ("Tokens", TOKENS), ("Waiting and loading", LOADING)])
