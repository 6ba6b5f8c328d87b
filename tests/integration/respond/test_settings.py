# SPDX-License-Identifier: LGPL-2.1-or-later
"""Each setting of `respond` does what it says, as an option or in the configuration. Those of times are in test_clock and test_http."""
import os
import re

import ask
import told
from cryptography.hazmat.primitives import serialization
from harness import case, expect, expect_equal, free_port, main, new_tempdir, wait_for
from issuer import DAY_S, Ca, Index, write
from respond import Respond, authority, configuration, read
from talk import Talk, exchange, get, post

GOOD, REVOKED, NEVER, OVER = 0x1001, 0x1002, 0x7001, 0x1003
MANY = range(0x20000, 0x20000 + 6000)
PSS = bytes.fromhex("2a864886f70d01010a")
ca = Ca(new_tempdir(), "ours")
delegate = ca.delegate()
index = Index(os.path.join(ca.dir, "index.txt")).add("V", GOOD).add("R", REVOKED).add("V", OVER, seconds=-DAY_S).save()
FIXED = ["--ca", ca.cert_file, "--signer", delegate.cert_file, "--key", delegate.key_file, "--index", index.path]


def request(*serials, **more):
    return ask.request(*(ask.cert_id(ca, serial) for serial in serials), **more)


def each_way(options, more="", **settings):
    """By options and by a configuration."""
    yield Respond(None, *FIXED, *options)
    yield Respond(configuration(authority(ca, delegate, index=index.path, **settings), more=more))


def metric(place, name):
    found = re.search(rf"^{name} (\S+)$", exchange(place, get("/metrics", "Connection: close")).body.decode(), re.M)
    return float(found.group(1))


def signature_algorithm(response):
    return told.Fields(response.algorithm).take(0x06).content


@case
def so_many_certificates_may_one_request_ask_about():
    for one in each_way(["--max-certificates", "2"], more="limits: { certificates: 2 }"):
        with one:
            expect_equal(len(one.post(request(GOOD, REVOKED)).singles), 2, "two")
            expect_equal(one.post(request(GOOD, REVOKED, GOOD)).outcome, "malformedRequest", "three")


@case
def never_issued_may_be_unknown():
    for one in each_way(["--never-issued", "unknown"], never_issued="unknown"):
        with one:
            expect_equal(one.status(request(NEVER)), "unknown", "status")


@case
def nonces_may_be_ignored():
    for one in each_way(["--no-nonce"], nonce="ignore"):
        with one:
            expect_equal(one.post(request(GOOD, extensions=[ask.nonce(16)])).nonces, [], "nonces")


@case
def the_responder_may_be_named_by_name():
    for one in each_way(["--by-name"], responder_id="name"):
        with one:
            response = one.post(request(GOOD))
            expect_equal((response.by, response.responder), ("name", delegate.name), "ResponderID")


@case
def what_was_kept_is_signed_anew_where_the_name_or_the_padding_changes():
    rsa = ca.delegate("rsa", sort="rsa")
    conf = configuration(authority(ca, rsa, index=index.path))
    with Respond(conf) as one:
        expect_equal(one.post(request(GOOD)).by, "key", "ResponderID")
        configuration(authority(ca, rsa, index=index.path, responder_id="name"), path=conf)
        one.hup()
        wait_for(lambda: one.post(request(GOOD)).by == "name", 10, "the name")
        with open(conf, encoding="utf-8") as f:
            text = f.read()
        write(conf, text.replace('.key" }', '.key", pss: true }').encode())
        one.hup()
        wait_for(lambda: signature_algorithm(one.post(request(GOOD))) == PSS, 10, "PSS")


@case
def what_has_expired_may_be_archived():
    for one in each_way(["--archive-cutoff", "100d"], archive_cutoff="100d"):
        with one:
            response = one.post(request(OVER))
            expect(abs(response.produced_at - response.single.cutoff - 100 * DAY_S) <= DAY_S, f"archiveCutoff {response.single.cutoff}")
            expect_equal(one.status(request(GOOD)), "good", "status")


@case
def validity_and_refresh_are_settable():
    for one in each_way(["--validity", "1h", "--refresh", "100s"], validity="1h", refresh="100s"):
        with one:
            answer = exchange(one.address, get(ask.path_escaped(request(GOOD))))
            single = read(answer).single
            expect_equal(single.next_update - single.this_update, 3600, "validity")
            expect(0 < answer.max_age <= 100, f"max-age {answer.max_age}: the next one is there after 100 s")


@case
def what_caches_may_hold_is_settable():
    for one in each_way(["--max-age", "5m"], more="cache: { max_age: 5m }"):
        with one:
            expect_equal(exchange(one.address, get(ask.path_escaped(request(GOOD)))).max_age, 300, "max-age")


@case
def all_of_an_index_may_be_signed_ahead():
    port = free_port()
    for one in each_way(["--prepare", "both", "--metrics", f"127.0.0.1:{port}"], more=f"metrics_listen: 127.0.0.1:{port}", prepare="both"):
        with one:
            place = ("127.0.0.1", port)
            wait_for(lambda p=place: metric(p, "clinch_prepared_answers") == 4, 5, "two certificates, each by two hashes")  # not what has expired
            ready = metric(place, "clinch_responses_ready_total")
            expect_equal(one.status(request(GOOD)), "good", "status")
            expect_equal(metric(place, "clinch_responses_ready_total"), ready + 1, "prepared when it was asked for")


@case
def the_memory_of_what_is_kept_is_bounded():
    """More answers than fit: the oldest give way, and each is right all the same."""
    large = Index(os.path.join(ca.dir, "large.txt"))
    for serial in MANY:
        large.add("R" if serial % 3 == 0 else "V", serial)
    large.save()
    port = free_port()
    conf = configuration(authority(ca, delegate, index=large.path), more=f"cache: {{ memory: 1MiB }}\nmetrics_listen: 127.0.0.1:{port}")
    with Respond(conf) as one, Talk(one.address) as talk:
        for at in range(0, len(MANY), 50):
            some = MANY[at:at + 50]
            talk.send(b"".join(post(request(serial)) for serial in some))
            for serial in some:
                single = told.Told(talk.read().body).single
                expect_equal((single.serial, single.status), (serial, "revoked" if serial % 3 == 0 else "good"), "answer")
        place = ("127.0.0.1", port)
        expect(metric(place, "clinch_prepared_bytes") <= 1 << 20, f"{metric(place, 'clinch_prepared_bytes')} bytes are kept")
        expect(metric(place, "clinch_prepared_evicted_total") > 0, "nothing gave way")


@case
def a_key_may_have_a_password():
    secret = serialization.BestAvailableEncryption(b"the password")
    key = write(os.path.join(ca.dir, "encrypted.key"),
                delegate.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, secret))
    password = write(os.path.join(ca.dir, "password"), b"the password\n")
    entry = (f'{{ ca: "{ca.cert_file}", index: "{index.path}", signers: [ {{ cert: "{delegate.cert_file}", key: "{key}", '
             f'password_file: "{password}" }} ] }}')
    fixed = ["--ca", ca.cert_file, "--signer", delegate.cert_file, "--key", key, "--key-password-file", password, "--index", index.path]
    for one in (Respond(configuration(entry)), Respond(None, *fixed)):
        with one:
            one.post(request(GOOD)).check_signature(delegate.cert)


@case
def an_RSA_key_may_sign_with_PSS():
    other = Ca(new_tempdir(), "rsa", sort="rsa")
    rows = Index(os.path.join(other.dir, "index.txt")).add("V", GOOD).save()
    entry = f'{{ ca: "{other.cert_file}", index: "{rows.path}", signers: [ {{ cert: "{other.cert_file}", key: "{other.key_file}", pss: true }} ] }}'
    with Respond(configuration(entry)) as one:
        expect_equal(signature_algorithm(one.post(ask.request(ask.cert_id(other, GOOD)))), PSS, "signature algorithm")


@case
def it_listens_on_several_addresses():
    second = free_port(address="::1")
    conf = configuration(authority(ca, delegate, index=index.path), listen=("127.0.0.1:0", f"[::1]:{second}"))
    for args in ((None, *FIXED, "--listen", f"[::1]:{second}"), (conf,)):
        with Respond(*args) as one:
            for address in (one.address, ("::1", second)):
                expect_equal(read(exchange(address, post(request(GOOD)))).single.status, "good", f"at {address}")


@case
def the_log_is_as_the_configuration_in_use_says():
    """A reload changes it; one that is refused does not."""

    def again(level, *authorities):
        configuration(*authorities, path=conf)
        with open(conf, encoding="utf-8") as f:
            text = f.read()
        write(conf, text.replace("level: debug", f"level: {level}").encode())

    rows = Index(os.path.join(new_tempdir(), "index.txt")).add("V", GOOD).save()
    entry = authority(ca, delegate, index=rows.path)
    conf = configuration(entry)
    again("info", entry)
    with Respond(conf) as one:
        again("error", entry, authority(ca, delegate, index=rows.path + ".not-there"))
        one.hup()
        one.wait_said("reload-failed")
        expect(not any("anew" in event.get("text", "") for event in one.events("loaded")), "a part of what is refused is not loaded")
        since = one.mark()
        rows.add("V", OVER).save()
        one.wait_said("loaded", rows.path, since=since)  # is told at level info
        again("debug", entry)
        one.hup()
        one.wait_said("reloaded")
        one.hup()
        one.wait_said("reloading")  # at level debug


@case
def a_watchdog_that_is_too_fast_is_said():
    for microseconds, said in ((400000, 1), (4000000, 0)):
        with Respond(None, *FIXED, env={"WATCHDOG_USEC": str(microseconds)}) as one:
            expect_equal(len([e for e in one.events("notice", "warning") if "WatchdogSec=" in e["text"]]), said, "times that it is said")


@case
def idle_connections_end_when_the_setting_says():
    with Respond(None, *FIXED, "--idle-timeout", "1") as one, Talk(one.address) as talk:  # 60 s by default
        expect_equal(talk.send(get("/")).read().status, 200, "status")
        expect(talk.ended(), "more is said")


main()
