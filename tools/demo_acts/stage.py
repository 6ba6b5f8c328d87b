# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the acts of the demo are played on: a directory, the programs in it, and what the person sees of them."""
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time

CLINCH = os.path.abspath(os.environ.get("CLINCH") or os.path.join(os.path.dirname(__file__), "..", "..", "build", "clinch"))
COMMAND_S = 20  # one command, the start of one server, and what is waited for


class Trouble(Exception):
    """Why the demo cannot go on, in a sentence."""


# --- talking to the person ----------------------------------------------------------------------------------------------------

COLOUR = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(code, text):
    return f"\033[{code}m{text}\033[0m" if COLOUR else text


def say(text=""):
    print(text, flush=True)


def title(text):
    say("\n" + paint("1;36", f"== {text} " + "=" * max(0, 116 - len(text))))


# --- commands and servers -----------------------------------------------------------------------------------------------------


class Stage:
    """The directory that all commands run in, the servers that run, and the verdicts so far."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="clinch-demo.")
        self.env = dict(os.environ, ROOT_PORT="0", ISSUING_PORT="0", CA="root", LC_ALL="C", TZ="UTC")
        self.servers, self.started = [], 0
        self.rows = []  # of the act that is on

    def path(self, name):
        return os.path.join(self.dir, name)

    def close(self):
        for server in self.servers:
            stop(server)
        shutil.rmtree(self.dir, ignore_errors=True)

    def quiet(self, line, **env):
        """One command line of the preparations, which must succeed; what it printed."""
        done = self._run(shlex.split(line), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=dict(self.env, **env))
        if done.returncode:
            raise Trouble(f"this failed with {done.returncode}: {line}\n{done.stdout.decode(errors='replace')}")
        return done.stdout.decode(errors="replace")

    def shown(self, line, **env):
        """As quiet(), but the person sees it."""
        say(paint("1", f"   $ {line}"))
        self.quiet(line, **env)

    def clinch(self, *words):
        """Runs clinch for the person to see; its exit status."""
        say(paint("1", "   $ clinch " + shlex.join(words)))
        return self._run([CLINCH, *words], stderr=subprocess.STDOUT, env=os.environ).returncode

    def clinch_json(self, *words):
        """Runs clinch for us to judge: its exit status and the one object it printed."""
        done = self._run([CLINCH, *words], stdout=subprocess.PIPE)
        try:
            return done.returncode, json.loads(done.stdout)
        except ValueError:
            raise Trouble(f"clinch {shlex.join(words)} did not print one JSON object but: {done.stdout[:200]!r}") from None

    def _run(self, argv, **more):
        more.setdefault("env", self.env)
        try:
            return subprocess.run(argv, cwd=self.dir, timeout=COMMAND_S, stdin=subprocess.DEVNULL, **more)
        except FileNotFoundError:
            raise Trouble(f"{argv[0]} is not there (make deps installs what is missing, make builds clinch)") from None
        except subprocess.TimeoutExpired:
            raise Trouble(f"not done after {COMMAND_S} s: {shlex.join(argv)}") from None

    def serve(self, line, ready):
        """Starts a server and returns what ready() says of it once that is true: its port."""
        self.started += 1
        argv = shlex.split(line)
        with open(self.path(f"server-{self.started}.log"), "wb") as log:
            server = self._start(argv, cwd=self.dir, env=self.env, stdin=subprocess.DEVNULL, stdout=log,
                                 stderr=subprocess.STDOUT, start_new_session=True)
        server.line, server.log = line, log.name
        self.servers.append(server)
        deadline = time.monotonic() + COMMAND_S
        while time.monotonic() < deadline:
            port = ready(server)
            if port:
                return port
            if server.poll() is not None:
                break
            time.sleep(0.01)
        raise Trouble(f"it did not start: {line}\n{log_of(server)}")

    @staticmethod
    def _start(argv, **more):
        try:
            return subprocess.Popen(argv, **more)
        except FileNotFoundError:
            raise Trouble(f"{argv[0]} is not there (make deps installs what is missing, make builds clinch)") from None

    def end_last(self):
        stop(self.servers.pop())


def stop(server):
    """Ends one process that this demo started, by its id."""
    if server.poll() is None:
        server.terminate()
        try:
            server.wait(3)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait(3)


def log_of(server):
    with open(server.log, errors="replace") as log:
        return log.read()


def says_its_port(server):
    """openssl prints what it listens at."""
    found = re.search(r"^ACCEPT \S*:(\d+)", log_of(server), re.M)
    return found and found.group(1)


def accepts_at(port):
    """gnutls-serv does not, so the port is chosen before."""

    def ready(server):
        if server.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return str(port)
            except OSError:
                return None
        return None

    return ready


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def expect_fetch(stage, expected, *words):
    got = stage.clinch("fetch", *words)
    mark(got == expected, f"exit status {got}, expected {expected}")
    if got != expected:
        raise Trouble(f"clinch fetch {shlex.join(words)} exited with {got} instead of {expected}")


def mark(right, text):
    say("   " + (paint("1;32", f"[ok] {text}") if right else paint("1;31", f"[WRONG] {text}")))
