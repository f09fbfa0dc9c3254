"""What has happened in the mesh before the tests look: wake-ups, overload, draining, errors, models; and its counts."""

import json
import os

from harness import http, load
from harness.counts import Counts
from harness.waiting import eventually
from kube.agents import Handle, agent, always_on, model
from stack import apply

# Two, since pods are found in every namespace.
TEAMS = ("team-a", "team-b")
TRACE = os.urandom(16).hex()
MODEL = "tiny"
LIST_CALLS = 3


class Happened:
    """`counts`: what came through the gateways; `straight`: calls of echo's replicas around them, by (team, status)."""

    def __init__(self, api, mesh):
        self.api, self.mesh = api, mesh
        self.counts, self.straight = Counts(), {}
        for team in TEAMS:
            apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": team}})

    def everything(self):
        for team in TEAMS:
            self.calls_and_errors(team)
            self.overload(team)
            self.drains(team)
        self.traced()
        self.model_answers()
        for _ in range(LIST_CALLS):
            http.call(self.mesh.control_plane, target="/v1/agents")
        http.call(self.mesh.gateway, target=http.path("team-a", "nobody"))

    def echo(self, team):
        return Handle(self.api, self.mesh, agent(team, "echo", concurrency=2, maxReplicas=1, scaleToZeroAfter="600s"))

    def calls_and_errors(self, team):
        echo = self.echo(team).known()
        self.counts.agent(team, "echo", echo.call().status)  # Wakes it.
        for code in (200, 404, 500):
            for _ in range(5):
                self.counts.agent(team, "echo", echo.call(f"/status?code={code}").status)

    def overload(self, team):
        """More than queues and replica hold; and callers that go around the gateways, refused when it is full."""
        echo = self.echo(team)
        results = load.burst(self.mesh.gateway, echo.path("/sleep?ms=300"), 300)
        assert any(result.error == "queue_full" for result in results), load.summary(results)
        for result in results:
            self.counts.agent(team, "echo", result.status)
        (pod,) = echo.pods()
        results = load.burst(f"{pod['status']['podIP']}:8889", "/sleep?ms=300", 8)
        assert any(result.error == "over_capacity" for result in results), load.summary(results)
        for result in results:
            key = team, str(result.status)
            self.straight[key] = self.straight.get(key, 0) + 1

    def drains(self, team):
        """A replica that drains under traffic: its place is taken by a new revision's."""
        rolling = Handle(self.api, self.mesh, always_on(team, "rolling", maxReplicas=1)).known().has(1)
        with rolling.traffic("/sleep?ms=50", workers=2) as traffic:
            rolling.change(env=[{"name": "REVISION", "value": "2"}])
            traffic.wait(100, 120)
        for result in traffic.results:
            self.counts.agent(team, "rolling", result.status)

    def traced(self):
        answer = self.echo(TEAMS[0]).call(headers={"traceparent": f"00-{TRACE}-{os.urandom(8).hex()}-01"})
        self.counts.agent(TEAMS[0], "echo", answer.status)

    def model_answers(self):
        """The real llama.cpp: it is loaded by the first call, answers plainly and in streams, refuses, and is overrun."""
        self.api.apply(model(TEAMS[0], MODEL, scaleToZeroAfter="600s"))
        eventually(lambda: f'"{MODEL}"' in http.call(self.mesh.gateway, target="/v1/models").text, 30, "it is listed")
        hello = {"model": MODEL, "messages": [{"role": "user", "content": "Hello"}], "max_tokens": 8}
        streamed = {"stream": True, "stream_options": {"include_usage": True}}
        for body in [hello] * 3 + [{**hello, **streamed}] * 3 + [{**hello, "messages": 1}]:
            answer = http.call(self.mesh.gateway, "POST", "/v1/chat/completions", body=json.dumps(body).encode(), timeout=120)
            self.counts.model(MODEL, answer.status)
        for tokens in (16, 64, 256):  # A quick machine answers short ones before the queue is full.
            body = json.dumps({**hello, "max_tokens": tokens}).encode()
            results = load.burst(self.mesh.gateway, "/v1/chat/completions", 300, timeout=120, method="POST", body=body)
            for result in results:
                self.counts.model(MODEL, result.status)
            if any(result.error == "queue_full" for result in results):
                return
        raise AssertionError(f"the model's queue was never full: {load.summary(results)}")
