"""The guard's table (common/http/guard_table.cc) sent to nginx and HAProxy: where both agree and we
differ, the row is listed here with the reason; what is not listed agrees with one of them at least."""

import os
import shutil
import socket
import socketserver
import subprocess
import threading
from pathlib import Path

import pytest
from harness.processes import SLOW, Process
from harness.waiting import eventually

ROWS = Path(os.environ["KRYPTON_BINARY_DIR"]).parent / "tests" / "krypton_guard_rows"

NGINX = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 512; }}
http {{
  client_header_timeout 1s; client_body_timeout 1s; access_log off;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass http://127.0.0.1:{origin}; proxy_http_version 1.1; }} }}
}}
"""
HAPROXY = """
defaults
  mode http
  timeout client 1s
  timeout server 1s
  timeout connect 1s
  timeout http-request 1s
frontend in
  bind 127.0.0.1:{port}
  default_backend out
backend out
  server origin 127.0.0.1:{origin}
"""

# Rows that both refuse and we take, or both take and we refuse, and why it stays so. What both repair
# before they pass it on, we refuse: nobody who means well sends it, and what is behind us (a sidecar, an
# agent's own parser) then never has to agree with us on what it meant.
REASONS = {
    "RFC 9112 §3: one space between the parts of the request line; others are leniency, not syntax":
        ["two spaces before target", "two spaces before version"],
    "RFC 9112 §2.2: a recipient may refuse a line that ends in a bare LF, and one empty line in front is enough":
        ["two empty lines in front", "bare LF in front", "bare LF after the request line", "bare LF after a field",
         "bare LF at the end", "bare LF everywhere"],
    "RFC 9110 §9.1: a method that is not known is 501; agents speak those of RFC 9110, WebDAV and the like":
        ["unknown method"],
    "nobody speaks HTTP/1.2: 505 leaves no doubt about its framing":
        ["version 1.2"],
    "RFC 9110 §5.5: control bytes in a value may be refused, and some parsers behind us would cut there":
        ["control byte in a value", "VT in a value", "DEL in a value", "ESC in a value"],
    "RFC 9110 §10.1.1: 417 for an expectation that nobody would meet":
        ["unknown expectation"],
    "RFC 9110 §7.2: a Host that is no host[:port] is 400; it goes to agents, who make links of it":
        ["host with userinfo", "host with query", "host with fragment", "host with backslash", "host with bad port",
         "host with port above 65535", "host with two ports", "host empty port", "host open bracket",
         "host bad literal", "host utf-8"],
    "RFC 9112 §7.1: a chunk's size is hex digits and CRLF; more than 16 digits, blanks and a bare LF are where "
    "parsers disagree":
        ["size of 17 digits", "size before a space", "size before a tab and an extension", "size line ends in LF",
         "data ends in LF", "last chunk ends in LF", "end in LF", "NUL in an extension"],
    "RFC 9112 §5.2, 9110 §5.5: what is refused in a head is refused in a trailer":
        ["trailer folded", "trailer with NUL"],
    "the limit of a head is 64 KiB here, theirs is 8 KiB and 16 KiB":
        ["field of 60 KiB"],
}
DECIDED = {name for names in REASONS.values() for name in names}
# HAProxy answers by what is first, its parser or the origin; refused here, as its like in a head.
SOMETIMES = {"trailer with space before the colon", "trailer with NUL", "trailer folded"}


def body_is_complete(message):
    """Of a request as those two send it on: framed cleanly."""
    head, _, body = message.partition(b"\r\n\r\n")
    fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:])
    if b"transfer-encoding" in fields:
        return body.endswith(b"\r\n\r\n") and (b"\r\n0\r\n" in body or body.startswith(b"0\r\n"))
    return len(body) >= int(fields.get(b"content-length", b"0"))


class Origin(socketserver.ThreadingTCPServer):
    """Answers 200 to each whole request."""

    daemon_threads, allow_reuse_address, request_queue_size = True, True, 128

    class RequestHandlerClass(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.settimeout(2 * SLOW)
            message = b""
            try:
                while b"\r\n\r\n" not in message or not body_is_complete(message):
                    piece = self.request.recv(65536)
                    if not piece:
                        return
                    message += piece
                self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            except OSError:
                pass

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.RequestHandlerClass)
        threading.Thread(target=self.serve_forever, daemon=True).start()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def status_of(port, data):
    """The first answer's status; 0 when the connection ended, or stayed silent, without one."""
    with socket.create_connection(("127.0.0.1", port), timeout=5 * SLOW) as connection:
        answer = b""
        try:
            connection.sendall(data)
            while b"\r\n" not in answer:
                piece = connection.recv(65536)
                if not piece:
                    break
                answer += piece
        except OSError:
            pass
    words = answer.split(b" ", 2)
    return int(words[1]) if answer.startswith(b"HTTP/1.") and words[1].isdigit() else 0


@pytest.fixture(scope="module")
def peers(tmp_path_factory):
    """{name: port} of both, before one origin."""
    binaries = {"nginx": shutil.which("nginx", path="/usr/sbin:/usr/bin"),
                "haproxy": shutil.which("haproxy", path="/usr/sbin:/usr/bin")}
    if missing := [name for name, binary in binaries.items() if binary is None]:
        pytest.skip(f"not installed here: {', '.join(missing)}; ./dev bench installs them")
    folder = tmp_path_factory.mktemp("peers")
    folder.chmod(0o777)
    ports, processes = {}, []
    with Origin() as origin:
        for name, text, flags in (("nginx", NGINX, ["-c"]), ("haproxy", HAPROXY, ["-db", "-f"])):
            ports[name] = free_port()
            configuration = folder / f"{name}.conf"
            configuration.write_text(text.format(folder=folder, port=ports[name], origin=origin.server_address[1]))
            processes.append(Process(name, [binaries[name], *flags, configuration], folder))
        try:
            for name, port in ports.items():
                good = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
                eventually(lambda port=port: status_of(port, good) == 200, 10 * SLOW, f"{name} answers")
            yield ports
        finally:
            for process in processes:
                process.popen.kill()
                process.popen.wait()
            origin.shutdown()


def rows():
    printed = subprocess.run([ROWS], capture_output=True, text=True, check=True).stdout
    for line in printed.splitlines():
        name, status, data = line.split("\t")
        yield name, int(status) < 400, bytes.fromhex(data)


def test_where_nginx_and_haproxy_agree_we_agree_or_say_why_not(peers):
    differ = {}
    for name, we_take, data in rows():
        seen = {peer: status_of(port, data) for peer, port in peers.items()}
        takes = {200 <= status < 300 for status in seen.values()}
        if len(takes) == 1 and takes != {we_take}:
            differ[name] = f"we {'take' if we_take else 'refuse'} it, they answered {seen}"
    unknown = {name: what for name, what in differ.items() if name not in DECIDED | SOMETIMES}
    assert not unknown, "decide these: " + "\n".join(f"{name}: {what}" for name, what in unknown.items())
    gone = DECIDED - SOMETIMES - set(differ)
    assert not gone, f"listed, but nobody differs any more: {gone}"
