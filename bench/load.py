"""The load generator (bench/load.cc), and what a load costs the proxy that carries it."""

import json
import shutil
import signal
import subprocess
import time
from pathlib import Path

from bench.processes import Process


ATTEMPTS = 3  # A machine that does something else may leave a whole window without an answer.


class Load:
    def __init__(self, build, folder, cores):
        self.program = Path(build) / "bench" / "bench-load"
        self.folder, self.cores = Path(folder), cores

    def _argv(self, kind, subject, target, **settings):
        argv = [self.program, kind, "--to", f"127.0.0.1:{subject.port}",
                "--target", subject.prefix + target]
        for name, value in settings.items():
            argv += [f"--{name}", value]
        return argv

    def run(self, kind, subject, target, **settings):
        process = Process(self._argv(kind, subject, target, **settings), self.cores.driving,
                          self.folder / "load.log", stdout=subprocess.PIPE)
        try:
            seconds = settings.get("seconds", 1) + settings.get("warmup", 1) + 30
            output, _ = process.popen.communicate(timeout=seconds)
            if process.popen.returncode != 0:
                raise RuntimeError(f"bench-load failed: {' '.join(process.argv)}")
            return json.loads(output.splitlines()[-1])
        finally:
            process.stop()

    def requests(self, subject, target, connections, seconds, rate=0):
        """With the CPU time that one request costs the proxy, in microseconds."""
        for _ in range(ATTEMPTS):
            result = self._requests_once(subject, target, connections, seconds, rate)
            if result["requests"] > 0:
                return result
        raise RuntimeError(f"{subject.name} answered nothing: {result}")

    def _requests_once(self, subject, target, connections, seconds, rate):
        argv = self._argv("requests", subject, target, connections=connections, seconds=seconds,
                          warmup=0.3, rate=rate)
        result, cpu, window = self._watched(argv, subject, 0.3, seconds)
        result["cpu_us"] = cpu / window / max(result["rps"], 1) * 1e6
        return result

    def chat(self, subject, streams, pace_ms, seconds, warmup=1.2):
        """Streaming chats, with the CPU time that 1,000 tokens cost the proxy, in milliseconds."""
        argv = [self.program, "chat", "--to", f"127.0.0.1:{subject.port}",
                "--target", "/v1/chat/completions", "--connections", streams, "--seconds", seconds,
                "--warmup", warmup, "--pace_us", int(pace_ms * 1000)]
        for _ in range(ATTEMPTS):
            result, cpu, window = self._watched(argv, subject, warmup, seconds)
            if result["tokens"] > 0 and result["errors"] == 0:
                break
        else:
            raise RuntimeError(f"{subject.name} does not chat: {result}")
        result["cpu_ms"] = cpu / window / (result["tokens"] / seconds) * 1e6
        return result

    def _watched(self, argv, subject, warmup, seconds):
        """What the load says, and the CPU time of the subject over a window within it."""
        process = Process(argv, self.cores.driving, self.folder / "load.log",
                          stdout=subprocess.PIPE)
        try:
            time.sleep(warmup + 0.05)  # The window below lies within the measured time.
            cpu, start = subject.cpu_seconds(), time.monotonic()
            time.sleep(max(seconds - 0.15, 0.1))
            cpu, window = subject.cpu_seconds() - cpu, time.monotonic() - start
            output, _ = process.popen.communicate(timeout=seconds + 30)
            if process.popen.returncode != 0:
                raise RuntimeError(f"bench-load failed: {' '.join(process.argv)}")
        finally:
            process.stop()
        return json.loads(output), cpu, window

    def events(self, subject, connections, interval_ms, seconds):
        return self.run("events", subject, f"/events?interval_ms={interval_ms}",
                        connections=connections, seconds=seconds, warmup=0.5)

    def hold(self, subject, kind, target, connections, measure, seconds=1.5):
        """Calls `measure` while that many connections are held."""
        settings = {"seconds": 3600} if kind == "events" else {}
        process = Process(self._argv(kind, subject, target, connections=connections, **settings),
                          self.cores.driving, self.folder / "load.log", stdout=subprocess.PIPE,
                          stdin=subprocess.PIPE)
        try:
            process.popen.stdout.readline()  # All are open.
            time.sleep(seconds)
            return measure()
        finally:
            process.stop()

    def syscalls(self, subject, target, connections, seconds):
        """System calls a request, by strace in a run of its own; None without strace."""
        if shutil.which("strace") is None:
            return None
        summary = self.folder / "strace.txt"
        pids = [flag for pid in subject.pids() for flag in ("-p", str(pid))]
        strace = subprocess.Popen(["strace", "-c", "-f", "-o", summary, *pids],
                                  stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(0.5)
        try:
            result = self.run("requests", subject, target, connections=connections,
                              seconds=seconds, warmup=0)
        finally:
            strace.send_signal(signal.SIGINT)
            strace.wait(10)
        total = [line.split() for line in summary.read_text().splitlines() if line.endswith("total")]
        if not total or result["requests"] == 0:
            return None
        return int(total[0][3 if len(total[0]) > 4 else 2]) / result["requests"]
