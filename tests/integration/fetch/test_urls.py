# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whom `clinch fetch` asks: the certificate's URLs in turn, redirects, addresses, names, proxies, TLS."""
import base64

from harness import build_path, case, expect, expect_equal, expect_in, expect_not_in, free_port, main, run
from responder import Responder, answer, hang, redirect, tunnel
from scene import (EXIT_GOOD, EXIT_NOT_BELIEVED, EXIT_NOT_FOUND_OUT, EXIT_TEMPORARY, EXIT_USAGE, expect_exit, fetch, good,
                   leaf, pki, with_names)

server = pki.leaf("localhost")
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
        expect_exit(fetch("--url", responder.url, "--hash", "sha512"), EXIT_GOOD)
        expect_equal([r.method for r in responder.requests], ["POST"], "requests")
        expect_in(SHA512, responder.requests[0].der, "the CertID")
        expect(len(base64.b64encode(responder.requests[0].der)) > 230, "the request is short")


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


# --- addresses and names ----------------------------------------------------------------------------------------------------


@case
def asks_over_ipv6():
    with Responder(answer(good), address="::1") as responder:
        expect_exit(fetch("--url", responder.url), EXIT_GOOD)


def forbids(url, *responders, env=None):
    result = fetch("--forbid-private", "--json", "--url", url, env=env)
    expect_exit(result, EXIT_NOT_FOUND_OUT)
    expect_equal(result.json["outcome"], "private-address", "outcome")
    expect_in("--allow-private", result.err, "what to change")
    for responder in responders:
        expect_equal(responder.connections, 0, "connections")


@case
def asks_no_private_address_of_a_stranger():
    with Responder(answer(good)) as responder:
        forbids(responder.url, responder)
        forbids(f"http://localhost:{responder.port}/", responder)
        forbids(f"http://0x7f.1:{responder.port}/", responder)
        forbids(f"http://[::ffff:127.0.0.1]:{responder.port}/", responder)
    for address in ("10.1.2.3", "192.168.1.1", "172.16.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "[fe80::1]",
                    "[fd00::1]", "[ff02::1]", "[::1]", "[64:ff9b::a00:1]"):
        forbids(f"http://{address}/")


@case
def judges_the_address_behind_a_name():
    with Responder(answer(good)) as responder:
        forbids(f"http://loopback.test:{responder.port}/", responder, env=with_names())
        forbids("http://private.test/", env=with_names())
        expect_exit(fetch("--url", f"http://loopback.test:{responder.port}/", env=with_names()), EXIT_GOOD)


@case
def judges_the_address_behind_a_redirect():
    """By a proxy, which a stranger's URL may use: the first hop's name is public as far as can be seen, the second is not."""
    with Responder(redirect("http://127.0.0.1/")) as proxy:
        result = fetch("--forbid-private", "--proxy", f"http://{proxy.place}", "--json", "--url", "http://ocsp.example.org/")
        expect_exit(result, EXIT_NOT_FOUND_OUT)
        expect_equal(result.json["outcome"], "private-address", "outcome")
        expect_equal(len(proxy.requests), 1, "requests")


@case
def the_last_of_forbid_and_allow_counts():
    with Responder(answer(good)) as responder:
        expect_exit(fetch("--forbid-private", "--allow-private", "--url", responder.url), EXIT_GOOD)
        expect_exit(fetch("--allow-private", "--forbid-private", "--url", responder.url), EXIT_NOT_FOUND_OUT)


@case
def says_that_a_name_does_not_exist():
    result = fetch("--url", "http://none.test/", env=with_names())
    expect_exit(result, EXIT_NOT_FOUND_OUT)
    expect_in("http://none.test/: dns: the name none.test does not exist", result.err, "the message")


@case
def gives_up_for_now_when_name_resolution_does_not_work():
    result = fetch("--url", "http://again.test/", env=with_names())
    expect_exit(result, EXIT_TEMPORARY)
    expect_in("dns: the name again.test cannot be resolved at present", result.err, "the message")


@case
def does_not_wait_for_a_name_server_that_is_silent():
    result = fetch("--timeout", 1, "--url", "http://hang.test/", env=with_names(), timeout=8)
    expect_exit(result, EXIT_TEMPORARY)
    expect_in("dns: the name was not resolved in time", result.err, "the message")


@case
def fails_for_a_name_that_cannot_exist():
    """RFC 6761 6.4: whatever the resolver of this machine makes of it."""
    result = fetch("--url", "http://ocsp.invalid/", "--json")
    expect(result.rc in (EXIT_NOT_FOUND_OUT, EXIT_TEMPORARY), str(result))
    expect_equal(result.json["phase"], "dns", "phase")


@case
def refuses_options_that_are_no_urls():
    for url in ("file:///etc/passwd", "ocsp.example.org", "http://", "http://a b/", "http://x/\n", "ldap://x/", ""):
        result = fetch("--url", url)
        expect_exit(result, EXIT_USAGE)


# --- proxies ----------------------------------------------------------------------------------------------------------------


@case
def asks_by_the_proxy_of_the_environment():
    with Responder(answer(good)) as proxy:
        result = fetch("--url", "http://ocsp.example.org/x", env={"http_proxy": f"http://{proxy.place}"})
        expect_exit(result, EXIT_GOOD)
        expect(proxy.requests[0].target.startswith("http://ocsp.example.org/x/M"), proxy.requests[0].target)


@case
def asks_by_the_proxy_of_the_option_with_its_password():
    with Responder(answer(good)) as proxy:
        result = fetch("-v", "--url", "http://ocsp.example.org/", "--proxy", f"http://user:secret@{proxy.place}",
                       env={"http_proxy": "http://127.0.0.1:1"})
        expect_exit(result, EXIT_GOOD)
        expect_equal(proxy.requests[0].fields["proxy-authorization"], "Basic " + base64.b64encode(b"user:secret").decode(), "field")
        expect_not_in("authorization", proxy.requests[0].fields, "fields")
        expect_not_in("secret", result.err, "stderr")


@case
def does_not_show_the_password_of_a_proxy_that_is_down():
    port = free_port()
    result = fetch("-v", "--json", "--url", "http://ocsp.example.org/", "--proxy", f"http://user:secret@127.0.0.1:{port}")
    expect_exit(result, EXIT_TEMPORARY)
    expect_in(f"the proxy 127.0.0.1:{port}", result.err, "the message")
    expect_not_in("secret", result.err + result.out, "what is said")


@case
def asks_directly_where_no_proxy_is_wanted():
    with Responder(answer(good)) as responder, Responder(answer(b"")) as proxy:
        by_proxy = {"http_proxy": f"http://{proxy.place}", "all_proxy": f"http://{proxy.place}"}
        expect_exit(fetch("--url", responder.url, "--proxy", "none", env=by_proxy), EXIT_GOOD)
        expect_exit(fetch("--url", responder.url, env={**by_proxy, "no_proxy": "example.org, 127.0.0.0/8"}), EXIT_GOOD)
        expect_exit(fetch("--url", responder.url, env={**by_proxy, "NO_PROXY": "*"}), EXIT_GOOD)
        expect_equal(proxy.connections, 0, "connections of the proxy")


@case
def does_not_read_the_proxy_variable_that_a_cgi_client_can_set():
    with Responder(answer(good)) as responder, Responder(answer(b"")) as proxy:
        expect_exit(fetch("--url", responder.url, env={"HTTP_PROXY": f"http://{proxy.place}"}), EXIT_GOOD)
        expect_equal(proxy.connections, 0, "connections of the proxy")


@case
def tunnels_https_through_a_proxy():
    with Responder(answer(good), tls=(server.chain_file, server.key_file)) as responder, Responder(tunnel) as proxy:
        result = fetch("--url", responder.url, "--ca", pki.root.cert_file, env={"https_proxy": f"http://{proxy.place}"})
        expect_exit(result, EXIT_GOOD)
        expect_equal((proxy.requests[0].method, proxy.requests[0].target), ("CONNECT", responder.place), "what the proxy saw")


@case
def says_that_the_proxy_refuses_a_tunnel():
    with Responder(answer(b"", 407)) as proxy:
        result = fetch("--url", "https://ocsp.example.org/", "--proxy", f"http://{proxy.place}", "--json")
        expect_exit(result, EXIT_NOT_FOUND_OUT)
        expect_equal((result.json["outcome"], result.json["phase"]), ("proxy-failed", "connect"), "the report")
        expect_in("--proxy", result.err, "what to change")


@case
def refuses_a_proxy_that_is_no_url():
    expect_exit(fetch("--url", "http://127.0.0.1/", "--proxy", "proxy.example.org:3128"), EXIT_USAGE)


# --- https ------------------------------------------------------------------------------------------------------------------


@case
def asks_an_https_responder_that_is_trusted_by_option():
    with Responder(answer(good), tls=(server.chain_file, server.key_file)) as responder:
        expect_exit(fetch("--url", responder.url, "--ca", pki.root.cert_file), EXIT_GOOD)


@case
def refuses_an_https_responder_of_an_unknown_ca():
    with Responder(answer(good), tls=(server.chain_file, server.key_file)) as responder:
        result = fetch("--url", responder.url, "--json")
        expect_exit(result, EXIT_NOT_BELIEVED)
        expect_equal((result.json["outcome"], result.json["phase"]), ("tls-untrusted", "tls"), "the report")
        expect_in("--ca", result.err, "what to change")
        expect_equal(len(responder.requests), 0, "requests")


@case
def refuses_an_https_responder_with_another_name():
    named = pki.leaf("elsewhere", dns=["elsewhere.example.org"], ip=[])
    with Responder(answer(good), tls=(named.chain_file, named.key_file)) as responder:
        expect_exit(fetch("--url", responder.url, "--ca", pki.root.cert_file), EXIT_NOT_BELIEVED)
        expect_equal(len(responder.requests), 0, "requests")


@case
def refuses_an_https_responder_with_an_expired_certificate():
    old = pki.leaf("old-server", before_days=20, days=-1)
    with Responder(answer(good), tls=(old.chain_file, old.key_file)) as responder:
        expect_exit(fetch("--url", responder.url, "--ca", pki.root.cert_file), EXIT_NOT_BELIEVED)


@case
def says_that_the_responder_does_not_speak_tls():
    with Responder(answer(good), greeting=b"220 mail.example.org ESMTP ready, and some more words to fill a record\r\n") as responder:
        result = fetch("--url", f"https://{responder.place}/", "--json", timeout=10)
        expect_exit(result, EXIT_NOT_FOUND_OUT)
        expect_equal(result.json["phase"], "tls", "phase")


@case
def gives_up_for_now_on_a_silent_tls_handshake():
    with Responder(hang) as responder:
        result = fetch("--timeout", 1, "--url", f"https://{responder.place}/", "--json", timeout=8)
        expect_exit(result, EXIT_TEMPORARY)
        expect_equal(result.json["phase"], "tls", "phase")


@case
def says_what_is_wrong_with_the_file_of_roots():
    with Responder(answer(good), tls=(server.chain_file, server.key_file)) as responder:
        result = fetch("--url", responder.url, "--ca", "/nonexistent/roots.pem")
        expect_exit(result, EXIT_NOT_FOUND_OUT)
        expect_in("/nonexistent/roots.pem", result.err, "the message")
        result = fetch("--url", responder.url, "--ca", server.key_file)
        expect_exit(result, EXIT_NOT_FOUND_OUT)
        expect_in(f"{server.key_file}: holds no certificate", result.err, "the message")


# --- what clinch-keep links ---------------------------------------------------------------------------------------------------


@case
def clinch_itself_maps_no_http_client():
    expect_not_in("libcurl", run(["ldd", build_path("clinch")]).out, "ldd clinch")
    expect_in("libcurl", run(["ldd", build_path("clinch-keep")]).out, "ldd clinch-keep")


main()
