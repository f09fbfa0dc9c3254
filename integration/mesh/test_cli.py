"""`krypton up` and its sisters, as a person at a shell or a script uses them."""

import json
import os
import shutil
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import yaml
from harness import http
from harness.mesh import BINARIES, SOURCE, manifest
from harness.metrics import scrape
from harness.processes import SLOW, Process, kill_all, nothing_left, processes_of
from harness.waiting import eventually


class Up:
    """A `krypton up` on free ports over a copy of the examples."""

    def __init__(self, root, *flags):
        self.root, self.manifests = root, root / "examples"
        shutil.copytree(SOURCE / "examples", self.manifests)
        self.process = Process("up", [
            BINARIES / "krypton", "up", self.manifests, "--port-base", "0", "--state-dir", root / "state",
            "--ready-file", "{ready}", *flags], root, env={"KRYPTON_ORPHAN_TIMEOUT": "2s"})
        self.ready = self.process.ready(30)

    def krypton(self, *arguments, check=True, timeout=30, data=None):
        environment = {**os.environ,
                       "KRYPTON_CONTROL_PLANE": self.ready["control_plane"]["grpc"],
                       "KRYPTON_GATEWAY": self.ready["gateway"]["http"]}
        done = subprocess.run([BINARIES / "krypton", *map(str, arguments)], capture_output=True, text=True,
                              timeout=timeout * SLOW, env=environment, input=data)
        assert not check or done.returncode == 0, done
        return done if not check else done.stdout


@pytest.fixture(scope="module")
def up(tmp_path_factory):
    root = tmp_path_factory.mktemp("up")
    try:
        found = Up(root)
        yield found
        found.process.signal(signal.SIGINT)  # Ctrl-C ends everything.
        assert found.process.wait() == 0, found.process.tail()
        nothing_left(root)
    finally:
        kill_all(root)


def test_the_ready_file_names_every_component(up):
    assert set(up.ready) == {"gateway", "control_plane", "manager"}
    for component, kinds in {"gateway": "http grpc ops", "control_plane": "http grpc ops",
                             "manager": "grpc ops"}.items():
        assert set(up.ready[component]) >= {"pid", *kinds.split()}
        os.kill(up.ready[component]["pid"], 0)
        assert http.call(up.ready[component]["ops"], target="/readyz").status == 200


def test_hello_answers_from_an_agent_that_had_no_process(up):
    assert not any("hello.py" in command for _, command in processes_of(up.root))
    answer = http.call(up.ready["gateway"]["http"], target="/v1/agents/default/hello")
    assert answer.status == 200 and answer.body.startswith(b"Hello"), answer
    assert any("hello.py" in command for _, command in processes_of(up.root))


def test_get_agents(up):
    table = up.krypton("get", "agents").splitlines()
    assert table[0].split()[:2] == ["NAMESPACE", "NAME"] and len(table) == 5, table
    items = json.loads(up.krypton("get", "agents", "-o", "json"))
    items = items.get("items", items) if isinstance(items, dict) else items
    assert sorted(item["metadata"]["name"] for item in items) == ["echo", "hello", "slow", "tools"]
    hello = next(item for item in items if item["metadata"]["name"] == "hello")
    assert hello["status"]["url"] == f"http://{up.ready['gateway']['http']}/v1/agents/default/hello"
    documents = [d for d in yaml.safe_load_all(up.krypton("get", "agents", "-o", "yaml")) if d]
    assert documents and "hello" in str(documents)
    assert "No models" in up.krypton("get", "models") or up.krypton("get", "models").count("\n") <= 1
    assert "tools" in up.krypton("get", "endpoints")


def test_invoke(up):
    assert up.krypton("invoke", "default/hello", "--path", "/x").startswith("Hello")
    assert up.krypton("invoke", "default/hello", "--data", "a body") == "a body"
    missing = up.krypton("invoke", "default/nothing", check=False)
    assert missing.returncode == 1 and not missing.stdout
    assert "neither an agent nor a model default/nothing" in missing.stderr, missing
    wrong = up.krypton("invoke", "no/such/name", check=False)
    assert wrong.returncode == 2, wrong


def test_one_that_is_not_there_is_an_error_that_names_who_was_asked(up):
    asked = up.ready["control_plane"]["grpc"]
    for what in ("agents", "models", "endpoints"):
        for flags in ([], ["-w"], ["-o", "json"]):
            done = up.krypton("get", what, "nobody", "-n", "default", *flags, check=False)
            assert done.returncode == 1 and not done.stdout, done
            assert f"default/nobody was not found at the control plane {asked}; 'krypton get" in done.stderr, done
    assert up.krypton("get", "endpoints", "slow", check=False).returncode == 0  # It sleeps.
    assert "hello" in up.krypton("get", "agents", "hello")
    none = up.krypton("get", "models", check=False)
    assert none.returncode == 0 and f"No models found at the control plane {asked}" in none.stderr, none
    for command in ("why", "logs"):
        done = up.krypton(command, "nobody", check=False)
        assert done.returncode == 1 and asked in done.stderr, done
    assert up.ready["gateway"]["http"] in up.krypton("invoke", "nobody", check=False).stderr


def test_invoke_shows_the_head_of_a_refusal_too(up):
    done = up.krypton("invoke", "-i", "default/hello", "-X", "PUT", check=False)
    assert done.returncode == 1 and done.stdout.startswith("HTTP/1.1 501 "), done
    assert "content-type: " in done.stdout.lower() and "default/hello answered 501" in done.stderr, done


DIES = """
import os, socket
with socket.create_server(("127.0.0.1", int(os.environ["PORT"]))) as server:
    while True:
        call = server.accept()[0]
        if b"\\r\\n\\r\\n" in call.recv(65536):
            call.sendall(b"HTTP/1.1 200 OK\\r\\ncontent-length: 100\\r\\n\\r\\nhalf")
            os._exit(1)
"""


def test_an_agent_that_dies_in_mid_answer_is_said_in_words(up):
    (up.root / "dies.py").write_text(DIES)
    path = up.manifests / "dies.yaml"
    path.write_text(manifest("dies", command=f"exec python3 -S {up.root}/dies.py"))
    try:
        eventually(lambda: up.krypton("get", "agents", "dies", check=False).returncode == 0, 10 * SLOW, "taken in")
        done = up.krypton("invoke", "dies", check=False)
        assert done.returncode == 1 and done.stdout == "half", done
        assert "dies closed the connection before its answer was complete" in done.stderr, done
        assert "'krypton logs dies'" in done.stderr, done
    finally:
        path.unlink()


def test_invoke_streams(up):
    call = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "SendStreamingMessage", "params": {"message": {
        "messageId": "1", "role": "ROLE_USER", "parts": [{"text": "one two"}]}}})
    assert up.krypton("invoke", "default/echo", "--data", call).count("data: ") == 4


def test_a_chat_in_a_mesh_without_models_says_how_to_get_one(up):
    for said in ("", "Hello\n"):
        done = up.krypton("chat", "tiny", data=said, check=False)
        assert done.returncode == 1 and not done.stdout, done
        assert 'no model "tiny"' in done.stderr and "./dev run --model" in done.stderr, done


def test_without_a_command_the_commands_are_listed():
    done = subprocess.run([BINARIES / "krypton"], capture_output=True, text=True, timeout=30 * SLOW)
    assert done.returncode == 2 and not done.stdout, done
    assert "invoke" in done.stderr and "chat" in done.stderr, done


def test_logs(up):
    up.krypton("invoke", "default/hello", "--path", "/for-the-log")
    eventually(lambda: "/for-the-log" in up.krypton("logs", "default/hello"), 5 * SLOW, "logged")
    follow = subprocess.Popen(
        [BINARIES / "krypton", "logs", "default/hello", "-f"], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "KRYPTON_CONTROL_PLANE": up.ready["control_plane"]["grpc"]})
    try:
        up.krypton("invoke", "default/hello", "--path", "/while-following")
        for line in follow.stdout:
            if "/while-following" in line:
                break
        else:
            raise AssertionError("the line never came")
    finally:
        follow.terminate()
        follow.wait()
        follow.stdout.close()


def test_why(up):
    up.krypton("invoke", "default/hello")
    eventually(lambda: "default/hello" in up.krypton("why", "default/hello"), 5 * SLOW)
    assert up.krypton("why", "default/nothing", check=False).returncode == 1
    eventually(lambda: "1 replica, 1 ready" in up.krypton("why", "default/tools"), 20 * SLOW, "it runs")
    words = up.krypton("why", "default/tools")
    assert "replicas ready" not in words and "Available:" not in words and "Settled" not in words, words


def test_validate(up, folder):
    good, bad = folder / "good.yaml", folder / "bad.yaml"
    good.write_text(manifest("good"))
    bad.write_text("---\n" + manifest("fine") + "\n---\n" + manifest("bad", port=70000))
    assert up.krypton("validate", good, check=False).returncode == 0
    done = up.krypton("validate", good, bad, check=False)
    assert done.returncode == 1 and "bad.yaml" in done.stdout + done.stderr
    assert "spec.port" in done.stdout + done.stderr and "document 2" in done.stdout + done.stderr
    several = folder / "several.yaml"
    several.write_text(yaml.safe_dump(json.loads(manifest("several", port=70000, concurrency=-1, mode="x"))))
    told = up.krypton("validate", several, check=False).stdout.splitlines()
    lines = [int(line.split(":")[1].split()[0]) for line in told]
    assert len(lines) > 2 and lines == sorted(lines), lines
    (folder / "empty.yaml").touch()
    empty = up.krypton("validate", folder / "empty.yaml", check=False)
    assert empty.returncode == 1 and "empty.yaml holds no manifest" in empty.stderr, empty
    several.unlink()
    missing = up.krypton("validate", folder / "none.yaml", check=False)
    assert missing.returncode != 0 and "none.yaml" in missing.stderr
    os.mkfifo(folder / "pipe.yaml")
    for path in (folder, folder / "pipe.yaml"):
        pipe = up.krypton("validate", path, check=False)
        assert pipe.returncode == 1 and "pipe.yaml is not a regular file" in pipe.stderr
    shell = 'cat "$2" | "$1" validate - && "$1" validate <(cat "$2")'
    assert subprocess.run(["bash", "-c", shell, "-", BINARIES / "krypton", good], timeout=10 * SLOW).returncode == 0


def test_wrong_manifests_are_shown_by_get(up):
    path = up.manifests / "wrong.yaml"
    path.write_text(manifest("wrong", port=70000))
    try:
        def told():
            done = up.krypton("get", "agents", check=False)
            return "wrong.yaml" in done.stdout + done.stderr and "spec.port" in done.stdout + done.stderr
        eventually(told, 5 * SLOW, "krypton get tells of the refused manifest")
    finally:
        path.unlink()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(up, shell):
    script = up.krypton("completion", shell)
    assert "krypton" in script and "invoke" in script
    if shutil.which(shell):
        assert subprocess.run([shell, "-n"], input=script, text=True).returncode == 0


def test_version(up):
    assert "krypton" in up.krypton("version")


def test_a_dead_server_is_said_in_one_line():
    done = subprocess.run([BINARIES / "krypton", "get", "agents"], capture_output=True, text=True,
                          timeout=30 * SLOW, env={**os.environ, "KRYPTON_CONTROL_PLANE": "127.0.0.1:1"})
    assert done.returncode == 1 and "127.0.0.1:1" in done.stderr and not done.stdout, done


def test_a_component_that_dies_is_started_again(up):
    os.kill(up.ready["control_plane"]["pid"], signal.SIGKILL)
    address = up.ready["control_plane"]["ops"]
    eventually(lambda: http.call(address, target="/readyz").status == 200, 15 * SLOW, "it is back")
    os.kill(up.ready["manager"]["pid"], signal.SIGKILL)
    assert http.call(up.ready["gateway"]["http"], target="/v1/agents/default/hello").status == 200
    eventually(lambda: http.call(up.ready["manager"]["ops"], target="/readyz").status == 200, 15 * SLOW)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_outlives_up(tmp_path, how):
    try:
        up = Up(tmp_path)
        assert http.call(up.ready["gateway"]["http"], target="/v1/agents/default/hello").status == 200
        up.process.signal(how)
        assert up.process.wait() == (0 if how == signal.SIGTERM else -signal.SIGKILL)
        nothing_left(tmp_path, 60)  # After SIGKILL replicas wait for another manager, and then end.
    finally:
        kill_all(tmp_path)


def test_components_that_hear_of_the_end_twice_end_in_order(tmp_path):
    """From outside, as a supervisor may do it, and from their parent."""
    try:
        up = Up(tmp_path)
        gateway = up.ready["gateway"]
        with ThreadPoolExecutor(1) as pool:
            call = pool.submit(http.call, gateway["http"], target="/v1/agents/default/slow?seconds=2")
            wait_in_flight(gateway)
            up.process.signal(signal.SIGTERM)
            for component in up.ready.values():
                os.kill(component["pid"], signal.SIGTERM)
            assert call.result().status == 200, (call.result(), up.process.tail())
        assert up.process.wait() == 0, up.process.tail()
        assert "ended with" not in up.process.tail(), up.process.tail()
        nothing_left(tmp_path)
    finally:
        kill_all(tmp_path)


def test_a_second_ctrl_c_ends_everything_now(tmp_path):
    try:
        up = Up(tmp_path)
        gateway = up.ready["gateway"]
        with ThreadPoolExecutor(1) as pool:
            call = pool.submit(http.call, gateway["http"], target="/v1/agents/default/slow?seconds=50")
            wait_in_flight(gateway)
            up.process.signal(signal.SIGINT)
            eventually(lambda: "finishes the calls" in up.process.tail(), 10 * SLOW, "it ends in order")
            eventually(lambda: http.call(gateway["ops"], target="/readyz").status == 503, 10 * SLOW, "the gateway, too")
            up.process.signal(signal.SIGINT)
            assert up.process.wait() == 1, up.process.tail()
            nothing_left(tmp_path, 15)
            assert call.exception() is not None or call.result().status == 502, call.result()
    finally:
        kill_all(tmp_path)


def wait_in_flight(gateway):
    labels = {"agent": "slow", "namespace": "default"}
    eventually(lambda: scrape(gateway["ops"]).value("krypton_gateway_inflight", **labels), 15 * SLOW,
               "the call is at its agent")


def krypton(*arguments, timeout=30):
    return subprocess.run([BINARIES / "krypton", *map(str, arguments)], capture_output=True, text=True,
                          timeout=timeout * SLOW)


@pytest.mark.parametrize("delay", [0, 0.01, 0.02, 0.05, 0.1, 0.3])
def test_a_ctrl_c_right_after_the_start_is_an_orderly_end(tmp_path, delay):
    try:
        (tmp_path / "empty").mkdir()
        process = Process("up", [BINARIES / "krypton", "up", tmp_path / "empty", "--port-base", "0", "--state-dir",
                                 tmp_path / "state"], tmp_path)
        eventually(lambda: "starting" in process.tail(), 10 * SLOW, "its handlers are there")
        time.sleep(delay)
        process.signal(signal.SIGINT)
        assert process.wait() == 0, process.tail()
        assert "everything has ended" in process.tail() and "ended with" not in process.tail(), process.tail()
        nothing_left(tmp_path)
    finally:
        kill_all(tmp_path)


def test_up_over_nothing_says_so_and_follows(tmp_path):
    try:
        (tmp_path / "empty").mkdir()
        flags = ["--port-base", "0", "--state-dir", tmp_path / "state"]
        up = Process("up", [BINARIES / "krypton", "up", tmp_path / "empty", "--ready-file", "{ready}", *flags],
                     tmp_path)
        ready = up.ready(30)
        eventually(lambda: "/empty holds no manifest" in up.tail(), 5 * SLOW, "said")
        assert "try: " not in up.tail(), up.tail()
        second = krypton("up", tmp_path / "empty", *flags)
        assert second.returncode == 1, second
        assert f"another 'krypton up' (process {up.pid}) uses" in second.stderr, second
        assert f"kill {up.pid}" in second.stderr and "--state-dir" in second.stderr, second
        (tmp_path / "empty" / "first.yaml").write_text(manifest("first"))
        tried = f"try: curl -i http://{ready['gateway']['http']}/v1/agents/default/first"
        eventually(lambda: tried in up.tail(), 10 * SLOW, "what there is to try is said once there is something")
        assert up.stop() == 0
    finally:
        kill_all(tmp_path)


def test_up_refuses_at_once_what_it_cannot_follow(tmp_path):
    (tmp_path / "README.md").write_text("# Not a manifest\n")
    done = krypton("up", tmp_path / "README.md")
    assert done.returncode == 2 and "README.md" in done.stderr and ".yaml, .yml or .json" in done.stderr, done
    (tmp_path / "a").mkdir()
    done = krypton("up", tmp_path / "a", "--state-dir", "/proc/krypton-state")
    assert done.returncode == 1 and "/proc/krypton-state" in done.stderr and "--state-dir" in done.stderr, done


def test_of_two_meshes_the_younger_is_asked_and_the_older_once_that_ends(tmp_path):
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}

    def start(name):
        (tmp_path / name).mkdir()
        (tmp_path / name / "agent.yaml").write_text(manifest(name))
        process = Process(name, [BINARIES / "krypton", "up", tmp_path / name, "--port-base", "0", "--ready-file",
                                 "{ready}"], tmp_path, env={"XDG_RUNTIME_DIR": str(tmp_path)})
        process.ready(30)
        return process

    def asked():
        done = subprocess.run([BINARIES / "krypton", "get", "agents"], capture_output=True, text=True, env=environment,
                              timeout=30 * SLOW)
        return done.stdout
    try:
        older = start("older")
        eventually(lambda: "older" in asked(), 10 * SLOW, "the only one is found")
        younger = start("younger")
        eventually(lambda: "younger" in asked(), 10 * SLOW, "the one that was started last")
        address = older.ready()["control_plane"]["grpc"]
        assert f"--control-plane {address}" in younger.tail(), younger.tail()
        assert younger.stop() == 0, younger.tail()
        eventually(lambda: "older" in asked(), 10 * SLOW, "the older one is found again")
        assert older.stop() == 0, older.tail()
    finally:
        kill_all(tmp_path)


def test_echo_answers_with_what_it_received():
    with subprocess.Popen([BINARIES / "krypton", "echo"], stdout=subprocess.PIPE, text=True,
                          env={**os.environ, "PORT": "0"}) as echo:
        port = echo.stdout.readline().rsplit(":", 1)[1].strip()
        answer = http.call(f"127.0.0.1:{port}", "POST", "/a?b", body=b"body", headers=[("X-Mine", "yes")])
        assert answer.status == 200
        assert answer.text.startswith("POST /a?b\n") and answer.text.endswith("\n\nbody")
        assert "x-mine: yes" in answer.text.lower()
        echo.terminate()
        assert echo.wait(20) == 0
