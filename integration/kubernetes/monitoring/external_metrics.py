"""The external metrics API by prometheus-adapter's configuration in docs/scaling-on-kubernetes.md.

It stands in the adapter's place: the API server and its HPA controller are real, so is the Prometheus that is asked.
"""

import json
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from stack import NAMESPACE, apply

GROUP, VERSION = "external.metrics.k8s.io", "v1beta1"


class ExternalMetrics:
    """Serves from `address`, the node's, until `stop()`."""

    def __init__(self, rule, prometheus, address, folder):
        self.rule, self.prometheus = rule, prometheus
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
                        "-subj", "/CN=external-metrics", "-keyout", folder / "key", "-out", folder / "certificate"],
                       check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "certificate", folder / "key")
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                content = json.dumps(outer.answer(self.path)).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *arguments):
                pass

        self.server = ThreadingHTTPServer((address, 0), Handler)
        self.server.daemon_threads = True
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.register(address, self.server.server_address[1])

    def register(self, address, port):
        named = {"name": "external-metrics", "namespace": NAMESPACE}
        apply({"apiVersion": "v1", "kind": "Service", "metadata": named,
               "spec": {"ports": [{"port": 443, "targetPort": port}]}},
              {"apiVersion": "v1", "kind": "Endpoints", "metadata": named,
               "subsets": [{"addresses": [{"ip": address}], "ports": [{"port": port}]}]},
              {"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService", "metadata": {"name": f"{VERSION}.{GROUP}"},
               "spec": {"group": GROUP, "version": VERSION, "groupPriorityMinimum": 100, "versionPriority": 100,
                        "insecureSkipTLSVerify": True, "service": named}})

    def answer(self, target):
        """`/apis/GROUP/VERSION[/namespaces/NAMESPACE/METRIC?labelSelector=agent%3Dhello]`."""
        url = urlsplit(target)
        parts = url.path.strip("/").split("/")
        common = {"apiVersion": f"{GROUP}/{VERSION}"}
        name = self.rule["name"]["as"]
        if parts[3:4] != ["namespaces"] or parts[5:] != [name]:
            return {**common, "kind": "APIResourceList", "groupVersion": f"{GROUP}/{VERSION}", "resources": [
                {"name": name, "singularName": "", "namespaced": True, "kind": "ExternalMetricValueList", "verbs": ["get"]}]}
        chosen = dict(each.split("=") for each in parse_qs(url.query)["labelSelector"][0].split(","))
        matchers = ",".join(f'{label}="{value}"' for label, value in {"namespace": parts[4], **chosen}.items())
        query = self.rule["metricsQuery"].replace("<<.LabelMatchers>>", matchers)
        items = [{"metricName": name, "metricLabels": labels, "value": f"{round(value * 1000)}m",
                  "timestamp": "2020-01-01T00:00:00Z"} for labels, value in self.prometheus.ask(query)]
        return {**common, "kind": "ExternalMetricValueList", "metadata": {}, "items": items}

    def stop(self):
        subprocess.run(["kubectl", "delete", "apiservice", f"{VERSION}.{GROUP}"], check=True, capture_output=True)
        self.server.shutdown()
        self.server.server_close()
