"""A small HTTP/1.1 client over a raw socket, so that tests decide each byte and see each byte."""

import socket
from dataclasses import dataclass, field
from urllib.parse import quote

from .processes import SLOW


@dataclass
class Answer:
    status: int
    headers: list = field(default_factory=list)  # (lower-case name, value) in order.
    body: bytes = b""
    complete: bool = True  # The body ended as its framing says.
    trailers: list = field(default_factory=list)
    reason: str = ""

    def header(self, name, default=None):
        return next((value for key, value in self.headers if key == name.lower()), default)

    @property
    def error(self):
        """The mesh's own error code; None for the agent's own answers."""
        return self.header("krypton-error")

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")


class Connection:
    """One connection. Use `send`/`read` by hand or `call` for a whole exchange."""

    def __init__(self, address, timeout=30.0 * SLOW):
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host.strip("[]") or "127.0.0.1", int(port)), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def receive(self):
        """More bytes into the buffer; False at the end of the connection."""
        try:
            data = self.socket.recv(262144)
        except ConnectionError:
            data = b""
        self.buffer += data
        return bool(data)

    def ended(self, timeout=10.0 * SLOW):
        """True when the peer ends the connection within the time and sends nothing more."""
        self.socket.settimeout(timeout)
        try:
            return not self.buffer and not self.receive()
        except TimeoutError:
            return False

    def take(self, size):
        while len(self.buffer) < size:
            if not self.receive():
                raise ConnectionError(f"ended after {len(self.buffer)} of {size} bytes")
        taken, self.buffer = self.buffer[:size], self.buffer[size:]
        return taken

    def take_line(self):
        while b"\r\n" not in self.buffer:
            if not self.receive():
                raise ConnectionError(f"ended within a line: {self.buffer[:200]!r}")
        line, _, self.buffer = self.buffer.partition(b"\r\n")
        return line.decode("latin-1")

    def read_head(self, interim=False):
        """The next head; 1xx heads are skipped unless `interim`."""
        while True:
            version, _, rest = self.take_line().partition(" ")
            assert version.startswith("HTTP/1."), f"no status line: {version} {rest}"
            status, _, reason = rest.partition(" ")
            answer = Answer(int(status), reason=reason)
            while line := self.take_line():
                name, _, value = line.partition(":")
                answer.headers.append((name.lower(), value.strip()))
            if interim or answer.status == 101 or not 100 <= answer.status < 200:
                return answer

    def read(self, method="GET"):
        """The next whole answer; `complete` is False when it was cut off."""
        answer = self.read_head()
        if method == "HEAD" or answer.status in (101, 204, 304):
            return answer
        try:
            if "chunked" in answer.header("transfer-encoding", ""):
                for data in self.chunks(answer):
                    answer.body += data
            elif (length := answer.header("content-length")) is not None:
                answer.body = self.take(int(length))
            else:
                while self.receive():
                    pass
                answer.body, self.buffer = self.buffer, b""
        except ConnectionError:
            answer.complete = False
            answer.body += self.buffer
        return answer

    def chunks(self, answer):
        while size := int(self.take_line().split(";")[0], 16):
            yield self.take(size)
            assert self.take_line() == ""
        while line := self.take_line():
            answer.trailers.append(line)

    def call(self, method="GET", target="/", headers=(), body=None, host="localhost"):
        self.send(request(method, target, headers, body, host))
        return self.read(method)


def request(method="GET", target="/", headers=(), body=None, host="localhost"):
    """The bytes of a well-formed request."""
    head = f"{method} {target} HTTP/1.1\r\nhost: {host}\r\n"
    if body is not None:
        head += f"content-length: {len(body)}\r\n"
    for name, value in dict(headers).items():
        head += f"{name}: {value}\r\n"
    return head.encode("latin-1") + b"\r\n" + (body or b"")


def call(address, method="GET", target="/", headers=(), body=None, host="localhost", timeout=30.0 * SLOW):
    """One exchange on a connection of its own."""
    with Connection(address, timeout) as connection:
        return connection.call(method, target, headers, body, host)


def open_stream(address, target, method="GET", timeout=60.0 * SLOW):
    """A connection whose answer's head has come: an event stream."""
    connection = Connection(address, timeout)
    connection.send(request(method, target, host=address, body=b"" if method == "POST" else None))
    answer = connection.read_head()
    assert answer.status == 200 and answer.header("content-type") == "text/event-stream", answer
    return connection


def exchange(address, data, timeout=10.0 * SLOW, end=False):
    """Sends raw bytes; all that comes back until the peer closes or nothing comes for `timeout`."""
    with Connection(address, timeout) as connection:
        try:
            connection.send(data)
            if end:
                connection.socket.shutdown(socket.SHUT_WR)
            while connection.receive():
                pass
        except OSError:  # Also a timeout.
            pass
        return connection.buffer


def path(namespace, name, rest=""):
    return f"/v1/agents/{quote(namespace)}/{quote(name)}{rest}"
