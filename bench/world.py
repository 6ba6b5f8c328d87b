# SPDX-License-Identifier: LGPL-2.1-or-later
"""The figures that count certificates: what the keeper takes for many at a cold start, and how soon `serve` is back."""
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import tempfile
import time

from rows import DEADLINE_S, Figure, Row, Trouble, spans

CERTIFICATES = 100_000
SERVED = 10_000
RESTARTS = 3
NAMES_B = len("host000000.example") + 1  # and the path of the file, which differs with the folder

KEEPER_CPU = Row("keeper-cpu", f"keeper: cold fill of {CERTIFICATES}, CPU each", "world", "clinch-keep", "raw",
                 "one raw verify", 2.0)
KEEPER_MEMORY = Row("keeper-memory", f"keeper: memory each at {CERTIFICATES}", "world", "clinch-keep", "",
                    "a limit beside names", 1.0)
RESTART = Row("serve-ready", f"serve: ready with {SERVED} of {CERTIFICATES}, wall", "world", "clinch serve", "raw",
              "raw verifies on all cores", 1.6)
MEMORY_LIMIT_B = 250
RESPONDERS = 1000
HANG_RUNS = 7
HANG = Row("keeper-hang", f"keeper: {RESPONDERS - 1} filled while one of {RESPONDERS} hangs, wall", "world", "clinch-keep", "",
           "with none that hangs", 1.15)


class World:
    """N certificates and their responder, for the length of a context. In memory where there is such a folder: no disk's time is
    in the figures."""

    def __init__(self, bench, certificates=CERTIFICATES, more=()):
        self.bench, self.n, self.more = bench, certificates, more
        memory = pathlib.Path("/dev/shm")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="clinch-bench.", dir=memory if memory.is_dir() else None))
        self.process = None

    def __enter__(self):
        argv = [self.bench.program("clinch-bench-world"), str(self.folder), str(self.n), *self.more]
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if not self.process.stdout.readline().strip():
            self.__exit__()
            raise Trouble("the responder did not start")
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def configuration(self, text):
        path = self.folder / "clinch.yaml"
        path.write_text(f"store: {self.folder}/store\nlog: {{ level: warning }}\n{text}")
        return path

    def until_ready(self, argv):
        """(wall time in ns, CPU time in ns, memory in bytes) of a daemon when it is ready; it is ended then."""
        ready = self.folder / "ready"
        ready.unlink(missing_ok=True)
        began = time.monotonic_ns()
        with subprocess.Popen([*map(str, argv), "--allow-root", "--ready-file", str(ready)], stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True) as daemon:
            try:
                while not ready.exists():
                    if daemon.poll() is not None:
                        raise Trouble(f"{argv[0]} ended with {daemon.returncode}: {daemon.stderr.read()[-500:]}")
                    if time.monotonic_ns() - began > DEADLINE_S * 1e9:
                        raise Trouble(f"{argv[0]} was not ready within {DEADLINE_S} s")
                    time.sleep(0.005)
                return time.monotonic_ns() - began, cpu_of(daemon.pid), memory_of(daemon.pid)
            finally:
                if daemon.poll() is None:
                    daemon.send_signal(signal.SIGTERM)

    def raw(self, calls):
        """(wall time, CPU time) in ns of so many raw verifications."""
        return tuple(map(int, self.bench.run([self.bench.program("clinch-bench-raw"), self.bench.folder / "p256", calls]).split()))

    # --- the keeper

    def fill(self, halves):
        """A keeper's cold start on these halves: (CPU time in ns, memory in bytes)."""
        store = self.folder / "store"
        shutil.rmtree(store, ignore_errors=True)
        paths = "".join(f"    - path: {self.folder}/{half}\n" for half in halves)
        conf = self.configuration(f"keep:\n  socket: none\n  ready_timeout: 1h\n  issuers: {self.folder}/ca.pem\n"
                                  f"  certificates:\n{paths}")
        _, cpu, memory = self.until_ready([self.bench.program("clinch-keep"), "keep", "-c", conf])
        wanted, there = self.n // 2 * len(halves), sum(1 for _ in store.glob("*.der"))
        if there != wanted:
            raise Trouble(f"{there} responses are in the store, not {wanted}")
        return cpu, memory

    def keeper(self):
        """The figures of CPU and of memory; leaves the store full."""
        half, calls = self.n // 2, 4000
        before = self.raw(calls)[1] / calls
        cpu_half, memory_half = self.fill((0,))
        between = self.raw(calls)[1] / calls
        cpu, memory = self.fill((0, 1))
        after = self.raw(calls)[1] / calls
        ratios = sorted((cpu_half / half / ((before + between) / 2), cpu / self.n / ((between + after) / 2)))
        yield Figure(KEEPER_CPU, spans(cpu / self.n), spans((between + after) / 2), (ratios[0], statistics.mean(ratios), ratios[1]))
        names = NAMES_B + len(f"{self.folder}/0/000000.pem") + 1
        each = (memory - memory_half) / (self.n - half) - names
        ratio = each / MEMORY_LIMIT_B
        yield Figure(KEEPER_MEMORY, f"{each:.0f} B", f"{MEMORY_LIMIT_B} B", (ratio, ratio, ratio))

    def until_held(self, wanted):
        """Wall time in ns from a keeper's cold start until the store has so many responses."""
        store = self.folder / "store"
        shutil.rmtree(store, ignore_errors=True)
        conf = self.configuration(f"fetch: {{ proxy: none }}\nkeep:\n  socket: none\n  issuers: {self.folder}/ca.pem\n  certificates:\n"
                                  f"    - path: {self.folder}/0\n    - path: {self.folder}/1\n")
        began = time.monotonic_ns()
        argv = [str(self.bench.program("clinch-keep")), "keep", "-c", str(conf), "--allow-root"]
        with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as daemon:
            try:
                while not store.is_dir() or sum(name.endswith(".der") for name in os.listdir(store)) < wanted:
                    if daemon.poll() is not None or time.monotonic_ns() - began > DEADLINE_S * 1e9:
                        raise Trouble(f"{wanted} responses did not come")
                    time.sleep(0.002)
                return time.monotonic_ns() - began
            finally:
                if daemon.poll() is None:
                    daemon.send_signal(signal.SIGTERM)

    # --- serve

    def restart(self, served=SERVED):
        """The store is full: keeper() goes before."""
        pairs = "".join(f"    - {{ chain: {self.folder}/0/{i:06}.pem, key: {self.folder}/key.pem }}\n" for i in range(served))
        conf = self.configuration(f"serve:\n  listen: [ '127.0.0.1:0' ]\n  backend: 127.0.0.1:9\n  keeper: none\n"
                                  f"  ready_timeout: 1h\n  issuers: {self.folder}/ca.pem\n  certificates:\n{pairs}")
        ours, peer = [], []
        for _ in range(RESTARTS):
            ours.append(self.until_ready([self.bench.program("clinch"), "serve", "-c", conf])[0])
            peer.append(self.raw(served)[0])
        ratios = sorted(a / b for a, b in zip(ours, peer))
        return Figure(RESTART, spans(statistics.median(ours)), spans(statistics.median(peer)),
                      (ratios[0], statistics.median(ratios), ratios[-1]))


def hanging(bench):
    """A responder that takes connections and says nothing: the others' responses come as soon as without it."""
    with World(bench, RESPONDERS, [str(RESPONDERS)]) as well, World(bench, RESPONDERS, [str(RESPONDERS), "hang"]) as ill:
        pairs = [(ill.until_held(RESPONDERS - 1), well.until_held(RESPONDERS - 1)) for _ in range(HANG_RUNS)]
    ratios = sorted(a / b for a, b in pairs)
    ours, peer = (statistics.median(times) for times in zip(*pairs))
    return Figure(HANG, spans(ours), spans(peer), (ratios[0], statistics.median(ratios), ratios[-1]))


def cpu_of(pid):
    """In ns, of all its threads, those that have ended too; to a tick."""
    user, system = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")


def memory_of(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise Trouble(f"the memory of process {pid} is not told")


def figures(bench):
    with World(bench) as world:
        yield from world.keeper()
        yield world.restart()
    yield hanging(bench)
