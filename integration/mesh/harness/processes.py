"""Processes: started with their logs in files, found again wherever they hide, and ended."""

import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
# ThreadSanitizer and AddressSanitizer slow what they watch; deadlines stretch with them.
SLOW = float(os.environ.get("KRYPTON_TEST_SLOWNESS", "1"))


def become_subreaper():
    """Orphans of what we start become our children, so that none escapes the search for leftovers."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


class Process:
    """A started binary. `ready()` waits for its ready file and gives what it says."""

    started = set()  # Process ids whose exit status is ours to collect.

    def __init__(self, name, command, root, env=None, cwd=None):
        self.name, self.log = name, root / "log" / f"{name}.log"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.ready_file = root / "ready" / f"{name}-{time.monotonic_ns()}.json"
        self.ready_file.parent.mkdir(exist_ok=True)
        temp = root / "tmp"
        temp.mkdir(exist_ok=True)
        command = [str(part).replace("{ready}", str(self.ready_file)) for part in command]
        environment = {**os.environ, "TMPDIR": str(temp), "MESH_TEST_ROOT": str(root), **(env or {})}
        with open(self.log, "ab") as log:
            log.write(f"--- {' '.join(command)}\n".encode())
            log.flush()
            self.popen = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                          env=environment, cwd=cwd)
        self.pid = self.popen.pid
        Process.started.add(self.pid)

    def alive(self):
        return self.popen.poll() is None

    def ready(self, timeout=15.0):
        def read():
            assert self.alive(), f"{self.name} ended with {self.popen.returncode}:\n{self.tail()}"
            return self.ready_file.exists() and json.loads(self.ready_file.read_text())

        end = time.monotonic() + timeout * SLOW
        while not (seen := read()):
            assert time.monotonic() < end, f"{self.name} is not ready:\n{self.tail()}"
            time.sleep(0.005)
        return seen

    def signal(self, number):
        self.popen.send_signal(number)

    def wait(self, timeout=30.0):
        return self.popen.wait(timeout * SLOW)

    def stop(self, timeout=30.0):
        """SIGTERM, and the exit status; SIGKILL and None when it does not end in time."""
        if self.alive():
            self.signal(signal.SIGTERM)
        try:
            return self.popen.wait(timeout * SLOW)
        except subprocess.TimeoutExpired:
            self.kill()
            return None

    def kill(self):
        if self.alive():
            self.popen.kill()
        self.popen.wait()

    def tail(self, lines=60):
        text = self.log.read_text(errors="replace").splitlines()
        return "\n".join(text[-lines:])


def processes_of(root):
    """(pid, command line) of each live process that knows the folder `root`."""
    found, mark = [], str(root).encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            if (entry / "stat").read_text().rpartition(")")[2].split()[0] == "Z":
                continue
            command = (entry / "cmdline").read_bytes()
            known = (mark in command or mark in (entry / "environ").read_bytes()
                     or mark in os.fsencode(os.readlink(entry / "cwd")))
        except OSError:
            continue
        if known:
            found.append((int(entry.name), command.replace(b"\0", b" ").decode(errors="replace")))
    return found


def kill_all(root):
    """Ends what knows `root`, whatever it is; for the end of a test that failed."""
    for _ in range(50):
        left = processes_of(root)
        if not left:
            return
        for pid, _ in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        time.sleep(0.02)


def reap_orphans():
    """Collects zombies that became ours when their parents died."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) in Process.started:
            continue
        try:
            state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            if state == "Z" and int(parent) == os.getpid():
                os.waitpid(int(entry.name), os.WNOHANG)
        except OSError:
            continue


def nothing_left(root, timeout=5.0):
    """Fails when a process that knows `root` is still there after `timeout`."""
    end = time.monotonic() + timeout * SLOW
    while left := processes_of(root):
        assert time.monotonic() < end, f"left behind: {left}"
        time.sleep(0.02)
    reap_orphans()


def stopped(pid):
    """SIGSTOP until the `with` ends."""
    return _Stopped(pid)


class _Stopped:
    def __init__(self, pid):
        self.pid = pid

    def __enter__(self):
        os.kill(self.pid, signal.SIGSTOP)

    def __exit__(self, *exc):
        try:
            os.kill(self.pid, signal.SIGCONT)
        except ProcessLookupError:
            pass


def listener_of(address):
    """The process that listens on `127.0.0.1:PORT`, by /proc/net/tcp; None when nobody does."""
    host, _, port = address.rpartition(":")
    packed = int.from_bytes(socket.inet_aton(host or "127.0.0.1"), sys.byteorder)
    wanted = {f"{packed:08X}:{int(port):04X}", f"00000000:{int(port):04X}"}
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inodes = {f"socket:[{row[9]}]" for row in rows if row[1] in wanted and row[3] == "0A"}
    for fd in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if os.readlink(fd) in inodes:
                return int(fd.parts[2])
        except OSError:
            continue
    return None


def is_ours(pid):
    """`pid` descends from this process: as a subreaper it is the parent of every orphan of its own."""
    while pid > 1:
        if pid == os.getpid():
            return True
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except OSError:
            return False
    return False
