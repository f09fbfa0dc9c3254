"""NetworkPolicies made effective, as a network plugin does: nftables rules from the policies and the pods of now.

The cluster's plain CNI plugins enforce none. Semantics: a pod that a policy selects for a direction accepts there
what a rule of any such policy admits, and answers to what it accepted; what the node itself sends always arrives.
https://kubernetes.io/docs/concepts/services-networking/network-policies/
"""

import ipaddress
import subprocess

TABLE = "inet krypton_policies"


def matches(selector, labels):
    operators = {"In": lambda value, values: value in values, "NotIn": lambda value, values: value not in values,
                 "Exists": lambda value, _: value is not None, "DoesNotExist": lambda value, _: value is None}
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()) and all(
        operators[each["operator"]](labels.get(each["key"]), each.get("values", []))
        for each in selector.get("matchExpressions", []))


class Enforcer:
    """`with Enforcer(api):` the policies hold, for the pods that exist at `refresh()`."""

    def __init__(self, api):
        self.api = api

    def __enter__(self):
        self.refresh()
        return self

    def __exit__(self, *exc):
        nft(f"delete table {TABLE}")

    def refresh(self):
        self.namespaces = {each["metadata"]["name"]: each["metadata"]["labels"] for each in self.api.list("namespaces")}
        self.pods = [pod for pod in self.api.list("pods") if pod["status"].get("podIP")]
        policies = self.api.request("GET", "/apis/networking.k8s.io/v1/networkpolicies")["items"]
        rules = []
        for pod in self.pods:
            for direction, peers, own, other in (("Ingress", "from", "daddr", "saddr"),
                                                 ("Egress", "to", "saddr", "daddr")):
                selected = [each for each in policies if each["metadata"]["namespace"] == pod["metadata"]["namespace"]
                            and matches(each["spec"].get("podSelector", {}), pod["metadata"].get("labels", {}))
                            and direction in each["spec"].get("policyTypes", ["Ingress"])]
                if selected:
                    rules += self.rules(pod, selected, direction, peers, own, other)
        # Egress is judged before ingress may accept: each direction has its own chain, and both must pass.
        chains = "".join(
            f"chain {direction.lower()} {{ {' '.join(body + ';' for kind, body in rules if kind == direction)} }}\n"
            for direction in ("Egress", "Ingress"))
        hooks = "".join(
            f"chain {hook} {{ type filter hook {hook} priority 10; policy accept; ct state established,related accept; "
            "jump egress; jump ingress; }\n" for hook in ("input", "forward"))
        nft(f"table {TABLE} {{}}\ndelete table {TABLE}\ntable {TABLE} {{\n{chains}{hooks}}}")

    def rules(self, pod, policies, direction, peers, own, other):
        mine = f"ip {own} {pod['status']['podIP']}"
        for policy in policies:
            for rule in policy["spec"].get(direction.lower(), []):
                target = pod if direction == "Ingress" else None
                for port in self.ports(rule, target):
                    for peer in self.peers(rule.get(peers), policy["metadata"]["namespace"], other):
                        yield direction, f"{mine} {peer} {port} return"
        yield direction, f"{mine} counter drop"

    @staticmethod
    def ports(rule, pod):
        """nft matches of a rule's ports; a name is looked up in the pod that it leads to."""
        for port in rule.get("ports", [{}]):
            protocol = port.get("protocol", "TCP").lower()
            number = port.get("port")
            if isinstance(number, str):
                containers = pod["spec"]["containers"] + pod["spec"].get("initContainers", [])
                number = next((each["containerPort"] for container in containers
                               for each in container.get("ports", []) if each.get("name") == number), None)
                if number is None:
                    continue
            if number is None:
                yield "" if "ports" not in rule else f"meta l4proto {protocol}"
            else:
                yield f"{protocol} dport {number}" + (f"-{port['endPort']}" if "endPort" in port else "")

    def peers(self, peers, namespace, side):
        """nft matches of a rule's peers; none named: everybody."""
        for peer in peers or [{}]:
            if block := peer.get("ipBlock"):
                if ipaddress.ip_network(block["cidr"]).version == 4:
                    excepted = ", ".join(block.get("except", []))
                    yield f"ip {side} {block['cidr']}" + (f" ip {side} != {{ {excepted} }}" if excepted else "")
            elif not peer:
                yield ""
            else:
                inside = peer.get("namespaceSelector")
                names = [namespace] if inside is None else [
                    name for name, labels in self.namespaces.items() if matches(inside, labels)]
                addresses = [pod["status"]["podIP"] for pod in self.pods if pod["metadata"]["namespace"] in names
                             and matches(peer.get("podSelector", {}), pod["metadata"].get("labels", {}))]
                if addresses:
                    yield f"ip {side} {{ {', '.join(sorted(set(addresses)))} }}"


def nft(text):
    done = subprocess.run(["nft", "-f", "-"], input=text, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stderr}\n{text}"
