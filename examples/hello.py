"""A plain HTTP agent: greets on GET, gives back what it is sent on POST.

Its whole contract with Krypton: listen on 127.0.0.1:$PORT, speak HTTP/1.1.
"""

import os
import signal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Hello(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # Keeps connections alive, as Krypton's sidecar does.
    disable_nagle_algorithm = True

    def do_GET(self):
        self.answer(200, f"Hello from process {os.getpid()}: {self.path}\n".encode(), "text/plain")

    def do_POST(self):
        length = self.headers.get("content-length")
        if length is None:
            self.close_connection = True
            self.answer(411, b"send a content-length\n", "text/plain")
            return
        body = self.rfile.read(int(length))
        self.answer(200, body, self.headers.get("content-type", "application/octet-stream"))

    def answer(self, status, body, content_type):
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        print(format % args, flush=True)  # Seen by `krypton logs default/hello`.


signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # As process 1 of a container it would ignore it.
ThreadingHTTPServer.request_queue_size = 128
ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Hello).serve_forever()
