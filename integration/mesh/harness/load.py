"""Load: many calls at once, and traffic that flows while a test breaks something."""

import asyncio
import threading
import time
from collections import Counter
from dataclasses import dataclass

from . import http
from .processes import SLOW


@dataclass
class Result:
    status: int  # 0: no answer.
    error: str  # The mesh's code, or what went wrong on the connection; empty for an agent's answer.
    body: bytes
    seconds: float
    began: float  # By time.monotonic().


async def call(address, target, connection=None, timeout=60.0 * SLOW, method="GET", body=None, headers=()):
    """One call; `connection` (reader, writer) is reused when given. Never raises."""
    began = time.monotonic()
    try:
        reader, writer = connection or await asyncio.open_connection(*split(address), limit=1 << 20)
        try:
            writer.write(http.request(method, target, headers, body, address))
            status, code, content = await asyncio.wait_for(read(reader), timeout)
        finally:
            if connection is None:
                writer.close()
        return Result(status, code, content, time.monotonic() - began, began)
    except (OSError, ValueError, asyncio.IncompleteReadError, asyncio.TimeoutError) as error:
        kind = type(error).__name__
        return Result(0, f"{kind}: {error}", b"", time.monotonic() - began, began)


def split(address):
    host, _, port = address.rpartition(":")
    return host, int(port)


async def read(reader):
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {}
    for line in head[1:]:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    if "chunked" in headers.get("transfer-encoding", ""):
        content = b""
        while size := int((await reader.readline()).split(b";")[0], 16):
            content += (await reader.readexactly(size + 2))[:-2]
        await reader.readuntil(b"\r\n")
    else:
        content = await reader.readexactly(int(headers.get("content-length", 0)))
    if headers.get("connection", "").lower() == "close":
        reader.feed_eof()  # As the peer has announced: nothing more may be sent on it.
    return int(head[0].split(" ")[1]), headers.get("krypton-error", ""), content


def burst(address, target, count, timeout=60.0 * SLOW, **options):
    """`count` calls at once, each on its own connection; their results in order."""
    async def run():
        return await asyncio.gather(*(call(address, target, timeout=timeout, **options) for _ in range(count)))
    return asyncio.run(run())


def summary(results):
    """How often each (status, error) came, for messages."""
    return dict(Counter((result.status, result.error) for result in results))


class Traffic:
    """Calls without pause, from `workers` connections each to its address, until the `with` ends.

    Like a careful client, a worker opens a new connection when the gateway closes the old one; a
    connection that is closed before a byte of the answer came while it was idle counts as a failure.
    """

    def __init__(self, address, target, workers=8, pause=0.0, timeout=60.0 * SLOW, calls_per_connection=50, **options):
        self.addresses = address if isinstance(address, list) else [address]
        self.target, self.workers, self.pause, self.timeout = target, workers, pause, timeout
        self.calls_per_connection = calls_per_connection
        self.options, self.results, self.stopping = options, [], False
        self.thread = threading.Thread(target=lambda: asyncio.run(self.run()))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *exc):
        self.stopping = True
        self.thread.join()

    async def run(self):
        await asyncio.gather(*(self.work(self.addresses[n % len(self.addresses)])
                               for n in range(self.workers)))

    async def work(self, address):
        while not self.stopping:
            try:
                connection = await asyncio.open_connection(*split(address), limit=1 << 20)
            except OSError as error:
                now = time.monotonic()
                self.results.append(Result(0, f"connect: {error}", b"", 0, now))
                await asyncio.sleep(0.01)
                continue
            for _ in range(self.calls_per_connection):  # Then a new one, so that both kinds are tried.
                if self.stopping or connection[0].at_eof():
                    break
                result = await call(address, self.target, connection, self.timeout, **self.options)
                self.results.append(result)
                if result.status == 0:
                    break
                if self.pause:
                    await asyncio.sleep(self.pause)
            connection[1].close()

    def bad(self, allowed=()):
        """Results other than 200 and the allowed (status, error) pairs."""
        return [r for r in self.results if r.status != 200 and (r.status, r.error) not in allowed]

    def wait(self, more, timeout=30.0 * SLOW):
        """Returns when `more` further calls have ended."""
        from .waiting import eventually
        aim = len(self.results) + more
        eventually(lambda: len(self.results) >= aim, timeout, f"{more} further calls")
