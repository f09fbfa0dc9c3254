"""Runs a model server and stands before it: every byte that passes is kept, a file a connection and way.

    recorder.py FOLDER COMMAND... --port PORT ...

COMMAND is started with another port in PORT's place. FOLDER gets NUMBER.request and NUMBER.response.
"""

import asyncio
import itertools
import os
import signal
import socket
import sys
from pathlib import Path


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def copy(reader, writer, file):
    with open(file, "wb", buffering=0) as record:
        try:
            while data := await reader.read(65536):
                record.write(data)
                writer.write(data)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()


async def serve(folder, port, target):
    numbers = itertools.count()

    async def carry(reader, writer):
        name = folder / f"{os.getpid()}-{next(numbers)}"
        try:
            model = await asyncio.open_connection("127.0.0.1", target)
        except OSError:  # It does not listen yet.
            writer.close()
            return
        both = [asyncio.ensure_future(copy(reader, model[1], f"{name}.request")),
                asyncio.ensure_future(copy(model[0], writer, f"{name}.response"))]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for one in both:
            one.cancel()
        writer.close()
        model[1].close()

    async with await asyncio.start_server(carry, "127.0.0.1", port) as server:
        await server.serve_forever()


def main():
    folder, command = Path(sys.argv[1]), sys.argv[2:]
    at = command.index("--port") + 1
    port, target = int(command[at]), free_port()
    command[at] = str(target)
    model = os.spawnvp(os.P_NOWAIT, command[0], command)
    signal.signal(signal.SIGTERM, lambda *_: (os.kill(model, signal.SIGKILL), os._exit(0)))
    signal.signal(signal.SIGCHLD, lambda *_: os._exit(1))  # Without its model it is of no use.
    asyncio.run(serve(folder, port, target))


main()
