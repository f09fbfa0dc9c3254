"""Processes that are measured: started on given cores, watched through /proc, always ended."""

import os
import resource
import signal
import socket
import subprocess
import time
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
MANY_FILES = 65536
URGENT = -19  # What else this machine does disturbs less, where the user may say so.
PAGE_KIB = os.sysconf("SC_PAGE_SIZE") // 1024


class Cores:
    """The measured processes get the last core for themselves; what drives them gets the others."""

    def __init__(self):
        available = sorted(os.sched_getaffinity(0))
        self.measured = {available[-1]}
        self.driving = set(available[:-1]) or self.measured
        self.every = set(available)

    def __str__(self):
        return f"measured on {sorted(self.measured)}, driven from {sorted(self.driving)}"


def _prepare(cores):
    def prepare():
        os.sched_setaffinity(0, cores)
        try:
            os.setpriority(os.PRIO_PROCESS, 0, URGENT)
        except PermissionError:
            pass
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (MANY_FILES, max(hard, MANY_FILES)))
        except (OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    return prepare


class Process:
    """One program and the children it makes."""

    def __init__(self, argv, cores, log, env=None, **popen):
        self.argv = [str(word) for word in argv]
        self.log = log
        self._log = open(log, "ab")
        self.popen = subprocess.Popen(
            self.argv,
            stderr=self._log,
            stdout=popen.pop("stdout", self._log),
            env={**os.environ, **(env or {})},
            preexec_fn=_prepare(cores),
            start_new_session=True,
            **popen,
        )

    def pids(self):
        pids = [self.popen.pid]
        for pid in pids:
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                pids += [int(child) for child in task.read_text().split()]
        return pids

    def cpu_seconds(self):
        """utime+stime of all of them."""
        return sum(cpu_seconds(pid) for pid in self.pids())

    def resident_kib(self):
        return sum(resident_kib(pid) for pid in self.pids())

    def stop(self, patience=5):
        if self.popen.poll() is None:
            self.popen.terminate()
            try:
                self.popen.wait(patience)
            except subprocess.TimeoutExpired:
                os.killpg(self.popen.pid, signal.SIGKILL)
                self.popen.wait()
        self._log.close()


def cpu_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_kib(pid):
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_KIB


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(condition, what, seconds=15, pause=0.02):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited in vain for {what}")
        time.sleep(pause)
    return value


def wait_for_port(port, process):
    def is_open():
        if process.popen.poll() is not None:
            said = Path(process.log).read_text(errors="replace")[-500:]
            raise RuntimeError(f"{process.argv[0]} ended with {process.popen.returncode}: {said}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_for(is_open, f"{process.argv[0]} on port {port}")
