# SPDX-License-Identifier: LGPL-2.1-or-later
"""What was revoked stays revoked; what is stale is not answered from; what ends, ends."""
import os
import time

import ask
from harness import case, expect, expect_equal, expect_in, main, new_tempdir, wait_for
from issuer import DAY_S, Ca, Index, write
from respond import Respond, authority, configuration

GOOD, REVOKED, HELD, TO_REVOKE, ENDED = 0x1001, 0x1002, 0x1003, 0x1004, 0x1005
ca = Ca(new_tempdir(), "ours")
delegate = ca.delegate()


def request(serial):
    return ask.request(ask.cert_id(ca, serial))


def new_index():
    index = Index(os.path.join(new_tempdir(), "index.txt"))
    return index.add("V", GOOD).add("R", REVOKED).add("R", HELD, reason="certificateHold").add("V", TO_REVOKE).save()


def respond(index, *options, **settings):
    """By a configuration, or by options."""
    if not options:
        return Respond(configuration(authority(ca, delegate, index=index.path, **settings)))
    return Respond(None, "--ca", ca.cert_file, "--signer", delegate.cert_file, "--key", delegate.key_file, "--index", index.path, *options)


def refused_by_serial(one, since):
    line = one.wait_said("1002", since=since)
    expect_in("revoked", line, "what it says")
    expect_equal((one.status(request(REVOKED)), one.status(request(GOOD))), ("revoked", "good"), "status")


@case
def a_revoked_serial_that_is_valid_now_is_refused():
    index = new_index()
    with respond(index) as one:
        expect_equal(one.status(request(REVOKED)), "revoked", "status")
        since = one.mark()
        index.set("V", REVOKED).save()
        refused_by_serial(one, since)


@case
def a_revoked_serial_that_is_gone_is_refused():
    index = new_index()
    with respond(index) as one:
        expect_equal(one.status(request(REVOKED)), "revoked", "status")
        since = one.mark()
        index.drop(REVOKED).save()
        refused_by_serial(one, since)


@case
def the_refused_file_gives_way_to_a_right_one():
    index = new_index()
    with respond(index) as one:
        since = one.mark()
        index.set("V", REVOKED).save()
        refused_by_serial(one, since)
        index.set("R", REVOKED).set("R", TO_REVOKE).save()
        one.wait_status(request(TO_REVOKE), "revoked")


@case
def SIGHUP_does_not_let_it_in():
    index = new_index()
    with respond(index) as one:
        since = one.mark()
        index.set("V", REVOKED).save()
        refused_by_serial(one, since)
        since = one.mark()
        one.hup()
        refused_by_serial(one, since)


@case
def a_renewed_certificate_of_the_CA_does_not_let_it_in():
    """The same name and key: the same CA."""
    index, mine = new_index(), Ca(new_tempdir(), "mine")
    asked = ask.request(ask.cert_id(mine, REVOKED))
    with Respond(configuration(authority(mine, mine.delegate(), index=index.path))) as one:
        since = one.mark()
        index.save()
        one.wait_said("its source: " + index.path, since=since)
        since = one.mark()
        index.set("V", REVOKED).save()
        one.wait_said("1002", since=since)
        since = one.mark()
        renewed = Ca(new_tempdir(), "mine", key=mine.key, seconds=7300 * DAY_S)
        write(mine.cert_file, renewed.pem)
        one.wait_said("its signers", since=since)
        expect_equal(one.status(asked), "revoked", "status after the new certificate")
        since = one.mark()
        write(mine.cert_file, mine.pem)
        one.hup()
        one.wait_said("1002", since=since)
        expect_equal(one.status(asked), "revoked", "status after SIGHUP")


@case
def the_operator_may_let_it_in_by_serial():
    index = new_index()
    with respond(index, "--accept-unrevoked", f"{REVOKED:X}") as one:
        expect_equal(one.status(request(REVOKED)), "revoked", "status")
        index.set("V", REVOKED).save()
        one.wait_status(request(REVOKED), "good")


@case
def a_configuration_may_let_it_in_by_serial():
    index = new_index()
    with respond(index) as one:
        since = one.mark()
        index.set("V", REVOKED).save()
        refused_by_serial(one, since)
        configuration(authority(ca, delegate, index=index.path, accept_unrevoked=f'[ "{REVOKED:X}" ]'), path=one.conf)
        one.hup()
        one.wait_status(request(REVOKED), "good")


@case
def another_serial_than_the_one_let_in_is_refused():
    index = new_index()
    with respond(index, "--accept-unrevoked", f"{TO_REVOKE:X}") as one:
        since = one.mark()
        index.set("V", REVOKED).save()
        refused_by_serial(one, since)


@case
def a_hold_may_be_removed():
    index = new_index()
    with respond(index) as one:
        held = one.post(request(HELD)).single
        expect_equal((held.status, held.reason), ("revoked", 6), "held")
        index.set("V", HELD).save()
        one.wait_status(request(HELD), "good")


@case
def what_is_revoked_for_good_does_not_become_held():
    """It could be taken back then, in two steps."""
    index = new_index()
    with respond(index) as one:
        since = one.mark()
        index.set("R", REVOKED, reason="certificateHold").save()
        refused_by_serial(one, since)


@case
def what_ended_and_was_revoked_does_not_come_back_from_the_archive():
    index = new_index().add("R", ENDED, seconds=-DAY_S).save()
    with respond(index, archive_cutoff="30d") as one:
        expect_equal(one.status(request(ENDED)), "revoked", "status")
        since = one.mark()
        index.set("E", ENDED, seconds=-DAY_S).save()
        one.wait_said(f"{ENDED:X}", since=since)
        expect_equal(one.status(request(ENDED)), "revoked", "status")


@case
def a_line_that_says_E_is_answered_for_no_longer():
    index = new_index().add("E", ENDED).save()
    with respond(index) as one:
        expect_equal(one.status(request(ENDED)), "unauthorized", "status")


def write_crl(path, revoked, **more):
    write(path, ca.crl({serial: (ca.now - 60, reason) for serial, reason in revoked.items()}, **more))


def crl_responder(path, **settings):
    return Respond(configuration(authority(ca, delegate, crl=[path], crl_means="good", **settings)))


@case
def a_CRL_that_no_longer_lists_a_serial_is_refused():
    path = os.path.join(new_tempdir(), "ca.crl")
    write_crl(path, {REVOKED: None, HELD: "certificateHold"}, number=5)
    with crl_responder(path) as one:
        expect_equal([one.status(request(s)) for s in (REVOKED, HELD)], ["revoked", "revoked"], "status")
        since = one.mark()
        write_crl(path, {HELD: "certificateHold"}, number=6)
        refused_by_serial(one, since)
        write_crl(path, {REVOKED: None}, number=7)
        one.wait_status(request(HELD), "good")
        expect_equal(one.status(request(REVOKED)), "revoked", "status")


@case
def an_older_CRL_is_refused():
    path = os.path.join(new_tempdir(), "ca.crl")
    write_crl(path, {REVOKED: None}, number=5)
    with crl_responder(path) as one:
        since = one.mark()
        write_crl(path, {REVOKED: None, GOOD: None}, number=4, this=-2 * DAY_S)
        one.wait_said("ca.crl", since=since)
        expect_equal(one.status(request(GOOD)), "good", "status")


@case
def a_CRL_that_is_stale_does_not_take_the_place_of_one_that_is_not():
    path = os.path.join(new_tempdir(), "ca.crl")
    write_crl(path, {REVOKED: None}, number=5)
    with crl_responder(path) as one:
        since = one.mark()
        write_crl(path, {REVOKED: None, GOOD: None}, number=6, this=-1800, next_=-600)
        one.wait_said("ca.crl", "ended", since=since)
        expect_equal((one.status(request(GOOD)), one.status(request(REVOKED))), ("good", "revoked"), "status")


def goes_to(answer, ends):
    """The answer, where it ends by then, or is none any more."""
    return answer if answer.outcome != "successful" or answer.single.next_update <= ends else None


@case
def a_CRL_that_is_stale_is_answered_with_tryLater_until_another_comes():
    path = os.path.join(new_tempdir(), "ca.crl")
    write_crl(path, {REVOKED: None}, number=1, this=-7200)
    with crl_responder(path) as one:
        for number, life in enumerate((6, 30, 60), 2):  # longer, where the machine is so busy that it is not seen in time
            ends = int(time.time()) + life
            write_crl(path, {REVOKED: None}, next_=life, number=number, now=ends - life)
            answer = wait_for(lambda: goes_to(one.post(request(GOOD)), ends), 10, "an answer made of that CRL")
            if answer.outcome == "successful":
                break
        expect_equal(answer.single.status, "good", "status")
        expect(answer.single.next_update <= ends, "an answer goes beyond the CRL it is made of")
        wait_for(lambda: one.status(request(GOOD)) == "tryLater", life + 3, "tryLater")
        expect(time.time() >= ends - 2, "the CRL had not ended")
        expect_equal(one.status(request(REVOKED)), "tryLater", "status of a revoked one")
        wait_for(lambda: [e for e in one.events(level="error") + one.events(level="warning") if "ca" in e], 5, "a loud line about it")
        write_crl(path, {REVOKED: None}, number=9)
        one.wait_status(request(GOOD), "good")
        expect_equal(one.status(request(REVOKED)), "revoked", "status")


@case
def a_CRL_that_is_stale_already_at_start_is_answered_with_tryLater():
    path = os.path.join(new_tempdir(), "ca.crl")
    write_crl(path, {REVOKED: None}, this=-7200, next_=-3600)
    with crl_responder(path) as one:
        expect_equal([one.status(request(s)) for s in (GOOD, REVOKED)], ["tryLater", "tryLater"], "status")
        wait_for(lambda: one.events(level="error") or [e for e in one.events(level="warning") if "ca" in e], 5, "a loud line about it")
        write_crl(path, {REVOKED: None}, number=2)
        one.wait_status(request(GOOD), "good")


@case
def a_signer_that_ends_takes_over_to_the_next():
    """Several signers: the first that is valid signs. Nobody sees a failure."""
    nonced = ask.request(ask.cert_id(ca, GOOD), extensions=[ask.nonce(16)])
    for life in (5, 30, 60):  # longer, where the machine is so busy that it signs nothing in time
        brief = ca.delegate(f"brief-{life}", seconds=int(time.time()) - ca.now + life)
        one = Respond(configuration(authority(ca, brief, delegate, index=new_index().path)))
        if one.post(nonced).certs == [brief.der]:
            break
        one.stop_well()
    with one:
        expect(one.process.running(), "the first signer never signed")

        def next_signs():
            for asked in (request(GOOD), nonced):
                at = int(time.time())
                answer = one.post(asked)
                expect_equal(answer.outcome, "successful", f"outcome {time.time() - brief.until:+.2f} s from the first signer's end")
                expect_equal(answer.single.status, "good", "status")
                expect(answer.single.next_update >= at, "an answer past its nextUpdate")
                expect(answer.single.next_update <= brief.until or answer.certs == [delegate.der], "beyond its signer's notAfter")
            return answer.certs == [delegate.der]

        wait_for(next_signs, life + 10, "the next signer")
        answer = one.post(request(GOOD))
        expect_equal((answer.single.status, answer.certs), ("good", [delegate.der]), "a kept answer")


@case
def keys_are_rolled_over_without_a_failed_request():
    index, where = new_index(), new_tempdir()
    cert_file, key_file = os.path.join(where, "signer.pem"), os.path.join(where, "signer.key")

    class Files:
        pass

    files = Files()
    files.cert_file, files.key_file = cert_file, key_file

    def put(signer):
        for target, source in ((key_file, signer.key_file), (cert_file, signer.cert_file)):
            with open(source, "rb") as f:
                write(target, f.read())

    put(delegate)
    nonced = ask.request(ask.cert_id(ca, GOOD), extensions=[ask.nonce(16)])
    with Respond(configuration(authority(ca, files, index=index.path))) as one:
        for number in range(3):
            fresh = ca.delegate(f"rolled-{number}")
            put(fresh)
            one.hup()

            def rolled(signer=fresh):
                answers = [one.post(nonced), one.post(request(GOOD))]
                expect_equal([a.single.status for a in answers], ["good", "good"], "status")
                return all(a.certs == [signer.der] for a in answers)

            wait_for(rolled, 5, "the new signer")


main()
