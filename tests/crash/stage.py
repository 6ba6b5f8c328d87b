# SPDX-License-Identifier: LGPL-2.1-or-later
"""A store that is busy: many certificates with lives of seconds, a keeper or `clinch serve` on it, and who looks at what comes of it."""
import hashlib
import os
import signal
import subprocess

from authority import Authority
from cryptography.x509 import ocsp
from harness import Failed, build_path, expect, new_tempdir, run, start, wait_for
from scene import NO_PROXY, Keep, put, this_update, until

SOAK = bool(os.environ.get("CLINCH_SOAK"))
SANITIZED = os.environ.get("CLINCH_SANITIZE", "none") != "none"
TMP_PREFIX, TMP_SUFFIX = ".clinch-", ".tmp"


def tool(name):
    return build_path("tests", "crash", name)


class Remembering(Authority):
    """It knows what it signed, and about whom."""

    def __init__(self, **pki):
        self.signed = {}
        super().__init__(**pki)

    def sign(self, identity, **more):
        der = super().sign(identity, **more)
        self.signed[der] = identity
        return der


class Estate:
    """Certificates in a directory, and a store for them."""

    def __init__(self, ca, leaves):
        self.ca, self.leaves, self.dir = ca, list(leaves), new_tempdir()
        self.store = os.path.join(self.dir, "store")
        self.chains = os.path.join(self.dir, "chains")
        os.mkdir(self.chains)
        self.chain_of = {leaf.label: put(leaf, os.path.join(self.chains, leaf.label + ".pem")) for leaf in self.leaves}
        self.runs = 0

    def path_of(self, leaf):
        return os.path.join(self.store, hashlib.sha256(leaf.der).hexdigest() + ".der")

    def held(self, leaf):
        """The bytes in the store; None: there are none."""
        try:
            with open(self.path_of(leaf), "rb") as f:
                return f.read()
        except FileNotFoundError:
            return None

    def temporaries(self):
        return [n for n in os.listdir(self.store) if n.startswith(TMP_PREFIX) and n.endswith(TMP_SUFFIX)]

    def keep(self):
        """A keeper's configuration; not started."""
        keep = Keep()
        keep.store = self.store
        keep.configure(self.chains + "/*.pem")
        return keep


class Front:
    """`clinch serve` on an estate; `entries` are pairs of chain and key, by default all of it."""

    def __init__(self, estate, keeper=False, entries=None, backend="127.0.0.1:9", settings="ready_timeout: 60s", env=None):
        self.estate, self.keeper, self.backend, self.settings = estate, keeper, backend, settings
        self.conf = os.path.join(new_tempdir(), "clinch.yaml")
        self.ready = self.conf + ".ready"
        self.configure(entries or [(estate.chain_of[leaf.label], leaf.key_file) for leaf in estate.leaves])
        self.process = start([build_path("clinch"), "serve", "-c", self.conf, "--allow-root", "--ready-file", self.ready],
                             ready=f"path:{self.ready}", seconds=60, env={**NO_PROXY, **(env or {})})
        with open(self.ready, encoding="ascii") as f:
            self.port = int(f.read().strip().rpartition(":")[2])

    def configure(self, entries):
        pairs = "".join(f'    - {{ chain: "{chain}", key: "{key}" }}\n' for chain, key in entries)
        with open(self.conf + ".new", "w", encoding="utf-8") as f:
            f.write(f"store: {self.estate.store}\nlog: {{ format: json }}\nfetch: {{ proxy: none }}\nserve:\n"
                    f"  listen: [ \"127.0.0.1:0\" ]\n  backend: {self.backend}\n  threads: 2\n  {self.settings}\n"
                    + ("" if self.keeper else "  keeper: none\n") + f"  certificates:\n{pairs}")
        os.replace(self.conf + ".new", self.conf)

    def events(self, kind):
        """Lines of its log, and of its child's, that say so."""
        return [line for line in self.process.log_lines() if f'"event":"{kind}"' in line.replace(": ", ":")]

    def hup(self):
        os.kill(self.process.pid, signal.SIGHUP)

    def reload(self, seconds=30):
        done = len(self.events("reloaded"))
        self.hup()
        wait_for(lambda: len(self.events("reloaded")) > done, seconds, "the reload")

    def child(self):
        """The keeper's pid, once it is the keeper."""
        def find():
            for pid in children_of(self.process.pid):
                if command_of(pid).startswith(b"clinch-keep\0"):
                    return pid
            return None

        return wait_for(find, 10, "the keeper of serve")


def children_of(pid):
    try:
        found = []
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as f:
                found += [int(word) for word in f.read().split()]
        return found
    except FileNotFoundError:
        return []


def command_of(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            return f.read()
    except OSError:
        return b""


def has_ended(pid):
    """Gone, or waiting to be reaped."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            return f.read().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


# --- clients ----------------------------------------------------------------------------------------------------------------------


class Seen:
    """A line of the shaker: what a name was sent from then on."""

    def __init__(self, line):
        self.name, self.leaf, n, self.state, this, end, self.staple = line.split()
        self.n, self.this_update, self.until = int(n), int(this), int(end)
        self.line = line

    def is_of(self, identity):
        return self.leaf == mark(identity.der)


def mark(data):
    return hashlib.sha256(data).hexdigest()[:12] if data else "-"


def read_seen(text):
    lines = text.splitlines()
    if not lines or not lines[-1].startswith("end "):
        raise Failed(f"the shaker did not end well:\n{text[-2000:]}")
    return [Seen(line) for line in lines[:-1]], int(lines[-1].split()[1])


def shake_once(port, roots, names):
    """One handshake for each name: {name: Seen}."""
    done = run([tool("shaker"), "-c", roots, "-r", 1, port, *names], timeout=60)
    expect(done.rc == 0, f"the shaker failed\n{done}")
    return {seen.name: seen for seen in read_seen(done.out)[0]}


class Shaking:
    """Clients in a loop, until stop(): what they saw, in order, and how many handshakes that was."""

    def __init__(self, port, roots, names):
        self.process = start([tool("shaker"), "-p", 20, "-c", roots, port, *names], stdin=subprocess.PIPE)

    def seen(self):
        lines = self.process.log_lines()
        return [Seen(line) for line in lines if not line.startswith("end ")]

    def last(self, name):
        return next((s for s in reversed(self.seen()) if s.name == name), None)

    def stop(self):
        self.process.popen.stdin.close()
        expect(self.process.wait(60) == 0, f"the shaker failed\n{self.process.log_text()[-2000:]}")
        return read_seen(self.process.log_text())


# --- responses --------------------------------------------------------------------------------------------------------------------


class Life:
    """Of a response, from its bytes."""

    def __init__(self, der):
        response, self.der = ocsp.load_der_ocsp_response(der), der
        self.this_update, self.until = this_update(response), until(response)
        # the serving rule: not in the last 10 % of a short life
        self.served_until = self.until - min(300, (self.until - self.this_update) / 10)
