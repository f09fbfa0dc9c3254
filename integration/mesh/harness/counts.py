"""What a client counted of its calls, and what a Prometheus says of the same."""

from collections import Counter

# Unknown agents and models count under this.
UNKNOWN = "_unknown"


class Counts:
    """Calls that ended: of agents by (namespace, agent, status), of models by (model, status)."""

    def __init__(self):
        self.agents, self.models = Counter(), Counter()

    def agent(self, namespace, name, status):
        self.agents[namespace, name, str(status)] += 1

    def model(self, name, status):
        self.models[name, str(status)] += 1

    def differences(self, prometheus):
        """Of the gateways' published series, [what differs]; there is none when Prometheus knows all of it."""
        pairs = [
            ("krypton_invocations_total", ("namespace", "agent", "status"), self.agents),
            ("krypton_invocation_duration_seconds_count", ("namespace", "agent"), without_status(self.agents)),
            ("krypton_model_invocations_total", ("model", "status"), self.models),
            ("krypton_model_invocation_duration_seconds_count", ("model",), without_status(self.models))]
        found = []
        for series, labels, counted in pairs:
            kind = "model" if "model" in labels else "agent"
            query = f'sum by ({", ".join(labels)}) ({series}{{{kind}!="{UNKNOWN}"}}) > 0'
            seen = {tuple(given[label] for label in labels): value for given, value in prometheus.ask(query)}
            found += [f"{series}{key}: {seen.get(key)}, counted {counted.get(key)}" for key in seen.keys() | counted.keys()
                      if seen.get(key) != counted.get(key)]
        return found


def without_status(counted):
    total = Counter()
    for (*key, _), count in counted.items():
        total[tuple(key)] += count
    return total
