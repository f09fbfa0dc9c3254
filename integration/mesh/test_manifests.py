"""A directory of manifests, watched: additions, edits that roll, mistakes, removals."""

import json
import os
import socket
import time

from harness import http
from harness.load import Traffic, summary
from harness.mesh import env, manifest
from harness.processes import SLOW, processes_of
from harness.waiting import always, eventually

MESH = {"manager": ["--scaler-interval", "200ms"]}


def problems(mesh):
    return mesh.get("control_plane", "/v1/manifest-problems", "http")["items"]


def test_an_addition_takes_effect_within_a_second(mesh):
    began = time.monotonic()
    mesh.apply("fresh", maxReplicas=1)
    assert time.monotonic() - began < 1.0 * SLOW
    assert mesh.call("fresh", "/pid").status == 200


def test_many_documents_in_one_file(mesh):
    mesh.write("many.yaml", "---\n" + "\n---\n".join(manifest(f"many{n}") for n in range(5)) + "\n---\n")
    mesh.wait_known(*[f"many{n}" for n in range(5)])
    mesh.write("many.yaml", manifest("many3"))
    eventually(lambda: mesh.route("many0") is None, 2 * SLOW, "the others are gone")
    assert mesh.route("many3") is not None
    (mesh.manifests / "many.yaml").unlink()
    eventually(lambda: mesh.route("many3") is None, 2 * SLOW, "all are gone")


def test_an_edit_rolls_without_a_lost_call(mesh):
    options = {"mode": "always-on", "minReplicas": 2, "maxReplicas": 2, "concurrency": 4}
    mesh.apply("roll", env=env(VERSION=1), **options)
    mesh.wait_replicas("roll", 2)
    old = {e["instance"] for e in mesh.endpoints("roll")}
    with Traffic(mesh.http, http.path("default", "roll", "/sleep?ms=10"), workers=6) as traffic:
        traffic.wait(50)
        for version in (2, 3):
            mesh.apply("roll", env=env(VERSION=version), **options)

            def rolled():
                found = mesh.endpoints("roll", state=None)
                return len(found) == 2 and not old & {e["instance"] for e in found} and found
            found = eventually(rolled, 30 * SLOW, "two new replicas instead of the old")
            assert len({e["generation"] for e in found}) == 1
            old = {e["instance"] for e in found}
            traffic.wait(50)
    assert not traffic.bad(), summary(traffic.results)
    eventually(lambda: len(mesh.sidecars_of("roll")) == 2, 30 * SLOW, "no old process is left")
    mesh.delete("roll")


def test_a_long_call_survives_the_drain_of_its_replica(mesh):
    mesh.apply("drain", mode="always-on", maxReplicas=1, env=env(VERSION=1))
    (old,) = mesh.wait_replicas("drain", 1)
    with http.Connection(mesh.http) as connection:
        connection.send(http.request("GET", http.path("default", "drain", "/sleep?ms=2000"), host=mesh.http))
        eventually(lambda: mesh.route("drain")["inFlight"] == 1, 5 * SLOW)
        mesh.apply("drain", mode="always-on", maxReplicas=1, env=env(VERSION=2))
        eventually(lambda: [e["instance"] for e in mesh.endpoints("drain")] not in ([], [old["instance"]]),
                   20 * SLOW, "the new one serves")
        assert connection.read().status == 200
    mesh.wait_replicas("drain", 1)
    mesh.delete("drain")


def test_a_wrong_edit_keeps_the_last_good_version_and_says_why(mesh):
    mesh.apply("good", mode="always-on", maxReplicas=1)
    mesh.apply("other", mode="always-on", maxReplicas=1)
    mesh.wait_replicas("good", 1)
    mesh.wait_replicas("other", 1)
    pids = {mesh.call(name, "/pid").text for name in ("good", "other")}
    mesh.write("default-good.yaml", "---\n" + manifest("aside") + "\n---\n"
               + manifest("good", mode="always-on", port=70000))
    found = eventually(lambda: problems(mesh), 2 * SLOW, "the problem is told")
    assert len(found) == 1 and found[0]["document"] == 2 and found[0]["field"] == "spec.port"
    assert found[0]["file"].endswith("default-good.yaml") and "70000" in found[0]["reason"]
    assert found[0]["key"]["name"] == "good"
    mesh.wait_known("aside")  # The other document of the same file is taken.
    log = mesh.components["manager"].log.read_text()
    assert "default-good.yaml" in log and "spec.port" in log
    always(lambda: {mesh.call(name, "/pid").text for name in ("good", "other")} == pids, 1.0,
           "both go on as they were")
    mesh.apply("good", mode="always-on", maxReplicas=1, env=env(FIXED=1))
    eventually(lambda: not problems(mesh), 2 * SLOW, "the problem is gone")
    eventually(lambda: mesh.call("good", "/pid").text not in pids, 20 * SLOW, "the new version runs")
    assert mesh.call("other", "/pid").text in pids


WRONG = {
    "not-yaml": "a: b: c: [",
    "not-a-map": "- 1\n- 2\n",
    "other-kind": json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}}),
    "other-version": manifest("wrong").replace("v1alpha1", "v9"),
    "bad-name": manifest("Wrong_Name"),
    "no-command": manifest("wrong").replace("krypton.ai/local-command", "krypton.ai/other"),
    "always-on-without-replicas": manifest("wrong", mode="always-on", minReplicas=0),
    "min-above-max": manifest("wrong", minReplicas=5, maxReplicas=2),
    "port": manifest("wrong", port=0),
    "zero-after-on-always-on": manifest("wrong", mode="always-on", scaleToZeroAfter="5s"),
    "concurrency": manifest("wrong", concurrency=0),
    "duration": manifest("wrong", timeout="soon"),
    "unknown-field": manifest("wrong", nonsense=1),
    "type": manifest("wrong", maxReplicas="many"),
    "bomb": "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\n"
            "d: &d [*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e]\n",
    "deep": "[" * 20000,
    "binary": "\x00\x01\x02",
}


def test_wrong_manifests_are_told_and_disturb_nobody(mesh):
    mesh.apply("calm", mode="always-on", maxReplicas=1)
    mesh.wait_replicas("calm", 1)
    pid = mesh.call("calm", "/pid").text
    for name, text in WRONG.items():
        mesh.write("wrong.yaml", text)
        found = eventually(lambda: [p for p in problems(mesh) if p["file"].endswith("wrong.yaml")],
                           3 * SLOW, f"{name} is told")
        assert found[0]["reason"], name
        mesh.write("wrong.yaml", "")
        eventually(lambda: not problems(mesh), 3 * SLOW, f"after {name} all is well")
    assert mesh.call("calm", "/pid").text == pid
    (mesh.manifests / "wrong.yaml").unlink()


def test_a_file_name_that_is_not_utf8_deafens_nobody(mesh):
    path = os.fsencode(mesh.manifests) + b"/\xff.yaml"
    with open(path, "w") as file:
        file.write("x")
    found = eventually(lambda: problems(mesh), 3 * SLOW, "told")
    assert found[0]["file"].endswith("/\ufffd.yaml"), found
    mesh.apply("heard")  # Waits until the gateway knows it.
    os.unlink(path)
    eventually(lambda: not problems(mesh), 3 * SLOW, "well again")


def test_the_same_agent_twice_is_told(mesh):
    mesh.apply("twin")
    mesh.write("twin-again.yaml", manifest("twin", maxReplicas=2))
    found = eventually(lambda: problems(mesh), 3 * SLOW, "told")
    assert found[0]["key"]["name"] == "twin"
    (mesh.manifests / "twin-again.yaml").unlink()
    eventually(lambda: not problems(mesh), 3 * SLOW, "well again")
    assert mesh.route("twin") is not None


def series_of(mesh, name):
    return [line for component in mesh.components for line in mesh.scrape(component).text.splitlines()
            if f'agent="{name}"' in line]


def test_what_is_deleted_leaves_nothing(mesh):
    """Invariant 6: no process, no series, no port, no route."""
    mesh.apply("doomed", mode="always-on", minReplicas=2, maxReplicas=2)
    endpoints = mesh.wait_replicas("doomed", 2)
    assert mesh.call("doomed", "/pid").status == 200
    assert series_of(mesh, "doomed")
    with http.Connection(mesh.http) as connection:
        connection.send(http.request("GET", http.path("default", "doomed", "/sleep?ms=500"), host=mesh.http))
        eventually(lambda: mesh.route("doomed")["inFlight"] == 1, 5 * SLOW)
        began = time.monotonic()
        mesh.delete("doomed")
        eventually(lambda: mesh.call("doomed", "/pid").status == 404, 5 * SLOW, "404")
        assert time.monotonic() - began < 1.0 * SLOW
        assert connection.read().status == 200  # What was in flight is finished.
    eventually(lambda: not [line for _, line in processes_of(mesh.root) if "doomed" in line], 30 * SLOW,
               "no process is left")
    eventually(lambda: not series_of(mesh, "doomed"), 10 * SLOW, "no series is left")
    for endpoint in endpoints:
        host, _, port = endpoint["address"].rpartition(":")
        with socket.socket() as probe:
            assert probe.connect_ex((host, int(port))) != 0
    assert not [path for path in mesh.state.rglob("*") if "doomed" in path.name], "files are left"
    address = mesh.address("control_plane", "http")
    eventually(lambda: http.call(address, target="/v1/agents/default/doomed").status == 404, 5 * SLOW,
               "the control plane has forgotten it")


def uid_of(mesh, name):
    items = mesh.get("control_plane", f"/v1/agents?q=default/{name}", "http")["items"]
    return items[0]["metadata"]["uid"] if items else None


def test_an_agent_that_comes_back_under_its_name_is_another(mesh):
    mesh.apply("again", maxReplicas=1)
    eventually(lambda: uid_of(mesh, "again"), 2 * SLOW, "the control plane knows it")
    uid = uid_of(mesh, "again")
    mesh.delete("again")
    eventually(lambda: mesh.route("again") is None, 2 * SLOW)
    mesh.apply("again", maxReplicas=1)
    # The control plane hears of it on a stream of its own.
    eventually(lambda: uid_of(mesh, "again") not in (None, uid), 2 * SLOW, "another uid")
    assert mesh.call("again", "/pid").status == 200


def test_logs_of_a_replica_are_bounded(new_mesh):
    mesh = new_mesh(control_plane=False)
    mesh.apply("chatty", mode="always-on", maxReplicas=1,
               command="yes 0123456789012345678901234567890123456789 | head -c 60000000; sleep 1000")
    eventually(lambda: sum(p.stat().st_size for p in mesh.state.rglob("*.log*")) > 100_000, 10 * SLOW)
    always(lambda: sum(p.stat().st_size for p in mesh.state.rglob("*") if p.is_file()) < 40_000_000, 2.0,
           "its log files have a bound")
