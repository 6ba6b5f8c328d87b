# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the commands are tried on: a PKI, and responses by python3-cryptography and by openssl."""
import os
import pty
import select
import subprocess
import time
from datetime import timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from harness import BUILD, Failed, expect, expect_equal, new_tempdir, run
from pki import Pki

STAPLE_KEYS = ["present", "verdict", "fresh", "reason", "detail", "produced_at", "this_update", "next_update", "revoked_at",
               "revocation_reason", "signer", "signer_name", "signature", "cert_id_hash", "size", "age_s", "remaining_s", "findings"]

pki = Pki(new_tempdir())
leaf = pki.leaf("www.example.com", ocsp_url="http://ocsp.example.com/")
issuer = pki.intermediate


def response(name="response.der", **more):
    """The path of a response about the leaf."""
    return pki.write(name, pki.response(leaf, **more))


def verify_args(path, cert=leaf.cert_file, signed_by=issuer.cert_file, more=()):
    return ["verify", "--cert", cert, "--issuer", signed_by, *more, path]


def rfc3339(**delta):
    return (pki.now + timedelta(**delta)).strftime("%Y-%m-%dT%H:%M:%SZ")


def openssl(*args):
    done = run(["openssl", *args])
    expect_equal(done.rc, 0, f"openssl's exit status\n{done}")
    return done


def openssl_response(name, known=(), revoked=(), more=()):
    """What `openssl ocsp` answers about the leaf; of the `known` certificates and no others it has heard."""
    request, path = os.path.join(pki.dir, name + ".req"), os.path.join(pki.dir, name)
    openssl("ocsp", "-issuer", issuer.cert_file, "-cert", leaf.cert_file, "-no_nonce", "-reqout", request)
    openssl("ocsp", "-index", pki.index(known, revoked), "-CA", issuer.cert_file, "-rsigner", issuer.cert_file, "-rkey",
            issuer.key_file, "-reqin", request, "-respout", path, "-ndays", "4", *more)
    return path


def strange_certificate(common_name):
    """A certificate of the issuer's whose subject is any text."""
    key = pki.new_key()
    builder = (x509.CertificateBuilder().subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)]))
               .issuer_name(issuer.cert.subject).public_key(key.public_key()).serial_number(x509.random_serial_number())
               .not_valid_before(pki.now - timedelta(days=1)).not_valid_after(pki.now + timedelta(days=9)))
    from pki import Identity
    return Identity(pki.dir, "strange", builder.sign(issuer.key, hashes.SHA256()), key, issuer)


def expect_clean(result):
    """Nothing that a terminal would obey."""
    for stream in (result.out, result.err):
        bad = [c for c in stream if (ord(c) < 32 and c != "\n") or 0x7f <= ord(c) < 0xa0 or 0x202a <= ord(c) <= 0x202e]
        expect(not bad, f"control characters {bad!r} in\n{result}")


def on_a_terminal(*args, env=None, seconds=60):
    """What the command writes to a terminal, and its exit status."""
    ours, theirs = pty.openpty()
    surroundings = {**{k: v for k, v in os.environ.items() if k != "NO_COLOR"}, "TERM": "xterm", "LANG": "C.UTF-8",
                    "LC_ALL": "C.UTF-8", **(env or {})}
    process = subprocess.Popen([os.path.join(BUILD, "clinch"), *args], stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs,
                               env=surroundings)
    os.close(theirs)
    written, deadline = b"", time.monotonic() + seconds
    try:
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([ours], [], [], left)[0]:
                raise Failed(f"not done after {seconds} s")
            try:
                part = os.read(ours, 65536)
            except OSError:  # the terminal's other end is closed
                part = b""
            if not part:
                return written.decode(), process.wait(seconds)
            written += part
    finally:
        process.kill()
        process.wait()
        os.close(ours)
