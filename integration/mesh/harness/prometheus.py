"""A real Prometheus that scrapes a mesh, with the labels that the Prometheus Operator gives to targets."""

import json
import os
import re
import shutil
from urllib.parse import urlencode

import yaml

from . import http
from .processes import SLOW, Process
from .queries import RULES
from .waiting import eventually

INTERVAL = "500ms"
# What a test knows of: the version that Debian has, and a 3.x that ./dev builds where Go is.
BINARIES = {2: shutil.which("prometheus"), 3: os.environ.get("KRYPTON_TEST_PROMETHEUS3")}


class PrometheusApi:
    """What a Prometheus at `address` answers."""

    def __init__(self, address):
        self.address = address

    def get(self, path, **parameters):
        answer = http.call(self.address, target=f"/api/v1/{path}?{urlencode(parameters)}")
        content = json.loads(answer.body)
        assert content["status"] == "success", f"{path} {parameters}: {content}"
        return content["data"]

    def ask(self, query):
        """[(labels, value)] now."""
        return [(each["metric"], float(each["value"][1])) for each in self.get("query", query=query)["result"]]

    def value(self, query):
        """The one value; None when there is none."""
        found = self.ask(query)
        assert len(found) <= 1, f"{query}: {found}"
        return found[0][1] if found else None


class Prometheus(PrometheusApi):
    """Runs until `stop()`. `at(component)` and `sidecars()` are its targets; `patient` keeps the alerts' own `for`."""

    def __init__(self, mesh, version, patient=True):
        self.mesh, self.targets = mesh, mesh.root / "targets.json"
        folder = mesh.root / "prometheus"
        folder.mkdir()
        rules = yaml.safe_load(RULES.read_text())
        for group in rules["groups"]:
            for rule in group["rules"]:
                if "for" in rule and not patient:
                    rule["for"] = "1s"
        (folder / "rules.yaml").write_text(yaml.safe_dump(rules))
        (folder / "prometheus.yaml").write_text(yaml.safe_dump(self.configuration(folder)))
        self.find_targets()
        self.process = Process("prometheus", [
            BINARIES[version], f"--config.file={folder}/prometheus.yaml", f"--storage.tsdb.path={folder}/data",
            "--web.listen-address=127.0.0.1:0", "--enable-feature=exemplar-storage"], mesh.root)
        # Not of the mesh's own processes, which end with 0 and in order.
        super().__init__(eventually(self.listening, 30 * SLOW, "Prometheus listens"))

    def listening(self):
        found = re.search(r'Listening on".* address=(\S+)', self.process.tail())
        return found and found[1]

    def configuration(self, folder):
        return {"global": {"scrape_interval": INTERVAL, "scrape_timeout": INTERVAL, "evaluation_interval": INTERVAL},
                "rule_files": [f"{folder}/rules.yaml"],
                "scrape_configs": [{
                    "job_name": "krypton", "honor_labels": True,  # As the chart's monitors ask for.
                    "file_sd_configs": [{"files": [str(self.targets)], "refresh_interval": "1s"}]}]}

    def find_targets(self):
        """What runs now becomes what is scraped."""
        groups = [self.group(self.mesh.address(name, "ops"), "krypton-system", f"krypton-{name.replace('_', '-')}", name)
                  for name in self.mesh.components]
        for pid, line in self.mesh.sidecars():
            instance = re.search(r"--instance[= ](\S+)", line)[1]
            namespace, agent = (re.search(rf"--{flag}[= ](\S+)", line)[1] for flag in ("namespace", "name"))
            groups.append(self.group(self.mesh.sidecar_ops(instance), namespace, "krypton-system/krypton-agents",
                                     f"{agent}-{instance[:5]}", container="krypton-proxy"))
        temporary = self.targets.with_suffix(".new")
        temporary.write_text(json.dumps(groups))
        os.replace(temporary, self.targets)
        return {target for group in groups for target in group["targets"]}

    @staticmethod
    def group(address, namespace, job, pod, container="krypton"):
        return {"targets": [address], "labels": {"namespace": namespace, "job": job, "pod": pod,
                                                 "container": container, "endpoint": "metrics"}}

    def wait_targets(self):
        """All that runs is scraped, successfully, and each once."""
        def all_up():
            wanted = self.find_targets()
            active = self.get("targets")["activeTargets"]
            return sorted(target["labels"]["instance"] for target in active if target["health"] == "up") == sorted(wanted)
        eventually(all_up, 30 * SLOW, lambda: f"all targets are up: {self.get('targets')['activeTargets']}", every=0.2)

    def wait_scraped(self):
        """What was true before the call has been scraped from all."""
        self.wait_targets()
        seen = {target["scrapeUrl"]: target["lastScrape"] for target in self.get("targets")["activeTargets"]}

        def again():  # Twice: one may have been on its way.
            now = {target["scrapeUrl"]: target["lastScrape"] for target in self.get("targets")["activeTargets"]}
            return all(now.get(url, "z") > when for url, when in seen.items())
        for _ in range(2):
            eventually(again, 20 * SLOW, "all were scraped again", every=0.1)
            seen = {target["scrapeUrl"]: target["lastScrape"] for target in self.get("targets")["activeTargets"]}

    def stop(self):
        self.process.stop()
