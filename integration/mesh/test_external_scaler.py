"""`spec.scaler: external`: as many replicas as the manifest says, whatever the load."""

from harness import http
from harness.load import Traffic, summary
from harness.processes import SLOW
from harness.waiting import always, eventually

MESH = {"manager": ["--scaler-interval", "200ms", "--scaler-stable-window", "1s"]}


def test_the_number_is_the_manifests_and_not_the_loads(mesh):
    options = {"mode": "serverless", "scaler": "external", "concurrency": 1, "maxReplicas": 1}
    mesh.apply("others", replicas=2, **options)
    mesh.wait_replicas("others", 2)
    before = {endpoint["instance"] for endpoint in mesh.endpoints("others")}
    with Traffic(mesh.http, http.path("default", "others", "/sleep?ms=50"), workers=8) as traffic:
        traffic.wait(40)
        assert {endpoint["instance"] for endpoint in mesh.endpoints("others")} == before
        mesh.apply("others", replicas=3, **options)
        mesh.wait_replicas("others", 3)
        assert before < {endpoint["instance"] for endpoint in mesh.endpoints("others")}, "nothing was rolled"
        traffic.wait(40)
    assert not traffic.bad(), summary(traffic.results)
    mesh.apply("others", replicas=1, **options)
    mesh.wait_replicas("others", 1)


def test_zero_stays_zero_until_somebody_says_more(mesh):
    options = {"mode": "serverless", "scaler": "external", "startupTimeout": "2s"}
    mesh.apply("asleep", replicas=0, **options)
    answer = mesh.call("asleep", "/pid")
    assert answer.status == 504 and answer.header("krypton-error") == "start_timeout"
    always(lambda: not mesh.endpoints("asleep"), 0.5, "nothing runs")
    mesh.apply("asleep", replicas=1, **options)
    eventually(lambda: mesh.call("asleep", "/pid").status == 200, 20 * SLOW, "it is there")
