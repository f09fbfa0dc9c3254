"""The manager's rights are those that it uses: what all tests before this one made it ask, by the API server's audit log."""

from kube import audit
from kube.mesh import SYSTEM

# Granted for what no request shows: the API server asks for it when OwnerReferencesPermissionEnforcement is on, and
# when a patch that applies makes the object.
NEVER_ASKED = {("update", "krypton.ai", "agents/finalizers"), ("update", "krypton.ai", "models/finalizers"),
               ("create", "apps", "deployments"), ("create", "", "services"), ("create", "", "secrets")}


def asked():
    """(verb, group, resource) → status codes of the manager's requests."""
    found = {}
    for event in audit.by_manager():
        what = event["objectRef"]
        resource = what["resource"] + (f"/{what['subresource']}" if "subresource" in what else "")
        key = event["verb"], what.get("apiGroup", ""), resource
        found.setdefault(key, set()).add(event.get("responseStatus", {}).get("code"))
    return found


def granted(api):
    """The same triples, from the roles bound to the manager's account."""
    base = "/apis/rbac.authorization.k8s.io/v1"
    found = set()
    for bindings, roles in (("clusterrolebindings", "clusterroles"),
                            (f"namespaces/{SYSTEM}/rolebindings", f"namespaces/{SYSTEM}/roles")):
        for binding in api.request("GET", f"{base}/{bindings}")["items"]:
            if any(subject["kind"] == "ServiceAccount" and subject["name"] == "krypton-manager"
                   and subject.get("namespace") == SYSTEM for subject in binding.get("subjects", [])):
                role = api.request("GET", f"{base}/{roles}/{binding['roleRef']['name']}")
                found |= {(verb, group, resource) for rule in role["rules"] for group in rule["apiGroups"]
                          for resource in rule["resources"] for verb in rule["verbs"]}
    return found


def test_nothing_was_asked_that_the_roles_do_not_grant(mesh, api):
    # Asked, answered or not: an API server that has just started may refuse for a moment what it grants.
    assert not set(asked()) - granted(api)


def test_nothing_is_granted_that_is_not_used(mesh, api):
    assert not granted(api) - set(asked()) - NEVER_ASKED


def test_no_role_has_a_star(mesh, api):
    assert not [right for right in granted(api) if "*" in right]


def test_no_other_component_may_ask_anything(mesh, api):
    users = {event["user"]["username"] for event in audit.events()}
    ours = {user for user in users if user.startswith(f"system:serviceaccount:{SYSTEM}:")}
    assert ours <= {audit.MANAGER}
