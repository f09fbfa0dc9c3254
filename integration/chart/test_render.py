"""What the chart renders: with each set of values in charts/krypton/ci, with helm 3 and helm 4."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from harness import helm

BINARIES = Path(os.environ["KRYPTON_BINARY_DIR"])
SETS = helm.value_sets()
PROGRAMS = {"manager": "krypton-manager", "gateway": "krypton-gateway", "control-plane": "krypton-control-plane"}
STANDARD = ["app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component",
            "app.kubernetes.io/version", "app.kubernetes.io/part-of", "app.kubernetes.io/managed-by", "helm.sh/chart"]
ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("KRYPTON_")}
SELECTED = {"app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/component"}


@pytest.fixture(scope="module", params=SETS, ids=[path.name.removesuffix("-values.yaml") for path in SETS])
def objects(request):
    return helm.render("--values", request.param)


@pytest.mark.parametrize("version", [0, 1], ids=["helm3", "helm4"])
@pytest.mark.parametrize("values", SETS, ids=[path.name.removesuffix("-values.yaml") for path in SETS])
def test_lint_finds_nothing(values, version):
    done = helm.run("lint", "--strict", helm.CHART, "--values", values, "--kube-version", helm.KUBERNETES,
                    version=version)
    assert done.returncode == 0, done.stdout + done.stderr


def test_helm_4_renders_what_helm_3_does():
    def without_keys(objects):
        return [each for each in objects if each["kind"] != "Secret"]
    values = helm.CHART / "ci" / "full-values.yaml"
    assert without_keys(helm.render("--values", values)) == without_keys(helm.render("--values", values, version=1))


def test_names_are_the_published_ones():
    deployments = helm.by_kind(helm.render(), "Deployment")
    assert set(deployments) == {"krypton-gateway", "krypton-manager", "krypton-control-plane"}
    assert deployments["krypton-gateway"]["spec"]["replicas"] == 2


def test_each_object_has_a_name_of_its_own(objects):
    names = [(each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"]) for each in objects]
    assert len(names) == len(set(names))


def test_each_object_and_pod_has_the_standard_labels(objects):
    for each in objects:
        labels = each["metadata"]["labels"]
        assert not [name for name in STANDARD if name not in labels], each["metadata"]["name"]
        assert labels["app.kubernetes.io/managed-by"] == "Helm" and labels["app.kubernetes.io/part-of"] == "krypton"
    for name, metadata, _ in helm.pods(objects):
        assert not [label for label in STANDARD if label not in metadata["labels"]], name


def test_selectors_have_what_never_changes_and_select_their_pods(objects):
    templates = {name: metadata["labels"] for name, metadata, _ in helm.pods(objects)}
    for name, each in helm.by_kind(objects, "Deployment").items():
        selector = each["spec"]["selector"]["matchLabels"]
        assert set(selector) == SELECTED
        assert selector.items() <= templates[name].items()
    for kind, path in (("Service", "selector"), ("PodDisruptionBudget", "selector")):
        for name, each in helm.by_kind(objects, kind).items():
            selector = each["spec"][path].get("matchLabels", each["spec"][path])
            assert any(selector.items() <= labels.items() for labels in templates.values()), name


def test_services_and_probes_name_ports_that_there_are(objects):
    ports = {}
    for name, metadata, spec in helm.pods(objects):
        for container in spec["containers"]:
            ports[name] = {port["name"]: port["containerPort"] for port in container.get("ports", [])}
            for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
                if probe in container:
                    assert container[probe]["httpGet"]["port"] in ports[name], (name, probe)
                    assert container[probe]["timeoutSeconds"] >= 1
    for name, each in helm.by_kind(objects, "Service").items():
        for port in each["spec"]["ports"]:
            assert port["targetPort"] in ports[name.removesuffix("-internal")], name


def test_ports_are_those_of_the_design(objects):
    wanted = {"krypton-gateway": {"http": 8080, "grpc": 7080, "metrics": 8081},
              "krypton-control-plane": {"http": 8090, "grpc": 7090, "metrics": 8091},
              "krypton-manager": {"grpc": 7070, "metrics": 8080}}
    for name, _, spec in helm.pods(objects):
        if name in wanted:
            assert {port["name"]: port["containerPort"] for port in spec["containers"][0]["ports"]} == wanted[name]


def test_pods_satisfy_the_restricted_profile(objects):
    for name, _, spec in helm.pods(objects):
        context = spec["securityContext"]
        assert context["runAsNonRoot"] is True and context["runAsUser"] > 0, name
        assert context["seccompProfile"]["type"] == "RuntimeDefault"
        assert not any(spec.get(key) for key in ("hostNetwork", "hostPID", "hostIPC"))
        for container in spec["containers"] + spec.get("initContainers", []):
            own = container["securityContext"]
            assert own["allowPrivilegeEscalation"] is False and own["readOnlyRootFilesystem"] is True, name
            assert own["capabilities"] == {"drop": ["ALL"]}
            assert not [port for port in container.get("ports", []) if "hostPort" in port]
        for volume in spec.get("volumes", []):
            assert set(volume) - {"name"} <= {"secret", "emptyDir", "configMap", "projected"}, name


def test_only_the_manager_gets_a_token_of_the_api_server(objects):
    for name, _, spec in helm.pods(objects):
        assert spec["automountServiceAccountToken"] is (name == "krypton-manager"), name
        assert spec["enableServiceLinks"] is False


def test_pods_end_within_their_grace(objects):
    for name, _, spec in helm.pods(objects):
        if name == "krypton-gateway":
            drains = [int(re.search(r"=(\d+)s$", flag)[1]) for flag in spec["containers"][0]["args"]
                      if flag.startswith("--drain-")]
            assert len(drains) == 2 and sum(drains) + 5 <= spec["terminationGracePeriodSeconds"]


def test_images_have_a_tag_or_a_digest_and_none_is_latest(objects):
    for name, _, spec in helm.pods(objects):
        for container in spec["containers"]:
            assert re.search(r"(:[\w.-]+|@sha256:[0-9a-f]{64})$", container["image"]), name
            assert not container["image"].endswith(":latest")


def test_arguments_are_flags_of_the_programs(objects):
    for component, program in PROGRAMS.items():
        known = set(re.findall(r"^  (?:-\w, )?--(?:\[no-\])?([\w-]+)", subprocess.run(
            [BINARIES / program, "--help"], capture_output=True, text=True, check=True, env=ENVIRONMENT).stdout, re.M))
        for name, _, spec in helm.pods(objects):
            if name == f"krypton-{component}":
                flags = [flag.removeprefix("--").split("=")[0] for flag in spec["containers"][0]["args"]]
                assert not [flag for flag in flags if flag not in known], program
                assert len(flags) == len(set(flags)), flags


def test_definitions_are_kept_unless_said_otherwise():
    for flags, kept in (([], "keep"), (["--set", "crds.keep=false"], None)):
        for each in helm.by_kind(helm.render(*flags), "CustomResourceDefinition").values():
            assert (each["metadata"].get("annotations") or {}).get("helm.sh/resource-policy") == kept
            assert len(str(each)) < 262144
    assert not helm.by_kind(helm.render("--set", "crds.enabled=false"), "CustomResourceDefinition")


def test_rights_are_roles_where_namespaces_are_named():
    rules = {"agents", "deployments", "pods"}

    def resources(role):
        return {name for rule in role["rules"] for name in rule["resources"]}
    everywhere = helm.render()
    assert rules <= resources(helm.by_kind(everywhere, "ClusterRole")["krypton-manager-krypton-system"])
    some = helm.render("--set", "manager.watchNamespaces={a,b}")
    assert resources(helm.by_kind(some, "ClusterRole")["krypton-manager-krypton-system"]) == {"tokenreviews"}
    roles = [each for each in some if each["kind"] == "Role" and each["metadata"]["name"] == "krypton-manager"]
    assert [each["metadata"]["namespace"] for each in roles] == ["a", "b"]
    for objects in (everywhere, some):
        for each in objects:
            for rule in each.get("rules") or [] if each["kind"] in ("Role", "ClusterRole") else []:
                assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"]
                assert not ("secrets" in rule["resources"] and {"get", "list", "watch"} & set(rule["verbs"]))


def test_agents_do_not_reach_the_api_server_kubelets_and_metadata():
    objects = helm.render("--set", "networkPolicy.enabled=true", "--set", "networkPolicy.agentNamespaces={a}",
                          "--set", "networkPolicy.agentBlockedCidrs={10.1.0.0/16}")
    policy = helm.by_kind(objects, "NetworkPolicy")["krypton-agents"]["spec"]
    blocks = [rule for rule in policy["egress"] if any("ipBlock" in to for to in rule.get("to", []))]
    excepted = {cidr for rule in blocks for to in rule["to"] for cidr in to["ipBlock"]["except"]}
    assert {"169.254.0.0/16", "10.1.0.0/16", "fd00:ec2::254/128"} <= excepted
    for rule in blocks:
        for port in rule["ports"]:
            tcp = port.get("protocol", "TCP") == "TCP"
            assert not (tcp and port["port"] <= 10250 <= port["endPort"])
    assert {port["port"] for rule in policy["ingress"] for port in rule["ports"]} == {8889, 8888}


def test_an_autoscaler_and_the_chart_do_not_both_set_the_number():
    objects = helm.render("--set", "gateway.autoscaling.enabled=true")
    assert "replicas" not in helm.by_kind(objects, "Deployment")["krypton-gateway"]["spec"]
    target = helm.by_kind(objects, "HorizontalPodAutoscaler")["krypton-gateway"]["spec"]["scaleTargetRef"]
    assert target == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "krypton-gateway"}
    assert "krypton-gateway" in helm.by_kind(objects, "PodDisruptionBudget")


def test_what_a_kubernetes_does_not_know_yet_is_left_out():
    for version, there in (("1.29.0", False), ("1.30.0", True)):
        objects = helm.render(kubernetes=version)
        assert bool(helm.by_kind(objects, "ValidatingAdmissionPolicy")) is there
        spec = {name: spec for name, _, spec in helm.pods(objects)}["krypton-control-plane"]
        assert ("lifecycle" in spec["containers"][0]) is there


def test_what_the_chart_says_of_itself():
    chart = yaml.safe_load((helm.CHART / "Chart.yaml").read_text())
    root = helm.CHART.parent.parent
    version = re.search(r"project\(krypton VERSION ([\d.]+)", (root / "CMakeLists.txt").read_text())[1]
    assert chart["version"] == chart["appVersion"] == version
    said = chart["annotations"]
    rendered = {container["image"] for _, _, spec in helm.pods(helm.render()) for container in spec["containers"]}
    images = {each["image"] for each in yaml.safe_load(said["artifacthub.io/images"])}
    assert rendered <= images and f"ghcr.io/krypton-ai/krypton-proxy:{version}" in images
    definitions = helm.by_kind(helm.render(), "CustomResourceDefinition")
    assert {each["name"] for each in yaml.safe_load(said["artifacthub.io/crds"])} == set(definitions)
    names = {each["spec"]["names"]["kind"] for each in definitions.values()}
    assert {each["kind"] for each in yaml.safe_load(said["artifacthub.io/crdsExamples"])} == names
    for kind in yaml.safe_load(said["artifacthub.io/changes"]):
        assert kind["kind"] in ("added", "changed", "deprecated", "removed", "fixed", "security")
    assert chart["icon"].rsplit("/", 1)[1] == "icon.svg" and (root / "docs/icon.svg").exists()


def test_a_version_with_a_vendors_suffix_is_taken():
    for version in ("1.29.0", "1.31.4-eks-1234", "1.30.5-gke.100"):
        assert helm.render(kubernetes=version)
    old = helm.template(kubernetes="1.28.9")
    assert old.returncode != 0 and "kubeVersion" in old.stderr
