# SPDX-License-Identifier: LGPL-2.1-or-later
"""Servers with staples good and bad, and what clinch check says of each."""
import re
import time

from authority import look_again
from stage import accepts_at, expect_fetch, free_port, mark, paint, says_its_port, say, title


# --- the TLS servers ----------------------------------------------------------------------------------------------------------


def s_server(stage, name, staple=None):
    status = f" -status_file {staple}" if staple else ""
    line = f"openssl s_server -accept 127.0.0.1:0 -www -cert {name}.pem -key {name}.key -cert_chain issuing.pem{status}"
    say(paint("1", f"   $ {line} &"))
    return stage.serve(line, says_its_port)


def gnutls_serv(stage, name, *staples):
    port = free_port()
    options = "".join(f" --ocsp-response={staple}" for staple in staples)
    line = f"gnutls-serv -q --http -p {port} --x509certfile={name}.chain.pem --x509keyfile={name}.key{options}"
    say(paint("1", f"   $ {line} &"))
    return stage.serve(line, accepts_at(port))


# --- one server, one verdict --------------------------------------------------------------------------------------------------


def judge(stage, what, port, expected_exit, verdict, reason, *options):
    """clinch check twice: once for the person, once for the comparison. Ends the server."""
    words = ("check", "--ca", "root.pem", *options, f"127.0.0.1:{port}")
    shown = stage.clinch(*words)
    got, found = stage.clinch_json(words[0], "--format", "json", *words[1:])
    stage.end_last()
    right = (shown, got, found.get("verdict"), found.get("reason")) == (expected_exit, expected_exit, verdict, reason)
    bare = {True: "valid", False: "-"}.get((found.get("tls") or {}).get("gnutls_says_checked"), "?")
    mark(right, f"{found.get('verdict')}, because {found.get('reason')}; exit status {shown}, expected {expected_exit}")
    if not right:
        say(f"   expected: {verdict}, because {reason}")
    stage.rows.append((what, bare, found.get("verdict"), found.get("reason"), shown, expected_exit, right))


def good_rsa(stage):
    title("1. Good: an RSA certificate, one staple")
    say("   The server's side asks the CA and keeps the answer; fetch writes it only if it proves true.")
    expect_fetch(stage, 0, "-o", "rsa.der", "rsa.chain.pem")
    say("   The server staples the file. clinch check then takes the steps of docs/guide.md: it requests the status, looks whether one")
    say("   was sent, fetches each staple of the chain, verifies each, and frees everything.")
    judge(stage, "a good staple (RSA)", s_server(stage, "rsa", "rsa.der"), 0, "good", "good")


def good_chain(stage):
    title("2. Good, the whole chain: TLS 1.3 has room for a staple for each certificate")
    expect_fetch(stage, 0, "-o", "ecdsa.der", "ecdsa.chain.pem")
    expect_fetch(stage, 0, "--issuer", "root.pem", "-o", "issuing.der", "issuing.pem")
    port = gnutls_serv(stage, "ecdsa", "ecdsa.der", "issuing.der")
    judge(stage, "a good staple for each (ECDSA)", port, 0, "good", "good", "--tls", "1.3", "--require", "chain")


def revoked(stage):
    title("3. Revoked: the key was stolen, the CA took its word back")
    stage.shown("openssl ca -config ca.conf -revoke stolen.pem -crl_reason keyCompromise", CA="issuing")
    look_again(stage, "issuing", "stolen", "revoked")
    expect_fetch(stage, 3, "-o", "stolen.der", "stolen.chain.pem")
    say("   An honest server tells the truth about itself:")
    judge(stage, "the truth: revoked", s_server(stage, "stolen", "stolen.der"), 3, "revoked", "revoked")


def forged(stage):
    title("4. Forged: the thief signs a \"good\" himself, under the responder's name")
    say("   openssl ocsp makes a response for anyone who brings a key. His index says that nothing is revoked:")
    with open(stage.path("issuing/index.txt")) as index, open(stage.path("lies.txt"), "w") as lies:
        lies.write(re.sub(r"^R\t(\S+)\t\S+\t", r"V\t\1\t\t", index.read(), flags=re.M))
    stage.shown("openssl ocsp -issuer issuing.pem -cert stolen.pem -no_nonce -reqout request.der")
    stage.shown("openssl ocsp -index lies.txt -CA issuing.pem -rsigner stranger.pem -rkey stranger.key -ndays 4 "
                "-reqin request.der -respout forged.der")
    judge(stage, "signed by a stranger", s_server(stage, "stolen", "forged.der"), 4, "invalid", "delegate-issuer")


def expired(stage):
    title("5. Expired: the server's fetcher died ten days ago, and nobody noticed")
    stage.shown("openssl ocsp -issuer issuing.pem -cert rsa.pem -no_nonce -reqout request.der")
    stage.shown("faketime '-10 days' openssl ocsp -index issuing/index.txt -CA issuing.pem -rsigner delegate.pem -rkey delegate.key "
                "-ndays 4 -reqin request.der -respout expired.der", FAKETIME_DONT_FAKE_MONOTONIC="1")
    judge(stage, "good once, expired since", s_server(stage, "rsa", "expired.der"), 4, "invalid", "expired")


def tampered(stage):
    title("6. Tampered with: the same response, its end moved into the future")
    with open(stage.path("expired.der"), "rb") as f:
        next_update = max(re.findall(rb"20\d{12}Z", f.read())).decode()
    later = time.strftime("%Y%m%d", time.gmtime(time.time() + 30 * 86400)) + next_update[8:]
    say("   nextUpdate stands in it as readable text; one sed and it ends next month. The signature does not survive that.")
    stage.shown("cp expired.der tampered.der")
    stage.shown(f"sed -i s/{next_update}/{later}/ tampered.der")
    judge(stage, "the date forged", s_server(stage, "rsa", "tampered.der"), 4, "invalid", "signature-bad")


def error(stage):
    title("7. An error, stapled: \"try later\" is not a status")
    say("   Five bytes, signed by nobody. Servers do staple them: Apache's SSLStaplingFakeTryLater is on by default.")
    say(paint("1", r"   $ printf '\060\003\012\001\003' > error.der"))
    with open(stage.path("error.der"), "wb") as f:
        f.write(b"\x30\x03\x0a\x01\x03")
    judge(stage, "an error: tryLater", s_server(stage, "rsa", "error.der"), 4, "invalid", "responder-try-later")


def unknown(stage):
    title("8. Unknown: well signed, on time, and it says that the CA has never heard of this certificate")
    open(stage.path("empty.txt"), "w").close()
    stage.shown("openssl ocsp -index empty.txt -CA issuing.pem -rsigner delegate.pem -rkey delegate.key -ndays 4 "
                "-reqin request.der -respout unknown.der")
    judge(stage, "unknown to the CA", s_server(stage, "rsa", "unknown.der"), 6, "unknown", "unknown")


def missing(stage):
    title("9. Missing: the certificate itself says must-staple (RFC 7633), and the server sends none")
    judge(stage, "none, though must-staple", s_server(stage, "must"), 5, "missing", "missing-must-staple")
    say("\n   The cure:")
    expect_fetch(stage, 0, "-o", "must.der", "must.chain.pem")
    judge(stage, "the same server, cured", s_server(stage, "must", "must.der"), 0, "good", "good")


def summary(stage):
    title("What was sent, and what clinch said")
    say(f"   {'':5}{'the server sent':32}{'GnuTLS alone':14}{'clinch':9}{'because':22}{'exit status'}")
    colours = {"good": "32", "revoked": "31", "invalid": "31", "unknown": "33", "missing": "33"}
    for what, bare, verdict, reason, got, expected, right in stage.rows:
        sign_ = paint("1;32", "[ok]") if right else paint("1;31", "[!!]")
        exits = f"{got}, as expected" if right else f"{got}, EXPECTED {expected}"
        said = paint(colours.get(verdict, "1;31"), f"{verdict!s:9}")
        say(f"   {sign_} {what:32}{bare:14}{said}{reason!s:22}{exits}")
    say("\n   GnuTLS alone: gnutls_ocsp_status_request_is_checked(), its answer to \"was a valid one sent?\" (docs/guide.md, step 2)")
    wrong = sum(not row[-1] for row in stage.rows)
    say("   " + (paint("1;31", f"{wrong} of {len(stage.rows)} came out WRONG") if wrong else
                   paint("1;32", f"all {len(stage.rows)} came out right") + ": only what a CA proves, for this certificate, now, is good"))
    return 1 if wrong else 0


def act(stage):
    for scene in (good_rsa, good_chain, revoked, forged, expired, tampered, error, unknown, missing):
        scene(stage)
    return summary(stage)
