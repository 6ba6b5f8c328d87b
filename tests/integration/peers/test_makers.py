# SPDX-License-Identifier: LGPL-2.1-or-later
"""Responses made by `openssl ocsp`, judged by `clinch verify`, `openssl ocsp -respin` and `ocsptool --verify-response`.

What clinch has to say stands in docs/peers.md, written by hand: a reason id. A peer's cell is `same` when its answer (good, revoked,
unknown, or a refusal) is clinch's."""
import itertools
import re
from pathlib import Path

import faketime
from harness import clinch, expect_equal, main, run, tempdir
from peertable import add_cell, add_closing_case, is_documented_version
from pki import Pki

HEADING = "Makers"
FOUR_DAYS = ["-ndays", 4]
numbers = itertools.count()
ANSWERS = {"good": "good", "revoked": "revoked", "unknown": "unknown"}  # every other reason is a refusal


class Maker:
    """What `openssl ocsp` needs to make responses of one CA."""

    def __init__(self, kind):
        self.pki = pki = Pki(Path(tempdir()) / kind, kind=kind)
        self.leaf, self.other = pki.leaf(before_days=20), pki.leaf("other.example", before_days=20)
        self.issuer, self.delegate = pki.intermediate, pki.delegate()
        self.indexes = {
            "valid": pki.index([self.leaf, self.other], name="valid.txt"),
            "revoked": pki.index([self.leaf, self.other], revoked=[self.leaf], name="revoked.txt"),
            "unknown": pki.index([self.other], name="unknown.txt"),
        }

    def make(self, *options, index="valid", signer=None, about=None, hash_option=(), shifted=None):
        """The file of a response; shifted: made at another time, as `faketime -f` has it."""
        signer = signer or self.delegate
        out = self.pki.write(f"made-{next(numbers)}.der", b"")
        faketime.forget_the_dead()
        asked = [word for leaf in about or [self.leaf] for word in (*hash_option, "-cert", leaf.cert_file)]
        done = run([*(["faketime", "-f", shifted] if shifted else []), "openssl", "ocsp", "-index", self.indexes[index],
                    "-CA", self.issuer.cert_file, "-rsigner", signer.cert_file, "-rkey", signer.key_file, "-issuer",
                    self.issuer.cert_file, *asked, "-noverify", "-respout", out,
                    *([] if "-nonce" in options else ["-no_nonce"]), *options])
        expect_equal(done.rc, 0, "openssl ocsp's exit status")
        return Made(self, out, hash_option)


class Made:
    """A response and how it is judged."""

    def __init__(self, maker, path, hash_option):
        self.maker, self.path, self.hash_option = maker, path, hash_option
        self.trusted = None  # a signer trusted by option

    def trusting(self, signer):
        self.trusted = signer
        return self

    def by_clinch(self):
        """The reason."""
        trust = ["--trust-signer", self.trusted.cert_file] if self.trusted else []
        done = clinch("verify", "--json", "--cert", self.maker.leaf.cert_file, "--issuer", self.maker.issuer.cert_file, *trust,
                      self.path)
        expect_equal(done.rc, {"good": 0, "revoked": 3, "unknown": 6}.get(done.json["reason"], 4), "exit status")
        return done.json["reason"]

    def by_openssl(self):
        trust = ["-VAfile", self.trusted.cert_file] if self.trusted else []
        done = run(["openssl", "ocsp", "-respin", self.path, "-CAfile", self.maker.pki.root.cert_file, "-no_nonce",
                    "-issuer", self.maker.issuer.cert_file, *self.hash_option, "-cert", self.maker.leaf.cert_file, *trust])
        status = re.search(r"^(?:\S+: )?(good|revoked|unknown)$", done.out, re.M)
        if "Response verify OK" not in done.out + done.err or not status:
            return "refuses"
        return status[1] + (", with a warning" if "Status times invalid" in done.out + done.err else "")

    def by_ocsptool(self):
        signer = self.trusted or self.maker.issuer
        done = run(["ocsptool", "--verify-response", "--infile", self.path, "--load-signer", signer.cert_file])
        if "Verifying OCSP Response: Success" not in done.out:
            return "refuses"
        return re.search(r"Certificate Status: (\w+)", run(["ocsptool", "--response-info", "--infile", self.path]).out)[1]


def responses():
    """What is made, by the row's name in docs/peers.md."""
    ec, rsa = Maker("ec"), Maker("rsa")
    stranger = ec.pki.delegate(label="no-eku", eku=False)
    return {
        "good, signed by the issuer, nothing embedded": lambda: ec.make(*FOUR_DAYS, "-resp_no_certs", signer=ec.issuer),
        "good, signed by the issuer, which is embedded": lambda: ec.make(*FOUR_DAYS, signer=ec.issuer),
        "good, by a delegate": lambda: ec.make(*FOUR_DAYS),
        "good, by a delegate, ResponderID by key": lambda: ec.make(*FOUR_DAYS, "-resp_key_id"),
        "revoked": lambda: ec.make(*FOUR_DAYS, index="revoked"),
        "unknown": lambda: ec.make(*FOUR_DAYS, index="unknown"),
        "without nextUpdate": lambda: ec.make(),
        "with a nonce": lambda: ec.make(*FOUR_DAYS, "-nonce"),
        "two certificates in one response": lambda: ec.make(*FOUR_DAYS, about=[ec.other, ec.leaf]),
        "CertID with SHA-256": lambda: ec.make(*FOUR_DAYS, hash_option=["-sha256"]),
        "RSA": lambda: rsa.make(*FOUR_DAYS),
        "RSASSA-PSS, the longest salt": lambda: rsa.make(*FOUR_DAYS, "-rsigopt", "rsa_padding_mode:pss"),
        "RSASSA-PSS, salt as long as the hash": lambda: rsa.make(
            *FOUR_DAYS, "-rsigopt", "rsa_padding_mode:pss", "-rsigopt", "rsa_pss_saltlen:digest"),
        "signed with SHA-1": lambda: rsa.make(*FOUR_DAYS, "-rmd", "sha1"),
        "signature broken (-badsig)": lambda: ec.make(*FOUR_DAYS, "-badsig"),
        "about another certificate": lambda: ec.make(*FOUR_DAYS, about=[ec.other]),
        "delegate not embedded": lambda: ec.make(*FOUR_DAYS, "-resp_no_certs"),
        "delegate not embedded, trusted by option": lambda: ec.make(*FOUR_DAYS, "-resp_no_certs").trusting(ec.delegate),
        "delegate without the OCSP purpose": lambda: ec.make(*FOUR_DAYS, signer=stranger),
        "signed by another leaf of the CA": lambda: ec.make(*FOUR_DAYS, signer=ec.other),
        "signed by the root above the issuer": lambda: ec.make(*FOUR_DAYS, signer=ec.pki.root),
        "expired two days ago": lambda: ec.make("-ndays", 1, shifted="-3d"),
        "from the day after tomorrow": lambda: ec.make(*FOUR_DAYS, shifted="+2d"),
        "without nextUpdate, three days old": lambda: ec.make(shifted="-3d"),
    }


def add_row(row, make):
    made, reason = [], []

    def response():
        if not made:
            made.append(make())
        return made[0]

    def clinch_says():
        if not reason:
            reason.append(response().by_clinch())
        return reason[0]

    def beside(theirs):
        ours = ANSWERS.get(clinch_says(), "refuses")
        if theirs == ours:
            return "same"
        return f"differs: {theirs}" if theirs == "refuses" else f"differs: says {theirs}"

    add_cell(HEADING, row, "clinch verify", clinch_says, lambda: True)
    add_cell(HEADING, row, "openssl ocsp", lambda: beside(response().by_openssl()), lambda: is_documented_version("OpenSSL"))
    add_cell(HEADING, row, "ocsptool", lambda: beside(response().by_ocsptool()), lambda: is_documented_version("GnuTLS"))


for each_row, each_make in responses().items():
    add_row(each_row, each_make)
add_closing_case(HEADING)
main()
