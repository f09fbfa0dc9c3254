"""The tests' agent: does what the path asks for, and starts in a few milliseconds.

It reads and writes HTTP/1.1 by hand, so that tests see each byte that arrives and can answer with bytes
that no server library would send. Environment: PORT; PROBE_DELAY_MS (opens its port so much later);
PROBE_NEVER=1 (never opens it); PROBE_EXIT=N (ends at once with N); PROBE_LOG (a file that gets one line
per request: process id and request line).
"""

import os
import select
import signal
import socket
import sys
import threading
import time

import behaviours

lock = threading.Lock()
counts = {"requests": 0, "in_flight": 0, "max_in_flight": 0, "gone": 0}


class Request:
    """One request: `head` is its bytes up to the empty line, `body` comes when asked for."""

    def __init__(self, connection, head, rest):
        self.connection, self.head, self.rest = connection, head, rest
        lines = head.decode("latin-1").split("\r\n")
        self.method, self.target, _ = lines[0].split(" ")
        self.path, _, query = self.target.partition("?")
        self.query = dict(pair.partition("=")[::2] for pair in query.split("&") if pair)
        self.headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            before = self.headers.get(name.lower())
            self.headers[name.lower()] = f"{before}, {value.strip()}" if before else value.strip()
        self.counts, self.lock = counts, lock
        self.keep_alive = True

    def number(self, name, default):
        return int(self.query.get(name, default))

    def read_body(self):
        """The whole body, decoded, as bytes; trailers end up in `self.trailers`."""
        if self.headers.get("expect") == "100-continue":
            self.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        if "chunked" in self.headers.get("transfer-encoding", ""):
            return self.read_chunks()
        return self.take(int(self.headers.get("content-length", 0)))

    def read_chunks(self):
        body = b""
        while size := int(self.take_line().split(b";")[0], 16):
            body += self.take(size)
            self.take_line()
        self.trailers = []
        while line := self.take_line():
            self.trailers.append(line)
        return body

    def take(self, size):
        parts, have = [self.rest], len(self.rest)
        while have < size:
            parts.append(self.receive())
            have += len(parts[-1])
        everything = b"".join(parts)
        self.rest = everything[size:]
        return everything[:size]

    def take_line(self):
        while b"\r\n" not in self.rest:
            self.rest += self.receive()
        line, _, self.rest = self.rest.partition(b"\r\n")
        return line

    def receive(self):
        data = self.connection.recv(65536)
        if not data:
            raise ConnectionError("the peer closed")
        return data

    def send(self, data):
        self.connection.sendall(data)

    def answer(self, body=b"", status=200, headers=()):
        head = f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\n"
        for name, value in headers:
            head += f"{name}: {value}\r\n"
        self.send(head.encode() + b"\r\n" + (b"" if self.method == "HEAD" else body))

    def wait_until_gone(self, seconds):
        """True when the peer closes within the time; what it sends meanwhile is dropped."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if select.select([self.connection], [], [], left)[0] and not self.connection.recv(65536):
                return True
        return False


def serve(connection):
    rest = b""
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while True:
                while b"\r\n\r\n" not in rest:
                    data = connection.recv(65536)
                    if not data:
                        return
                    rest += data
                head, _, rest = rest.partition(b"\r\n\r\n")
                request = Request(connection, head, rest)
                handle(request)
                if not request.keep_alive:
                    return
                rest = request.rest
        except OSError:
            with lock:
                counts["gone"] += 1


def handle(request):
    note(request)
    with lock:
        counts["requests"] += 1
        counts["in_flight"] += 1
        counts["max_in_flight"] = max(counts["max_in_flight"], counts["in_flight"])
    try:
        behaviours.find(request.path)(request)
    finally:
        with lock:
            counts["in_flight"] -= 1


def note(request):
    path = os.environ.get("PROBE_LOG")
    if path:
        line = f"{os.getpid()} {request.method} {request.target}\n".encode()
        log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.write(log, line)
        os.close(log)


def main():
    # At once; and as process 1 of a container it would ignore it otherwise.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    print(f"probe {os.getpid()} starts on {os.environ['PORT']}", flush=True)
    if "PROBE_EXIT" in os.environ:
        sys.exit(int(os.environ["PROBE_EXIT"]))
    if os.environ.get("PROBE_NEVER"):
        threading.Event().wait()
    time.sleep(int(os.environ.get("PROBE_DELAY_MS", 0)) / 1000)
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", int(os.environ["PORT"])))
    listener.listen(1024)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
