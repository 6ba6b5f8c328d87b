# SPDX-License-Identifier: LGPL-2.1-or-later
"""`clinch fetch` against the real responder of OpenSSL: good, revoked, unknown, delegated, with a nonce, over GET and POST."""
import os

from harness import add_case, expect_equal, expect_in, expect_not_in, free_port, main, start, tempdir
from pki import Pki
from scene import EXIT_GOOD, EXIT_NOT_BELIEVED, EXIT_REVOKED, EXIT_UNKNOWN, expect_exit, fetch, out_file, read


class Scene:
    def __init__(self, kind):
        self.pki = Pki(os.path.join(tempdir(), kind), kind=kind)
        self.good = self.pki.leaf("good.example.org", before_days=20)
        self.revoked = self.pki.leaf("revoked.example.org", before_days=20)
        self.unknown = self.pki.leaf("unknown.example.org", before_days=20)
        self.index = self.pki.index([self.good, self.revoked], revoked=[self.revoked])

    def responder(self, signer=None, *options):
        """The URL of a running `openssl ocsp`."""
        signer = signer or self.pki.intermediate
        port = free_port()
        start(["openssl", "ocsp", "-index", self.index, "-port", port, "-rsigner", signer.cert_file, "-rkey", signer.key_file, "-CA",
               self.pki.intermediate.cert_file, "-ndays", "4", *options], ready="waiting for OCSP client connections")
        return f"http://127.0.0.1:{port}/"


def report(url, leaf, *options):
    out = out_file()
    result = fetch("--url", url, "--json", "-o", out, *options, chain=leaf.chain_file)
    staple = result.json["staple"]
    return result, staple, out


def add_for(kind, scene):
    def judges_good_revoked_and_unknown():
        url = scene.responder()
        result, staple, out = report(url, scene.good)
        expect_exit(result, EXIT_GOOD)
        expect_equal((staple["verdict"], staple["signer"], staple["size"]), ("good", "issuer", len(read(out))), "the staple")
        result, staple, out = report(url, scene.revoked)
        expect_exit(result, EXIT_REVOKED)
        expect_equal((staple["verdict"], staple["size"]), ("revoked", len(read(out))), "the staple")
        result, staple, out = report(url, scene.unknown)
        expect_exit(result, EXIT_UNKNOWN)
        expect_equal((staple["verdict"], os.path.exists(out)), ("unknown", False), "the staple, and whether it was written")

    def believes_a_delegate():
        result, staple, _ = report(scene.responder(scene.pki.delegate()), scene.good)
        expect_exit(result, EXIT_GOOD)
        expect_equal(staple["signer"], "delegate", "signer")

    def refuses_a_signer_without_the_purpose():
        result, staple, out = report(scene.responder(scene.pki.delegate(label="no-eku", eku=False)), scene.good)
        expect_exit(result, EXIT_NOT_BELIEVED)
        expect_equal((result.json["reason"], os.path.exists(out)), ("delegate-eku", False), "reason, and whether it was written")

    def gets_its_nonce_back():
        url = scene.responder()
        for options in ((), ("--hash", "sha256")):
            result, staple, _ = report(url, scene.good, "--nonce", *options)
            expect_exit(result, EXIT_GOOD)
            ids = [finding["id"] for finding in staple["findings"]]
            expect_not_in("nonce-ignored", ids, "findings")
            expect_not_in("nonce-prepared", ids, "findings")

    def asks_by_post_with_sha512():
        result, staple, _ = report(scene.responder(), scene.good, "--nonce", "--hash", "sha512")
        expect_exit(result, EXIT_GOOD)
        expect_equal((result.json["method"], staple["cert_id_hash"]), ("POST", "sha512"), "the report")

    def asks_by_get():
        result, staple, _ = report(scene.responder(), scene.good)
        expect_exit(result, EXIT_GOOD)
        expect_equal((result.json["method"], staple["cert_id_hash"]), ("GET", "sha1"), "the report")
        expect_in("verify", result.json["phase"], "phase")

    def believes_a_signer_that_is_trusted_by_option():
        stranger = scene.pki.delegate(issuer=scene.pki.root, label="outside")
        url = scene.responder(stranger)
        result, _, out = report(url, scene.good)
        expect_exit(result, EXIT_NOT_BELIEVED)
        expect_equal((result.json["reason"], os.path.exists(out)), ("delegate-issuer", False), "reason, and whether it was written")
        result, staple, _ = report(url, scene.good, "--trust-signer", stranger.cert_file)
        expect_exit(result, EXIT_GOOD)
        expect_in("trusted-signer", [finding["id"] for finding in staple["findings"]], "findings")

    def believes_sha1_only_when_it_is_allowed():
        url = scene.responder(None, "-rmd", "sha1")
        result, _, _ = report(url, scene.good)
        expect_exit(result, EXIT_NOT_BELIEVED)
        expect_equal(result.json["reason"], "signature-weak", "reason")
        result, staple, _ = report(url, scene.good, "--allow-sha1")
        expect_exit(result, EXIT_GOOD)
        expect_in("signature-sha1", [finding["id"] for finding in staple["findings"]], "findings")

    for fn in (judges_good_revoked_and_unknown, believes_a_delegate, refuses_a_signer_without_the_purpose, gets_its_nonce_back,
               asks_by_post_with_sha512, asks_by_get, believes_a_signer_that_is_trusted_by_option,
               believes_sha1_only_when_it_is_allowed):
        add_case(f"{fn.__name__} with {kind}", fn)


for each in ("ec", "rsa"):
    add_for(each, Scene(each))
main()
