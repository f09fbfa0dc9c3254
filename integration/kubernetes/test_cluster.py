"""The cluster itself: an interrupted start leaves nothing that the next does not take away. Beside it, what the
registry holds."""

import json
import os
import signal
import subprocess
import urllib.request
from pathlib import Path

import pytest
from harness.waiting import eventually
from kube.mesh import REGISTRY

NAME = "interrupted"
IMAGES = ["krypton-manager", "krypton-gateway", "krypton-control-plane", "krypton-proxy", "krypton-cli"]


@pytest.fixture
def other():
    """Runs `cluster` for a second cluster, beside the one in which the tests run."""
    environment = {**os.environ, "KRYPTON_TEST_CLUSTER": NAME}

    def cluster(*arguments, **options):
        return subprocess.run(["cluster", *arguments], env=environment, capture_output=True, text=True, **options)
    cluster.environment = environment
    yield cluster
    cluster("down")


def left():
    """What of that cluster is on this machine: processes, mounts, network namespace."""
    groups = [path for path in Path("/sys/fs/cgroup").rglob(f"krypton-{NAME}") if path.is_dir()]
    processes = [line for group in groups for file in group.rglob("cgroup.procs") for line in file.read_text().split()]
    mounts = [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if f"/clusters/{NAME}/" in line]
    return processes, mounts, list(Path("/run/netns").glob(f"krypton-{NAME}")), groups


def test_what_an_interrupted_start_left_is_taken_away(other):
    state = Path(os.environ["KUBECONFIG"]).parent.parent / NAME
    start = subprocess.Popen(["cluster", "up"], env=other.environment, start_new_session=True,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    eventually(lambda: (state / "run" / "kubelet.pid").exists(), 60, "the start has come to the kubelet")
    os.killpg(start.pid, signal.SIGKILL)
    start.wait()
    assert left()[0], "its processes live on"
    up = other("up", timeout=120)
    assert up.returncode == 0, up.stderr
    assert "node1" in other("kubectl", "get", "nodes").stdout
    assert other("down").returncode == 0
    assert left() == ([], [], [], [])
    assert not state.exists()


def test_a_second_run_says_who_has_the_cluster(other):
    lock = Path(os.environ["KUBECONFIG"]).parent.parent / f"{NAME}.lock"
    with subprocess.Popen(["flock", lock, "cat"], stdin=subprocess.PIPE):
        eventually(lambda: other("down").returncode == 1, 10)
        refused = other("run", "true")
    assert refused.returncode == 1 and "another run has the cluster" in refused.stderr


@pytest.mark.parametrize("name", IMAGES)
def test_each_image_in_the_registry_has_its_bill_of_materials(name):
    def get(path, kind):
        request = urllib.request.Request(f"https://{REGISTRY}/v2/krypton/{name}/{path}",
                                         headers={"accept": f"application/vnd.oci.image.{kind}.v1+json"})
        with urllib.request.urlopen(request) as answer:
            return answer.read(), answer.headers.get("docker-content-digest")
    listed = json.loads(get("tags/list", "manifest")[0])["tags"]
    version = next(tag for tag in listed if not tag.startswith("sha256-"))
    _, digest = get(f"manifests/{version}", "manifest")
    referrers = json.loads(get(f"manifests/{digest.replace(':', '-')}", "index")[0])
    artifact = json.loads(get(f"manifests/{referrers['manifests'][0]['digest']}", "manifest")[0])
    assert artifact["subject"]["digest"] == digest and artifact["artifactType"] == "application/spdx+json"
    bill = json.loads(get(f"blobs/{artifact['layers'][0]['digest']}", "manifest")[0])
    assert bill["spdxVersion"] == "SPDX-2.3" and name in bill["name"]
