# SPDX-License-Identifier: LGPL-2.1-or-later
"""A running `clinch respond`, and what it says."""
import itertools
import json
import os
import signal

import harness
import told
from harness import Failed, build_path, clinch, expect_equal, new_tempdir, start, tempdir, wait_for
from talk import Talk, exchange, post

CLEAN = {name: None for name in ("NOTIFY_SOCKET", "JOURNAL_STREAM", "WATCHDOG_USEC", "WATCHDOG_PID", "http_proxy", "all_proxy")}
SOAK = bool(os.environ.get("CLINCH_SOAK"))  # `make soak`: the long versions
SANITIZED = os.environ.get("CLINCH_SANITIZE", "none") != "none"
counter = itertools.count()


def authority(ca, *signers, index=None, crl=(), issued=None, **settings):
    """An entry of respond.authorities, in YAML's flow style. Without signers the CA signs itself."""
    pairs = ", ".join(f"{{ cert: {quoted(s.cert_file)}, key: {quoted(s.key_file)} }}" for s in signers or (ca,))
    entry = [f"ca: {quoted(ca.cert_file)}", f"signers: [ {pairs} ]"]
    if index:
        entry.append(f"index: {quoted(index)}")
    if crl:
        entry.append(f"crl: [ {', '.join(quoted(c) for c in crl)} ]")
    if issued:
        entry.append(f"issued: {quoted(issued)}")
    entry += [f"{name}: {value}" for name, value in settings.items()]
    return "{ " + ", ".join(entry) + " }"


def quoted(text):
    return json.dumps(str(text))


def configuration(*authorities, more="", top="", path=None, listen=("127.0.0.1:0",)):
    """The path of a file: the respond section with these authorities, and lines for it (`more`) and for the top."""
    path = path or os.path.join(new_tempdir(), "clinch.yaml")
    entries = "".join(f"    - {entry}\n" for entry in authorities)
    with open(path + ".new", "w", encoding="utf-8") as f:
        f.write(f"log: {{ format: json, level: debug }}\n{top}respond:\n  listen: [ {', '.join(quoted(a) for a in listen)} ]\n"
                + "".join(f"  {line}\n" for line in more.splitlines()) + (f"  authorities:\n{entries}" if authorities else ""))
    os.replace(path + ".new", path)
    return path


class Respond:
    """Started from a configuration, or from options."""

    def __init__(self, conf=None, *options, env=None, prefix=(), wait=True):
        self.ready_file, self.conf = os.path.join(tempdir(), f"ready-{next(counter)}"), conf
        argv = [*prefix, build_path("clinch"), "respond", "--allow-root", "--ready-file", self.ready_file]
        argv += ["-c", conf] if conf else ["--listen", "127.0.0.1:0", "--format", "json", "-v"]
        self.process = start([*argv, *options], ready=f"path:{self.ready_file}" if wait else None, env={**CLEAN, **(env or {})})
        self.address = self.bound() if wait else None

    def bound(self):
        with open(self.ready_file, encoding="ascii") as f:
            host, _, port = f.read().split()[0].rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def url(self):
        return "http://%s:%d/" % self.address

    @property
    def pid(self):
        return self.process.pid

    def stay(self):
        """It runs until the program ends, not the case."""
        harness.keep_running(self.process)
        return self

    # -- asked

    def post(self, request):
        """The OCSP response to a request, whatever its outcome."""
        return read(exchange(self.address, post(request)))

    def status(self, request):
        """The one status, or the name of the refusal."""
        response = self.post(request)
        return response.single.status if response.outcome == "successful" else response.outcome

    def wait_status(self, request, wanted, seconds=5):
        return wait_for(lambda: self.status(request) == wanted, seconds, f"{wanted}; it is {self.status(request)}")

    def talk(self, **more):
        return Talk(self.address, **more)

    # -- its log

    def events(self, kind=None, level=None):
        return [r for r in self.process.log_objects() if kind in (None, r["event"]) and level in (None, r["level"])]

    def wait_said(self, *words, since=0, seconds=10):
        """A line of the log, from the since-th on, that has all the words."""

        def said():
            if not self.process.running():
                raise Failed(f"it ended with {self.process.popen.returncode}")
            lines = self.process.log_lines()[since:]
            return [line for line in lines if all(w in line for w in words)]

        return wait_for(said, seconds, f"a line of the log with {words}")[0]

    def mark(self):
        return len(self.process.log_lines())

    # -- signals, measures

    def hup(self):
        os.kill(self.pid, signal.SIGHUP)

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def resident(self):
        with open(f"/proc/{self.pid}/statm", encoding="ascii") as f:
            return int(f.read().split()[1]) * 4096

    def stop_well(self):
        """SIGTERM, and an exit status of 0 (a sanitizer's report is another)."""
        os.kill(self.pid, signal.SIGTERM)
        expect_equal(self.process.wait(10), 0, "exit status")

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is None and self.process.running():
            self.stop_well()
        self.process.stop()


def read(answer):
    """The OCSP response of an HTTP answer."""
    if answer.status != 200 or answer.field("content-type") != "application/ocsp-response":
        raise Failed(f"not an OCSP response:\n{answer}")
    return told.Told(answer.body)


def refused(conf=None, *options, status=2, seconds=15):
    """What `clinch respond` says when it does not start; it has to end by itself."""
    argv = ["respond", "--allow-root", *(["-c", conf] if conf else ["--listen", "127.0.0.1:0"]), *options]
    done = clinch(*argv, env=CLEAN, timeout=seconds)
    expect_equal(done.rc, status, f"exit status\n{done}\n")
    return done.err
