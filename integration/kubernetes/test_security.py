"""Who may speak on the mesh's own ports, and what an agent's container can see."""

import base64
import json
import os
import subprocess

import grpc
import pytest
from harness.waiting import always, eventually
from kube import wire
from kube.agents import always_on
from kube.mesh import SYSTEM, kubectl, processes

PORTS = [("manager", 7070), ("gateway", 7080), ("control-plane", 7090)]
REFUSED = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED)


@pytest.fixture(scope="module")
def messages():
    return wire.load()


def token(api, namespace, account, audience="krypton", pod=None, seconds=600):
    """A token that the API server signs, bound to a pod like a projected one."""
    spec = {"audiences": [audience], "expirationSeconds": seconds}
    if pod:
        spec["boundObjectRef"] = {"kind": "Pod", "apiVersion": "v1", "name": pod["metadata"]["name"],
                                  "uid": pod["metadata"]["uid"]}
    path = api.path("serviceaccounts", namespace, account, "token")
    body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
    return api.request("POST", path, body)["status"]["token"]


@pytest.fixture
def agent_with_key(start, namespace, api):
    """A running agent, its pod, and the key and certificate of its sidecar."""
    made = start(always_on(namespace, "honest")).has(1)
    return made, made.pods()[0], api.secret(namespace, "honest-krypton-proxy")


@pytest.fixture
def reporter(mesh, messages):
    """Reports as a sidecar of `made` would; (answers, code)."""
    def report(key, handle, instance, bearer, in_flight=50.0):
        leader = mesh.leading_pod()["status"]["podIP"]
        request = messages["ReportRequest"](sequence=1)
        request.reporter.kind, request.reporter.instance = 1, instance
        load = request.replicas.add(instance=instance, state=2, port=8889, in_flight=in_flight, concurrency=8)
        load.key.kind, load.key.namespace, load.key.name = 1, handle.namespace, handle.name
        load.window.FromMilliseconds(1000)
        with wire.channel(f"{leader}:7070", f"krypton-manager.{SYSTEM}.svc", key["ca.crt"], key["tls.key"],
                          key["tls.crt"]) as secured:
            return wire.LoadStream(secured, messages, [request], bearer).outcome()
    return report


def refusals(mesh):
    return sum(mesh.scrape(pod, 8080).total("krypton_load_reports_refused_total", reason=reason)
               for pod in mesh.pods("manager") for reason in ("unauthenticated", "forbidden"))


@pytest.mark.parametrize("component, port", PORTS)
def test_plaintext_and_strange_certificates_end_in_the_handshake(mesh, api, tmp_path, component, port):
    address = f"{mesh.pods(component)[0]['status']['podIP']}:{port}"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-days", "2", "-subj", "/CN=stranger", "-keyout", tmp_path / "key", "-out", tmp_path / "crt"],
                   check=True, capture_output=True)
    authority = api.secret(SYSTEM, "krypton-manager-tls")["ca.crt"]
    name = f"krypton-{component}.{SYSTEM}.svc"
    ways = {"plaintext": {}, "no certificate": {"ca": authority, "server_name": name},
            "another authority's": {"ca": authority, "server_name": name, "key": (tmp_path / "key").read_bytes(),
                                    "cert": (tmp_path / "crt").read_bytes()}}
    for way, options in ways.items():
        with wire.channel(address, **options) as strange, pytest.raises(grpc.RpcError) as refused:
            strange.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=3)
        assert refused.value.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED), way
    own = api.secret(SYSTEM, "krypton-gateway-tls")
    with wire.channel(address, name, own["ca.crt"], own["tls.key"], own["tls.crt"]) as known:
        assert known.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=5) == b"\x08\x01"


def test_a_sidecars_own_token_is_taken(agent_with_key, reporter, api):
    handle, pod, key = agent_with_key
    bearer = token(api, handle.namespace, "honest", pod=pod)
    answers, code = reporter(key, handle, pod["metadata"]["uid"], bearer, in_flight=0.0)
    assert code == grpc.StatusCode.OK and answers[-1].acknowledged == 1


@pytest.mark.parametrize("forgery", ["none", "nonsense", "unsigned", "audience", "no pod", "another agent", "default"])
def test_forged_and_foreign_tokens_are_refused_and_counted(agent_with_key, reporter, mesh, api, start, forgery):
    handle, pod, key = agent_with_key
    namespace = handle.namespace

    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
    if forgery == "another agent":
        other = start(always_on(namespace, "other")).has(1)
        bearer = token(api, namespace, "other", pod=other.pods()[0])
    else:
        bearer = {
            "none": lambda: None,
            "nonsense": lambda: "abc",
            "unsigned": lambda: f'{part({"alg": "none"})}.{part({"sub": f"system:serviceaccount:{namespace}:honest"})}.',
            "audience": lambda: token(api, namespace, "honest", audience="vault", pod=pod),
            "no pod": lambda: token(api, namespace, "honest"),
            "default": lambda: token(api, namespace, "default"),
        }[forgery]()
    before = refusals(mesh)
    answers, code = reporter(key, handle, pod["metadata"]["uid"], bearer)
    assert code in REFUSED, code
    assert not answers
    eventually(lambda: refusals(mesh) > before, 10, "it is counted")
    always(lambda: len(handle.pods()) == 1, 3, "and scales nothing")


def test_a_report_that_claims_another_pods_place_changes_nothing(agent_with_key, reporter, api, start):
    handle, pod, key = agent_with_key
    other = start(always_on(handle.namespace, "victim", maxReplicas=5)).has(1)
    bearer = token(api, handle.namespace, "honest", pod=pod)
    reporter(key, other, other.pods()[0]["metadata"]["uid"], bearer)
    reporter(key, other, pod["metadata"]["uid"], bearer)
    reporter(key, handle, "made-up", bearer)
    always(lambda: len(other.pods()) == 1 and len(handle.pods()) == 1, 5, "nothing is scaled by it")
    assert other.call().status == 200 and handle.call().status == 200


def test_a_sidecar_does_not_report_as_a_gateway(agent_with_key, mesh, messages, api):
    handle, pod, key = agent_with_key
    request = messages["ReportRequest"](sequence=1)
    request.reporter.kind, request.reporter.instance = 2, "made-up-gateway"
    queue = request.queues.add(waiting=500, waiting_mean=500.0)
    queue.key.kind, queue.key.namespace, queue.key.name = 1, handle.namespace, handle.name
    before = refusals(mesh)
    with wire.channel(f"{mesh.leading_pod()['status']['podIP']}:7070", f"krypton-manager.{SYSTEM}.svc",
                      key["ca.crt"], key["tls.key"], key["tls.crt"]) as secured:
        bearer = token(api, handle.namespace, "honest", pod=pod)
        _, code = wire.LoadStream(secured, messages, [request], bearer).outcome()
    assert code in REFUSED
    eventually(lambda: refusals(mesh) > before, 10, "it is counted")
    always(lambda: len(handle.pods()) == 1, 3, "and scales nothing")


def test_the_agents_container_sees_neither_key_nor_token(agent_with_key, api):
    """As the agent's own process sees its file system and environment: /proc/PID/root is that of its container."""
    handle, pod, key = agent_with_key
    (agent_process,) = processes(pod, "probe.py")
    root = f"/proc/{agent_process}/root"
    needles = [key["tls.key"].splitlines()[2], key["drain-token"], b"eyJhbGciOi"]
    environment = open(f"/proc/{agent_process}/environ", "rb").read()
    assert not [needle for needle in needles if needle in environment]
    skipped = {f"{root}/{name}" for name in ("proc", "sys", "usr", "dev")}
    for folder, folders, files in os.walk(root):
        folders[:] = [each for each in folders if os.path.join(folder, each) not in skipped]
        for file in files:
            path = os.path.join(folder, file)
            if os.path.isfile(path):
                data = open(path, "rb").read(1 << 20)
                assert not [needle for needle in needles if needle in data], path
    assert not os.path.exists(f"{root}/var/run/krypton") and not os.path.exists(f"{root}/var/run/secrets/kubernetes.io")
    mounts = next(each for each in pod["spec"]["containers"] if each["name"] == "agent").get("volumeMounts", [])
    secrets = {volume["name"] for volume in pod["spec"]["volumes"] if "secret" in volume or "projected" in volume}
    assert not secrets & {mount["name"] for mount in mounts}
    sidecar = next(each for each in pod["spec"]["initContainers"] if each["name"] == "krypton-proxy")
    assert secrets <= {mount["name"] for mount in sidecar["volumeMounts"]}


def test_the_token_of_a_sidecar_lives_at_most_an_hour(agent_with_key):
    _, pod, _ = agent_with_key
    sources = [source["serviceAccountToken"] for volume in pod["spec"]["volumes"] if "projected" in volume
               for source in volume["projected"]["sources"] if "serviceAccountToken" in source]
    assert [(each["audience"], each["expirationSeconds"] <= 3600) for each in sources] == [("krypton", True)]
    assert pod["spec"]["automountServiceAccountToken"] is False


def test_nobody_but_the_kubelet_drains_a_replica(agent_with_key):
    from harness import http
    handle, pod, _ = agent_with_key
    for headers in ({}, {"krypton-drain-token": "guess"}):
        assert http.call(f"{pod['status']['podIP']}:8888", target="/drain", headers=headers).status in (401, 403)
    assert handle.call().status == 200


def test_the_manager_cannot_read_secrets(mesh):
    account = f"system:serviceaccount:{SYSTEM}:krypton-manager"
    for verb in ("get", "list", "watch"):
        done = subprocess.run(["kubectl", "auth", "can-i", verb, "secrets", "-A", f"--as={account}"],
                              capture_output=True, text=True)
        assert done.stdout.strip() == "no", verb
    assert kubectl("auth", "can-i", "create", "secrets", "-A", f"--as={account}").strip() == "yes"


def test_new_certificates_are_taken_without_a_restart(mesh, api, start, namespace):
    """The components' secrets are made anew by the same authority; new connections see the new ones."""
    probe = start(always_on(namespace, "renewed")).has(1)
    leader = mesh.leading_pod()
    before = {pod["metadata"]["name"] for component in ("manager", "gateway") for pod in mesh.pods(component)}

    def serial():
        text = subprocess.run(["openssl", "s_client", "-connect", f"{leader['status']['podIP']}:7070"], input="",
                              capture_output=True, text=True).stdout
        return text[text.find("-----BEGIN"):text.find("-----END")]
    old = serial()
    assert old
    from kube.certificates import renew
    renew(api, "manager")
    eventually(lambda: serial() not in ("", old), 120, "the manager shows its new certificate")
    with probe.traffic(workers=2) as traffic:
        traffic.wait(50)
    assert not traffic.bad()
    assert before == {pod["metadata"]["name"] for component in ("manager", "gateway") for pod in mesh.pods(component)}
