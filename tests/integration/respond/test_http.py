# SPDX-License-Identifier: LGPL-2.1-or-later
"""HTTP over more than one message: connections, conditions, caches, and what comes in pieces."""
import time

import ask
import cast
from cast import GOOD, NEVER, REVOKED, main as ca
from harness import Failed, case, expect, expect_equal, expect_in, main, wait_for
from issuer import Ca, Index
from respond import Respond, authority, configuration, read
from talk import OCSP_REQUEST, Closed, Talk, chunked, exchange, get, head, http_date, message, post

REQUEST = ask.request(ask.cert_id(ca, GOOD))
NONCED = ask.request(ask.cert_id(ca, GOOD), extensions=[ask.nonce(16)])
TARGET = ask.path_escaped(REQUEST)
MANY = 300


def address():
    return cast.running().address


def talk():
    return Talk(address())


def is_good(answer):
    response = read(answer)
    expect_equal((response.outcome, response.single.status, response.single.serial), ("successful", "good", GOOD), "answer")
    return response


# --- connections (RFC 9112 9) -----------------------------------------------------------------------------------------------------


@case
def one_connection_has_hundreds_of_answers():
    with talk() as t:
        for n in range(MANY):
            is_good(t.send(get(TARGET) if n % 2 else post(REQUEST)).read())


@case
def pipelined_requests_are_answered_each_in_its_place():
    """Prepared, signed now, refused, HTTP's own faults that leave the connection whole: in the order asked."""
    never = ask.request(ask.cert_id(ca, NEVER))
    turn = [(get(TARGET), 200, "good"), (post(NONCED), 200, "good"), (post(never), 200, "unauthorized"), (get("/"), 200, None),
            (post(b"x"), 200, "malformedRequest"), (post(ask.request(ask.cert_id(ca, REVOKED))), 200, "revoked"),
            (get("/MEow!"), 400, None), (head(TARGET), 200, "head")]
    with talk() as t:
        t.send(b"".join(data for data, _, _ in turn * 20))
        for number, (_, status, outcome) in enumerate(turn * 20):
            try:
                answer = t.read(to_head=outcome == "head")
            except Closed as closed:
                raise Failed(f"closed instead of answer {number}") from closed
            expect_equal(answer.status, status, f"status of answer {number}")
            if outcome and outcome != "head":
                response = read(answer)
                expect_equal(response.singles[0].status if response.singles else response.outcome, outcome, f"answer {number}")
        expect_equal(t.buffer, b"", "bytes behind the last answer")


@case
def a_connection_that_is_to_be_closed_is():
    with talk() as t:
        answer = t.send(get(TARGET, "Connection: close")).read()
        is_good(answer)
        expect_equal((answer.field("connection") or "").lower(), "close", "Connection")
        expect(t.ended(), "the connection goes on")


@case
def an_old_client_has_its_connection_closed():
    for data in (get(TARGET, version="1.0", host=False), post(REQUEST, version="1.0", host=False)):
        with talk() as t:
            is_good(t.send(data).read())
            expect(t.ended(), "the connection goes on")


@case
def an_old_client_that_asks_for_it_keeps_its_connection():
    with talk() as t:
        for _ in range(3):
            answer = t.send(get(TARGET, "Connection: keep-alive", version="1.0")).read()
            is_good(answer)
            expect_in("keep-alive", (answer.field("connection") or "").lower(), "Connection")


@case
def a_client_that_has_said_all_is_answered():
    """It has closed its side, as netcat does. Not so what has to be signed first: libmicrohttpd may take that for an abort."""
    is_good(exchange(address(), get(TARGET)))
    for data in [get(TARGET), post(REQUEST)] * 10:
        with talk() as t:
            t.send(data).half_close()
            is_good(t.read())


@case
def a_request_may_come_in_any_pieces():
    for data in (get(TARGET), post(REQUEST), message("POST", "/", "Transfer-Encoding: chunked") + chunked(REQUEST, 9)):
        with talk() as t:
            for at in range(len(data)):
                t.send(data[at:at + 1])
            is_good(t.read())


@case
def an_empty_line_before_a_request_is_let_pass():
    """RFC 9112 2.2: clients that are old send one behind a POST."""
    with talk() as t:
        is_good(t.send(post(REQUEST) + b"\r\n" + get(TARGET)).read())
        is_good(t.read())


@case
def each_fault_has_one_answer_and_an_end():
    """What follows a message of unclear length may be part of it: it is not answered (RFC 9112 6.3)."""
    second = get(TARGET)
    for fault in (message("POST", "/", "Content-Length: 3", "Content-Length: 7") + b"abcdefg",
                  message("POST", "/", "Content-Length: 3", "Transfer-Encoding: chunked") + b"0\r\n\r\n"):
        with talk() as t:
            expect_equal(t.send(fault + second).read().status, 400, f"status of {fault[:60]}")
            expect(t.ended(), f"more is said behind {fault[:80]}: {t.buffer[:80]}")


# --- bodies -----------------------------------------------------------------------------------------------------------------------


@case
def a_client_that_waits_for_it_is_told_to_go_on():
    with talk() as t:
        t.send(message("POST", "/", OCSP_REQUEST, "Expect: 100-continue", f"Content-Length: {len(REQUEST)}"))
        wait_for(lambda: t._more() and b"\r\n\r\n" in t.buffer, 5, "100 Continue")
        expect_in(b"HTTP/1.1 100 ", t.buffer, "what came first")
        t.send(REQUEST)
        is_good(t.read())
        expect_equal([a.status for a in t.interim], [100], "interim answers")


@case
def a_client_that_waits_with_too_much_is_refused_before_it_sends():
    with talk() as t:
        t.send(message("POST", "/", OCSP_REQUEST, "Expect: 100-continue", "Content-Length: 9000"))
        expect_equal(t.read().status, 413, "status")
        expect_equal(t.interim, [], "interim answers")


@case
def what_is_too_large_is_refused_without_reading_on():
    """The head has said it all: not a byte of the body is sent."""
    for data, statuses in ((message("POST", "/", "Content-Length: 1000000000"), (413,)),
                           (message("POST", "/", "Transfer-Encoding: chunked") + b"10000\r\n" + b"a" * 10000, (413,)),
                           (b"GET /" + b"A" * 20000, (414, 413)), (b"GET / HTTP/1.1\r\nX: " + b"a" * 20000, (431, 413, 414))):
        with talk() as t:
            t.send_what_fits(data)
            begun = time.monotonic()
            expect(t.read().status in statuses, f"status of {data[:40]}")
            expect(time.monotonic() - begun < 9, "it was only refused at a deadline")  # which is 10 s


# --- HEAD, and caches (RFC 9919 6, RFC 9110 13) ------------------------------------------------------------------------------------


@case
def HEAD_is_GET_without_the_body():
    for target in (TARGET, ask.path_raw(NONCED), "/", "/MEow!", ask.path_escaped(ask.request(ask.cert_id(ca, NEVER)))):
        with talk() as t:
            whole, bare = t.send(get(target)).read(), t.send(head(target)).read(to_head=True)
            is_same = whole.status == bare.status and set(whole.fields) == set(bare.fields)
            expect(is_same, f"{target}: HEAD differs:\n{whole}\n{bare}")
            if "etag" in whole.fields:
                expect_equal((bare.field("etag"), bare.field("content-length")), (whole.field("etag"), whole.field("content-length")), target)
            expect_equal(t.send(get("/")).read().status, 200, "the next on the connection")


@case
def a_cacheable_answer_has_the_fields_for_caches():
    answer = exchange(address(), get(TARGET))
    single, now = is_good(answer).single, time.time()
    expect(abs(answer.date("date") - now) < 5, f"Date is not now\n{answer}")
    expect_equal(answer.date("last-modified"), single.this_update, "Last-Modified")
    expect_equal(answer.date("expires"), single.next_update, "Expires")
    expect_equal(answer.field("cache-control"), "max-age=3600, public, no-transform, must-revalidate", "Cache-Control")
    tag = answer.field("etag")
    expect(tag and tag[0] == tag[-1] == '"' and len(tag) > 10, f"not a strong ETag: {tag!r}")
    expect_equal(exchange(address(), get(TARGET)).field("etag"), tag, "ETag of the same again")
    expect_equal(exchange(address(), get(TARGET)).body, answer.body, "the same again")
    other = exchange(address(), get(ask.path_escaped(ask.request(ask.cert_id(ca, REVOKED)))))
    expect(other.field("etag") not in (None, tag), "another answer, the same ETag")


@case
def an_answer_that_was_not_prepared_is_not_older_than_its_fields():
    """Forms that are signed when asked for: whatever may be cached has to say until when."""
    for request in (ask.request(ask.cert_id(ca, GOOD, "sha384")), ask.request(ask.cert_id(ca, GOOD), ask.cert_id(ca, REVOKED))):
        answer = exchange(address(), get(ask.path_escaped(request)))
        response, directives = read(answer), answer.directives()
        if "no-store" in directives or "no-cache" in directives:
            continue
        expect_equal(answer.date("expires"), min(s.next_update for s in response.singles), "Expires")
        expect(0 < answer.max_age <= 3600, f"max-age\n{answer}")


@case
def who_has_it_already_is_told_so():
    first = exchange(address(), get(TARGET))
    tag, modified = first.field("etag"), first.date("last-modified")
    for fields in ([f"If-None-Match: {tag}"], [f"If-None-Match: W/{tag}"], [f'If-None-Match: "a", "b,c" , {tag}'], ["If-None-Match: *"],
                   [f"If-Modified-Since: {http_date(modified)}"],
                   [f"If-None-Match: {tag}", f"If-Modified-Since: {http_date(modified - 3600)}"]):
        for ask_as in (get, head):
            with talk() as t:
                answer = t.send(ask_as(TARGET, *fields)).read(to_head=True)
                expect_equal(answer.status, 304, f"status, with {fields}")
                expect_equal(answer.field("etag"), tag, f"ETag, with {fields}")
                for name in ("date", "expires", "cache-control"):
                    expect(answer.field(name), f"no {name} in a 304\n{answer}")
                expect_equal(t.send(get("/")).read().status, 200, "the next on the connection")


@case
def who_has_another_is_sent_the_whole():
    first = exchange(address(), get(TARGET))
    tag, modified = first.field("etag"), first.date("last-modified")
    for fields in (['If-None-Match: "other"'], [f"If-None-Match: {tag[:-1]}"], ['If-None-Match: ""'], [f"If-None-Match: {tag.strip(chr(34))}"],
                   [f"If-Modified-Since: {http_date(modified - 1)}"], [f"If-Modified-Since: {http_date(modified + 30)}"],
                   ["If-Modified-Since: yesterday"], ["If-Modified-Since: "],
                   ['If-None-Match: "other"', f"If-Modified-Since: {http_date(modified + 30)}"]):
        answer = exchange(address(), get(TARGET, *fields))
        is_good(answer)
        expect_equal(answer.body, first.body, f"the body, with {fields}")


@case
def conditions_are_for_GET_and_HEAD():
    tag = exchange(address(), get(TARGET)).field("etag")
    is_good(exchange(address(), post(REQUEST, f"If-None-Match: {tag}")))
    answer = exchange(address(), get(ask.path_escaped(NONCED), f"If-None-Match: {tag}"))
    expect_equal(len(read(answer).nonces), 1, "nonces")


# --- times ------------------------------------------------------------------------------------------------------------------------


def lone(**settings):
    """A responder of one CA with these settings."""
    made = Ca(cast.where, f"lone-{'-'.join(map(str, settings.values()))}")
    index = Index(f"{cast.where}/{made.label}.txt").add("V", GOOD).add("R", REVOKED).save()
    return made, authority(made, index=index.path, **settings)


def times(answer):
    response = read(answer)
    return response.single.this_update - response.produced_at, response.single.next_update - response.single.this_update


@case
def a_validity_of_its_own_sets_the_times_and_max_age():
    """thisUpdate a minute back, or a quarter of a short validity; until the refresh, at half of it, a cache may hold it."""
    for validity, seconds in (("1h", 3600), ("10m", 600), ("2m", 120), ("40s", 40)):
        made, entry = lone(validity=validity)
        with Respond(configuration(entry)) as one:
            answer = exchange(one.address, get(ask.path_escaped(ask.request(ask.cert_id(made, GOOD)))))
            expect_equal(times(answer), (-min(60, seconds // 4), seconds), f"thisUpdate and nextUpdate of {validity}")
            expect(0 < answer.max_age <= seconds // 2, f"max-age of {validity}: {answer.max_age}")
            left = read(answer).single.next_update - time.time()
            expect(answer.max_age < left, f"a cache holds it {answer.max_age} s, it is right for {left} s")


@case
def caches_may_be_told_to_hold_less():
    made, entry = lone(validity="4d")
    with Respond(configuration(entry, more="cache: { max_age: 90s }")) as one:
        answer = exchange(one.address, get(ask.path_escaped(ask.request(ask.cert_id(made, GOOD)))))
        expect_equal(answer.max_age, 90, "max-age")


@case
def an_answer_is_refreshed_at_half_of_its_life():
    made, entry = lone(validity="12s")
    request = ask.request(ask.cert_id(made, GOOD))
    with Respond(configuration(entry)) as one:
        first = exchange(one.address, get(ask.path_escaped(request)))
        was = read(first).single

        def another():
            asked = int(time.time())
            answer = exchange(one.address, get(ask.path_escaped(request)))
            now = read(answer).single
            expect(asked <= now.next_update, "an answer past its nextUpdate")
            return answer if now.this_update > was.this_update else None

        second = wait_for(another, 12, "another answer")
        expect(read(second).produced_at <= was.next_update - 2, "it was refreshed at its very end")
        expect(second.field("etag") != first.field("etag"), "another answer, the same ETag")
        expect_equal(exchange(one.address, get(ask.path_escaped(request), f"If-None-Match: {first.field('etag')}")).status, 200, "status")


@case
def it_ends_well():
    cast.running().stop_well()


main()
