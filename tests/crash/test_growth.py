# SPDX-License-Identifier: LGPL-2.1-or-later
"""Memory and descriptors after many handshakes and many reloads are those after a few."""
import os
import signal
import socket
import threading
import time

from harness import case, expect, expect_equal, main, new_tempdir, skip, start, wait_for
from stage import SANITIZED, SOAK, Estate, Front, Remembering, read_seen, tool

HANDSHAKES = (20000, 100000) if SOAK else (1000, 3000)
RELOADS = (10, 1000) if SOAK else (10, 60)
PERCENT = 1 if SOAK else 5
# A reload of serve makes the new state before the old one goes, which leaves holes in its heap (1.2 % after 1,000); no block is lost.
PERCENT_OF_RELOADS = 3 if SOAK else 5
CLIENTS = 2  # at once, always
QUIET_S = 3 if SOAK else 1.3


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def resident(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
        return next(int(line.split()[1]) for line in f if line.startswith("Rss:"))


class Measured:
    """A process, and what it had when it was looked at; in KiB."""

    def __init__(self, pid, what):
        self.pid, self.what, self.rows = pid, what, []
        self.idle = descriptors(pid)

    def take(self, n):
        """When it has been quiet for a moment: what is no longer needed is given back then."""
        wait_for(lambda: descriptors(self.pid) <= self.idle, 20, f"{self.what} to have {self.idle} descriptors again")
        last, since = None, time.monotonic()

        def is_quiet():
            nonlocal last, since
            now = resident(self.pid), descriptors(self.pid)
            if now != last:
                last, since = now, time.monotonic()
            return time.monotonic() - since > QUIET_S

        wait_for(is_quiet, 30, f"{self.what} to be quiet")
        self.rows.append((n, *last))

    def compare(self, percent=PERCENT):
        (few, first, open_first), (many, last, open_last) = self.rows[-2:]
        print(f"#| {self.what}: {first} KiB and {open_first} descriptors after {few}, {last} KiB and {open_last} after {many}: "
              f"{100 * (last - first) / first:+.2f} %")
        expect_equal(open_last, open_first, f"{self.what}: descriptors after {many}, and after {few}")
        expect(last - first < first * percent / 100, f"{self.what}: {first} KiB after {few}, {last} KiB after {many}")


class Echo:
    """A backend: what comes is sent back, until the end of it."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.address = "127.0.0.1:%d" % self.socket.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    @staticmethod
    def _serve(connection):
        connection.settimeout(30)
        with connection:
            try:
                while data := connection.recv(4096):
                    connection.sendall(data)
            except OSError:
                pass  # reset, as some of these clients do


def shake(front, n, name):
    clients = [start([tool("shaker"), "-e", "-r", n // CLIENTS, front.port, name]) for _ in range(CLIENTS)]
    for client in clients:
        expect_equal(client.wait(900), 0, "exit status of the shaker")
        seen, done = read_seen(client.log_text())
        expect_equal(({s.state for s in seen}, done), ({"stapled"}, n // CLIENTS), "what the clients saw")


class Notified:
    """Where systemd would be told. (A log says only so many lines in a time.)"""

    def __init__(self):
        self.path = os.path.join(new_tempdir(), "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(20)
        self.env = {"NOTIFY_SOCKET": self.path}

    def wait_ready(self):
        while b"READY=1" not in self.socket.recv(1000).split(b"\n"):
            pass

    def reload(self, process, n):
        for _ in range(n):
            os.kill(process.pid, signal.SIGHUP)
            self.wait_ready()


def needs_true_memory():
    if SANITIZED:
        skip("a sanitizer keeps freed memory")


def estate_of(ca, n):
    return Estate(ca, [ca.leaf(f"host{i}.example.org", label=f"host{i}") for i in range(n)])


@case
def handshakes_leave_nothing_behind():
    needs_true_memory()
    with Remembering() as ca:
        backend = Echo()
        front = Front(estate_of(ca, 3), keeper=True, backend=backend.address)
        measured, done = Measured(front.process.pid, "serve, handshakes"), 0
        for n in HANDSHAKES:
            shake(front, n - done, "host1.example.org")
            measured.take(n)
            done = n
        measured.compare()


@case
def reloads_of_serve_leave_nothing_behind():
    needs_true_memory()
    with Remembering() as ca:
        systemd, done = Notified(), 0
        front = Front(estate_of(ca, 20), keeper=True, env=systemd.env)
        systemd.wait_ready()
        measured, child = Measured(front.process.pid, "serve, reloads"), Measured(front.child(), "its keeper, reloads")
        for n in RELOADS:
            systemd.reload(front.process, n - done)
            measured.take(n)
            child.take(n)
            done = n
        measured.compare(PERCENT_OF_RELOADS)
        child.compare()


@case
def reloads_of_the_keeper_leave_nothing_behind():
    needs_true_memory()
    with Remembering() as ca:
        systemd, done = Notified(), 0
        keep = estate_of(ca, 20).keep().start(env=systemd.env)
        systemd.wait_ready()
        measured = Measured(keep.process.pid, "keep, reloads")
        for n in RELOADS:
            systemd.reload(keep.process, n - done)
            measured.take(n)
            done = n
        measured.compare()


main()
