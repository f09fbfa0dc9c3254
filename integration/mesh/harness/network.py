"""A network namespace of the test's own, with a delay between gateway and sidecars."""

import contextlib
import ctypes
import os
import subprocess

CLONE_NEWNET = 0x40000000


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


def delay_sidecars(milliseconds):
    """Delays what flows between two ephemeral ports: gateways' connections to sidecars.

    Requires: every other listener has a port below 32768.
    """
    run("tc qdisc add dev lo root handle 1: prio bands 4 priomap 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0")
    run(f"tc qdisc add dev lo parent 1:4 handle 40: netem delay {milliseconds}ms limit 100000")
    run("tc filter add dev lo parent 1: protocol ip u32 match ip sport 0x8000 0x8000"
        " match ip dport 0x8000 0x8000 flowid 1:4")


def run(line):
    subprocess.run(line.split(" "), check=True, capture_output=True)
