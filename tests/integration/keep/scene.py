# SPDX-License-Identifier: LGPL-2.1-or-later
"""A keeper with a configuration and a store of its own, its log as objects, and what it holds."""
import glob
import hashlib
import json
import os
import time
from datetime import timezone

from cryptography.x509 import ocsp

import faketime
from harness import Failed, build_path, expect, new_tempdir, run, skip, start, wait_for

NO_PROXY = {name: None for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY",
                                    "NOTIFY_SOCKET", "JOURNAL_STREAM", "WATCHDOG_USEC", "WATCHDOG_PID")}


class Clock:
    """Of one process, by libfaketime: it stands still until it is set. Its monotonic clock goes on."""

    def __init__(self, at):
        libraries = glob.glob("/usr/lib/*/faketime/libfaketimeMT.so.1")
        if not libraries or os.environ.get("CLINCH_SANITIZE", "none") != "none":
            skip("no libfaketime, or a sanitizer that wants to be the first library")
        faketime.forget_the_dead()
        self.path = os.path.join(new_tempdir(), "clock")
        self.set(at)
        self.env = {"LD_PRELOAD": libraries[0], "FAKETIME_TIMESTAMP_FILE": self.path, "FAKETIME_NO_CACHE": "1",
                    "FAKETIME_DONT_FAKE_MONOTONIC": "1", "TZ": "UTC"}

    def set(self, at):
        with open(self.path + ".new", "w") as f:
            f.write(time.strftime("%Y-%m-%d %H:%M:%S\n", time.gmtime(at)))
        os.replace(self.path + ".new", self.path)


class Keep:
    """`certificates` are paths or patterns, or whole entries in YAML's flow style."""

    def __init__(self, *certificates, more="", settings="ready_timeout: 60s"):
        self.dir = new_tempdir()
        self.store = os.path.join(self.dir, "store")
        self.conf = os.path.join(self.dir, "clinch.yaml")
        self.ready = os.path.join(self.dir, "ready")
        self.more, self.settings = more, settings
        self.configure(*certificates)
        self.process = None
        self.runs = 0

    def configure(self, *certificates):
        entries = "".join(f"    - {c if c.startswith('{') else '{ path: ' + json.dumps(c) + ' }'}\n" for c in certificates)
        with open(self.conf + ".new", "w") as f:
            f.write(f"store: {self.store}\nlog: {{ format: json, level: debug }}\nfetch: {{ proxy: none }}\n{self.more}"
                    f"keep:\n  socket: {self.dir}/keep.sock\n  {self.settings}\n  certificates:\n{entries}")
        os.replace(self.conf + ".new", self.conf)

    def argv(self, *options):
        return [build_path("clinch"), "keep", "-c", self.conf, "--allow-root", *options]

    def start(self, *options, env=None, wait=True, seconds=15):
        """Until it is ready."""
        self.runs += 1
        self.ready = os.path.join(self.dir, f"ready-{self.runs}")
        self.process = start(self.argv("--ready-file", self.ready, *options), ready=f"path:{self.ready}" if wait else None,
                             seconds=seconds, env={**NO_PROXY, **(env or {})})
        return self

    def stop(self):
        """Its exit status."""
        status = self.process.stop()
        self.process = None
        return status

    def once(self, *options, timeout=30):
        return run(self.argv("--once", *options), env=NO_PROXY, timeout=timeout)

    # -- the log

    def events(self, kind=None, cert=None, since=0):
        """Lines of the log from the `since`-th on, as objects."""
        return [e for e in self.process.log_objects()[since:] if (kind is None or e["event"] == kind) and (cert is None or e.get("cert") == cert)]

    def mark(self):
        return len(self.events())

    def wait_event(self, kind, cert=None, since=0, seconds=10, text=None):
        def found():
            for e in self.events(kind, cert, since):
                if text is None or text in e.get("text", ""):
                    return e
            if not self.process.running():
                raise Failed(f"the keeper ended with {self.process.popen.returncode}\n{self.process.log_text()}")
            return None

        return wait_for(found, seconds, f"event {kind} of {cert or 'anything'}" + (f" with {text!r}" if text else ""))

    # -- the store

    def path_of(self, identity):
        return os.path.join(self.store, hashlib.sha256(identity.der).hexdigest() + ".der")

    def held(self, identity):
        """The response in the store; None: there is none."""
        try:
            with open(self.path_of(identity), "rb") as f:
                return ocsp.load_der_ocsp_response(f.read())
        except FileNotFoundError:
            return None

    def wait_held(self, identity, seconds=10):
        return wait_for(lambda: self.held(identity), seconds, f"a response of {identity.label} in the store")

    def expect_held(self, identity):
        held = self.held(identity)
        expect(held is not None, f"{identity.label} has a response in the store")
        expect(held.serial_number == identity.cert.serial_number, f"that of {identity.label} is about it")
        return held


def seconds(response, name):
    """A time of a response; newer versions of python3-cryptography have another name for it and warn of the old one."""
    at = getattr(response, name + "_utc", None) or getattr(response, name)
    return at.replace(tzinfo=timezone.utc).timestamp()


def this_update(response):
    return seconds(response, "this_update")


def until(response):
    return seconds(response, "next_update")


def put(identity, path, *, with_key=False, chain=True):
    """Its chain as a file that appears whole."""
    parts = [identity.pem] + ([i.pem for i in identity.chain()[1:]] if chain else [])
    if with_key:
        with open(identity.key_file, "rb") as f:
            parts.insert(1, f.read())
    with open(path + ".tmp", "wb") as f:
        f.write(b"".join(parts))
    os.rename(path + ".tmp", path)
    return path

