# SPDX-License-Identifier: LGPL-2.1-or-later
"""examples/server.c fed by a store directory: what real clients get of it, before, with and after a refresh."""
import hashlib
import os
from datetime import timedelta

from harness import build_path, case, clinch, expect, expect_equal, expect_match, main, new_tempdir, run, start, wait_for
from pki import Pki

SERVER = build_path("examples", "example-server")


def put(store, leaf, der):
    """As a writer of the store does it: a temporary file, then its name."""
    name = os.path.join(store, hashlib.sha256(leaf.der).hexdigest() + ".der")
    with open(name + ".tmp", "wb") as file:
        file.write(der)
    os.rename(name + ".tmp", name)


def begin():
    pki, store = Pki(new_tempdir()), new_tempdir()
    leaf = pki.leaf("localhost", ip=["127.0.0.1"])
    server = start([SERVER, "0", leaf.chain_file, leaf.key_file, store], ready=r"listening on 127\.0\.0\.1:\d+\n")
    port = expect_match(r"listening on 127\.0\.0\.1:(\d+)", server.log_text(), "the port").group(1)
    return pki, store, leaf, server, port


def check(pki, port, *more):
    return clinch("check", "--json", "--ca", pki.root.cert_file, *more, f"127.0.0.1:{port}")


def staple(result):
    return result.json["chain"][0]["staple"]


@case
def staples_what_the_store_holds_and_follows_a_refresh():
    pki, store, leaf, _, port = begin()
    expect_equal((check(pki, port).rc, staple(check(pki, port))["present"]), (0, False), "without a response")
    for hours in (2, 1):
        put(store, leaf, pki.response(leaf, this_update=timedelta(hours=-hours)))
        wanted = (pki.now - timedelta(hours=hours)).strftime("%Y-%m-%dT%H:%M:%SZ")
        wait_for(lambda: staple(check(pki, port)).get("this_update") == wanted, 10, f"the staple of {wanted}")
        for version in ("1.2", "1.3"):
            result = check(pki, port, "--tls", version, "--require", "leaf")
            expect_equal((result.rc, staple(result)["reason"]), (0, "good"), version)


@case
def never_staples_what_is_not_to_be_believed():
    pki, store, leaf, server, port = begin()
    put(store, leaf, pki.expired(leaf))
    wait_for(lambda: "is not believed" in server.log_text(), 10, "the server to say so")
    expect_equal(staple(check(pki, port))["present"], False, "a staple that has expired")


@case
def openssl_and_gnutls_clients_accept_the_staple():
    pki, store, leaf, _, port = begin()
    put(store, leaf, pki.response(leaf))
    wait_for(lambda: staple(check(pki, port))["present"], 10, "the staple")
    done = run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-status", "-CAfile", pki.root.cert_file], input="")
    expect("OCSP Response Status: successful" in done.out and "Cert Status: good" in done.out, done.out)
    done = run(["gnutls-cli", "--ocsp", "--x509cafile", pki.root.cert_file, "--port", port, "127.0.0.1"], input="")
    expect_match(r"OCSP Response Information|Status: good|trusted", done.out, "gnutls-cli")
    expect_equal(done.rc, 0, done.out + done.err)


@case
def says_what_is_wrong_with_its_arguments():
    pki = Pki(new_tempdir())
    leaf, other = pki.leaf("a.test"), pki.leaf("b.test")
    expect_equal(run([SERVER]).rc, 2, "no arguments")
    done = run([SERVER, "0", leaf.chain_file, other.key_file, new_tempdir()])
    expect_equal(done.rc, 1, "a key of another certificate")
    expect_match("the private key does not belong", done.err, "the sentence")


main()
