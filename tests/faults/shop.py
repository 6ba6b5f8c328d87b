# SPDX-License-Identifier: LGPL-2.1-or-later
"""Certificates whose responders are dead, a store with what is held of them, and who lives on that: `clinch serve` with its own keeper,
or `clinch keep` and a `clinch serve` without one, which reads what the other keeps.

    shop = Shop("a.example", "b.example")
    shop.hold("a.example")                    a good response of four days, as if it had been fetched
    with shop.serve() as server:
        server.staple("a.example")            what it sends: bytes, b"" for none
"""
import hashlib
import os
import shutil
import stat

from cells import staple_of
from harness import Failed, build_path, clinch, expect, expect_equal, new_tempdir, start, wait_for
from pki import Pki

DEAD = "http://127.0.0.1:9/"  # nobody listens there
CLEAN = {name: None for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY",
                                 "NOTIFY_SOCKET", "JOURNAL_STREAM", "WATCHDOG_USEC", "WATCHDOG_PID")}


class Shop:
    def __init__(self, *names, store=None, url=DEAD):
        self.dir = new_tempdir()
        self.pki = Pki(os.path.join(self.dir, "pki"))
        self.store = store or os.path.join(self.dir, "store")
        self.out = os.path.join(self.dir, "out")
        os.mkdir(self.out)
        if not store:
            os.mkdir(self.store)
        self.leaf = {name: self.pki.leaf(name, ocsp_url=url) for name in names}
        self.runs = 0

    # -- what is held

    def path(self, name):
        return os.path.join(self.store, hashlib.sha256(self.leaf[name].der).hexdigest() + ".der")

    def hold(self, name, der=None):
        """In the store, as a keeper writes it. `der`: something else than a good response. It is given back."""
        der = self.pki.response(self.leaf[name]) if der is None else der
        with open(self.path(name) + ".new", "wb") as f:
            f.write(der)
        os.replace(self.path(name) + ".new", self.path(name))
        return der

    def held(self, name):
        return content(self.path(name))

    def put(self, name, der):
        """`clinch put`, through the keeper that runs."""
        return clinch("put", "-c", self.conf(), "--cert", self.leaf[name].chain_file, "-", input=der)

    def expect_fed(self, name, der):
        """What other servers are given comes to be this."""
        path = os.path.join(self.out, name + ".der")
        wait_for(lambda: os.path.exists(path) and content(path) == der, 5, f"{der[:20]!r}... in {path}")

    # -- who lives on it

    def conf(self):
        path = os.path.join(self.dir, "clinch.yaml")
        chains = "".join(f"    - path: {i.chain_file}\n" for i in self.leaf.values())
        pairs = "".join(f"    - {{ chain: {i.chain_file}, key: {i.key_file} }}\n" for i in self.leaf.values())
        with open(path, "w") as f:
            f.write(f"""store: {self.store}
log: {{ format: json, level: debug }}
fetch: {{ proxy: none }}
keep:
  socket: {self.dir}/keep.sock
  ready_timeout: 60s
  certificates:
{chains}  outputs:
    - der: {self.out}/{{name}}.der
serve:
  listen: [ "127.0.0.1:0" ]
  backend: 127.0.0.1:9
  ready_timeout: 500ms
  certificates:
{pairs}""")
        return path

    def serve(self, *options, **more):
        return Running(self, ["serve", "-c", self.conf(), *options], **more)

    def reader(self, **more):
        """Without a keeper of its own."""
        pairs = [o for i in self.leaf.values() for o in ("--cert", i.chain_file, "--key", i.key_file)]
        return Running(self, ["serve", "--no-keeper", "--store", self.store, "--listen", "127.0.0.1:0", "--backend", "127.0.0.1:9",
                              "--ready-timeout", "1", "--format", "json", "-v", *pairs], **more)

    def keep(self, **more):
        return Running(self, ["keep", "-c", self.conf()], **more)


class Running:
    """Started, and ready."""

    def __init__(self, shop, argv, around=()):
        self.shop = shop
        shop.runs += 1
        ready = os.path.join(shop.dir, f"ready-{shop.runs}")
        self.process = start([*around, build_path("clinch"), *argv, "--allow-root", "--ready-file", ready], ready=f"path:{ready}",
                             env=CLEAN)
        with open(ready, encoding="ascii") as f:
            self.port = int(f.read().rpartition(":")[2] or 0) if argv[0] == "serve" else None

    def staple(self, name):
        return staple_of(self.port, name)

    def wait_staple(self, name, der, seconds=10):
        wait_for(lambda: self.staple(name) == der, seconds, f"the staple of {name}")

    def events(self):
        return self.process.log_objects()

    def said(self, *parts):
        """A line of the log with all of these in its words, its path or the name of its certificate."""
        for event in self.events():
            text = " ".join(str(event.get(key, "")) for key in ("cert", "path", "text", "event", "level"))
            if all(part in text for part in parts):
                return event
        return None

    def wait_said(self, *parts, seconds=10):
        def found():
            if not self.process.running():
                raise Failed(f"it ended with {self.process.popen.returncode}\n{self.process.log_text()}")
            return self.said(*parts)

        return wait_for(found, seconds, f"a line of the log with {parts}")

    def stop_well(self):
        """SIGTERM; it has to be alive, and to end with 0."""
        expect(self.process.running(), f"it still runs\n{self.process.log_text()}")
        self.process.popen.terminate()
        expect_equal(self.process.wait(15), 0, "exit status")

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None and self.process.running():
            self.stop_well()
        self.process.stop()


def content(path):
    with open(path, "rb") as f:
        return f.read()


def remove(path):
    """Whatever it is."""
    if not os.path.lexists(path):
        return
    if stat.S_ISDIR(os.lstat(path).st_mode):
        shutil.rmtree(path)
    else:
        os.unlink(path)
