# SPDX-License-Identifier: LGPL-2.1-or-later
"""The clients that there are: each accepts a good answer and sees a revocation."""
import os

import ask
from harness import build_path, case, clinch, expect_equal, expect_in, expect_match, main, new_tempdir, run, start, wait_for
from issuer import Ca, Index
from respond import Respond, authority, configuration
from scene import Keep, this_update

SERIAL, OTHER = 0x1001, 0x1002


class Scene:
    """A responder, and a leaf that names it. kind: who signs."""

    def __init__(self, kind="delegate", sort="p256", **settings):
        self.ca = Ca(new_tempdir(), "ours", sort=sort)
        self.index = Index(os.path.join(self.ca.dir, "index.txt")).add("V", SERIAL).add("V", OTHER).save()
        self.signer = self.ca.delegate(sort=sort) if kind == "delegate" else self.ca
        self.respond = Respond(configuration(authority(self.ca, self.signer, index=self.index.path, **settings)))
        self.leaf = self.ca.leaf("leaf", SERIAL, url=self.respond.url)

    def revoke(self):
        self.index.set("R", SERIAL, reason="keyCompromise").save()
        self.respond.wait_status(ask.request(ask.cert_id(self.ca, SERIAL)), "revoked")

    def __enter__(self):
        self.respond.__enter__()
        return self

    def __exit__(self, *what):
        self.respond.__exit__(*what)


VARIANTS = [("delegate", "p256", {}), ("self", "p256", {}), ("delegate", "rsa", {"responder_id": "name"}), ("delegate", "p384", {"nonce": "ignore"})]


def openssl(scene, *more):
    done = run(["openssl", "ocsp", "-issuer", scene.ca.cert_file, "-cert", scene.leaf.cert_file, "-url", scene.respond.url,
                "-CAfile", scene.ca.cert_file, *more])
    expect_equal(done.rc, 0, f"exit status\n{done}")
    expect_in("Response verify OK", done.err, "what it says of the signature")
    return expect_match(r"leaf.pem: (\w+)", done.out, "what it says").group(1)


@case
def openssl_ocsp_believes_it():
    for kind, sort, settings in VARIANTS:
        with Scene(kind, sort, **settings) as scene:
            for more in ([], ["-no_nonce"], ["-sha256", "-cert", scene.leaf.cert_file], ["-serial", str(OTHER)]):
                expect_equal(openssl(scene, *more), "good", f"status, with {more}, {sort}")
            scene.revoke()
            for more in ([], ["-no_nonce"]):
                expect_equal(openssl(scene, *more), "revoked", f"status, with {more}, {sort}")


def ocsptool(scene, *more):
    done = run(["ocsptool", f"--ask={scene.respond.url}", "--load-issuer", scene.ca.cert_file, "--load-cert", scene.leaf.cert_file,
                "--load-trust", scene.ca.cert_file, *more])
    expect_in("Verifying OCSP Response: Success.", done.out, f"what it says\n{done}")
    return expect_match(r"Certificate Status: (\w+)", done.out, "what it says").group(1)


@case
def ocsptool_believes_it():
    for kind, sort, settings in VARIANTS:
        with Scene(kind, sort, **settings) as scene:
            for more in (["--nonce"], ["--no-nonce"]):
                if "nonce" not in settings or more == ["--no-nonce"]:  # it wants its nonce back
                    expect_equal(ocsptool(scene, *more), "good", f"status, with {more}, {sort}")
            scene.revoke()
            expect_equal(ocsptool(scene, "--no-nonce"), "revoked", f"status, {sort}")


@case
def clinch_fetch_believes_it():
    for kind, sort, settings in VARIANTS:
        with Scene(kind, sort, **settings) as scene:
            for more in ([], ["--nonce"], ["--hash", "sha256"], ["--hash", "sha512"]):
                if more == ["--nonce"] and "nonce" in settings:
                    continue
                done = clinch("fetch", *more, scene.leaf.chain_file)
                expect_equal(done.rc, 0, f"exit status, with {more}, {sort}\n{done}")
            scene.revoke()
            expect_equal(clinch("fetch", scene.leaf.chain_file).rc, 3, "exit status, revoked")


@case
def what_it_says_passes_our_own_verifier_to_the_letter():
    with Scene() as scene:
        got = clinch("fetch", "--hash", "sha256", "--out", os.path.join(scene.ca.dir, "got.der"), scene.leaf.chain_file)
        expect_equal(got.rc, 0, f"exit status of fetch\n{got}")
        done = clinch("verify", "--json", "--cert", scene.leaf.cert_file, "--issuer", scene.ca.cert_file,
                      os.path.join(scene.ca.dir, "got.der"))
        expect_equal((done.rc, done.json["verdict"]), (0, "good"), f"verify\n{done}")
        expect_equal([f for f in done.json["findings"] if f["level"] != "info"], [], "findings")


def serve(leaf, store):
    """`clinch serve` of this leaf, from this store; the place it listens on."""
    ready = os.path.join(new_tempdir(), "ready")
    start([build_path("clinch"), "serve", "--allow-root", "--ready-file", ready, "--listen", "127.0.0.1:0", "--backend", "127.0.0.1:9",
           "--store", store, "--cert", leaf.chain_file, "--key", leaf.key_file, "--no-keeper"], ready=f"path:{ready}")
    with open(ready, encoding="ascii") as f:
        return f.read().split()[0]


@case
def keep_and_serve_are_fed_by_it():
    """The whole loop: respond signs, keep fetches, serve staples, check believes; and then sees the revocation."""
    with Scene(validity="8s") as scene:
        keep = Keep(scene.leaf.chain_file).start()
        place = serve(scene.leaf, keep.store)

        def check():
            return clinch("check", "--ca", scene.ca.cert_file, "--connect", place, "--json", "www.example.org:443")

        wait_for(lambda: check().rc == 0, 10, f"a good staple: {check()}")
        first = this_update(keep.held(scene.leaf))
        wait_for(lambda: this_update(keep.held(scene.leaf)) > first, 12, "a refreshed response in the store")
        wait_for(lambda: check().rc == 0, 10, f"a good staple after the refresh: {check()}")
        scene.revoke()
        wait_for(lambda: check().rc == 3, 12, f"the revocation: {check()}")


main()
