# SPDX-License-Identifier: LGPL-2.1-or-later
"""The figures, their peers and their limits, and how one is measured."""
import dataclasses
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import tempfile

import material

SOURCE = pathlib.Path(__file__).resolve().parent.parent
COMMANDS = ("clinch", "clinch-keep")
PROGRAMS = ("clinch-bench", "clinch-bench-bare", "clinch-bench-handshake", "clinch-bench-client", "clinch-bench-raw",
            "clinch-bench-server", "clinch-bench-usage", "clinch-bench-world")
CHECK_TARGETS = 2000
CHECK_REPETITIONS = 5
PROFILE_CALLS = {"parse": 2000, "verify": 40, "check": 20}
DEADLINE_S = 300


class Trouble(Exception):
    """A figure that could not be measured, and why."""


@dataclasses.dataclass(frozen=True)
class Row:
    name: str  # for bench/profile
    what: str
    kind: str  # the key; the folder of its material
    ours: str  # a side of clinch-bench
    peer: str
    beside: str
    limit: float = None  # None: stated, no limit
    floor: str = None  # what nothing built on GnuTLS can go below; None: the peer is that already


ROWS = [
    Row("direct-p256", "verify, issuer-signed, P-256", "p256", "clinch-direct", "raw-direct", "one raw verify", 1.05),
    Row("direct-rsa", "verify, issuer-signed, RSA-2048", "rsa2048", "clinch-direct", "raw-direct", "one raw verify", 1.15),
    Row("remembered-p256", "verify, delegated, signer seen before, P-256", "p256", "clinch-remembered", "raw-delegated",
        "one raw verify", 1.10),
    Row("remembered-rsa", "verify, delegated, signer seen before, RSA-2048", "rsa2048", "clinch-remembered", "raw-delegated",
        "one raw verify", 1.25),
    Row("remembered-p256-gnutls", "verify, delegated, signer seen before, P-256", "p256", "clinch-remembered", "gnutls-verify",
        "GnuTLS import + resp_verify", 0.40, "raw-delegated"),
    Row("remembered-p256-openssl", "verify, delegated, signer seen before, P-256", "p256", "clinch-remembered",
        "openssl-verify", "OpenSSL d2i + basic_verify", 0.55, "raw-delegated"),
    Row("remembered-rsa-gnutls", "verify, delegated, signer seen before, RSA-2048", "rsa2048", "clinch-remembered",
        "gnutls-verify", "GnuTLS import + resp_verify"),
    Row("remembered-rsa-openssl", "verify, delegated, signer seen before, RSA-2048", "rsa2048", "clinch-remembered",
        "openssl-verify", "OpenSSL d2i + basic_verify"),
    Row("first-p256", "verify, delegated, first sight, P-256", "p256", "clinch-first-sight", "raw-two", "two raw verifies", 1.12),
    Row("first-rsa", "verify, delegated, first sight, RSA-2048", "rsa2048", "clinch-first-sight", "raw-two", "two raw verifies",
        1.12),
    Row("parse-gnutls", "parse a response of 500 bytes", "p256", "clinch-parse", "gnutls-parse", "gnutls_ocsp_resp_import",
        1 / 50),
    Row("parse-openssl", "parse a response of 500 bytes", "p256", "clinch-parse", "openssl-parse", "OpenSSL d2i, twice", 1 / 10),
]
# Of the server's side alone: 0.97 of the rate is 1 / 0.97 of the CPU time.
HANDSHAKE_ROWS = [
    Row("staple-leaf", "handshake with the leaf's staple, P-256", "tls", "staple-leaf", "no-staple", "the same without a staple", 1.03),
    Row("staple-chain", "handshake with two staples, P-256", "tls", "staple-chain", "no-staple", "the same without a staple", 1.03),
    Row("staple-bare", "handshake with the leaf's staple, P-256", "tls", "staple-leaf", "bare", "bare GnuTLS, fixed staple", 1.05),
    Row("swap-p99", "handshake p99, 1,000 swaps a second, wall", "tls", "swapped", "still", "the same without swaps", 1.10),
    Row("swap-p99-cpu", "handshake p99, 1,000 swaps a second, CPU", "tls", "swapped-cpu", "still-cpu", "the same without swaps"),
]
CHECK_CPU = Row("check-cpu", f"check of {CHECK_TARGETS} targets, CPU", "tls", "clinch check", "clinch-bench-client",
                "bare GnuTLS client", 1.20)
CHECK_MEMORY = Row("check-memory", f"check of {CHECK_TARGETS} targets, peak memory", "tls", "clinch check",
                   "clinch-bench-client", "a limit of 32 MiB; bare:", 1.0)
MEMORY_LIMIT_MIB = 32


@dataclasses.dataclass
class Figure:
    row: Row
    ours: str
    peer: str
    ratios: tuple  # smallest, median, largest
    held_by: str = ""  # what was at its end meanwhile, as it was measured

    @property
    def missed(self):
        return self.row.limit is not None and self.ratios[1] > self.row.limit


def spans(ns):
    return f"{ns / 1000:.2f} us" if ns < 1e6 else f"{ns / 1e6:.1f} ms" if ns < 1e9 else f"{ns / 1e9:.2f} s"


class Bench:
    """A release build, and the material of this run; use as a context."""

    def __init__(self, build):
        self.build = pathlib.Path(build).resolve()
        self.folder = None

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="clinch-bench."))
        material.make(self.folder)
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)

    def program(self, name):
        path = self.build / (name if name in COMMANDS else f"bench/{name}")
        if not path.exists():
            raise Trouble(f"{path} is not there: build with -Dbench=true")
        return str(path)

    def run(self, argv, **more):
        argv = [str(a) for a in argv]
        try:
            done = subprocess.run(argv, capture_output=True, text=True, timeout=DEADLINE_S, **more)
        except subprocess.TimeoutExpired as late:
            raise Trouble(f"{argv[0]} did not end within {DEADLINE_S} s") from late
        if done.returncode:
            raise Trouble(f"{' '.join(argv[:6])} ... ended with {done.returncode}: {done.stderr.strip()[-500:]}")
        return done.stdout

    def versions(self):
        return self.run([self.program("clinch-bench"), "--version"]).strip()

    def pair(self, row):
        out = self.run([self.program("clinch-bench"), self.folder / row.kind, row.ours, row.peer])
        ours, peer, *ratios = map(float, out.split())
        return Figure(row, spans(ours), spans(peer), tuple(ratios))

    def handshake(self, row):
        out = self.run([self.program("clinch-bench-handshake"), self.folder / row.kind, row.ours, row.peer])
        ours, peer, *ratios = map(float, out.split())
        return Figure(row, spans(ours), spans(peer), tuple(ratios))

    # --- clinch check beside a bare client

    def check(self):
        """The figures of CPU and of memory."""
        with Server(self) as server:
            ours, bare = [], []
            for _ in range(CHECK_REPETITIONS):
                ours.append(self.usage(server.ours(CHECK_TARGETS)))
                bare.append(self.usage(server.bare(CHECK_TARGETS)))
        ratios = sorted(a[0] / b[0] for a, b in zip(ours, bare))
        cpu = Figure(CHECK_CPU, spans(1000 * statistics.median(u for u, _ in ours)),
                     spans(1000 * statistics.median(u for u, _ in bare)), (ratios[0], statistics.median(ratios), ratios[-1]))
        peaks = sorted(kib / 1024 for _, kib in ours)
        memory = Figure(CHECK_MEMORY, f"{peaks[-1]:.1f} MiB", f"{max(kib for _, kib in bare) / 1024:.1f} MiB",
                        tuple(mib / MEMORY_LIMIT_MIB for mib in (peaks[0], statistics.median(peaks), peaks[-1])))
        return cpu, memory

    def usage(self, argv):
        """(CPU time in us, peak memory in KiB) of a command that must succeed."""
        out = self.run([self.program("clinch-bench-usage"), *argv], preexec_fn=lambda: pin(-1))
        status, cpu, peak = map(int, out.split())
        if status:
            raise Trouble(f"{' '.join(map(str, argv[:6]))} ... ended with {status}")
        return cpu, peak

    # --- profiles

    def floor(self, row):
        """The ratio that one raw verification alone has, where the peer is something else."""
        return self.pair(dataclasses.replace(row, ours=row.floor)).ratios[1]

    def profile(self, row):
        """Lines: the three costliest functions of our side, and what costs most beyond the peer's side, or beyond the floor."""
        if row not in (*ROWS, CHECK_CPU, CHECK_MEMORY):
            raise Trouble("valgrind --tool=callgrind on clinch-bench-handshake, or perf record -g on the daemon, shows where it goes")
        ours, beneath = self.costs(row, row.ours), self.costs(row, row.floor or row.peer)
        total = sum(ours.values())
        lines = [f"{cost:12,.0f} Ir {100 * cost / total:5.1f} %  {name}" for name, cost in top(ours)]
        beyond = {name: cost - beneath.get(name, 0) for name, cost in ours.items()}
        lines += [f"{cost:+12,.0f} Ir {100 * cost / total:5.1f} %  {name}" for name, cost in top(beyond) if cost > 0]
        return lines

    def costs(self, row, side):
        """Instructions a call of a side of that row, by function."""
        out = self.folder / "callgrind.out"
        valgrind = ["valgrind", "-q", "--tool=callgrind", f"--callgrind-out-file={out}"]
        if row.kind == "tls":
            calls = PROFILE_CALLS["check"]
            with Server(self) as server:
                self.run([*valgrind, *(server.ours if side == row.ours else server.bare)(calls)])
        else:
            calls = PROFILE_CALLS[row.what.split()[0].rstrip(",")]
            self.run([*valgrind, "--collect-atstart=no", "--toggle-collect=clock_batch", self.program("clinch-bench"),
                      self.folder / row.kind, side, calls])
        text = self.run(["callgrind_annotate", "--threshold=100", "--auto=no", "--show-percs=no", out])
        return {name: cost / calls for name, cost in annotated(text)}


def annotated(text):
    """(function, instructions) of callgrind_annotate's table; directories and recursion marks left out."""
    for line in text.splitlines():
        found = re.match(r"\s*([\d,]+)\s+(\S.*)$", line)
        if found and "PROGRAM TOTALS" not in line:
            name = re.sub(r"\[(?:.*/)?([^/\]]+)\]$", r"[\1]", re.sub(r"^\S*:", "", found[2]))
            yield re.sub(r"'\d+", "", name), int(found[1].replace(",", ""))


def top(costs):
    return sorted(costs.items(), key=lambda item: -item[1])[:3]


def pin(which):
    """This process onto the first (0) or last (-1) of the processors it may use."""
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[which]})


class Server:
    """The TLS server of the check row, for the length of a context; it ends when its standard input does."""

    def __init__(self, bench):
        self.bench, self.folder = bench, bench.folder / "tls"
        self.process = self.port = None

    def __enter__(self):
        self.process = subprocess.Popen([self.bench.program("clinch-bench-server"), self.folder], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, preexec_fn=lambda: pin(0))
        self.port = self.process.stdout.readline().strip()
        if not self.port:
            raise Trouble("the server of the check row did not start")
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def ours(self, times):
        return [self.bench.program("clinch"), "check", "--ca", self.folder / "ca.pem", *[f"127.0.0.1:{self.port}"] * times]

    def bare(self, times):
        return [self.bench.program("clinch-bench-client"), self.folder / "ca.pem", self.port, times]
