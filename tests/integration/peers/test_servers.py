# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real servers, each with each kind of staple file: what arrives, and whether `clinch check` judges it as it must.

What arrives is read by OpenSSL's client (pyOpenSSL), bytes for bytes, over TLS 1.2 and TLS 1.3. `same`: the file's bytes arrived. Either
way clinch has to give the verdict of the bytes that arrived, not of the file."""
import socket
from datetime import timedelta

import servers
from harness import Failed, clinch, expect, expect_equal, main, run, start, tempdir
from OpenSSL import SSL
from peertable import add_cell, add_closing_case, is_documented_version
from pki import Pki

HEADING = "Servers"
PROGRAM = {"gnutls-serv": "GnuTLS", "openssl s_server": "OpenSSL"}
# verdict, reason, exit status of a staple; written by hand (RFC 6960 2.2, 2.3, 3.2; clinch(1))
JUDGED = {
    "good": ("good", "good", 0),
    "delegated": ("good", "good", 0),
    "revoked": ("revoked", "revoked", 3),
    "unknown": ("unknown", "unknown", 6),
    "expired": ("invalid", "expired", 4),
    "tryLater": ("invalid", "responder-try-later", 4),
    "other certificate's": ("invalid", "no-entry", 4),
    "forged": ("invalid", "signature-bad", 4),
    "garbage": ("invalid", "response-malformed", 4),
    "none": ("missing", "no-staple", 0),
}
NONE_ARRIVED = JUDGED["none"]


class Staples:
    """The PKI and the files, made once."""

    def __init__(self):
        self.pki = Pki(tempdir())
        self.leaf = self.pki.leaf()
        self.other = self.pki.leaf("other.example")
        self.files = {kind: self.pki.write(f"staple-{number}.der", der) if der else None
                      for number, (kind, der) in enumerate(self.made().items())}

    def made(self):
        pki, leaf = self.pki, self.leaf
        namesake = Pki(tempdir() + "/namesake").intermediate
        return {
            "good": pki.response(leaf),
            "delegated": pki.response(leaf, signer=pki.delegate()),
            "revoked": pki.response(leaf, status="revoked", reason="key_compromise"),
            "unknown": self.unknown(),
            "expired": pki.response(leaf, this_update=timedelta(days=-5), next_update=timedelta(hours=-1)),
            "tryLater": pki.error_response("TRY_LATER"),
            "other certificate's": pki.response(self.other),
            "forged": pki.response(leaf, signer=namesake, by_key=False, embed=False),
            "garbage": b"this is no OCSP response\n" * 8,
            "none": None,
        }

    def unknown(self):
        """By `openssl ocsp`, whose index has the other certificate only."""
        signer, out = self.pki.intermediate, tempdir() + "/unknown.der"
        done = run(["openssl", "ocsp", "-index", self.pki.index([self.other], name="without-leaf.txt"), "-CA", signer.cert_file,
                    "-rsigner", signer.cert_file, "-rkey", signer.key_file, "-resp_no_certs", "-ndays", 4,
                    "-issuer", signer.cert_file, "-cert", self.leaf.cert_file, "-noverify", "-respout", out])
        expect_equal(done.rc, 0, "openssl ocsp's exit status")
        with open(out, "rb") as f:
            return f.read()


def arrived(port, version):
    """The staple that OpenSSL's client was sent, b"" for none; None when the handshake failed."""
    got = []
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(version)
    context.set_max_proto_version(version)
    context.set_ocsp_client_callback(lambda connection, der, data: got.append(der) or True)
    with socket.create_connection(("127.0.0.1", port), timeout=40) as plain:
        plain.settimeout(None)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, (40).to_bytes(8, "little") + bytes(8))
        connection = SSL.Connection(context, plain)
        connection.set_tlsext_host_name(b"localhost")
        connection.request_ocsp()
        connection.set_connect_state()
        try:
            connection.do_handshake()
        except SSL.Error:
            return None
        connection.shutdown()
    return got[0] if got else b""


def judged(port, tls):
    """(verdict, reason, exit status) by `clinch check`."""
    done = clinch("check", "--json", "--ca", staples.pki.root.cert_file, "--tls", tls, "--servername", "localhost",
                  f"127.0.0.1:{port}")
    answer = done.jsonlines[0]
    if answer["verdict"] == "error":
        return "error", answer["reason"], done.rc
    staple = answer["chain"][0]["staple"]
    return staple["verdict"], staple["reason"], done.rc


def cell(server, kind):
    """What a server makes of a kind of staple; fails when clinch's verdict is not that of the bytes that arrived."""
    argv, ready, port = servers.command(server, staples.leaf, staples.files[kind])
    try:
        process = start(argv, ready=ready, env=servers.SBIN)
    except Failed as failed:
        expect("before it was ready" in str(failed), str(failed))
        return "differs: does not start"
    with process:
        wire = [arrived(port, version) for version in (SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION)]
        verdicts = [judged(port, tls) for tls in ("1.2", "1.3")]
    expect_equal(wire[0], wire[1], "what TLS 1.2 and 1.3 brought")
    path = staples.files[kind]
    if path:
        with open(path, "rb") as f:
            put_in = f.read()
    else:
        put_in = b""
    if wire[0] is None:
        for verdict in verdicts:
            expect_equal((verdict[0], verdict[2]), ("error", 1), "what clinch check says of a handshake that fails")
        return "differs: breaks off the handshake"
    expected = NONE_ARRIVED if wire[0] == b"" else JUDGED[kind]
    expect(wire[0] in (put_in, b""), "the staple arrived changed")
    for verdict in verdicts:
        expect_equal(verdict, expected, "clinch check's verdict, reason and exit status")
    return "same" if wire[0] == put_in else "differs: sends none"


staples = Staples()
for each_server in servers.SERVERS:
    for each_kind in JUDGED:
        add_cell(HEADING, each_server, each_kind, lambda s=each_server, k=each_kind: cell(s, k),
                 lambda s=each_server: is_documented_version(PROGRAM.get(s, s), servers.SBIN))
add_closing_case(HEADING)
main()
