"""Reading /metrics as Prometheus does."""

from prometheus_client.parser import text_string_to_metric_families

from . import http


class Metrics:
    """One scrape: families by name, samples by name and labels."""

    def __init__(self, text):
        self.text = text
        self.families = {family.name: family for family in text_string_to_metric_families(text)}
        self.samples = {}
        for family in self.families.values():
            for sample in family.samples:
                self.samples[sample.name, frozenset(sample.labels.items())] = sample.value

    def value(self, name, **labels):
        """The sample with exactly these labels; None when there is none."""
        return self.samples.get((name, frozenset(labels.items())))

    def total(self, name, **labels):
        """The sum of the samples of this name that carry these labels."""
        wanted = set(labels.items())
        return sum(value for (sample, given), value in self.samples.items()
                   if sample == name and wanted <= given)

    def label_sets(self, name):
        return [dict(labels) for sample, labels in self.samples if sample == name]

    def __len__(self):
        return len(self.samples)


def scrape(address):
    answer = http.call(address, target="/metrics")
    assert answer.status == 200, answer
    return Metrics(answer.text)
