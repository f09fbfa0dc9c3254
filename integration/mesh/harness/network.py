"""A network namespace of the test's own, with a delay between gateways and sidecars.

The delay is `tc netem` where the kernel has it. Where it has not (as in some small virtual machines),
nftables sends the same connections through a relay of ours that holds every byte as long.
"""

import asyncio
import contextlib
import ctypes
import os
import socket
import struct
import subprocess
import threading

CLONE_NEWNET = 0x40000000
SO_ORIGINAL_DST = 80
MARK = 0x6B  # Of the relay's own connections, which are not relayed again.
RELAY_PORT = 6999


@contextlib.contextmanager
def own_network():
    """This thread, and what it starts, in a namespace with nothing but a loopback device."""
    libc = ctypes.CDLL(None, use_errno=True)
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    if libc.unshare(CLONE_NEWNET) != 0:
        os.close(before)
        raise PermissionError(ctypes.get_errno(), "a network namespace needs root")
    try:
        run("ip link set lo up")
        yield
    finally:
        assert libc.setns(before, CLONE_NEWNET) == 0
        os.close(before)


@contextlib.contextmanager
def far_sidecars(seconds):
    """Delays, each way, what flows between two ephemeral ports: gateways' connections to sidecars.

    Requires: own_network(), and that every other listener has a port below 32768.
    """
    try:
        with_netem(seconds)
    except subprocess.CalledProcessError:
        with relay(seconds):
            yield "relay"
    else:
        yield "netem"
        run("tc qdisc del dev lo root")


def with_netem(seconds):
    run("tc qdisc add dev lo root handle 1: prio bands 4 priomap 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0")
    run(f"tc qdisc add dev lo parent 1:4 handle 40: netem delay {seconds * 1000:g}ms limit 100000")
    run("tc filter add dev lo parent 1: protocol ip u32 match ip sport 0x8000 0x8000"
        " match ip dport 0x8000 0x8000 flowid 1:4")


@contextlib.contextmanager
def relay(seconds):
    run("nft add table ip far")
    run("nft add chain ip far output { type nat hook output priority -100 ; }")
    run(f"nft add rule ip far output meta mark != {MARK} tcp sport >= 32768 tcp dport >= 32768"
        f" redirect to :{RELAY_PORT}")
    server = Relay(seconds)
    try:
        yield
    finally:
        run("nft delete table ip far")
        server.stop()


class Relay:
    """Passes the bytes of redirected connections on, each way `seconds` later."""

    def __init__(self, seconds):
        self.seconds, self.loop = seconds, asyncio.new_event_loop()
        started = threading.Event()
        self.thread = threading.Thread(target=self.run, args=(started,), daemon=True)
        self.thread.start()
        started.wait(10)

    def run(self, started):
        async def serve():
            await asyncio.start_server(self.connect, "127.0.0.1", RELAY_PORT, backlog=1024)
            started.set()
        self.loop.create_task(serve())
        self.loop.run_forever()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0))

    def stop(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()

    async def connect(self, reader, writer):
        client = writer.get_extra_info("socket")
        port, address = struct.unpack_from("!2xH4s", client.getsockopt(socket.SOL_IP, SO_ORIGINAL_DST, 16))
        upstream = socket.socket()
        upstream.setblocking(False)
        upstream.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, MARK)
        try:
            await self.loop.sock_connect(upstream, (socket.inet_ntoa(address), port))
            far_reader, far_writer = await asyncio.open_connection(sock=upstream)
        except OSError:
            upstream.close()
            writer.transport.abort()
            return
        await asyncio.gather(self.copy(reader, far_writer), self.copy(far_reader, writer))

    async def copy(self, source, sink):
        """Each piece at its own time, so that the delay limits no throughput."""
        broken = False
        try:
            while data := await source.read(65536):
                self.loop.call_later(self.seconds, sink.write, data)
        except OSError:
            broken = True
        self.loop.call_later(self.seconds, sink.transport.abort if broken else sink.close)


def run(line):
    subprocess.run(line.split(" "), check=True, capture_output=True)
