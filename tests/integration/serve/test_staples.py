# SPDX-License-Identifier: LGPL-2.1-or-later
"""What `clinch serve` staples, to whom, and when."""
import contextlib
import os
import time
from datetime import datetime, timedelta

from OpenSSL import SSL

from harness import Failed, case, expect, expect_equal, expect_in, expect_match, main, new_tempdir, run, wait_for
from pki import Pki
from scene import (NOWHERE, Serve, Store, TLS12, TLS13, accepts_tls, check, digest, echo, Backend, leaf, look, pki, plain,
                   write_configuration)

rsa = pki.leaf("www.example.org", kind="rsa", label="rsa", ocsp_url=NOWHERE)
other = pki.leaf("other.example.org", ocsp_url=NOWHERE)
wild = pki.leaf("*.wild.example.org", label="wild", ocsp_url=NOWHERE)
must = pki.leaf("must.example.org", must_staple=True, ocsp_url=NOWHERE)
good = pki.response(leaf)


@case
def staples_the_leaf_in_tls_1_2():
    with Serve(store=Store(leaf, pki.intermediate)) as server:
        staple = look(server.address, version=TLS12).staple
        expect(staple, "no staple was sent")
        seen = check(server, "--tls", "1.2", "--require", "leaf")
        expect_equal((seen["verdict"], seen["accepted"]), ("good", True), "verdict")


@case
def staples_the_whole_chain_in_tls_1_3():
    store = Store(leaf)
    store.put(pki.intermediate, pki.response(pki.intermediate, signer=pki.delegate(issuer=pki.root, label="root delegate")))
    with Serve("--issuers", pki.root.cert_file, store=store) as server:
        seen = check(server, "--tls", "1.3", "--require", "chain")
        expect_equal([member["staple"]["verdict"] for member in seen["chain"][:2]], ["good", "good"], "verdicts of the chain")
        expect_equal(seen["accepted"], True, "accepted")


@case
def sends_exactly_the_bytes_of_the_store():
    store = Store()
    store.put(leaf, good)
    with Serve(store=store) as server:
        for version in (TLS12, TLS13):
            expect_equal(look(server.address, version=version).staple, good, "the staple")


@case
def chooses_by_name_and_by_wildcard():
    with Serve(certificates=(leaf, other, wild), store=Store(leaf, other, wild)) as server:
        for name, wanted in (("www.example.org", leaf), ("other.example.org", other), ("OTHER.example.org", other),
                             ("a.wild.example.org", wild), ("a.b.wild.example.org", leaf), ("unknown.example.net", leaf)):
            seen = look(server.address, name=name)
            expect_equal(seen.leaf, wanted.cert.serial_number, f"the certificate for {name}")
            expect_equal(bool(seen.staple), True, f"a staple for {name}")


@case
def chooses_rsa_and_ecdsa_by_what_the_client_can_verify():
    for order in ((leaf, rsa), (rsa, leaf)):
        with Backend(echo) as backend, Serve(certificates=order, store=Store(leaf, rsa), backend=backend) as server:
            for cipher, wanted in (("ECDHE-RSA-AES128-GCM-SHA256", rsa), ("ECDHE-ECDSA-AES128-GCM-SHA256", leaf)):
                done = run(["openssl", "s_client", "-connect", server.place, "-servername", "www.example.org", "-status", "-CAfile",
                            pki.root.cert_file, "-tls1_2", "-cipher", cipher, "-verify_return_error"], input="")
                expect_equal(done.rc, 0, f"exit status\n{done}")
                expect_in(f"Cipher is {cipher}", done.out, "openssl's output")
                expect_in("Cert Status: good", done.out, "openssl's output")
                expect_equal(look(server.address, version=TLS12, ciphers=cipher).leaf, wanted.cert.serial_number, "the certificate")


@case
def satisfies_gnutls_and_openssl():
    store = Store(leaf)
    store.put(pki.intermediate, pki.response(pki.intermediate, signer=pki.delegate(issuer=pki.root, label="root delegate")))
    with Backend(echo) as backend, Serve("--issuers", pki.root.cert_file, store=store, backend=backend) as server:
        for priority in ("NORMAL:-VERS-ALL:+VERS-TLS1.2", "NORMAL:-VERS-ALL:+VERS-TLS1.3"):
            done = run(["gnutls-cli", "--x509cafile", pki.root.cert_file, "--ocsp", "--priority", priority, "--sni-hostname",
                        "www.example.org", "--verify-hostname", "www.example.org", "-p", server.address[1], "127.0.0.1"], input="")
            expect_equal(done.rc, 0, f"exit status of gnutls-cli\n{done}")
            expect_match(r"OCSP status|status_request|OCSP Response", done.out, "gnutls-cli's output")


@case
def a_newer_response_is_sent_to_new_connections():
    store = Store()
    store.put(leaf, pki.response(leaf, this_update=timedelta(hours=-2)))
    newer = pki.response(leaf, this_update=timedelta(minutes=-1))
    with Serve(store=store) as server:
        before = look(server.address).staple
        store.put(leaf, newer)
        wait_for(lambda: look(server.address).staple == newer, 5, "the newer staple")
        expect(before != newer, "the first staple was the newer one already")
        server.wait_event("refreshed")
        store.put(leaf, pki.response(leaf, this_update=timedelta(hours=-3)))  # a replay
        store.put(other, pki.response(other))  # something else to be looked at
        time.sleep(2.1)
        expect_equal(look(server.address).staple, newer, "the staple after an older one came")


@case
def what_must_not_be_believed_is_not_stapled():
    forged = pki.response(leaf, sign_as=pki.delegate(label="forger", eku=False))
    for der in (forged, pki.expired(leaf), pki.response(other), b"garbage", pki.error_response()):
        store = Store()
        store.put(leaf, der)
        with Serve("--ready-timeout", 1, store=store) as server:
            expect_equal(look(server.address).staple, b"", "the staple")


def replace_by_a_brief_one(server, store, soon, name):
    """By one that ends in some seconds: in more, where the machine is so busy that it is not seen in them."""
    for seconds in (8, 30, 60):
        soon.now = datetime.utcnow().replace(microsecond=0)
        brief = soon.response(name, this_update=timedelta(seconds=-2), next_update=timedelta(seconds=seconds))
        store.put(name, brief)
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            with contextlib.suppress(SSL.Error):  # refused, where it has ended already
                if look(server.address).staple == brief:
                    return
            time.sleep(0.05)
    raise Failed("a newer response was not seen before it had ended")


@case
def a_staple_is_dropped_in_time_and_the_log_says_so():
    soon = Pki(os.path.join(new_tempdir(), "pki"))
    name = soon.leaf("www.example.org", must_staple=True, ocsp_url=NOWHERE)
    for option, refused in (("serve", False), ("refuse", True)):
        store = Store()
        store.put(name, soon.response(name, this_update=timedelta(seconds=-30)))
        with Serve("--on-unstapled", option, certificates=(name,), store=store) as server:
            expect(look(server.address).staple, "no staple at first")
            replace_by_a_brief_one(server, store, soon, name)
            server.wait_event("unstapled")
            if refused:
                expect(not accepts_tls(server), "a handshake of a must-staple certificate without its staple")
            else:
                expect_equal(look(server.address).staple, b"", "the staple")


@case
def revoked_is_stapled_or_dropped_and_said_once():
    revoked = pki.response(leaf, status="revoked", reason="key_compromise")
    store = Store()
    store.put(leaf, revoked)
    with Serve(store=store) as server:
        expect_equal(look(server.address).staple, revoked, "the staple")
        expect_equal(len(server.wait_event("revoked")), 1, "lines that say revoked")
    with Serve("--on-revoked", "drop", "--ready-timeout", 1, store=store) as server:
        expect_equal(look(server.address).staple, b"", "the staple")


@case
def listens_by_ready_timeout_without_a_staple():
    began = time.monotonic()
    with Serve("--ready-timeout", 1, store=Store()) as server:
        took = time.monotonic() - began
        expect(took >= 0.9, f"it listened after {took} s, before its time-out")
        expect_equal(look(server.address).staple, b"", "the staple")
        expect_equal(server.wait_event("ready")[0]["level"], "warning", "the level of ready")


@case
def does_not_listen_before_its_staple_is_there():
    store = Store()
    with Serve("--ready-timeout", 300, store=store, wait=False) as server:
        time.sleep(0.5)
        expect(not os.path.exists(server.ready_file), "it was ready without a staple")
        store.put(leaf)
        server.wait_ready(3)
        expect(look(server.address).staple, "no staple")


@case
def is_ready_at_once_when_there_is_nothing_to_staple():
    began = time.monotonic()
    with Serve("--ready-timeout", 300, certificates=(plain,), store=Store()) as server:
        expect(time.monotonic() - began < 60, "it waited")
        expect_equal(look(server.address, name="plain.example.org").leaf, plain.cert.serial_number, "the certificate")
        expect_equal(len(server.wait_event("no-responder")), 1, "lines about it")


@case
def nothing_is_waited_for_that_the_keeper_does_not_ask_for():
    """Less than 7 days of life: no response is kept; unless it is must-staple."""
    short = pki.leaf("short.example.org", label="short", ocsp_url=NOWHERE, days=3)
    began = time.monotonic()
    with Serve("--ready-timeout", 300, certificates=(short,), store=Store()) as server:
        expect(time.monotonic() - began < 60, "it waited")
        expect_in("7 days", server.wait_event("no-responder")[0]["text"], "what is said")
    short = pki.leaf("short.example.org", label="short must", ocsp_url=NOWHERE, days=3, must_staple=True)
    with Serve("--ready-timeout", 1, certificates=(short,), store=Store()) as server:
        expect_in("without the staples of 1", server.wait_event("ready")[0]["text"], "what is said")
        expect_equal(server.events("no-responder"), [], "lines about nothing to staple")


@case
def the_fallback_makes_a_staple_to_wait_for():
    store, path = Store(), os.path.join(new_tempdir(), "clinch.yaml")
    with open(path, "w", encoding="ascii") as f:
        f.write(f"store: {store.dir}\nfetch: {{ fallback: \"{NOWHERE}\" }}\nserve:\n  listen: [ \"127.0.0.1:0\" ]\n"
                f"  backend: 127.0.0.1:9\n  keeper: none\n  ready_timeout: 5m\n  certificates:\n"
                f"    - {{ chain: \"{plain.chain_file}\", key: \"{plain.key_file}\" }}\n")
    with Serve(conf=path, store=store, wait=False) as server:
        store.put(plain)
        server.wait_ready()
        server.wait_event("stapled")
        expect_equal(server.events("no-responder"), [], "lines about nothing to staple")
        expect(look(server.address, name="plain.example.org").staple, "no staple")


@case
def a_certificate_that_waits_is_sent_to_nobody_before_its_staple():
    store = Store()
    with Serve("--ready-timeout", 1, "--must-staple", "wait", certificates=(must,), store=store) as server:
        expect_equal(len(server.wait_event("waiting")), 1, "lines about it")
        expect(not accepts_tls(server, "must.example.org"), "a handshake with a certificate that waits")
        store.put(must)
        wait_for(lambda: accepts_tls(server, "must.example.org"), 5, "the certificate to be served")
        expect(look(server.address, name="must.example.org").staple, "no staple")


@case
def what_is_wrong_with_another_response_keeps_no_certificate_waiting():
    store, path = Store(), os.path.join(new_tempdir(), "clinch.yaml")
    os.mkdir(os.path.join(store.dir, digest(leaf) + ".der"))  # it cannot be read, at no look
    with Backend(echo) as backend:
        write_configuration(path, store, backend, (leaf,), "ready_timeout: 1s")
    with open(path, "a", encoding="ascii") as f:
        f.write(f'    - {{ chain: "{must.chain_file}", key: "{must.key_file}", must_staple: wait }}\n')
    with Serve(conf=path, store=store) as server:
        expect_in(digest(leaf), server.wait_event("refresh-failed")[0]["text"], "what is said")
        store.put(must)
        wait_for(lambda: look(server.address, name="must.example.org").leaf == must.cert.serial_number, 10, "it to be served")
        expect(look(server.address, name="must.example.org").staple, "no staple")
        expect_equal(len(server.events("refresh-failed")), 1, "lines about the other one")


@case
def the_store_may_come_later():
    store = Store()
    os.rmdir(store.dir)
    with Serve("--ready-timeout", 1, store=store) as server:
        expect_equal(look(server.address).staple, b"", "the staple")
        os.mkdir(store.dir)
        store.put(leaf)
        wait_for(lambda: look(server.address).staple, 5, "the staple")


class Files:
    """A chain and its key in files that are replaced, each by rename."""

    def __init__(self, identity):
        where = new_tempdir()
        self.chain_file, self.key_file = os.path.join(where, "chain.pem"), os.path.join(where, "key.pem")
        self.write(identity, identity)

    def write(self, of_chain, of_key):
        for path, source in ((self.chain_file, of_chain.chain_file), (self.key_file, of_key.key_file)):
            with open(source, "rb") as f, open(path + ".new", "wb") as to:
                to.write(f.read())
            os.replace(path + ".new", path)


def two_of(name, **more):
    return (pki.leaf(name, label=f"{label} {name}", ocsp_url=NOWHERE, **more) for label in ("first", "second"))


@case
def a_renewed_certificate_is_taken_as_a_pair():
    first, second = two_of("www.example.org")
    store, files = Store(first, second), Files(first)
    with Serve(certificates=(files,), store=store) as server:
        files.write(second, first)  # half of it
        server.wait_event("refresh-failed")
        expect_equal(look(server.address).leaf, first.cert.serial_number, "the certificate")
        files.write(second, second)
        wait_for(lambda: look(server.address).leaf == second.cert.serial_number, 5, "the renewed certificate")
        expect(look(server.address).staple, "no staple")
        server.wait_event("renewed")
        expect_equal(len(server.events("refresh-failed")), 1, "lines about the pair that did not fit")


def renewal_and_reload(name, *options, before_each=lambda: None, **more):
    """What a hook of an ACME client does: the files are replaced, then SIGHUP; the new certificate has no staple yet."""
    first, second = two_of(name, **more)
    store, files = Store(first), Files(first)
    with Serve("--ready-timeout", 1, *options, certificates=(files,), store=store) as server:
        files.write(second, second)
        for turn in (1, 2):  # what waits goes on waiting through another reload
            before_each()
            server.hup()
            server.wait_event("reloaded", turn)
            for _ in range(10):
                seen = look(server.address, name=name)
                expect_equal((seen.leaf, bool(seen.staple)), (first.cert.serial_number, True), "what is sent until then")
        expect_equal(server.events("renewed") + server.events("unstapled"), [], "what was said")
        store.put(second)
        wait_for(lambda: look(server.address, name=name).leaf == second.cert.serial_number, 5, "the renewed certificate")
        expect(look(server.address, name=name).staple, "no staple of the renewed one")
        server.wait_event("renewed")


@case
def a_renewed_certificate_waits_for_its_staple_through_reloads():
    renewal_and_reload("www.example.org")


@case
def a_renewed_must_staple_certificate_that_waits_does_so_through_reloads():
    renewal_and_reload("must.example.org", "--must-staple", "wait", "--on-unstapled", "refuse", must_staple=True)


@case
def a_renewed_certificate_waits_also_where_the_issuers_change_with_it():
    issuers = os.path.join(new_tempdir(), "issuers.pem")

    def write():
        with open(pki.root.cert_file, "rb") as f, open(issuers + ".new", "wb") as to:
            to.write(f.read())
        os.replace(issuers + ".new", issuers)

    write()
    renewal_and_reload("www.example.org", "--issuers", issuers, before_each=write)


@case
def a_reload_reads_what_changed_and_takes_over_what_did_not():
    others = [pki.leaf(f"other{i}.example.org", ocsp_url=NOWHERE) for i in range(3)]
    first, second = two_of("www.example.org")
    store, files = Store(first, second, *others), Files(first)
    with Serve(certificates=(*others[:2], files, others[2]), store=store) as server:
        files.write(second, second)
        store.put(others[1], pki.response(others[1], this_update=timedelta(minutes=-1)))
        server.hup()
        server.wait_event("reloaded")
        expect_equal(look(server.address).leaf, second.cert.serial_number, "the renewed certificate")
        for other in others:
            seen = look(server.address, name=other.label)
            expect_equal(seen.leaf, other.cert.serial_number, other.label)
            expect(seen.staple, f"no staple of {other.label}")
        with open(os.path.join(store.dir, digest(others[1]) + ".der"), "rb") as f:
            newer = f.read()
        wait_for(lambda: look(server.address, name=others[1].label).staple == newer, 5, "the newer response")


main()
