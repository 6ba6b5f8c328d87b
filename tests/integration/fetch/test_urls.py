# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whom `clinch fetch` asks, and what: the certificate's URLs in turn, the request, redirects."""
import base64

from harness import build_path, case, expect, expect_equal, expect_in, expect_not_in, free_port, main, run
from responder import Responder, answer, hang, redirect
from scene import EXIT_GOOD, EXIT_NOT_BELIEVED, EXIT_NOT_FOUND_OUT, EXIT_TEMPORARY, expect_exit, fetch, good, leaf, pki

SHA1, SHA256, SHA512 = (bytes.fromhex(oid) for oid in ("06052b0e03021a", "0609608648016503040201", "0609608648016503040203"))
NONCE = bytes.fromhex("06092b0601050507300102")


def nobody():
    return f"http://127.0.0.1:{free_port()}/"


def leaf_with(label, *urls, **more):
    return pki.leaf(label, ocsp_url=list(urls), before_days=20, **more)


# --- the certificate's URLs -------------------------------------------------------------------------------------------------


@case
def asks_the_responder_that_the_certificate_names():
    with Responder(lambda *a: behaviour(*a)) as responder:
        own = leaf_with("own", responder.url + "ocsp")
        behaviour = answer(pki.response(own))
        expect_exit(fetch(chain=own.chain_file), EXIT_GOOD)
        expect(responder.requests[0].target.startswith("/ocsp/"), responder.requests[0].target)


@case
def asks_the_second_url_when_nobody_answers_at_the_first():
    with Responder(lambda *a: behaviour(*a)) as responder:
        two = leaf_with("first-dead", nobody(), responder.url)
        behaviour = answer(pki.response(two))
        result = fetch("--json", chain=two.chain_file)
        expect_exit(result, EXIT_GOOD)
        expect_equal([a["outcome"] for a in result.json["attempts"]], ["no-connection", "ok"], "attempts")


@case
def asks_the_second_url_when_the_first_answer_is_not_believed():
    with Responder(answer(good)) as wrong, Responder(lambda *a: behaviour(*a)) as right:
        two = leaf_with("first-wrong", wrong.url, right.url)
        behaviour = answer(pki.response(two))
        expect_exit(fetch(chain=two.chain_file), EXIT_GOOD)
        expect_equal((len(wrong.requests), len(right.requests)), (1, 1), "requests")


@case
def asks_the_second_url_after_three_seconds_of_silence():
    with Responder(hang) as silent, Responder(lambda *a: behaviour(*a)) as right:
        two = leaf_with("first-silent", silent.url, right.url)
        behaviour = answer(pki.response(two))
        result = fetch("--json", chain=two.chain_file, timeout=12)  # the whole fetch has 15
        expect_exit(result, EXIT_GOOD)
        expect(result.json["took_ms"] >= 3000, f"the second was asked too early: {result.json['took_ms']} ms")
        expect_equal(len(silent.requests), 1, "requests to the silent one")


@case
def takes_a_late_first_answer_when_the_second_is_silent_too():
    with Responder(lambda *a: late(*a)) as first, Responder(hang) as second:
        two = leaf_with("first-late", first.url, second.url)

        def late(connection, request, responder):
            second.wait_requests(1)
            answer(pki.response(two))(connection, request, responder)

        result = fetch("--json", chain=two.chain_file, timeout=12)
        expect_exit(result, EXIT_GOOD)
        expect_equal(result.json["url"], first.url, "who won")


@case
def leaves_out_urls_that_are_not_http():
    with Responder(lambda *a: behaviour(*a)) as responder:
        odd = leaf_with("odd-urls", "ldap://127.0.0.1/", "file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/", responder.url)
        behaviour = answer(pki.response(odd))
        expect_exit(fetch(chain=odd.chain_file), EXIT_GOOD)
        expect_equal(len(responder.requests), 1, "requests")


@case
def says_that_no_url_can_be_asked():
    result = fetch(chain=leaf_with("no-http-url", "ldap://127.0.0.1/ocsp").chain_file)
    expect_exit(result, EXIT_NOT_FOUND_OUT)
    expect_in("ldap://127.0.0.1/ocsp: it is neither http nor https", result.err, "the message")
    expect_in("--url", result.err, "what to change")


@case
def says_that_the_certificate_names_nobody():
    result = fetch()
    expect_exit(result, EXIT_NOT_FOUND_OUT)
    expect_in("CN=www.example.org: the certificate names no OCSP responder; name its responder with --url", result.err, "the message")


@case
def asks_the_url_of_the_option_instead():
    with Responder(answer(b"")) as own, Responder(lambda *a: behaviour(*a)) as right:
        one = leaf_with("overridden", own.url)
        behaviour = answer(pki.response(one))
        expect_exit(fetch("--url", right.url, chain=one.chain_file), EXIT_GOOD)
        expect_equal(len(own.requests), 0, "requests to the certificate's own")


@case
def asks_the_fallback_last():
    with Responder(answer(b"", 500)) as own, Responder(lambda *a: behaviour(*a)) as last:
        one = leaf_with("with-fallback", own.url)
        behaviour = answer(pki.response(one))
        expect_exit(fetch("--fallback-url", last.url, chain=one.chain_file), EXIT_GOOD)
        expect_equal((len(own.requests), len(last.requests)), (1, 1), "requests")


@case
def tells_of_the_failure_that_came_furthest():
    with Responder(answer(pki.expired(leaf))) as expired:
        result = fetch("--url", nobody(), "--url", expired.url, "--url", nobody())
        expect_exit(result, EXIT_NOT_BELIEVED)
        expect_in(f"{expired.url}: verify: ", result.err, "the message")


@case
def cuts_the_slow_ones_off_at_the_deadline_of_the_whole_fetch():
    with Responder(hang) as a, Responder(hang) as b:
        result = fetch("--timeout", 4, "--url", a.url, "--url", b.url, timeout=9)
        expect_exit(result, EXIT_TEMPORARY)
        expect_equal((len(a.requests), len(b.requests)), (1, 1), "requests")


# --- the request ------------------------------------------------------------------------------------------------------------


@case
def escapes_the_request_in_the_path():
    """Many certificates, because a request holds "+" and "/" by chance."""
    seen = ""
    with Responder(answer(b"", 500)) as responder:
        for number in range(12):
            fetch("--url", responder.url + "a/b//", chain=pki.leaf(f"escape-{number}").chain_file)
        for request in responder.requests:
            expect(request.target.startswith("/a/b//M"), request.target)
            path = request.target[len("/a/b//"):]
            expect(not set(path) & set("+/="), f"not escaped: {path}")
            expect(request.der.startswith(b"0"), "an OCSP request in DER")
            seen += path
        expect("%2F" in seen or "%2B" in seen, "nothing was ever escaped")


@case
def posts_to_a_url_with_a_query():
    with Responder(answer(good)) as responder:
        expect_exit(fetch("--url", responder.url + "ocsp?ca=1"), EXIT_GOOD)
        expect_equal([(r.method, r.target) for r in responder.requests], [("POST", "/ocsp?ca=1")], "requests")


@case
def posts_a_request_that_is_too_long_for_a_path():
    with Responder(answer(good)) as responder:
        expect_exit(fetch("--url", responder.url, "--hash", "sha512", "--nonce"), EXIT_GOOD)
        expect_equal([r.method for r in responder.requests], ["POST"], "requests")
        expect_in(SHA512, responder.requests[0].der, "the CertID")
        expect(len(base64.b64encode(responder.requests[0].der)) > 255, "the request is short")


@case
def asks_with_sha1_and_without_a_nonce():
    with Responder(answer(good)) as responder:
        expect_exit(fetch("--url", responder.url), EXIT_GOOD)
        expect_in(SHA1, responder.requests[0].der, "the CertID")
        expect_not_in(NONCE, responder.requests[0].der, "the request")


@case
def asks_with_sha256_when_told():
    with Responder(answer(good)) as responder:
        expect_exit(fetch("--url", responder.url, "--hash", "sha256"), EXIT_GOOD)
        expect_in(SHA256, responder.requests[0].der, "the CertID")


@case
def sends_a_new_nonce_of_32_bytes_each_time():
    nonces = set()
    with Responder(answer(good)) as responder:
        for _ in range(3):
            result = fetch("--url", responder.url, "--nonce", "--json")
            expect_exit(result, EXIT_GOOD)
            expect_in("nonce-ignored", [f["id"] for f in result.json["staple"]["findings"]], "findings")
        for request in responder.requests:
            der = request.der
            at = der.index(NONCE) + len(NONCE)
            expect_equal(der[at:at + 4], bytes((4, 34, 4, 32)), "OCTET STRING of an OCTET STRING of 32 bytes")
            nonces.add(der[at + 4:at + 36])
    expect_equal(len(nonces), 3, "different nonces")


@case
def refuses_another_nonce():
    with Responder(answer(pki.response(leaf, nonce=b"n" * 32))) as responder:
        result = fetch("--url", responder.url, "--nonce", "--json")
        expect_exit(result, EXIT_NOT_BELIEVED)
        expect_equal(result.json["reason"], "nonce-mismatch", "reason")


# --- redirects --------------------------------------------------------------------------------------------------------------


@case
def follows_three_redirects():
    with Responder(redirect("/a"), redirect("b", 301), redirect("//{}/c", 307), answer(good)) as responder:
        responder.behaviours = (redirect("/a"), redirect("b", 301), redirect(f"//{responder.place}/c", 308), answer(good))
        expect_exit(fetch("--url", responder.url), EXIT_GOOD)
        expect_equal([r.target for r in responder.requests[1:]], ["/a", "/b", "/c"], "targets")


@case
def does_not_follow_a_fourth_redirect():
    with Responder(redirect("/again")) as responder:
        result = fetch("--url", responder.url)
        expect_exit(result, EXIT_NOT_FOUND_OUT)
        expect_in("redirected more than 3 times", result.err, "the message")
        expect_equal(len(responder.requests), 4, "requests")


@case
def posts_again_after_a_redirect_of_a_post():
    with Responder(redirect("/there", 307), answer(good)) as responder:
        expect_exit(fetch("--url", responder.url + "?x"), EXIT_GOOD)
        expect_equal([r.method for r in responder.requests], ["POST", "POST"], "methods")
        expect_equal(responder.requests[0].body, responder.requests[1].body, "the request")


def refuses_to_follow(where):
    with Responder(redirect(where)) as responder:
        result = fetch("--url", responder.url)
        expect_exit(result, EXIT_NOT_FOUND_OUT)
        expect_in("http: redirected to where we do not go", result.err, "the message")
        expect_equal(len(responder.requests), 1, "requests")


@case
def does_not_follow_to_a_file():
    refuses_to_follow("file:///etc/passwd")


@case
def does_not_follow_to_ftp():
    refuses_to_follow("ftp://127.0.0.1/response.der")


@case
def does_not_follow_to_gopher():
    refuses_to_follow("gopher://127.0.0.1:70/")


@case
def does_not_follow_to_nowhere():
    with Responder(answer(b"", 302)) as responder:
        result = fetch("--url", responder.url)
        expect_exit(result, EXIT_NOT_FOUND_OUT)
        expect_in("redirected without saying where to", result.err, "the message")


@case
def does_not_follow_a_location_that_is_longer_than_a_url():
    with Responder(redirect("/" + "a" * 2000)) as responder:
        expect_exit(fetch("--url", responder.url), EXIT_NOT_FOUND_OUT)
        expect_equal(len(responder.requests), 1, "requests")


@case
def does_not_take_user_and_password_from_a_redirect():
    with Responder(answer(good)) as there, Responder(redirect(f"http://user:secret@{there.place}/")) as here:
        result = fetch("-v", "--url", here.url)
        expect_exit(result, EXIT_GOOD)
        expect_not_in("authorization", there.requests[0].fields, "fields")
        expect_not_in("secret", result.err, "stderr")


# --- what clinch-keep links ---------------------------------------------------------------------------------------------------


@case
def clinch_itself_maps_no_http_client():
    expect_not_in("libcurl", run(["ldd", build_path("clinch")]).out, "ldd clinch")
    expect_in("libcurl", run(["ldd", build_path("clinch-keep")]).out, "ldd clinch-keep")


main()
