# SPDX-License-Identifier: LGPL-2.1-or-later
"""clinch verify: exit statuses, JSON and text, on responses by python3-cryptography and by openssl."""
import os
import re
from datetime import datetime, timedelta

from harness import (case, clinch, add_case, expect, expect_equal, expect_in, expect_match, expect_not_in, main, new_tempdir)
from material import (STAPLE_KEYS, expect_clean, issuer, leaf, on_a_terminal, openssl, openssl_response, pki, response, rfc3339,
                      strange_certificate, verify_args)
from pki import DER, Pki

TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
delegate = pki.delegate()
other_leaf = pki.leaf("other.example.com")


def forged():
    """By a namesake of the issuer with a key of its own."""
    namesake = Pki(new_tempdir()).intermediate
    expect_equal(namesake.cert.subject, issuer.cert.subject, "the namesake's name")
    return pki.write("forged.der", pki.response(leaf, signer=namesake, by_key=False, embed=False))


RESPONSES = {
    # sentence: (maker, exit status, verdict, fresh, reason)
    "good_by_the_issuer": (lambda: response(), 0, "good", True, "good"),
    "good_by_a_delegate": (lambda: response(signer=delegate), 0, "good", True, "good"),
    "good_by_openssl": (lambda: openssl_response("openssl.der", known=[leaf]), 0, "good", True, "good"),
    "revoked": (lambda: response(status="revoked", reason="key_compromise"), 3, "revoked", True, "revoked"),
    "revoked_by_openssl": (lambda: openssl_response("revoked.der", [leaf], [leaf]), 3, "revoked", True, "revoked"),
    "revoked_and_out_of_date": (lambda: response(status="revoked", this_update=timedelta(days=-9), next_update=timedelta(days=-2)),
                                3, "revoked", False, "revoked"),
    "unknown": (lambda: openssl_response("unknown.der", known=[other_leaf]), 6, "unknown", True, "unknown"),
    "expired": (lambda: pki.write("expired.der", pki.expired(leaf)), 4, "invalid", False, "expired"),
    "from_the_future": (lambda: response(this_update=timedelta(days=1)), 4, "invalid", False, "this-update-in-future"),
    "an_error": (lambda: pki.write("error.der", pki.error_response()), 4, "invalid", False, "responder-try-later"),
    "forged": (forged, 4, "invalid", False, "signature-bad"),
    "about_another": (lambda: pki.write("o.der", pki.response(other_leaf)), 4, "invalid", False, "no-entry"),
    "without_purpose": (lambda: response(signer=pki.delegate(label="no-eku", eku=False)), 4, "invalid", False, "delegate-eku"),
    "empty": (lambda: pki.write("empty.der", b""), 4, "invalid", False, "response-empty"),
    "html": (lambda: pki.write("error.html", b"<!DOCTYPE html><html><body>503</body></html>"), 4, "invalid", False,
             "response-malformed"),
    "cut_off": (lambda: pki.write("cut.der", pki.response(leaf)[:-9]), 4, "invalid", False, "response-malformed"),
    "10_megabytes": (lambda: pki.write("large.der", b"\x30" * (10 << 20)), 4, "invalid", False, "response-too-large"),
    "a_certificate": (lambda: leaf.cert_file, 4, "invalid", False, "response-malformed"),
}


def judges(make, status, verdict, fresh, reason):
    def check():
        path = make()
        done = clinch(*verify_args(path, more=["--json"]))
        expect_equal(done.rc, status, f"exit status\n{done}")
        expect_equal(done.err, "", "stderr")
        expect_equal(done.out.count("\n"), 1, "lines of JSON")
        staple = done.json
        expect_equal(list(staple), STAPLE_KEYS, "members")
        expect_equal((staple["verdict"], staple["fresh"], staple["reason"]), (verdict, fresh, reason), "verdict")
        expect_equal(staple["present"], True, "present")
        expect(len(staple["detail"]) > 10, f"no detail: {staple}")
        expect_equal(staple["size"], os.path.getsize(path), "size")
        for name in ("produced_at", "this_update", "next_update", "revoked_at"):
            expect(staple[name] is None or TIME.match(staple[name]), f"{name}: {staple[name]}")
        for finding in staple["findings"]:
            expect_equal(list(finding), ["id", "level", "text"], "members of a finding")
        text = clinch(*verify_args(path))
        expect_equal(text.rc, status, f"exit status\n{text}")
        expect_match(rf"\A{verdict}\b", text.out, "the first word")
        expect_match(rf"^  reason +{reason}: ", text.out, "the reason")
        expect_equal("next step" in text.out, verdict != "good", "a next step is shown")
        expect_clean(text)
    return check


for sentence, row in RESPONSES.items():
    add_case(f"judges_a_response_that_is_{sentence}", judges(*row))


# --- what is said ----------------------------------------------------------------------------------------------------------------


@case
def json_says_who_signed_when_and_how():
    staple = clinch(*verify_args(response(signer=delegate, by_key=False), more=["--json", "--at", rfc3339(hours=1)])).json
    expect_equal((staple["this_update"], staple["next_update"]), (rfc3339(hours=-1), rfc3339(days=4)), "times")
    made = datetime.strptime(staple["produced_at"], "%Y-%m-%dT%H:%M:%SZ")  # python3-cryptography says the real time
    expect(timedelta(0) <= made - pki.now < timedelta(minutes=5), f"produced_at: {made}, now: {pki.now}")
    expect_equal((staple["signer"], staple["signer_name"]), ("delegate", "CN=delegate responder"), "signer")
    expect_equal((staple["signature"], staple["cert_id_hash"]), ("ecdsa-sha256", "sha1"), "algorithms")
    expect_equal((staple["age_s"], staple["remaining_s"]), (7200, 4 * 86400 - 3600), "seconds")
    expect_equal((staple["revoked_at"], staple["revocation_reason"]), (None, None), "revocation")
    expect_in("responder-by-name", [f["id"] for f in staple["findings"]], "findings")


@case
def json_says_when_and_why_it_was_revoked():
    path = response(status="revoked", reason="key_compromise", revoked_at=timedelta(hours=-5))
    staple = clinch(*verify_args(path, more=["--format", "json"])).json
    expect_equal((staple["revoked_at"], staple["revocation_reason"]), (rfc3339(hours=-5), "keyCompromise"), "revocation")
    expect_in(rfc3339(hours=-5), staple["detail"], "detail")
    expect_in("keyCompromise", staple["detail"], "detail")


@case
def what_is_not_known_is_null():
    staple = clinch(*verify_args(pki.write("error.der", pki.error_response()), more=["--json"])).json
    for name in ("produced_at", "this_update", "next_update", "revoked_at", "revocation_reason", "signer", "signer_name",
                 "signature", "cert_id_hash", "age_s", "remaining_s"):
        expect_equal(staple[name], None, name)


@case
def the_detail_names_the_dates():
    detail = clinch(*verify_args(pki.write("expired.der", pki.expired(leaf)), more=["--json"])).json["detail"]
    expect_in(rfc3339(days=-1), detail, "detail")
    expect_in("1 d", detail, "detail")


@case
def the_detail_says_what_the_bytes_are_instead():
    for path, words in ((leaf.cert_file, "a certificate"), (leaf.key_file, "a private key"),
                        (pki.write("page", b" <html>"), "an HTML page"),
                        (pki.write("cut.der", pki.response(leaf)[:-9]), "end too soon")):
        expect_in(words, clinch(*verify_args(path, more=["--json"])).json["detail"], "detail")


@case
def text_says_who_signed_only_when_that_is_true():
    for make, words in ((lambda: response(signer=delegate), "signed by +the delegate CN=delegate responder"),
                        (lambda: pki.write("e.der", pki.expired(leaf)), "signed by +the issuer CN=intermediate ec"),
                        (forged, "claims to be +the issuer CN=intermediate ec")):
        expect_match(rf"^  {words}$", clinch(*verify_args(make())).out, "the signer")


@case
def text_shows_the_life_of_the_response():
    done = clinch(*verify_args(response(), more=["--at", rfc3339(days=2)]))
    expect_match(r"^  life +\[#{10}-{10}\] 50 % gone, 2 d left$", done.out, "life")
    done = clinch(*verify_args(response(), more=["--at", rfc3339(days=5)]))
    expect_match(r"^  life +\[#{20}\] over for 1 d$", done.out, "life")
    expect_match(r"^  next step +fetch a new response", done.out, "next step")


# --- options ---------------------------------------------------------------------------------------------------------------------


@case
def at_is_the_instant_of_judgement():
    path = response()
    for at, status in ((rfc3339(), 0), (rfc3339(days=3), 0), (rfc3339(days=5), 4), (rfc3339(days=-2), 4), (rfc3339(days=80), 4)):
        expect_equal(clinch(*verify_args(path, more=["--at", at])).rc, status, f"exit status at {at}")
    epoch = clinch(*verify_args(path, more=["--at=1970-01-01T00:00:00Z", "--json"]))
    expect_equal((epoch.rc, epoch.json["reason"]), (4, "produced-in-future"), "at the epoch")
    expect(epoch.json["age_s"] is None or epoch.json["age_s"] < 0, f"age_s: {epoch.json['age_s']}")
    local = (pki.now + timedelta(days=3, hours=2)).strftime("%Y-%m-%dT%H:%M:%S+02:00")
    expect_equal(clinch(*verify_args(path, more=["--at", local])).rc, 0, "exit status with an offset")


@case
def max_age_refuses_what_nextupdate_would_allow():
    path = response(this_update=timedelta(days=-2))
    expect_equal(clinch(*verify_args(path, more=["--max-age", "259200"])).rc, 0, "three days")
    done = clinch(*verify_args(path, more=["--max-age", "86400", "--json"]))
    expect_equal((done.rc, done.json["reason"]), (4, "older-than-max-age"), "one day")


@case
def skew_is_how_far_clocks_may_differ():
    path = response(this_update=timedelta(minutes=20), produced_at=timedelta(minutes=20))
    at = ["--at", rfc3339()]
    expect_equal(clinch(*verify_args(path, more=at)).rc, 4, "five minutes by default")
    expect_equal(clinch(*verify_args(path, more=at + ["--skew", "1800"])).rc, 0, "half an hour")


@case
def max_size_is_a_limit():
    path = response()
    size = os.path.getsize(path)
    expect_equal(clinch(*verify_args(path, more=["--max-size", str(size)])).rc, 0, "just fits")
    done = clinch(*verify_args(path, more=["--max-size", str(size - 1), "--json"]))
    expect_equal((done.rc, done.json["reason"]), (4, "response-too-large"), "one byte less")


@case
def sha1_is_refused_unless_it_is_allowed():
    path = openssl_response("sha1.der", known=[leaf], more=["-rmd", "sha1"])
    done = clinch(*verify_args(path, more=["--json"]))
    expect_equal((done.rc, done.json["reason"]), (4, "signature-weak"), "by default")
    done = clinch(*verify_args(path, more=["--json", "--allow-sha1"]))
    expect_equal(done.rc, 0, "allowed")
    expect_in("signature-sha1", [f["id"] for f in done.json["findings"]], "findings")


@case
def a_signer_is_trusted_by_option_only():
    signer = Pki(new_tempdir(), label="our own ").leaf("our own responder")
    path = response(signer=signer)
    expect_equal(clinch(*verify_args(path, more=["--json"])).json["reason"], "delegate-issuer", "without the option")
    done = clinch(*verify_args(path, more=["--json", "--trust-signer", signer.cert_file]))
    expect_equal((done.rc, done.json["signer"]), (0, "trusted"), "with it")
    expect_in("trusted-signer", [f["id"] for f in done.json["findings"]], "findings")
    expect_equal(clinch(*verify_args(path, more=["--trust-signer", delegate.cert_file])).rc, 4, "with another")


# --- forms of files --------------------------------------------------------------------------------------------------------------


@case
def files_may_be_der_pem_and_standard_input():
    der, raw = response(), pki.response(leaf)
    pem = pki.write("response.pem", openssl("enc", "-base64", "-in", der).raw_out)
    with open(pem, "rb") as f:
        body = f.read()
    pem = pki.write("response.pem", b"-----BEGIN OCSP RESPONSE-----\n" + body + b"-----END OCSP RESPONSE-----\n")
    cert = pki.write("leaf.der", leaf.cert.public_bytes(DER))
    ca = pki.write("issuer.der", issuer.cert.public_bytes(DER))
    expect_equal(clinch(*verify_args(pem)).rc, 0, "a response in PEM")
    expect_equal(clinch(*verify_args("-"), input=raw).rc, 0, "a response on standard input")
    expect_equal(clinch(*verify_args(der, cert=cert, signed_by=ca)).rc, 0, "certificates in DER")
    expect_equal(clinch(*verify_args(der, cert="-"), input=leaf.pem).rc, 0, "a certificate on standard input")
    damaged = pki.write("damaged.pem", b"-----BEGIN OCSP RESPONSE-----\n%%%\n-----END OCSP RESPONSE-----\n")
    expect_equal(clinch(*verify_args(damaged)).rc, 1, "damaged PEM")


@case
def the_first_of_a_chain_is_judged_and_its_issuer_is_found():
    path = response()
    expect_equal(clinch("verify", "--cert", leaf.chain_file, path).rc, 0, "without --issuer")
    with open(leaf.key_file, "rb") as f:
        combined = pki.write("combined.pem", f.read() + leaf.pem + issuer.pem)
    expect_equal(clinch("verify", "-c", combined, path).rc, 0, "with a key in the file")
    several = pki.write("issuers.pem", pki.root.pem + other_leaf.pem + issuer.pem)
    expect_equal(clinch("verify", "-c" + leaf.cert_file, "-i", several, path).rc, 0, "an issuer among several")
    done = clinch("verify", "--cert", leaf.cert_file, path)
    expect_equal(done.rc, 2, "no issuer anywhere")
    expect_in("--issuer", done.err, "the hint")


# --- bad input -------------------------------------------------------------------------------------------------------------------


def unreadable():
    path = pki.write("unreadable.pem", leaf.pem)
    os.chmod(path, 0)
    return path


BAD_FILES = {
    # sentence: (path, words of the sentence)
    "is_missing": (lambda: "/nonexistent/leaf.pem", "No such file"),
    "is_empty": (lambda: pki.write("empty.pem", b""), "empty"),
    "is_not_pem": (lambda: pki.write("text.pem", b"hello\n"), "PEM"),
    "is_a_key": (lambda: leaf.key_file, "private key"),
    "has_10_megabytes": (lambda: pki.write("large.pem", b"x" * (10 << 20)), "more than the limit"),
    "is_a_directory": (lambda: pki.dir, "directory"),
    "is_damaged": (lambda: pki.write("damaged.pem", leaf.pem.replace(b"M", b"N", 3)), "strict DER"),
}


def refuses_file(option, make, words):
    def check():
        path = make()
        args = verify_args(response(), **{option: path})
        done = clinch(*args)
        expect_equal(done.rc, 1, f"exit status\n{done}")
        expect_equal(done.out, "", "stdout")
        expect_match(rf"\Aclinch verify: .*{re.escape(path)}.*{words}", done.err, "stderr")
        expect_equal(done.err.count("\n"), 1, "lines on stderr")
    return check


for sentence, row in BAD_FILES.items():
    add_case(f"says_that_the_certificate_{sentence}", refuses_file("cert", *row))
    add_case(f"says_that_the_issuer_{sentence}", refuses_file("signed_by", *row))


@case
def says_that_a_file_may_not_be_read():
    path = unreadable()
    if os.access(path, os.R_OK):
        from harness import skip
        skip("this user may read everything")
    for args in (verify_args(response(), cert=path), verify_args(response(), signed_by=path), verify_args(path)):
        done = clinch(*args)
        expect_equal(done.rc, 1, f"exit status\n{done}")
        expect_match(rf"{re.escape(path)}.*Permission denied", done.err)


@case
def says_that_the_response_cannot_be_read():
    for path, words in (("/nonexistent/r.der", "No such file"), (pki.dir, "directory")):
        done = clinch(*verify_args(path))
        expect_equal(done.rc, 1, "exit status")
        expect_match(rf"{re.escape(path)}.*{words}", done.err)


@case
def an_issuer_that_did_not_sign_is_a_mistake_of_the_caller():
    path = response()
    namesake = Pki(new_tempdir()).intermediate
    for wrong in (pki.root, namesake, leaf):
        done = clinch(*verify_args(path, signed_by=wrong.cert_file))
        expect_equal(done.rc, 2, f"exit status\n{done}")
        expect_in("did not issue", done.err, "stderr")


@case
def swapped_files_are_noticed():
    done = clinch(*verify_args(response(), cert=issuer.cert_file, signed_by=leaf.cert_file))
    expect_equal(done.rc, 2, "exit status")
    expect_in("swap --cert and --issuer", done.err, "stderr")


USAGE = {
    "nothing": ([], "which certificate"),
    "no_certificate": (["r.der"], "which certificate"),
    "no_response": (["--cert", "l.pem"], "which response"),
    "two_responses": (["--cert", "l.pem", "a", "b"], "one response"),
    "an_unknown_option": (["--max-aeg", "3"], "did you mean --max-age"),
    "an_option_without_its_value": (["--cert"], "wants a value"),
    "a_value_for_none": (["--json=yes"], "takes no value"),
    "a_time_that_is_none": (["--at", "yesterday"], "instant"),
    "a_date_that_does_not_exist": (["--at", "2026-02-30T00:00:00Z"], "instant"),
    "a_number_with_a_tail": (["--max-age", "10s"], "whole number"),
    "a_number_below_the_bounds": (["--max-age", "0"], "whole number"),
    "a_number_above_the_bounds": (["--skew", "99999999999999999999"], "whole number"),
    "an_empty_number": (["--skew="], "whole number"),
    "an_unknown_format": (["--format", "xml"], "text json"),
    "standard_input_twice": (["--cert", "-", "--issuer", "i.pem", "-"], "standard input"),
    "an_unknown_letter": (["-x"], "-x"),
}


def misused(args, words):
    def check():
        done = clinch("verify", *args)
        expect_equal(done.rc, 2, f"exit status\n{done}")
        expect_equal(done.out, "", "stdout")
        expect_in(words, done.err, "stderr")
        expect_in("clinch verify --help", done.err, "the hint")
    return check


for sentence, row in USAGE.items():
    add_case(f"usage_{sentence}", misused(*row))


# --- the terminal ----------------------------------------------------------------------------------------------------------------


@case
def colour_is_for_a_terminal_alone():
    args = verify_args(response())
    expect_not_in("\x1b", clinch(*args, env={"TERM": "xterm", "NO_COLOR": None}).out, "a pipe")
    written, status = on_a_terminal(*args)
    expect_equal(status, 0, "exit status")
    expect_in("\x1b[1;32mgood\x1b[0m", written, "a terminal")
    expect_in("░", written, "the bar")
    expect_not_in("\x1b", on_a_terminal(*args, env={"NO_COLOR": "1"})[0], "NO_COLOR")
    expect_in("\x1b", on_a_terminal(*args, env={"NO_COLOR": ""})[0], "an empty NO_COLOR")
    expect_not_in("\x1b", on_a_terminal(*args, env={"TERM": "dumb"})[0], "a dumb terminal")
    expect_not_in("░", on_a_terminal(*args, env={"LC_ALL": "C"})[0], "the bar without UTF-8")
    revoked = verify_args(response(status="revoked"))
    expect_in("\x1b[1;31mrevoked\x1b[0m", on_a_terminal(*revoked)[0], "revoked")


@case
def names_of_strangers_cannot_speak_to_the_terminal():
    evil = "\x1b]0;owned\x07 \u202egpj.exe \x9b31m \r\nfine\n"
    strange = strange_certificate(evil)
    path = pki.write("strange.der", pki.response(strange))
    for more in ([], ["--json"]):
        done = clinch(*verify_args(path, cert=strange.cert_file, more=more))
        expect_equal(done.rc, 0, f"exit status\n{done}")
        expect_clean(done)
    signer = strange_certificate(evil)
    done = clinch(*verify_args(pki.write("strange.der", pki.response(leaf, signer=signer)), more=["--json"]))
    expect_equal(done.rc, 4, "exit status")
    expect_in("�", done.json["signer_name"] + done.json["detail"], "what stands instead")
    expect_clean(done)
    done = clinch(*verify_args("/tmp/\x1b[31m\xc2\x9b1m.der"))
    expect_equal(done.rc, 1, "exit status")
    expect_clean(done)


main()
