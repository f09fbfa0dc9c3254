"""What each binary says to wrong flags, taken ports and folders it cannot write."""

import json
import os
import re
import socket
import subprocess

import pytest
from harness import http
from harness.mesh import BINARIES, manifest
from harness.processes import SLOW
from harness.waiting import eventually

SERVERS = {
    "krypton-gateway": ["--http-bind-address", "--grpc-bind-address", "--metrics-bind-address"],
    "krypton-control-plane": ["--http-bind-address", "--grpc-bind-address", "--metrics-bind-address"],
    "krypton-manager": ["--grpc-bind-address", "--metrics-bind-address"],
    "krypton-proxy": ["--http-bind-address", "--metrics-bind-address"],
}


def run(binary, *flags, env=None, timeout=20):
    return subprocess.run([BINARIES / binary, *map(str, flags)], capture_output=True, text=True,
                          timeout=timeout * SLOW, env={**os.environ, **(env or {})})


def needed(binary, folder):
    """Flags with which the binary would start."""
    flags = {"--manager-address": "127.0.0.1:1"}
    if binary == "krypton-gateway":
        flags["--drain-delay"] = "0s"
    if binary == "krypton-manager":
        flags = {"--manifests": folder / "manifests", "--state-dir": folder / "state", "--platform": "local",
                 "--proxy-binary": BINARIES / "krypton-proxy"}
        (folder / "manifests").mkdir(exist_ok=True)
    if binary == "krypton-proxy":
        flags |= {"--agent-address": "127.0.0.1:1", "--namespace": "default", "--name": "x",
                  "--instance": "x-1", "--kind": "agent"}
    return flags | {flag: "127.0.0.1:0" for flag in SERVERS[binary]}


def line(flags):
    return [part for flag, value in flags.items() for part in (flag, value)]


@pytest.mark.parametrize("binary", [*SERVERS, "krypton"])
def test_help_and_version_go_to_stdout(binary):
    for flag in ("--help", "--version"):
        done = run(binary, flag)
        assert done.returncode == 0 and done.stdout and not done.stderr, done
    assert re.search(r"\d+\.\d+\.\d+", run(binary, "--version").stdout)


@pytest.mark.parametrize("binary", SERVERS)
def test_help_names_each_flag_with_its_variable(binary):
    text = run(binary, "--help").stdout
    for flag in [*SERVERS[binary], "--log-format", "--log-level", "--ready-file", "--tls-cert"]:
        if binary == "krypton-manager" and flag == "--http-bind-address":
            continue
        assert flag in text and f"KRYPTON_{flag[2:].upper().replace('-', '_')}" in text, flag


@pytest.mark.parametrize("binary", SERVERS)
@pytest.mark.parametrize("flags", [
    ["--no-such-flag"], ["--no-such-flag=1"], ["--metrics-bind-address", "nonsense:port"],
    ["--metrics-bind-address", "127.0.0.1:70000"], ["--log-format", "xml"], ["--metrics-bind-address"],
])
def test_a_wrong_flag_ends_with_2_and_its_name(binary, flags, folder):
    given = needed(binary, folder)
    given.pop(flags[0], None)
    done = run(binary, *line(given), *flags)
    assert done.returncode == 2, done
    assert flags[0].partition("=")[0].lstrip("-") in done.stderr, done.stderr


@pytest.mark.parametrize("binary", SERVERS)
def test_a_wrong_variable_ends_with_2_and_its_name(binary, folder):
    given = needed(binary, folder)
    given.pop("--metrics-bind-address")
    done = run(binary, *line(given), env={"KRYPTON_METRICS_BIND_ADDRESS": "nonsense"})
    assert done.returncode == 2
    assert re.search("metrics.bind.address", done.stderr, re.I), done.stderr


def test_each_binary_knows_the_variables_of_all():
    helps = [run(binary, "--help").stdout for binary in SERVERS]
    helps += [run("krypton", command, "--help").stdout for command in
              ("up", "get", "invoke", "logs", "why", "validate", "completion")]
    variables = set(re.findall(r"\[(KRYPTON_[A-Z_]+)\]", "".join(helps)))
    assert len(variables) > 30
    known = run("krypton", "version", env=dict.fromkeys(variables, "x"))
    assert known.returncode == 0, known.stderr
    unknown = run("krypton", "version", env={"KRYPTON_MANAGER_ADRESS": "x"})
    assert unknown.returncode == 2 and "KRYPTON_MANAGER_ADRESS" in unknown.stderr


def test_the_cli_says_wrong_commands():
    for flags in (["no-such-command"], ["get", "nonsense"], ["invoke"], ["get", "agents", "-o", "xml"]):
        done = run("krypton", *flags)
        assert done.returncode == 2 and done.stderr and not done.stdout, done
    for flags, said in ((["gett", "agents"], 'unknown command: gett; did you mean "get"?'),
                        (["version", "--output", "json"], "unknown flag: --output"),
                        (["get", "agents", "--wach"], 'unknown flag: --wach; did you mean "--watch"?'),
                        (["get", "agnts"], 'did you mean "agents"?')):
        assert said in run("krypton", *flags).stderr, flags
    assert run("krypton", "help").stdout == run("krypton", "--help").stdout
    assert run("krypton", "help", "get").stdout == run("krypton", "get", "--help").stdout


@pytest.mark.parametrize("binary, flag", [(b, f) for b, flags in SERVERS.items() for f in flags])
def test_a_taken_port_ends_with_1_and_its_address(binary, flag, folder):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run(binary, *line(needed(binary, folder) | {flag: address}))
    assert done.returncode == 1, done
    assert address in done.stderr, done.stderr
    assert not list(folder.rglob("*.sock")), "a socket file is left"


def test_an_unwritable_state_folder_ends_with_1(folder):
    given = needed("krypton-manager", folder)
    for bad in ("/proc/krypton-state", "/dev/null/state"):
        done = run("krypton-manager", *line(given | {"--state-dir": bad}))
        assert done.returncode in (1, 2) and bad in done.stderr, done


def test_a_missing_folder_of_manifests_is_named_and_awaited(folder, launch):
    missing = folder / "none"
    process = launch("manager", [BINARIES / "krypton-manager", *line(
        needed("krypton-manager", folder) | {"--manifests": missing}), "--ready-file", "{ready}"])
    ops = process.ready()["ops"]
    assert str(missing) in process.tail()
    missing.mkdir()
    (missing / "late.yaml").write_text(manifest("late"))
    eventually(lambda: b"late" in http.call(ops, target="/v1/registry").body, 10 * SLOW, "taken in")


# A gateway waits for load balancers to learn that it ends; there are none.
BRISK = {"KRYPTON_DRAIN_DELAY": "10ms"}


@pytest.mark.parametrize("binary", SERVERS)
def test_port_0_is_told_in_the_ready_file_and_sigterm_ends_with_0(binary, folder, launch):
    process = launch(binary, [BINARIES / binary, *line(needed(binary, folder)), "--ready-file", "{ready}"], env=BRISK)
    ready = process.ready()
    assert ready["pid"] == process.pid
    for kind in ready.keys() - {"pid"}:
        host, _, port = ready[kind].rpartition(":")
        socket.create_connection((host, int(port)), 5).close()
    assert process.stop() == 0, process.tail()


@pytest.mark.parametrize("binary", SERVERS)
def test_json_logs_are_one_object_a_line(binary, folder, launch):
    process = launch(binary, [BINARIES / binary, *line(needed(binary, folder)), "--ready-file", "{ready}",
                              "--log-format", "json", "--log-level", "debug"], env=BRISK)
    process.ready()
    assert process.stop() == 0
    lines = process.log.read_text().splitlines()[1:]
    assert lines
    for text in lines:
        assert {"ts", "level", "msg", "component"} <= set(json.loads(text)), text
    # The first thing it says is what it was told, by whatever way, and what it fell back to.
    first = json.loads(lines[0])
    assert first["msg"] == "configuration" and "--log-level=debug" in first["flags"], first
    assert all(f"{flag}={value}" in first["flags"] for flag, value in needed(binary, folder).items()), first
