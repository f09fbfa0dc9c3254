"""Models that load, sleep, break and change under load, served by the real llama.cpp."""

import asyncio
import json
import os
import signal
import statistics
import time
import uuid

import pytest
from harness import http
from harness.load import Traffic, call, summary
from harness.models import (SERVE, STAND_IN, apply_model, busy_slots, delete_model, exchanges, python,
                            recorded_command, servers_of, status_of, weights)
from harness.processes import SLOW
from harness.waiting import eventually

if not os.environ.get("KRYPTON_TEST_PYTHON_MODELS"):
    pytest.skip("KRYPTON_TEST_PYTHON_MODELS is not set; ./dev test sets it", allow_module_level=True)

MESH = {"manager": ["--scaler-interval", "200ms", "--scaler-stable-window", "1s"]}
HELLO = [{"role": "user", "content": "Hello"}]
CHAT = "/v1/chat/completions"
JSON = {"content-type": "application/json"}


def question(model, **options):
    return json.dumps({"model": model, "messages": HELLO, "max_tokens": 4, **options}).encode()


def endless(model):
    """A stream that ends only when its client or its server does."""
    return question(model, stream=True, max_tokens=10_000_000, ignore_eos=True)


def ask(mesh, model, **options):
    return http.call(mesh.http, "POST", CHAT, JSON, question(model, **options), host=mesh.http, timeout=60 * SLOW)


def phase(mesh, name):
    return (status_of(mesh, name) or {}).get("phase")


def wait_phase(mesh, name, wanted):
    eventually(lambda: phase(mesh, name) == wanted, 30 * SLOW, lambda: f"{name} is {wanted}: {status_of(mesh, name)}")


def known(mesh, *names):
    for name in names:
        eventually(lambda: http.call(mesh.http, target=f"/v1/models/{name}", host=mesh.http).status == 200,
                   10 * SLOW, f"the gateway knows {name}")
        eventually(lambda: status_of(mesh, name), 10 * SLOW, f"the control plane knows {name}")


def test_a_cold_start_under_fifty_calls_answers_each_once(mesh):
    records = mesh.root / "records"
    apply_model(mesh, "cold", mode="serverless", scaleToZeroAfter="1s", command=recorded_command(records))
    known(mesh, "cold")
    assert phase(mesh, "cold") == "Ready" and not servers_of(mesh, "cold")
    users = [uuid.uuid4().hex for _ in range(50)]

    async def all_at_once():
        return await asyncio.gather(*(
            call(mesh.http, CHAT, timeout=60 * SLOW, method="POST", headers=JSON, body=question("cold", user=user))
            for user in users))
    results = asyncio.run(all_at_once())
    assert summary(results) == {(200, ""): 50}
    recorded = b"".join(request for request, _ in exchanges(records, b"POST "))
    assert [recorded.count(user.encode()) for user in users] == [1] * 50
    # And when nobody asks any more, its memory is free again.
    eventually(lambda: not servers_of(mesh, "cold"), 20 * SLOW, "its process is gone")
    assert status_of(mesh, "cold")["replicas"] == 0
    delete_model(mesh, "cold")


def waiting(mesh, name):
    """How many calls wait for a model, by the gateway's metrics."""
    samples = mesh.scrape("gateway").samples
    return sum(value for (sample, labels), value in samples.items()
               if sample == "krypton_buffer_depth" and name in dict(labels).values())


def test_while_a_model_loads_it_says_so_and_calls_wait_in_the_queue(mesh):
    apply_model(mesh, "loading", command=f"exec python3 -S {STAND_IN}", mode="serverless", scaleToZeroAfter="5m",
                env=[{"name": "STAND_IN_LOAD_MS", "value": str(int(1500 * SLOW))}])
    known(mesh, "loading")
    with http.Connection(mesh.http, 60 * SLOW) as connection:
        connection.send(http.request("POST", CHAT, JSON, question("loading"), mesh.http))
        wait_phase(mesh, "loading", "Loading")
        assert waiting(mesh, "loading") == 1
        assert connection.read().status == 200
    wait_phase(mesh, "loading", "Ready")
    status = status_of(mesh, "loading")
    assert (status["replicas"], status["readyReplicas"], status["observedGeneration"]) == (1, 1, "1")
    assert status["url"] == f"{mesh.url}/v1"
    delete_model(mesh, "loading")


@pytest.fixture(scope="module")
def three(mesh):
    names = ["one", "two", "three"]
    for name in names:
        apply_model(mesh, name, args=["--ctx-size", "2048", "--context-shift"])
    for name in names:
        wait_phase(mesh, name, "Ready")
    known(mesh, *names)
    return names


def test_of_three_models_under_load_one_is_killed_and_the_others_feel_nothing(mesh, three):
    loads = {name: Traffic(mesh.http, CHAT, workers=3, method="POST", headers=JSON, timeout=60 * SLOW,
                           body=question(name, stream=name == "one")) for name in three}
    with loads["one"] as one, loads["two"] as two, loads["three"] as third:
        third.wait(10, 30 * SLOW)
        (pid, _), = servers_of(mesh, "three")
        os.kill(pid, signal.SIGKILL)
        one.wait(20, 30 * SLOW)
        two.wait(20, 30 * SLOW)
        eventually(lambda: [p for p, _ in servers_of(mesh, "three")] not in ([], [pid]), 30 * SLOW, "it is back")
        third.wait(10, 30 * SLOW)
    assert not one.bad() and not two.bad(), (summary(one.results), summary(two.results))
    # What it had in hand is answered by an error of the table, never by silence.
    assert all(result.status in (200, 502) for result in third.results), summary(third.results)
    assert len([result for result in third.results if result.status != 200]) <= 6


def test_a_new_argument_rolls_and_loses_nothing(mesh, three):
    before = servers_of(mesh, "one")
    with Traffic(mesh.http, CHAT, workers=4, method="POST", headers=JSON, body=question("one"),
                 timeout=60 * SLOW) as traffic:
        traffic.wait(10, 30 * SLOW)
        apply_model(mesh, "one", args=["--ctx-size", "1024", "--context-shift"])
        eventually(lambda: servers_of(mesh, "one") and not set(servers_of(mesh, "one")) & set(before), 30 * SLOW,
                   "the new one has replaced the old one")
        traffic.wait(20, 30 * SLOW)
    assert not traffic.bad(), summary(traffic.results)
    assert status_of(mesh, "one")["observedGeneration"] == "2"


# Of streams: an answer in one piece llama.cpp works out to its end, whoever is still there.
def test_a_client_that_leaves_a_stream_frees_its_slot(mesh):
    apply_model(mesh, "long", args=["--context-shift", "--ctx-size", "1024"], concurrency=2)
    wait_phase(mesh, "long", "Ready")
    known(mesh, "long")
    (_, port), = servers_of(mesh, "long")
    freed = []
    for _ in range(5):
        with http.Connection(mesh.http, 60 * SLOW) as connection:
            connection.send(http.request("POST", CHAT, JSON, endless("long"), mesh.http))
            connection.read_head()
            eventually(lambda: busy_slots(port) == 1, 10 * SLOW, "a slot is busy", every=0.002)
        began = time.monotonic()
        eventually(lambda: busy_slots(port) == 0, 5 * SLOW, "the slot is free", every=0.002)
        freed.append(time.monotonic() - began)
    assert statistics.median(freed) < 0.1 * SLOW, freed
    assert ask(mesh, "long").status == 200
    delete_model(mesh, "long")


# What llama-server from the PATH is given, and what is said when something is missing.


def test_llama_server_from_the_path_with_the_flags_of_a_cluster(new_mesh, tmp_path):
    program = tmp_path / "llama-server"
    program.write_text(f'#!/bin/sh\nexec {python()} {SERVE} "$@"\n')
    program.chmod(0o755)
    mesh = new_mesh(env={"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    (mesh.manifests / "own.gguf").write_bytes(open(weights(), "rb").read())
    apply_model(mesh, "own", annotations=False, source={"path": "own.gguf"}, concurrency=2,
                args=["--ctx-size", "1024"])
    wait_phase(mesh, "own", "Ready")
    (_, port), = servers_of(mesh, "own")
    assert len(json.loads(http.call(f"127.0.0.1:{port}", target="/slots").body)) == 2
    known(mesh, "own")
    assert json.loads(ask(mesh, "own").body)["model"] == "own"


def trouble(mesh, name):
    status = status_of(mesh, name) or {}
    return next((c["message"] for c in status.get("conditions", [])
                 if c["type"] == "Available" and c["status"] == "CONDITION_STATUS_FALSE"), "")


def test_what_is_missing_is_said_with_the_next_step(new_mesh, tmp_path):
    mesh = new_mesh(env={"PATH": f"{tmp_path}:/usr/bin:/bin"})
    apply_model(mesh, "lost", annotations=False, source={"path": "lost.gguf"}, mode="serverless")
    known(mesh, "lost")
    with http.Connection(mesh.http, 60 * SLOW) as connection:
        connection.send(http.request("POST", CHAT, JSON, question("lost"), mesh.http))
        eventually(lambda: "install llama.cpp" in trouble(mesh, "lost"), 10 * SLOW, lambda: status_of(mesh, "lost"))
        assert phase(mesh, "lost") == "Failed"
        program = tmp_path / "llama-server"
        program.write_text(f'#!/bin/sh\nexec {python()} {SERVE} "$@"\n')
        program.chmod(0o755)
        eventually(lambda: f"{mesh.manifests}/lost.gguf does not exist" in trouble(mesh, "lost"), 20 * SLOW,
                   lambda: status_of(mesh, "lost"))
        (mesh.manifests / "lost.gguf").write_bytes(open(weights(), "rb").read())
        assert connection.read().status == 200  # It has waited for all that.
