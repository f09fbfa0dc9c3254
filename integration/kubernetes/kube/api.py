"""The API server, asked directly: a kubectl call costs a tenth of a second, and tests ask often."""

import base64
import http.client
import json
import os
import ssl
import tempfile
from pathlib import Path

import yaml

GROUPS = {  # Resource → its group and version; the core's have none.
    **dict.fromkeys(["pods", "services", "secrets", "serviceaccounts", "namespaces", "nodes", "configmaps"], "api/v1"),
    **dict.fromkeys(["deployments", "replicasets"], "apis/apps/v1"),
    **dict.fromkeys(["agents", "models"], "apis/krypton.ai/v1alpha1"),
    "events": "apis/events.k8s.io/v1",
    "leases": "apis/coordination.k8s.io/v1",
    "endpointslices": "apis/discovery.k8s.io/v1",
    "customresourcedefinitions": "apis/apiextensions.k8s.io/v1",
    "poddisruptionbudgets": "apis/policy/v1",
}
CLUSTER_WIDE = {"namespaces", "nodes", "customresourcedefinitions"}


class ApiError(Exception):
    def __init__(self, status, body):
        super().__init__(f"{status}: {body}")
        self.status, self.message = status, body.get("message", "") if isinstance(body, dict) else str(body)


class Api:
    """Speaks as the kubeconfig's user."""

    def __init__(self, kubeconfig):
        config = yaml.safe_load(Path(kubeconfig).read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self.host = cluster["server"].removeprefix("https://")
        self.tls = ssl.create_default_context(
            cadata=base64.b64decode(cluster["certificate-authority-data"]).decode())
        with tempfile.NamedTemporaryFile() as file:  # The ssl module reads keys from files only.
            file.write(base64.b64decode(user["client-certificate-data"]))
            file.write(base64.b64decode(user["client-key-data"]))
            file.flush()
            self.tls.load_cert_chain(file.name)

    def request(self, method, path, body=None, content_type="application/json", timeout=30, headers=()):
        """The answer's object, or its text where it is not JSON; ApiError for 4xx and 5xx."""
        connection = http.client.HTTPSConnection(self.host, context=self.tls, timeout=timeout)
        try:
            data = body if body is None or isinstance(body, (str, bytes)) else json.dumps(body)
            connection.request(method, path, data, {"content-type": content_type, **dict(headers)})
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        is_json = "json" in answer.headers.get("content-type", "")
        result = json.loads(text) if is_json else text
        if answer.status >= 400:
            raise ApiError(answer.status, result)
        return result

    @staticmethod
    def path(resource, namespace=None, name=None, sub=None):
        parts = [GROUPS[resource]]
        if namespace and resource not in CLUSTER_WIDE:
            parts += ["namespaces", namespace]
        return "/" + "/".join(parts + [resource] + [part for part in (name, sub) if part])

    def get(self, resource, namespace, name):
        """None when there is no such object."""
        try:
            return self.request("GET", self.path(resource, namespace, name))
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def list(self, resource, namespace=None, selector=None, field=None):
        query = [f"{key}={value}" for key, value in (("labelSelector", selector), ("fieldSelector", field)) if value]
        return self.request("GET", self.path(resource, namespace) + ("?" + "&".join(query) if query else ""))["items"]

    def secret(self, namespace, name):
        """Its keys → bytes."""
        return {key: base64.b64decode(value) for key, value in self.get("secrets", namespace, name)["data"].items()}

    def create(self, resource, namespace, body):
        return self.request("POST", self.path(resource, namespace), body)

    def apply(self, *objects, dry_run=False, manager="tests"):
        """Server-side apply, as `kubectl apply --server-side`; returns the last object."""
        for body in objects:
            resource = body["kind"].lower() + "s"
            path = self.path(resource, body["metadata"].get("namespace"), body["metadata"]["name"])
            query = f"?fieldManager={manager}&force=true&fieldValidation=Strict" + ("&dryRun=All" if dry_run else "")
            last = self.request("PATCH", path + query, body, "application/apply-patch+yaml")
        return last

    def merge(self, resource, namespace, name, body, sub=None, kind="merge"):
        """A merge patch; `kind` "strategic-merge" takes lists of Kubernetes' own objects by their keys."""
        path = self.path(resource, namespace, name, sub)
        return self.request("PATCH", path, body, f"application/{kind}-patch+json")

    def delete(self, resource, namespace, name, **options):
        try:
            return self.request("DELETE", self.path(resource, namespace, name), options or None)
        except ApiError as error:
            if error.status != 404:
                raise

    def logs(self, namespace, pod, container="", previous=False):
        query = f"?container={container}" + ("&previous=true" if previous else "")
        try:
            return self.request("GET", self.path("pods", namespace, pod, "log") + query)
        except (ApiError, OSError) as error:
            return f"no log: {error}"


def admin():
    return Api(os.environ["KUBECONFIG"])
