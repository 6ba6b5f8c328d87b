# SPDX-License-Identifier: LGPL-2.1-or-later
"""How `clinch fetch` gets there: addresses and names, proxies, TLS."""
import base64

from harness import case, expect, expect_equal, expect_in, expect_not_in, free_port, main
from responder import Responder, answer, hang, redirect, tunnel
from scene import (EXIT_GOOD, EXIT_NOT_BELIEVED, EXIT_NOT_FOUND_OUT, EXIT_TEMPORARY, EXIT_USAGE, expect_exit, fetch, good, pki,
                   with_names)

server = pki.leaf("localhost")


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
def asks_a_public_address_of_a_stranger():
    """public.test has a public address, which names.c makes this machine of."""
    with Responder(answer(good)) as responder:
        expect_exit(fetch("--forbid-private", "--url", f"http://public.test:{responder.port}/", env=with_names()), EXIT_GOOD)


@case
def passes_over_the_private_one_of_several_addresses():
    with Responder(answer(good)) as responder:
        expect_exit(fetch("--forbid-private", "--url", f"http://both.test:{responder.port}/", env=with_names()), EXIT_GOOD)


@case
def judges_the_address_behind_a_redirect():
    with Responder(answer(good)) as behind:
        for place in (f"127.0.0.1:{behind.port}", f"localhost:{behind.port}", f"loopback.test:{behind.port}"):
            with Responder(redirect(f"http://{place}/")) as public:
                result = fetch("--forbid-private", "--json", "--url", f"http://public.test:{public.port}/", env=with_names())
                expect_exit(result, EXIT_NOT_FOUND_OUT)
                expect_equal((result.json["outcome"], result.json["url"]), ("private-address", f"http://{place}/"), "the report")
                expect_equal(len(public.requests), 1, "requests to the first")
        expect_equal(behind.connections, 0, "connections")


@case
def judges_what_a_redirect_says_behind_a_proxy():
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
def does_not_wait_for_the_second_thought_of_a_name_server():
    """A name that was not found is looked up once more, to say why; that is part of the time too."""
    result = fetch("--timeout", 1, "--url", "http://again-then-hang.test/", env=with_names(), timeout=8)
    expect_exit(result, EXIT_TEMPORARY)
    expect_in("http://again-then-hang.test/: dns: ", result.err, "the message")


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
    with Responder(hang, deaf=True) as responder:
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


main()
