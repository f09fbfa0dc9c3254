"""An agent that thinks for a second before it answers, to watch scaling with: ?seconds=3 makes it three."""

import os
import signal
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


class Slow(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        asked = parse_qs(urlsplit(self.path).query).get("seconds", ["1"])[0]
        try:
            seconds = min(max(float(asked), 0.0), 60.0)
        except ValueError:
            seconds = 1.0
        time.sleep(seconds)
        body = f"process {os.getpid()} thought for {seconds:g} s\n".encode()
        self.send_response(200)
        self.send_header("content-type", "text/plain")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # As process 1 of a container it would ignore it.
ThreadingHTTPServer.request_queue_size = 128
ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Slow).serve_forever()
