# SPDX-License-Identifier: LGPL-2.1-or-later
"""Java's PKIX revocation checker, one JVM: good answers are accepted, revoked ones seen, and what is not so is trouble."""
import os
import shutil
import subprocess

import ask
from harness import case, expect, expect_equal, main, new_tempdir, skip, source_path
from issuer import Ca, Index
from respond import Respond, authority, configuration

SERIAL, NEVER = 0x1001, 0x7001
VARIANTS = [("delegate", "p256", {}), ("self", "p256", {}), ("delegate", "rsa", {"responder_id": "name"}), ("delegate", "p384", {}),
            ("delegate", "ed25519", {})]


class Java:
    """The JVM. ask() is one line there and one back."""

    def __init__(self):
        if not shutil.which("java"):
            skip("no Java")
        where = source_path("tests", "integration", "respond", "Revocation.java")
        # Few threads and no tiered compiler: it answers a dozen questions.
        self.popen = subprocess.Popen(["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", where], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, text=True, cwd=new_tempdir())

    def ask(self, ca, leaf, url="-", nonce=False):
        self.popen.stdin.write("\t".join((ca.cert_file, leaf.cert_file, url, "nonce" if nonce else "plain")) + "\n")
        self.popen.stdin.flush()
        return self.popen.stdout.readline().strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.popen.stdin.close()
        try:
            self.popen.wait(60)
        finally:
            self.popen.kill()
            self.popen.wait(60)


@case
def Java_believes_it():
    with Java() as java:
        for kind, sort, settings in VARIANTS:
            ca = Ca(new_tempdir(), "ours", sort=sort)
            index = Index(os.path.join(ca.dir, "index.txt")).add("V", SERIAL).save()
            signer = ca.delegate(sort=sort) if kind == "delegate" else ca
            with Respond(configuration(authority(ca, signer, index=index.path, **settings))) as one:
                leaf, never = ca.leaf("leaf", SERIAL, url=one.url), ca.leaf("never", NEVER, url=one.url)
                expect_equal(java.ask(ca, leaf), "good", f"{sort}, {kind}, by GET or POST as it likes")
                expect_equal(java.ask(ca, leaf, one.url, nonce=True), "good", f"{sort}, {kind}, with a nonce")
                said = java.ask(ca, never)
                expect("trouble" in said and "UNAUTHORIZED" in said.upper(), f"never issued: {said}")
                index.set("R", SERIAL, reason="keyCompromise").save()
                one.wait_status(ask.request(ask.cert_id(ca, SERIAL)), "revoked")
                expect_equal(java.ask(ca, leaf), "revoked KEY_COMPROMISE", f"{sort}, {kind}, revoked")
                expect_equal(java.ask(ca, leaf, one.url, nonce=True), "revoked KEY_COMPROMISE", f"{sort}, {kind}, revoked, with a nonce")


main()
