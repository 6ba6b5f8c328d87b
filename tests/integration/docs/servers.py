# SPDX-License-Identifier: LGPL-2.1-or-later
"""The servers of the guide's table, by name: openssl s_server with what it staples."""
from datetime import timedelta

from harness import expect, free_port, new_tempdir, run, start
from pki import Pki


def make_pki():
    return Pki(new_tempdir())


def _openssl_response(pki, leaf, name, revoked=(), listed=(), about=(), digest="sha256"):
    """What `openssl ocsp` says in the issuer's name: unknown for what is not listed; about: more certificates, asked first."""
    issuer = pki.intermediate
    index = pki.index(listed, revoked=revoked, name=name + ".txt")
    request, response = pki.dir + f"/{name}.req", pki.dir + f"/{name}.der"
    asked = [word for cert in (*about, leaf) for word in ("-cert", cert.cert_file)]
    for argv in (["-issuer", issuer.cert_file, *asked, "-no_nonce", "-reqout", request],
                 ["-index", index, "-CA", issuer.cert_file, "-rsigner", issuer.cert_file, "-rkey", issuer.key_file, "-ndays", "4",
                  "-rmd", digest, "-reqin", request, "-respout", response]):
        done = run(["openssl", "ocsp", *argv])
        expect(done.rc == 0, str(done))
    with open(response, "rb") as f:
        return f.read()


def tampered(der):
    changed = bytearray(der)
    changed[-10] ^= 1  # inside the signature: the last thing in a response that embeds nothing
    return bytes(changed)


def staples(pki):
    """Name to (certificate, staple or None)."""
    leaf, must, other = pki.leaf(), pki.leaf(must_staple=True), pki.leaf("neighbour")
    return {
        "GOOD": (leaf, pki.response(leaf)),
        "REVOKED": (leaf, pki.response(leaf, status="revoked")),
        "UNKNOWN": (leaf, _openssl_response(pki, leaf, "unknown")),
        "ERROR": (leaf, pki.error_response()),
        "EXPIRED": (leaf, pki.expired(leaf)),
        "FUTURE": (leaf, pki.response(leaf, this_update=timedelta(days=3))),
        "UNDATED": (leaf, pki.response(leaf, this_update=timedelta(days=-10), next_update=False)),
        "ROOT_SIGNED": (leaf, pki.response(leaf, signer=pki.root)),
        "SHA1": (leaf, _openssl_response(pki, leaf, "sha1", listed=[leaf], digest="sha1")),
        "OTHER": (leaf, pki.response(other)),
        "SECOND": (leaf, _openssl_response(pki, leaf, "second", listed=[leaf, other], revoked=[leaf], about=[other])),
        "TAMPERED": (leaf, tampered(pki.response(leaf))),
        "NONE": (leaf, None),
        "MUST_GOOD": (must, pki.response(must)),
        "MUST_NONE": (must, None),
        "MUST_ERROR": (must, pki.error_response()),
        "MUST_UNKNOWN": (must, _openssl_response(pki, must, "must-unknown")),
    }


def s_server(pki, leaf, staple, *options):
    """A running openssl s_server (a Process with .port)."""
    port = free_port()
    argv = ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-www", "-cert", leaf.cert_file, "-key", leaf.key_file,
            "-cert_chain", leaf.issuer.cert_file, *options]
    if staple is not None:
        argv += ["-status_file", pki.write(f"staple-{port}.der", staple)]
    server = start(argv, ready=r"^ACCEPT")
    server.port = port
    return server


def gnutls_serv(pki, leaf, *responses):
    """A running gnutls-serv that staples each response for the certificate of its chain that it is about."""
    port = free_port()
    argv = ["gnutls-serv", "-q", "--http", "-p", port, f"--x509certfile={leaf.chain_file}", f"--x509keyfile={leaf.key_file}"]
    argv += [f"--ocsp-response={pki.write(f'staple-{port}-{i}.der', der)}" for i, der in enumerate(responses)]
    server = start(argv, ready=port)
    server.port = port
    return server
