# SPDX-License-Identifier: LGPL-2.1-or-later
"""examples/client.c against real servers: what it prints, its exit status, the alert that the server gets."""
import socket
import threading
import time

import servers
from harness import add_case, build_path, case, expect, expect_equal, expect_in, expect_match, free_port, main, new_tempdir, run, wait_for
from pki import Pki

CLIENT = build_path("examples", "example-client")

# server of servers.staples(), exit status, first line, the last, and the alert that the server is sent
TABLE = [
    ("GOOD", 0, "certificate 0: good: the certificate is good", "accepted: the certificate is good", None),
    ("NONE", 0, "certificate 0: missing: no staple was sent, and none was required",
     "accepted: no staple was sent, and none was required", None),
    ("MUST_GOOD", 0, "certificate 0: good: the certificate is good", "accepted: the certificate is good", None),
    ("REVOKED", 4, "certificate 0: revoked: the certificate is revoked", "refused: the certificate is revoked", 113),
    ("EXPIRED", 4, "certificate 0: invalid: nextUpdate has passed", "refused: nextUpdate has passed", 113),
    ("UNKNOWN", 4, "certificate 0: unknown: the responder does not know the certificate",
     "refused: the responder does not know the certificate", 113),
    ("ERROR", 4, "certificate 0: invalid: an error, not a status: the responder says tryLater",
     "refused: an error, not a status: the responder says tryLater", 113),
    ("OTHER", 4, "certificate 0: invalid: no entry is for this certificate: hash, issuer name, issuer key and serial must all match",
     "refused: no entry is for this certificate: hash, issuer name, issuer key and serial must all match", 113),
    ("TAMPERED", 4, "certificate 0: invalid: the signature over the response is wrong",
     "refused: the signature over the response is wrong", 113),
    ("SECOND", 4, "certificate 0: revoked: the certificate is revoked", "refused: the certificate is revoked", 113),
    ("MUST_NONE", 4, "certificate 0: missing: the certificate says must-staple, and no staple was sent",
     "refused: the certificate says must-staple, and no staple was sent", 113),
]

made = {}


def pki():
    if not made:
        made["pki"] = servers.make_pki()
        made["staples"] = servers.staples(made["pki"])
    return made["pki"]


def staple(name):
    pki()
    return made["staples"][name]


def client(port, name="127.0.0.1", roots=None, timeout=20):
    return run([CLIENT, name, port, roots or pki().root.cert_file], timeout=timeout)


def add_row(version, name, status, first, last, alert):
    def talk():
        server = servers.s_server(pki(), *staple(name), f"-{version}")
        done = client(server.port)
        lines = done.out.splitlines()
        expect_equal((done.rc, lines[:1], lines[-1:]), (status, [first], [last]), "exit status, first line and last line")
        if alert and version == "tls1_2":  # in TLS 1.3 close() finds unread records and resets: the alert may not arrive
            wait_for(lambda: f"SSL alert number {alert}" in server.log_text(), 5, f"alert {alert} to reach the server")

    add_case(f"{name.lower()} over {version.replace('_', '.')} is {'refused' if status else 'accepted'}", talk)


@case
def a_chain_of_staples_is_read_from_gnutls_serv():
    leaf = pki().leaf()
    server = servers.gnutls_serv(pki(), leaf, pki().response(leaf), pki().response(pki().intermediate))
    done = client(server.port)
    expect_equal(done.rc, 0, "exit status")
    expect_equal(done.out.splitlines()[:2], [f"certificate {i}: good: the certificate is good" for i in range(2)], "certificates")


@case
def a_root_that_is_not_trusted_is_refused():
    stranger = Pki(new_tempdir(), label="stranger ")
    server = servers.s_server(pki(), *staple("GOOD"))
    done = client(server.port, roots=stranger.root.cert_file)
    expect_equal(done.rc, 4, "exit status")
    expect_in("refused: no path leads from the certificate to a trusted root", done.out)


@case
def another_name_is_refused():
    leaf = pki().leaf("other.example", dns=["other.example"], ip=[])
    server = servers.s_server(pki(), leaf, pki().response(leaf))
    done = client(server.port)
    expect_equal(done.rc, 4, "exit status")
    expect_in("refused: the certificate is for another name", done.out)


@case
def what_is_not_tls_is_not_judged():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        done = answer_once(listener, b"HTTP/1.0 400 this is not TLS\r\n\r\n")
    expect_equal((done.rc, done.out), (1, ""), "exit status and output")
    expect_match(r"^client: \S", done.err, "stderr")


def answer_once(listener, data):
    """Runs the client against a listener that answers its first bytes with `data`, in a thread of its own."""

    def answer():
        connection, _ = listener.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(data)

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    try:
        return client(listener.getsockname()[1])
    finally:
        thread.join(5)


@case
def a_server_that_says_nothing_is_left_at_the_deadline():
    with socket.create_server(("127.0.0.1", 0)) as listener:  # the kernel accepts, nobody answers
        began = time.monotonic()
        done = client(listener.getsockname()[1])
        took = time.monotonic() - began
    expect_equal((done.rc, done.out), (1, ""), "exit status and output")
    expect(9 < took < 30, f"the deadline is 10 s, it took {took:.1f} s")


@case
def nobody_there_is_said():
    port = free_port()
    done = client(port)
    expect_equal((done.rc, done.err), (1, f"client: no connection to 127.0.0.1 port {port}\n"), "exit status and stderr")


@case
def a_file_without_roots_is_said():
    server = servers.s_server(pki(), *staple("GOOD"))
    done = client(server.port, roots="/dev/null")
    expect_equal((done.rc, done.err), (1, "client: no root certificate in /dev/null\n"), "exit status and stderr")


@case
def too_few_words_are_a_usage_error():
    done = run([CLIENT, "127.0.0.1"])
    expect_equal((done.rc, done.err), (2, "usage: client NAME PORT ROOTS.pem\n"), "exit status and stderr")


for tls in ("tls1_2", "tls1_3"):
    for line in TABLE:
        add_row(tls, *line)
main()
