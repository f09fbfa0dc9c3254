"""What the tests' agent can do, by path. Each takes a probe.Request and answers it."""

import hashlib
import os
import threading
import time


def find(path):
    return BEHAVIOURS.get(path, recorded)


def recorded(request):
    """The request as it arrived: head, empty line, decoded body (of a long one its length and SHA-256). So
    does every path not named here."""
    body = request.read_body()
    if len(body) > 1 << 20:
        body = f"{len(body)} {hashlib.sha256(body).hexdigest()}".encode()
    trailers = b"".join(b"\r\ntrailer " + line for line in getattr(request, "trailers", []))
    request.answer(request.head + b"\r\n\r\n" + body + trailers, headers=[("x-pid", os.getpid())])


def pid(request):
    request.read_body()
    request.answer(str(os.getpid()).encode())


def sleep(request):
    request.read_body()
    time.sleep(request.number("ms", 100) / 1000)
    request.answer(str(os.getpid()).encode())


def hold(request):
    """Answers after `ms`, or counts itself as gone when the caller goes away before."""
    request.read_body()
    if request.wait_until_gone(request.number("ms", 60000) / 1000):
        raise ConnectionError("the peer went away")
    request.answer(b"held")


def status(request):
    request.read_body()
    request.answer(b"as asked", request.number("code", 200))


def counters(request):
    request.read_body()
    with request.lock:
        text = " ".join(f"{name}={value}" for name, value in request.counts.items())
    request.answer(text.encode())


def early(request):
    """A final answer before the body is read; then the connection ends."""
    request.keep_alive = False
    request.answer(b"no", request.number("code", 401), [("connection", "close")])


def die(request):
    """The process ends in the middle of the call, after `sent` bytes of an answer."""
    request.read_body()
    sent = request.number("sent", 0)
    if sent:
        request.send(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n" + b"x" * sent)
    os._exit(1)


def cut(request):
    """Closes the connection after `sent` bytes of an answer of 1,000,000."""
    request.read_body()
    request.keep_alive = False
    sent = request.number("sent", 0)
    if sent:
        request.send(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n" + b"x" * sent)


def large(request):
    request.read_body()
    request.answer(b"0123456789abcdef" * (request.number("bytes", 1 << 20) // 16))


def redirect(request):
    request.read_body()
    to = request.query.get("to", "/elsewhere").replace("HOST", request.headers.get("host", ""))
    request.answer(status=307, headers=[("location", to)])


def raw(request):
    """Answers with exactly the bytes of the request's body, and closes."""
    request.keep_alive = False
    request.send(request.read_body())


def trailers(request):
    request.read_body()
    request.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum\r\n\r\n"
                 b"3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\nx-sum: 5\r\n\r\n")


def sse(request):
    """`count` events, `every_ms` apart; each carries its number and the clock when it was sent."""
    request.read_body()
    request.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
                 b"transfer-encoding: chunked\r\n\r\n")
    pause = request.number("every_ms", 20) / 1000
    begin = time.monotonic()
    for number in range(request.number("count", 100)):
        time.sleep(max(0.0, begin + number * pause - time.monotonic()))
        chunk(request, f"id: {number}\ndata: {time.monotonic_ns()}\n\n".encode())
    request.send(b"0\r\n\r\n")


def standing(request):
    """An event stream that says one thing, and then nothing (or one thing each `every_ms`)."""
    request.read_body()
    request.keep_alive = False
    request.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
                 b"transfer-encoding: chunked\r\n\r\n")
    chunk(request, b": open\n\n")
    every = request.number("every_ms", 0)
    while not request.wait_until_gone(every / 1000 if every else 3600):
        chunk(request, b": still\n\n")
    raise ConnectionError("the peer went away")


def chunk(request, data):
    request.send(b"%x\r\n%s\r\n" % (len(data), data))


def again(request):
    """Calls the gateway again for itself, passing its caller's Via on, as a careful agent does."""
    import http.client

    request.read_body()
    connection = http.client.HTTPConnection(request.headers["x-forwarded-host"], timeout=60)
    path = request.headers["x-forwarded-prefix"] + "/again"
    connection.request("GET", path, headers={"via": request.headers.get("via", "")})
    answer = connection.getresponse()
    body = answer.read()
    error = answer.getheader("krypton-error") or answer.getheader("x-inner-error") or ""
    request.answer(body, answer.status, [("x-inner-error", error)])


def websocket(request):
    """Echoes messages; a message `pid` is answered with the process id (RFC 6455, unfragmented)."""
    import base64
    import hashlib

    request.keep_alive = False
    key = request.headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
    request.send(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
                 b"sec-websocket-accept: " + accept.encode() + b"\r\n\r\n")
    while True:
        opcode, payload = read_frame(request)
        if opcode == 8:
            return send_frame(request, 8, payload)
        if opcode == 9:
            send_frame(request, 10, payload)
        elif opcode in (1, 2):
            send_frame(request, opcode, str(os.getpid()).encode() if payload == b"pid" else payload)


def read_frame(request):
    first, second = request.take(2)
    length = second & 127
    if length >= 126:
        length = int.from_bytes(request.take(2 if length == 126 else 8), "big")
    mask = request.take(4)
    data = request.take(length)
    repeated = (mask * (length // 4 + 1))[:length]
    payload = (int.from_bytes(data, "big") ^ int.from_bytes(repeated, "big")).to_bytes(length, "big")
    return first & 15, payload


def send_frame(request, opcode, payload):
    length = len(payload)
    if length < 126:
        head = bytes([128 | opcode, length])
    elif length < 65536:
        head = bytes([128 | opcode, 126]) + length.to_bytes(2, "big")
    else:
        head = bytes([128 | opcode, 127]) + length.to_bytes(8, "big")
    request.send(head + payload)


def tunnel(request):
    """Switches to a protocol of its own (`Upgrade: echo`) and gives each byte back."""
    request.keep_alive = False
    request.send(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: echo\r\nconnection: upgrade\r\n\r\n")
    while True:
        data, request.rest = request.rest or request.receive(), b""
        request.send(data)


def threads(request):
    request.read_body()
    request.answer(str(threading.active_count()).encode())


BEHAVIOURS = {
    "/pid": pid, "/sleep": sleep, "/hold": hold, "/status": status, "/counters": counters,
    "/early": early, "/die": die, "/cut": cut, "/large": large, "/redirect": redirect, "/raw": raw,
    "/trailers": trailers, "/sse": sse, "/standing": standing, "/again": again, "/ws": websocket,
    "/tunnel": tunnel, "/threads": threads,
}
