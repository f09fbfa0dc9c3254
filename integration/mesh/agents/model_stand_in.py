"""A model server whose failures a test decides: what llama.cpp does only when something is wrong with it.

The request's `behave` says how it is answered: "503", "slow" (never), "break" (a stream that is cut in the
middle of an event). GET /deliveries counts requests by their `user`. STAND_IN_LOAD_MS: how long /health says
503 after the port is open.
"""

import collections
import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

deliveries = collections.Counter()
began = time.monotonic()
loading = float(os.environ.get("STAND_IN_LOAD_MS", "0")) / 1000


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        if self.path == "/health":
            ready = time.monotonic() - began >= loading
            return self.answer(200 if ready else 503, {"status": "ok" if ready else "loading"})
        return self.answer(200, deliveries)

    def do_POST(self):
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        deliveries[request.get("user", "")] += 1
        behave = request.get("behave", "")
        if behave == "503":
            return self.answer(503, {"error": {"message": "as asked", "type": "server_error",
                                               "param": None, "code": None}})
        if behave == "slow":
            time.sleep(600)
        if behave == "break":
            return self.cut()
        return self.answer(200, {"object": "chat.completion", "id": "1", "created": 1, "model": "x", "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "yes"}}]})

    def cut(self):
        """Two events, and half of a third."""
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        chunk = json.dumps({"object": "chat.completion.chunk", "id": "1", "created": 1, "model": "x", "choices": [
            {"index": 0, "finish_reason": None, "delta": {"content": "word "}}]})
        event = f"data: {chunk}\n\n".encode()
        for part in (event, event, event[:len(event) // 2]):
            self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        self.wfile.flush()
        self.close_connection = True

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True


if __name__ == "__main__":
    server = Server(("127.0.0.1", int(os.environ["PORT"])), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print("stand-in listens", flush=True)
    sys.exit(threading.Event().wait())
