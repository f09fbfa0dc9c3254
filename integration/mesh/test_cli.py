"""`krypton up` and its sisters, as a person at a shell or a script uses them."""

import json
import os
import shutil
import signal
import subprocess

import pytest
import yaml
from harness import http
from harness.mesh import BINARIES, SOURCE, manifest
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


def test_validate(up, folder):
    good, bad = folder / "good.yaml", folder / "bad.yaml"
    good.write_text(manifest("good"))
    bad.write_text("---\n" + manifest("fine") + "\n---\n" + manifest("bad", port=70000))
    assert up.krypton("validate", good, check=False).returncode == 0
    done = up.krypton("validate", good, bad, check=False)
    assert done.returncode == 1 and "bad.yaml" in done.stdout + done.stderr
    assert "spec.port" in done.stdout + done.stderr and "document 2" in done.stdout + done.stderr
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
