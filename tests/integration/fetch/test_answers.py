# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a responder, or whatever sits at its address, may send instead of a response; each ends with the right status, in time."""
import gzip
from datetime import timedelta

from harness import add_case, case, expect, expect_equal, expect_in, expect_match, expect_not_in, free_port, main
from responder import (Responder, answer, drip, endless, endless_header, endless_interim, endless_line, hang, hang_after, head, keep_alive, only_post,
                       raw, reset)
from scene import (EXIT_GOOD, EXIT_NOT_BELIEVED, EXIT_NOT_FOUND_OUT, EXIT_REVOKED, EXIT_TEMPORARY, expect_exit, fetch, good, leaf,
                   pki)

HTML = b"<!DOCTYPE html><html><body>404 Not Found</body></html>"
other = pki.leaf("other.example.org", before_days=20)
stranger = pki.delegate(label="stranger", eku=False)

# sentence, behaviour, options, exit status, in the message, method of each request
ANSWERS = [
    ("a responder that never answers", hang, ["--timeout", 2], EXIT_TEMPORARY, "http: no complete answer in time", ["GET"]),
    ("a responder that sends a byte a second", drip, ["--timeout", 2], EXIT_TEMPORARY, "http: no complete answer in time", ["GET"]),
    ("a length that is larger than what comes, then silence", hang_after(head(length=len(good) + 1) + good), ["--timeout", 3],
     EXIT_TEMPORARY, f"{len(good)} bytes of it came", ["GET"]),
    ("a length that is larger than what comes, then the end", answer(good, length=len(good) + 100), [], EXIT_TEMPORARY, "http: ",
     ["GET"]),
    ("a length that is smaller than what comes", answer(good, length=len(good) - 1), [], EXIT_NOT_BELIEVED, "parse: ",
     ["GET", "POST"]),
    ("a length above the limit, and no body", answer(b"", length=1 << 40), [], EXIT_NOT_BELIEVED, "larger than 65536 bytes", ["GET"]),
    ("a length that is no number", raw(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n" + good), [], EXIT_NOT_FOUND_OUT, "http: ",
     ["GET", "POST"]),
    ("an endless body", endless, [], EXIT_NOT_BELIEVED, "larger than 65536 bytes", ["GET"]),
    ("an endless header", endless_header, [], EXIT_NOT_BELIEVED, "is larger than 32768 bytes; --max-size allows a larger body, another",
     ["GET"]),
    ("one endless header line", endless_line, [], EXIT_NOT_BELIEVED, "header", ["GET"]),
    ("endless interim answers", endless_interim, [], EXIT_NOT_BELIEVED, "the header of the answer is larger", ["GET"]),
    ("a body of 1 MB", answer(b"\0" * 1000000), [], EXIT_NOT_BELIEVED, "larger than 65536 bytes", ["GET"]),
    ("a body of 60 KB", answer(b"\0" * 60000), [], EXIT_NOT_BELIEVED, "parse: ", ["GET", "POST"]),
    ("an HTML page with status 200", answer(HTML, fields=("Content-Type: text/html",)), [], EXIT_NOT_BELIEVED, "parse: ",
     ["GET", "POST"]),
    ("no bytes", answer(b""), [], EXIT_NOT_BELIEVED, "parse: ", ["GET", "POST"]),
    ("half a response", answer(good[:100]), [], EXIT_NOT_BELIEVED, "parse: ", ["GET", "POST"]),
    ("bytes behind the response", answer(good + b"\0"), [], EXIT_NOT_BELIEVED, "parse: ", ["GET", "POST"]),
    ("a gzipped response, which nobody asked for", answer(gzip.compress(good), fields=("Content-Encoding: gzip",)), [],
     EXIT_NOT_BELIEVED, "parse: ", ["GET", "POST"]),
    ("a connection that is closed at once", raw(b""), [], EXIT_TEMPORARY, "http: ", ["GET"]),
    ("a connection that is reset", reset, [], EXIT_TEMPORARY, "http: ", ["GET"]),
    ("half a header", raw(b"HTTP/1.1 200 OK\r\nContent-Le"), [], EXIT_TEMPORARY, "http: ", ["GET"]),
    ("something that is not HTTP", raw(b"220 mail.example.org ESMTP\r\n"), [], EXIT_NOT_FOUND_OUT, "http: ", ["GET", "POST"]),
    ("status 404", answer(HTML, 404), [], EXIT_NOT_FOUND_OUT, "HTTP status 404", ["GET", "POST"]),
    ("status 500", answer(HTML, 500), [], EXIT_TEMPORARY, "HTTP status 500", ["GET"]),
    ("status 429", answer(HTML, 429, ("Retry-After: 90",)), [], EXIT_TEMPORARY, "HTTP status 429; try again later (it asks to wait 1 min 30 s)",
     ["GET"]),
    ("status 204", answer(b"", 204), [], EXIT_NOT_FOUND_OUT, "HTTP status 204", ["GET"]),
    ("a right body with status 500", answer(good, 500), [], EXIT_TEMPORARY, "HTTP status 500", ["GET"]),
    ("tryLater", answer(pki.error_response("TRY_LATER")), [], EXIT_TEMPORARY, "tryLater", ["GET"]),
    ("internalError", answer(pki.error_response("INTERNAL_ERROR")), [], EXIT_TEMPORARY, "internalError", ["GET"]),
    ("unauthorized", answer(pki.error_response("UNAUTHORIZED")), [], EXIT_NOT_BELIEVED, "unauthorized", ["GET"]),
    ("malformedRequest", answer(pki.error_response("MALFORMED_REQUEST")), [], EXIT_NOT_BELIEVED, "malformedRequest", ["GET", "POST"]),
    ("a forged signature", answer(pki.response(leaf, sign_as=other)), [], EXIT_NOT_BELIEVED, "verify: ", ["GET"]),
    ("a response about another certificate", answer(pki.response(other)), [], EXIT_NOT_BELIEVED, "verify: ", ["GET"]),
    ("a response that a stranger signed", answer(pki.response(leaf, signer=stranger)), [], EXIT_NOT_BELIEVED, "verify: ", ["GET"]),
    ("an expired response, also past the caches", answer(pki.expired(leaf)), [], EXIT_NOT_BELIEVED, "verify: ", ["GET", "GET"]),
    ("an old revoked, also past the caches",
     answer(pki.response(leaf, "revoked", this_update=timedelta(days=-5), next_update=timedelta(days=-1),
                         revoked_at=timedelta(days=-6))), [], EXIT_REVOKED, "verify: ", ["GET", "GET"]),
    ("a response of the future", answer(pki.response(leaf, this_update=timedelta(days=1))), [], EXIT_NOT_BELIEVED, "verify: ",
     ["GET"]),
    ("a response that is older than --max-age", answer(good), ["--max-age", 60], EXIT_NOT_BELIEVED, "verify: ", ["GET", "GET"]),
]


def add_answer(sentence, behaviour, options, status, words, methods):
    def meets():
        with Responder(behaviour) as responder:
            result = fetch("--url", responder.url, *options)
            expect_exit(result, status)
            expect_equal(result.raw_out, b"", "stdout")
            expect_in(f"clinch fetch: {responder.url}: ", result.err, "the URL in the message")
            expect_in(words, result.err, "the message")
            expect_equal([r.method for r in responder.requests], methods, "requests")
            expect_equal(len(result.err.splitlines()), 1, "lines on stderr")

    add_case(f"refuses {sentence}" if status != EXIT_TEMPORARY else f"gives up for now on {sentence}", meets)


for each in ANSWERS:
    add_answer(*each)


@case
def writes_the_response_byte_for_byte_to_stdout():
    with Responder(answer(good)) as responder:
        result = fetch("--url", responder.url)
        expect_exit(result, EXIT_GOOD)
        expect_equal(result.raw_out, good, "stdout")
        expect_match(r"^clinch fetch: CN=www.example.org: good, for use until ", result.err, "the message")


@case
def says_nothing_with_quiet():
    with Responder(answer(good)) as responder:
        result = fetch("-q", "--url", responder.url)
        expect_exit(result, EXIT_GOOD)
        expect_equal(result.err, "", "stderr")


@case
def says_each_question_with_verbose():
    with Responder(only_post(good)) as responder:
        result = fetch("-v", "--url", responder.url)
        expect_exit(result, EXIT_GOOD)
        expect_match(r"^clinch fetch: GET .*HTTP status 405", result.err, "the first")
        expect_match(r"^clinch fetch: POST .*: verify: ok", result.err, "the second")


@case
def ignores_a_wrong_content_type():
    with Responder(answer(good, fields=("Content-Type: text/html; charset=utf-8",))) as responder:
        expect_exit(fetch("--url", responder.url), EXIT_GOOD)


@case
def needs_no_content_type():
    with Responder(answer(good, fields=())) as responder:
        expect_exit(fetch("--url", responder.url), EXIT_GOOD)


@case
def does_not_decode_what_is_only_called_gzip():
    with Responder(answer(good, fields=("Content-Encoding: gzip",))) as responder:
        expect_exit(fetch("--url", responder.url), EXIT_GOOD)
        expect_not_in("accept-encoding", responder.requests[0].fields, "request fields")


@case
def takes_a_response_that_ends_with_the_connection():
    with Responder(raw(head() + good)) as responder:
        expect_exit(fetch("--url", responder.url), EXIT_GOOD)


@case
def takes_a_response_in_chunks():
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (good[:1], good[1:200], good[200:]))
    with Responder(raw(head(fields=("Transfer-Encoding: chunked",)) + chunks + b"0\r\n\r\n")) as responder:
        expect_exit(fetch("--url", responder.url), EXIT_GOOD)


@case
def does_not_wait_for_the_end_of_a_kept_connection():
    with Responder(keep_alive(good)) as responder:
        expect_exit(fetch("--url", responder.url, timeout=5), EXIT_GOOD)


@case
def takes_a_larger_answer_when_it_is_allowed():
    with Responder(answer(b"\0" * 100000)) as responder:
        result = fetch("--url", responder.url, "--max-size", 200000)
        expect_exit(result, EXIT_NOT_BELIEVED)
        expect_in("parse: ", result.err, "the message")


@case
def takes_no_larger_answer_than_it_is_told():
    with Responder(answer(good)) as responder:
        result = fetch("--url", responder.url, "--max-size", len(good) - 1)
        expect_exit(result, EXIT_NOT_BELIEVED)
        expect_in(f"larger than {len(good) - 1} bytes", result.err, "the message")
        expect_exit(fetch("--url", responder.url, "--max-size", len(good)), EXIT_GOOD)


@case
def posts_what_was_refused_to_a_get():
    with Responder(only_post(good)) as responder:
        expect_exit(fetch("--url", responder.url), EXIT_GOOD)
        get, post = responder.requests
        expect_equal((get.method, post.method), ("GET", "POST"), "methods")
        expect_equal(post.target, "/", "the path of the POST")
        expect_equal(get.der, post.der, "the request")
        expect_equal(post.fields["content-type"], "application/ocsp-request", "Content-Type")
        expect_not_in("expect", post.fields, "fields")


@case
def asks_past_the_caches_after_an_expired_answer():
    with Responder(answer(pki.expired(leaf)), answer(good)) as responder:
        result = fetch("--url", responder.url)
        expect_exit(result, EXIT_GOOD)
        expect_equal(result.raw_out, good, "stdout")
        first, second = responder.requests
        expect_not_in("cache-control", first.fields, "the first request")
        expect_equal(second.fields["cache-control"], "no-cache", "the second request")
        expect_equal(first.target, second.target, "the path")


@case
def does_not_send_a_cookie_back():
    cookie = ("Set-Cookie: id=1; Path=/",)
    with Responder(answer(b"", 405, cookie), answer(good, 200, cookie)) as responder:
        expect_exit(fetch("--url", responder.url), EXIT_GOOD)
        for request in responder.requests:
            expect_not_in("cookie", request.fields, "fields")


@case
def does_not_send_user_and_password_of_a_url():
    with Responder(answer(good)) as responder:
        result = fetch("-v", "--url", f"http://user:secret@{responder.place}/")
        expect_exit(result, EXIT_GOOD)
        expect_not_in("authorization", responder.requests[0].fields, "fields")
        expect_not_in("secret", result.err, "stderr")


@case
def honours_retry_after_and_tells_the_skew():
    fields = ("Retry-After: 120", "Date: Mon, 01 Jan 2024 00:00:00 GMT", "Cache-Control: public, max-age=77, no-transform")
    with Responder(answer(HTML, 503, fields)) as responder:
        result = fetch("--url", responder.url, "--json")
        expect_exit(result, EXIT_TEMPORARY)
        report = result.json
        expect_equal(report["retry_after_s"], 120, "retry_after_s")
        expect_equal(report["max_age_s"], 77, "max_age_s")
        expect(report["skew_s"] < -10000000, f"skew_s {report['skew_s']}")
        expect_equal((report["http_status"], report["outcome"], report["phase"]), (503, "http-server-error", "http"), "the report")
        expect_equal((report["temporary"], report["exit"], report["staple"]), (True, EXIT_TEMPORARY, None), "the report")


@case
def says_whose_clock_may_be_wrong():
    with Responder(answer(pki.response(leaf, this_update=timedelta(days=1)), fields=("Date: Thu, 01 Jan 2099 00:00:00 GMT",))) as responder:
        result = fetch("--url", responder.url)
        expect_exit(result, EXIT_NOT_BELIEVED)
        expect_match(r"the responder's clock is .* ahead of ours", result.err, "the message")


@case
def reports_a_good_answer_in_json():
    with Responder(only_post(good)) as responder:
        result = fetch("--url", responder.url, "--json")
        expect_exit(result, EXIT_GOOD)
        report = result.json
        expect_equal((report["schema"], report["outcome"], report["reason"]), ("clinch-fetch-1", "ok", "good"), "the report")
        expect_equal((report["staple"]["verdict"], report["staple"]["fresh"]), ("good", True), "the staple")
        expect_equal([(a["method"], a["http_status"]) for a in report["attempts"]], [("GET", 405), ("POST", 200)], "attempts")
        expect_equal(report["url"], responder.url, "url")


@case
def says_that_nobody_listens():
    port = free_port()
    result = fetch("--url", f"http://127.0.0.1:{port}/")
    expect_exit(result, EXIT_TEMPORARY)
    expect_in("connect: Connection refused (127.0.0.1)", result.err, "the message")


@case
def reports_a_forgery_with_its_reason():
    with Responder(answer(pki.response(leaf, sign_as=other))) as responder:
        report = fetch("--url", responder.url, "--json").json
        expect_equal((report["outcome"], report["phase"], report["reason"]), ("not-believed", "verify", "signature-bad"), "the report")
        expect_equal(report["staple"]["verdict"], "invalid", "the staple")


main()
