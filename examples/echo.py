"""An A2A agent that repeats what it is told, word by word when asked to stream.

Speaks A2A 1.0 (SendMessage, SendStreamingMessage, GetTask) and 0.3 (message/send, message/stream,
tasks/get) at one address; the method's name says which of the two the caller speaks.
"""

import json
import os
import signal
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# Krypton's gateway rewrites these to the address under which the caller reached it.
URL = os.environ.get("KRYPTON_PUBLIC_URL", f"http://127.0.0.1:{os.environ['PORT']}")
CARD = {
    "name": "Echo", "description": "Repeats what it is told.", "version": "1.0.0",
    "supportedInterfaces": [
        {"url": URL, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"},
        {"url": URL, "protocolBinding": "JSONRPC", "protocolVersion": "0.3"}],
    "url": URL, "preferredTransport": "JSONRPC", "protocolVersion": "0.3.0",  # For callers of 0.3.
    "capabilities": {"streaming": True, "pushNotifications": False},
    "defaultInputModes": ["text/plain"], "defaultOutputModes": ["text/plain"],
    "skills": [{"id": "echo", "name": "Echo", "description": "Repeats.", "tags": ["example"]}],
}
tasks = {}  # Task id → its text; the newest 100. Each replica has its own.


def message(text, old):
    part = {"kind": "text", "text": text} if old else {"text": text}
    reply = {"messageId": str(uuid.uuid4()), "role": "agent" if old else "ROLE_AGENT", "parts": [part]}
    return {"kind": "message", **reply} if old else {"message": reply}


def task(id, text, state, old):
    artifacts = [{"artifactId": "echo", "parts": message(text, True)["parts"]}] if text else []
    for artifact in artifacts if not old else []:
        artifact["parts"] = [{"text": text}]
    state = state if old else f"TASK_STATE_{state.upper()}"
    found = {"id": id, "contextId": id, "status": {"state": state}, "artifacts": artifacts}
    return {"kind": "task", **found} if old else found


def stream(text, old):
    """The events of a streamed answer: the task, each word, the end."""
    id = str(uuid.uuid4())
    tasks[id] = text
    while len(tasks) > 100:
        tasks.pop(next(iter(tasks)), None)
    first = task(id, "", "working", old)
    yield first if old else {"task": first}
    for number, word in enumerate(text.split()):
        part = {"kind": "text", "text": word} if old else {"text": word}
        update = {"taskId": id, "contextId": id, "append": number > 0,
                  "artifact": {"artifactId": "echo", "parts": [part]}}
        yield {"kind": "artifact-update", **update} if old else {"artifactUpdate": update}
    update = {"taskId": id, "contextId": id}
    if old:
        yield {"kind": "status-update", "status": {"state": "completed"}, "final": True, **update}
    else:
        yield {"statusUpdate": {"status": {"state": "TASK_STATE_COMPLETED"}, **update}}


class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        known = ("/.well-known/agent-card.json", "/.well-known/agent.json")
        self.answer(*((200, CARD) if self.path in known else (404, {"error": "not found"})))

    def do_POST(self):
        request = {}
        try:
            request = json.loads(self.rfile.read(int(self.headers.get("content-length", 0))))
            self.call(request, request["method"], request.get("params", {}))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            id = request.get("id") if isinstance(request, dict) else None
            self.fail(id, -32600, f"not a request: {error}")

    def call(self, request, method, params):
        old, id = "/" in method, request.get("id")
        if method in ("message/send", "message/stream", "SendMessage", "SendStreamingMessage"):
            text = " ".join(part.get("text", "") for part in params["message"]["parts"])
            if method in ("message/send", "SendMessage"):
                self.answer(200, {"jsonrpc": "2.0", "id": id, "result": message(text, old)})
            else:
                self.send_events({"jsonrpc": "2.0", "id": id, "result": e} for e in stream(text, old))
        elif method in ("tasks/get", "GetTask"):
            if params["id"] not in tasks:
                return self.fail(id, -32001, "task not found")
            found = task(params["id"], tasks[params["id"]], "completed", old)
            self.answer(200, {"jsonrpc": "2.0", "id": id, "result": found})
        else:
            self.fail(id, -32601, "method not found")

    def send_events(self, events):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("cache-control", "no-cache")
        self.send_header("connection", "close")  # The end of the connection ends the stream.
        self.end_headers()
        for event in events:
            self.wfile.write(f"data: {json.dumps(event)}\n\n".encode())

    def fail(self, id, code, text):
        self.answer(200, {"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": text}})

    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # As process 1 of a container it would ignore it.
ThreadingHTTPServer.request_queue_size = 128
ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Echo).serve_forever()
