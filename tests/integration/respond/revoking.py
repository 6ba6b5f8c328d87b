# SPDX-License-Identifier: LGPL-2.1-or-later
"""One file that says what is revoked, changed in every way that files are, under load."""
import os
import threading
import time

import ask
import told
from harness import Failed, expect, new_tempdir
from issuer import Ca, Index, write
from respond import Respond, authority, configuration
from talk import Closed, Talk, get, post

SEEN_WITHIN_S, GIVEN_UP_S = 5, 60
STEADY = 0x9000  # never revoked
FIRST = 0xA000
SERIALS = 400

INDEX, CRL = "index", "CRL"
RENAME, REWRITE, APPEND, SYMLINK, DIRECTORY = "rename", "rewrite", "append", "swap of a symlink", "swap of a directory's symlink"
PARENT = "rename of its directory"
WAYS = [(INDEX, RENAME), (INDEX, REWRITE), (INDEX, APPEND), (INDEX, SYMLINK), (INDEX, DIRECTORY), (INDEX, PARENT),
        (CRL, RENAME), (CRL, REWRITE), (CRL, SYMLINK), (CRL, DIRECTORY)]


class Scene:
    """The configured path is .path: behind the symlinks `file` -> `..data/file` -> a directory, as Kubernetes mounts a Secret."""

    def __init__(self, kind):
        self.kind, self.dir = kind, new_tempdir()
        self.ca = Ca(self.dir, "ca")
        self.delegate = self.ca.delegate()
        self.versions, self.next_serial, self.revoked = 0, FIRST, {}
        self.index = Index(os.path.join(self.dir, "unused"))
        for serial in (STEADY, *range(FIRST, FIRST + SERIALS)):
            self.index.add("V", serial)
        self.parent = os.path.join(self.dir, "parent")
        os.mkdir(self.parent)
        self.path = os.path.join(self.parent, "file")
        self._place(self.content())

    def content(self):
        if self.kind == CRL:
            return self.ca.crl(self.revoked, number=len(self.revoked) + 1)
        return self.index.bytes()

    def running(self):
        entry = {"index": self.path} if self.kind == INDEX else {"crl": [self.path], "crl_means": "good"}
        return Respond(configuration(authority(self.ca, self.delegate, **entry)))

    # -- the ways

    def _place(self, data):
        """A fresh set of symlinks and directories."""
        self._swap_directory(data)
        link = self.path + ".new"
        os.symlink("../..data/file", link)
        os.replace(link, self.path)

    def _swap_directory(self, data):
        self.versions += 1
        where = os.path.join(self.dir, f"..v{self.versions}")
        os.mkdir(where)
        write(os.path.join(where, "file"), data)
        link = os.path.join(self.dir, "..data")
        was = os.readlink(link) if os.path.islink(link) else None
        os.symlink(os.path.basename(where), link + ".new")
        os.replace(link + ".new", link)
        if was:
            os.unlink(os.path.join(self.dir, was, "file"))
            os.rmdir(os.path.join(self.dir, was))

    def _swap_symlink(self, data):
        self.versions += 1
        target = write(os.path.join(self.dir, f"target-{self.versions}"), data)
        os.symlink(target, self.path + ".new")
        os.replace(self.path + ".new", self.path)

    def _rename_parent(self, data):
        """Another directory of that name, with a plain file in it."""
        self.versions += 1
        fresh, gone = f"{self.parent}.new", f"{self.parent}.{self.versions}"
        os.mkdir(fresh)
        write(os.path.join(fresh, "file"), data)
        os.rename(self.parent, gone)
        os.rename(fresh, self.parent)

    def _rewrite(self, data, mode="wb"):
        with open(self.path, mode) as f:
            f.write(data)

    def change(self, way, serial):
        row = self.index.row("R", serial, reason="keyCompromise")
        if way == APPEND:
            self.index.rows.append(row)
            return self._rewrite(row.encode(), "ab")
        self.index.set("R", serial, reason="keyCompromise")
        self.revoked[serial] = (int(time.time()) - 10, "keyCompromise")
        return {RENAME: lambda data: write(self.path, data), REWRITE: self._rewrite, SYMLINK: self._swap_symlink,
                DIRECTORY: self._swap_directory, PARENT: self._rename_parent}[way](self.content())

    # -- seen

    def request(self, serial):
        return ask.request(ask.cert_id(self.ca, serial))

    def revoke_and_see(self, responder, way):
        """How long it took, by POST and by GET."""
        serial, self.next_serial = self.next_serial, self.next_serial + 1
        request = self.request(serial)
        begun = None
        with Talk(responder.address) as talk:
            for data in (post(request), get(ask.path_escaped(request))):
                answer = told.Told(talk.send(data).read().body)
                expect(answer.outcome == "successful" and answer.single.status == "good", f"not good before: {answer.outcome}")
            self.change(way, serial)
            begun = time.monotonic()
            for data in (get(ask.path_escaped(request)), post(request)):
                while told.Told(talk.send(data).read().body).single.status != "revoked":
                    if time.monotonic() - begun > GIVEN_UP_S:
                        raise Failed(f"the revocation by {way} is not seen after {GIVEN_UP_S} s")
                    time.sleep(0.01)
        return time.monotonic() - begun


class Load:
    """Threads that ask all the while for what does not change, one of them with nonces."""

    def __init__(self, responder, scene, threads=2):
        self.responder, self.over, self.asked, self.wrong = responder, threading.Event(), 0, []
        plain = scene.request(STEADY)
        nonced = ask.request(ask.cert_id(scene.ca, STEADY), extensions=[ask.nonce(16)])
        self.kinds = [[get(ask.path_escaped(plain)), post(plain)], [post(nonced)]]
        self.threads = [threading.Thread(target=self._run, args=(self.kinds[n % 2],), daemon=True) for n in range(threads)]

    def _run(self, messages):
        try:
            with Talk(self.responder.address) as talk:
                while not self.over.is_set():
                    for data in messages:
                        answer = told.Told(talk.send(data).read().body)
                        if answer.outcome != "successful" or answer.single.status != "good":
                            self.wrong.append(answer.outcome if not answer.singles else answer.single.status)
                        self.asked += 1
                        time.sleep(0.001)
        except (Failed, Closed, told.Wrong, OSError) as error:
            self.wrong.append(repr(error))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join(10)

    def expect_all_right(self):
        expect(not self.wrong, f"{len(self.wrong)} answers of {self.asked} were wrong, the first of them {self.wrong[:5]}")
        expect(self.asked > 20, f"only {self.asked} answers: that was no load")
