"""An MCP server with two tools, over streamable HTTP at /mcp.

Speaks the stateless revision 2026-07-28 (server/discover, no session) and the older ones
(initialize, then a session); the header MCP-Protocol-Version says which.
"""

import datetime
import json
import os
import signal
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MODERN, LEGACY = "2026-07-28", ("2025-11-25", "2025-06-18", "2025-03-26")
VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
NUMBERS = {"a": {"type": "number"}, "b": {"type": "number"}}
TOOLS = [
    {"name": "add", "description": "Adds two numbers.",
     "inputSchema": {"type": "object", "properties": NUMBERS, "required": ["a", "b"]}},
    {"name": "now", "description": "Tells the time, UTC.",
     "inputSchema": {"type": "object", "properties": {}}},
]
FACES = {"capabilities": {"tools": {}}, "serverInfo": {"name": "tools", "version": "1.0.0"}}
sessions = {}  # The sessions of older clients, the newest 1,000; they live and die with the replica.


class Problem(Exception):
    """A JSON-RPC error and the HTTP status that goes with it."""

    def __init__(self, status, code, text, data=None):
        super().__init__(text)
        self.status = status
        self.error = {"code": code, "message": text} | ({"data": data} if data else {})


def call_tool(params):
    arguments = params.get("arguments") or {}
    if params.get("name") == "add":
        try:
            text = str(arguments["a"] + arguments["b"])
        except (KeyError, TypeError):
            return {"content": [{"type": "text", "text": "a and b must be numbers"}], "isError": True}
    elif params.get("name") == "now":
        text = datetime.datetime.now(datetime.timezone.utc).isoformat()
    else:
        raise Problem(200, -32602, "no such tool")
    return {"content": [{"type": "text", "text": text}], "isError": False}


class Tools(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        id = None
        try:
            request = json.loads(body)
            id, method = request.get("id"), request["method"]
            modern = self.headers.get("mcp-protocol-version", "") not in ("", *LEGACY)
            run = self.modern if modern else self.legacy
            result, headers = run(method, request.get("params") or {}, id is None)
            answer = None if id is None else {"jsonrpc": "2.0", "id": id, "result": result}
            self.answer(202 if id is None else 200, answer, headers)
        except Problem as problem:
            self.answer(problem.status, {"jsonrpc": "2.0", "id": id, "error": problem.error})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            problem = {"code": -32600, "message": f"not a request: {error}"}
            self.answer(400, {"jsonrpc": "2.0", "id": id, "error": problem})

    def modern(self, method, params, notification):
        meta, version = params.get("_meta") or {}, self.headers["mcp-protocol-version"]
        if notification:
            return {}, {}
        if VERSION_KEY not in meta:
            raise Problem(400, -32602, f"params._meta lacks {VERSION_KEY}")
        named = params.get("name") if method == "tools/call" else None
        if meta[VERSION_KEY] != version or self.headers.get("mcp-method") != method \
                or self.headers.get("mcp-name") != named:
            raise Problem(400, -32020, "a header and the body contradict each other")
        if version != MODERN:
            raise Problem(400, -32022, "unsupported version",
                          {"supported": [MODERN], "requested": version})
        cache = {"ttlMs": 60000, "cacheScope": "public"}
        if method == "server/discover":
            result = {"supportedVersions": [MODERN], **FACES, **cache}
        elif method == "tools/list":
            result = {"tools": TOOLS, **cache}
        elif method == "tools/call":
            result = call_tool(params)
        else:
            raise Problem(404, -32601, "method not found")
        return {"resultType": "complete", **result}, {}

    def legacy(self, method, params, notification):
        if method == "initialize":
            asked, session = params.get("protocolVersion"), uuid.uuid4().hex
            sessions[session] = True
            while len(sessions) > 1000:
                sessions.pop(next(iter(sessions)), None)
            version = asked if asked in LEGACY else LEGACY[0]
            return {"protocolVersion": version, **FACES}, {"mcp-session-id": session}
        if "mcp-session-id" not in self.headers:
            raise Problem(400, -32600, "no mcp-session-id")
        if self.headers["mcp-session-id"] not in sessions:
            raise Problem(404, -32600, "no such session")
        if notification or method == "ping":
            return {}, {}
        if method == "tools/list":
            return {"tools": TOOLS}, {}
        if method == "tools/call":
            return call_tool(params), {}
        raise Problem(200, -32601, "method not found")

    def do_DELETE(self):
        known = sessions.pop(self.headers.get("mcp-session-id"), None)
        self.answer(200 if known else 404)

    def do_GET(self):  # A server that never speaks first offers no standing stream.
        self.answer(405, headers={"allow": "POST, DELETE"})

    def answer(self, status, value=None, headers=()):
        body = b"" if value is None else json.dumps(value).encode()
        self.send_response(status)
        for name, text in dict(headers).items():
            self.send_header(name, text)
        if body:
            self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # As process 1 of a container it would ignore it.
ThreadingHTTPServer.request_queue_size = 128
ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Tools).serve_forever()
