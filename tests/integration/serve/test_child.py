# SPDX-License-Identifier: LGPL-2.1-or-later
"""The child of `clinch serve`: it fetches, it knows no key, and it is replaced when it dies."""
import os
import signal
import sys
import time

from harness import case, expect, expect_equal, expect_in, main, new_tempdir, source_path, wait_for
from scene import NOWHERE, Serve, Store, digest, leaf, look, pki

sys.path.insert(0, source_path("tests", "integration", "fetch"))
from responder import Responder, answer, hang  # noqa: E402


def has_ended(pid):
    """Gone, or waiting to be reaped by whoever adopted it."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            return f.read().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def open_files(pid):
    """What is closed while it is looked at is passed over."""
    found = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            found.add(os.readlink(f"/proc/{pid}/fd/{fd}"))
        except FileNotFoundError:
            pass
    return found


@case
def the_child_fetches_what_is_stapled_and_knows_no_key():
    with Responder(answer(pki.response(leaf))) as responder, Serve("--responder", responder.url, store=Store(), keeper=True) as server:
        expect(look(server.address).staple, "no staple was sent, although it was ready")
        child = server.wait_event("keeper-started")[0]["pid"]
        with open(f"/proc/{child}/cmdline", "rb") as f:
            argv = f.read().split(b"\0")
        expect_equal(argv[:3], [b"clinch-keep", b"keep", b"-c"], "the child's arguments")
        with open(argv[3].decode().replace("self", str(child)), encoding="utf-8") as f:
            told = f.read()
        expect_in(leaf.chain_file, told, "the child's configuration")
        expect(leaf.key_file not in told, f"the child is told of the key:\n{told}")
        shared = [f for f in open_files(child) & open_files(server.process.pid) if f.startswith("socket:")]
        expect_equal(shared, [], "sockets that the child inherited")
        server.stop_well()
        expect(not os.path.exists(f"/proc/{child}"), "the child outlived its parent")


@case
def an_issuer_that_the_child_found_is_the_servers_too():
    """The file holds the leaf alone, which says where its issuer is."""
    class Files:
        pass

    store, files = Store(), Files()
    for i in range(300):  # of other certificates
        with open(os.path.join(store.dir, f"issuer-{i:064x}.crt"), "wb") as f:
            f.write(pki.root.pem)
    with Responder(answer(pki.intermediate.der)) as issuers, Responder(answer(b"")) as responder:
        alone = pki.leaf("alone.example.org", ocsp_url=responder.url, ca_issuers=issuers.url + "issuer.crt")
        responder.behaviours = (answer(pki.response(alone)),)
        files.chain_file, files.key_file = alone.cert_file, alone.key_file
        for keeper in (True, False):  # found while it runs; and by a keeper before, without a network
            with Serve(certificates=(files,), store=store, keeper=keeper) as server:
                wait_for(lambda: look(server.address, name="alone.example.org").staple, 10, "the staple")
        expect_equal(len(issuers.requests), 1, "times that its issuer was asked for")


@case
def a_child_that_was_killed_is_started_again():
    with Responder(answer(pki.response(leaf))) as responder, Serve("--responder", responder.url, store=Store(), keeper=True) as server:
        first = server.wait_event("keeper-started")[0]["pid"]
        os.kill(first, signal.SIGKILL)
        server.wait_event("keeper-ended")
        expect_in("signal 9", server.events("keeper-ended")[0]["text"], "why it ended")
        expect(look(server.address).staple, "no staple without the child")
        again = server.wait_event("keeper-started", 2)[1]["pid"]
        expect(again != first, "it is the same child")
        server.store.drop(leaf)
        wait_for(lambda: server.store.holds(leaf), 20, "the new child to write what was lost")


@case
def a_reload_does_not_end_a_child_that_has_only_begun():
    with Responder(answer(pki.response(leaf))) as responder:
        for _ in range(3):
            with Serve("--responder", responder.url, store=Store(leaf), keeper=True) as server:
                for _ in range(6):
                    server.hup()
                    time.sleep(0.005)  # the child's first moments
                server.store.drop(leaf)
                wait_for(lambda: server.store.holds(leaf), 20, "the child to write what was lost")
                expect_equal(server.events("keeper-ended"), [], "ends of the child")


@case
def the_child_has_neither_capabilities_nor_a_blocked_signal():
    with Responder(answer(pki.response(leaf))) as responder, Serve("--responder", responder.url, store=Store(), keeper=True) as server:
        child = server.wait_event("keeper-started")[0]["pid"]
        with open(f"/proc/{child}/status", encoding="ascii") as f:
            rows = dict(line.split(":", 1) for line in f.read().splitlines())
        expect_equal(int(rows["CapAmb"], 16), 0, "its ambient capabilities")
        expect_equal(int(rows["SigBlk"], 16), 0, "its blocked signals")


@case
def a_child_does_not_outlive_a_parent_that_was_killed():
    with Responder(answer(pki.response(leaf))) as responder, Serve("--responder", responder.url, store=Store(), keeper=True) as server:
        child = server.wait_event("keeper-started")[0]["pid"]
        os.kill(server.process.pid, signal.SIGKILL)
        wait_for(lambda: has_ended(child), 10, "the child's end")


@case
def a_dead_responder_delays_it_by_ready_timeout_and_no_more():
    with Responder(hang) as responder:
        began = time.monotonic()
        with Serve("--responder", responder.url, "--ready-timeout", 1, store=Store(), keeper=True) as server:
            expect(0.9 <= time.monotonic() - began < 9.5, "ready-timeout was not kept")  # by default it is 10 s
            expect_equal(look(server.address).staple, b"", "the staple")


@case
def what_is_held_is_stapled_at_the_first_handshake_after_a_restart():
    with Responder(hang) as responder:
        for _ in range(2):
            began = time.monotonic()
            with Serve("--responder", responder.url, "--ready-timeout", 300, store=Store(leaf), keeper=True) as server:
                expect(time.monotonic() - began < 60, "it waited for the responder")
                expect(look(server.address).staple, "no staple at the first handshake")


@case
def a_reload_tells_the_child_of_new_certificates():
    class Nobody:
        address = "127.0.0.1:9"

    fresh = pki.leaf("fresh.example.org", ocsp_url=NOWHERE)
    with Responder(answer(pki.response(leaf))) as first, Responder(answer(pki.response(fresh))) as second:
        def entry(identity, responder):
            return f'    - {{ chain: "{identity.chain_file}", key: "{identity.key_file}", responder: "{responder.url}" }}\n'

        path, store = os.path.join(new_tempdir(), "clinch.yaml"), Store()

        def write(entries):
            with open(path, "w", encoding="ascii") as f:
                f.write(f"store: {store.dir}\nfetch: {{ proxy: none }}\nserve:\n  listen: [ \"127.0.0.1:0\" ]\n"
                        f"  backend: {Nobody.address}\n  certificates:\n{entries}")

        write(entry(leaf, first))
        with Serve(conf=path) as server:
            expect(look(server.address).staple, "no staple of the first certificate")
            write(entry(leaf, first) + entry(fresh, second))
            server.hup()
            server.wait_event("reloaded")
            wait_for(lambda: look(server.address, name="fresh.example.org").leaf == fresh.cert.serial_number, 5, "the new one")
            expect(look(server.address, name="fresh.example.org").staple, "no staple of the new one")
            expect_equal(len(server.events("keeper-started")), 1, "children that were started")


main()
