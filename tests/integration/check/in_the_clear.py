# SPDX-License-Identifier: LGPL-2.1-or-later
"""What hostile servers and proxies say before TLS: refused in a sentence, never believed, never waited for."""
import socket
import time

from harness import add_case, case, clinch, expect, expect_equal, expect_in, expect_match, free_port, main, tempdir
from peers import Script, gnutls_serv
from pki import Pki

PKI = Pki(tempdir() + "/pki")
LEAF = PKI.leaf("localhost", ocsp_url="http://127.0.0.1:9/")
ROOT = PKI.root.cert_file
SLACK = 20.0
LDAP_OK = bytes.fromhex("300c02010178070a010004000400")
LDAP_LONG_LENGTHS = bytes.fromhex("308400000010020101" + "7884000000070a010004000400")


def check(port, *args):
    return clinch("check", "--json", "--ca", ROOT, *args, f"127.0.0.1:{port}")


def relay_to(port, *lines):
    """A dialogue that ends in TLS: says each line, hearing a line of the client's after each but the last."""

    def play(talk):
        for i, line in enumerate(lines):
            talk.say(line)
            if i < len(lines) - 1:
                talk.hear()
        talk.join(("127.0.0.1", port))

    return play


# --- sound dialogues, in forms that the real servers do not use -------------------------------------------------------------


def add_sound(name, protocol, *lines):
    def reaches_tls():
        backend = gnutls_serv(LEAF, PKI.response(LEAF))
        with Script(relay_to(backend, *lines)) as server:
            result = check(server.port, "--starttls", protocol)
            expect_equal([result.rc, result.json["verdict"]], [0, "good"], f"{name}\n{result}")

    add_case(f"understands_{name}", reaches_tls)


add_sound("a_greeting_of_several_lines", "smtp", b"220-one\r\n220-two\r\n220 three\r\n", b"250-me\r\n250-SIZE 9\r\n250-starttls\r\n250 HELP\r\n",
          b"220 go\r\n")
add_sound("a_reply_without_text", "smtp", b"220\r\n", b"250-me\r\n250 STARTTLS\r\n", b"220\r\n")
add_sound("untagged_answers_of_imap", "imap", b"* OK [CAPABILITY IMAP4rev1] hello\r\n", b"* CAPABILITY IMAP4rev1\r\n* 2 EXISTS\r\nc1 OK go\r\n")
add_sound("imap_that_speaks_unasked", "imap", b"* OK hello\r\n* OK [ALERT] disk full\r\n", b"c1 OK go\r\n")
add_sound("pop3_in_few_words", "pop3", b"+OK\r\n", b"+OK\r\n")


def ldap_of(reply):
    def make(backend):
        def play(talk):
            talk.hear_bytes(31)
            talk.say(reply)
            talk.join(("127.0.0.1", backend))
        return play
    return make


def add_ldap(name, reply):
    def reaches_tls():
        backend = gnutls_serv(LEAF, PKI.response(LEAF))
        with Script(ldap_of(reply)(backend)) as server:
            result = check(server.port, "--starttls", "ldap")
            expect_equal([result.rc, result.json["verdict"]], [0, "good"], f"{name}\n{result}")

    add_case(f"understands_{name}", reaches_tls)


add_ldap("ldap", LDAP_OK)
add_ldap("ldap_with_the_long_lengths_of_active_directory", LDAP_LONG_LENGTHS)


# --- refusals and attacks: (protocol, what the server says turn by turn, the sentence) -----------------------------------------


def add_refusal(name, protocol, says, sentence):
    def is_refused():
        def play(talk):
            for i, piece in enumerate(says):
                if i:
                    talk.connection.recv(4096)
                talk.say(piece)
            talk.hang()

        with Script(play) as server:
            begun = time.monotonic()
            result = check(server.port, "--starttls", protocol, "--timeout", "60")
            expect_equal([result.rc, result.json["verdict"], result.json["reason"]], [1, "error", "starttls"], f"{name}\n{result}")
            expect_match(sentence, result.json["detail"], "the sentence")
            expect_in(f"127.0.0.1:{server.port}", result.json["detail"], "the sentence names the target")
            expect(time.monotonic() - begun < 2 + SLACK, "it did not wait for the deadline")

    add_case(f"refuses_{name}", is_refused)


GREETING, OFFER = b"220 hello\r\n", b"250-me\r\n250 STARTTLS\r\n"
add_refusal("smtp_that_is_closed", "smtp", [b"554 go away\r\n"], 'refuses the SMTP session: "554 go away"')
add_refusal("smtp_without_starttls", "smtp", [GREETING, b"250-me\r\n250-XSTARTTLS\r\n250 STARTTLSX\r\n"], "does not offer STARTTLS")
add_refusal("smtp_that_takes_it_back", "smtp", [GREETING, OFFER, b"454 not now\r\n"], 'refuses STARTTLS: "454 not now"')
add_refusal("smtp_with_injected_plaintext", "smtp", [GREETING, OFFER, b"220 go\r\n250 injected\r\n"], "plaintext behind its permission")
add_refusal("smtp_that_answers_before_it_is_asked", "smtp", [GREETING + OFFER], "speaks before it was asked")
add_refusal("smtp_with_two_codes_in_a_reply", "smtp", [b"220-hello\r\n554 no\r\n"], "changes the code")
add_refusal("smtp_with_a_bare_line_feed", "smtp", [b"220 hello\n250 x\n"], "stray NUL, CR or LF")
add_refusal("smtp_with_a_nul", "smtp", [b"220 he\0llo\r\n"], "stray NUL, CR or LF")
add_refusal("smtp_that_is_garbage", "smtp", [b"\x00\xff\xfe" * 20], "stray NUL|does not speak SMTP")
add_refusal("smtp_that_is_http", "smtp", [b"HTTP/1.1 400 Bad Request\r\n\r\n"], 'does not speak SMTP; it says: "HTTP')
add_refusal("smtp_with_a_long_line", "smtp", [b"220 " + b"x" * 5000], "more than 4096 bytes")
add_refusal("imap_with_preauth", "imap", [b"* PREAUTH welcome\r\n"], "PREAUTH")
add_refusal("imap_that_says_bye", "imap", [b"* BYE full\r\n"], "refuses the IMAP session")
add_refusal("imap_that_says_no", "imap", [b"* OK hi\r\n", b"c1 NO\r\n"], "refuses STARTTLS")
add_refusal("imap_with_injected_plaintext", "imap", [b"* OK hi\r\n", b"c1 OK go\r\n* CAPABILITY AUTH=PLAIN\r\n"], "plaintext behind")
add_refusal("imap_with_anothers_tag", "imap", [b"* OK hi\r\n", b"c2 OK go\r\n"], "does not speak IMAP")
add_refusal("pop3_that_says_no", "pop3", [b"+OK hi\r\n", b"-ERR no\r\n"], 'refuses STLS: "-ERR no"')
add_refusal("pop3_with_injected_plaintext", "pop3", [b"+OK hi\r\n", b"+OK go\r\n+OK\r\n"], "plaintext behind")
add_refusal("pop3_that_is_smtp", "pop3", [b"220 hi\r\n"], "does not speak POP3")
add_refusal("ldap_that_says_no", "ldap", [bytes.fromhex("301002010178 0b0a01340400 04046e6f7065".replace(" ", ""))], 'LDAP result 52 "nope"')
add_refusal("ldap_with_injected_plaintext", "ldap", [LDAP_OK + b"\x30"], "plaintext behind")
add_refusal("ldap_that_is_text", "ldap", [b"220 hello\r\n"], "does not answer STARTTLS as LDAP")
add_refusal("ldap_of_another_message", "ldap", [LDAP_OK.replace(b"\x02\x01\x01", b"\x02\x01\x07")], "does not answer STARTTLS as LDAP")
add_refusal("ldap_that_is_endless", "ldap", [bytes.fromhex("3084ffffffff") + b"\x02" * 5000], "more than 4096 bytes")
add_refusal("postgres_that_says_no", "postgres", [b"N"], "does not do TLS")
add_refusal("postgres_with_an_error", "postgres", [b"E\0\0\0\x10SFATAL\0"], "with an error|speaks before|plaintext")
add_refusal("postgres_with_injected_plaintext", "postgres", [b"SN"], "plaintext behind")
add_refusal("postgres_that_is_smtp", "postgres", [b"220 hello\r\n"], "does not answer SSLRequest")


@case
def an_endless_banner_is_cut_off():
    with Script(lambda talk: talk.say(b"220-more\r\n" * 100000)) as server:
        result = check(server.port, "--starttls", "smtp", "--timeout", "10")
        expect_equal([result.rc, result.json["reason"]], [1, "starttls"], f"{result}")
        expect_in("sent 32768 bytes and did not come to an end", result.json["detail"], "the sentence")


def add_slow(name, protocol, play, sentence):
    def ends_in_time():
        with Script(play) as server:
            begun = time.monotonic()
            result = check(server.port, "--starttls", protocol, "--timeout", "0.6")
            expect_equal([result.rc, result.json["reason"]], [1, "timeout"], f"{result}")
            expect_match(sentence, result.json["detail"], "the sentence")
            expect(time.monotonic() - begun < 0.6 + SLACK, "it ended in time")

    add_case(f"ends_in_time_with_{name}", ends_in_time)


add_slow("a_silent_server", "smtp", lambda talk: talk.hang(), "says nothing in SMTP within 0.6 s")
add_slow("a_silent_ldap_server", "ldap", lambda talk: talk.hang(), "says nothing in LDAP within 0.6 s")
add_slow("a_dripping_server", "smtp", lambda talk: talk.drip(b"2"), "did not come to the end of SMTP|STARTTLS")
add_slow("an_imap_server_that_chats_for_ever", "imap", lambda talk: (talk.say(b"* OK hi\r\n"), talk.drip(b"* 1 EXISTS\r\n")), "IMAP")


@case
def a_server_that_closes_in_the_middle():
    with Script(lambda talk: talk.say(b"220-hello\r\n")) as server:
        result = check(server.port, "--starttls", "smtp")
        expect_equal([result.rc, result.json["reason"]], [1, "starttls"], f"{result}")
        expect_in("closed the connection before TLS could begin", result.json["detail"], "the sentence")


@case
def says_ehlo_with_its_address():
    with Script(lambda talk: (talk.say(GREETING), talk.hear(), talk.say(b"250 me\r\n"))) as server:
        check(server.port, "--starttls", "smtp")
        expect_equal(server.seen[0], b"EHLO [127.0.0.1]", "EHLO")
    with Script(lambda talk: (talk.say(GREETING), talk.hear(), talk.say(b"250 me\r\n")), address="::1") as server:
        clinch("check", "--starttls", "smtp", "--ca", ROOT, f"[::1]:{server.port}")
        expect_equal(server.seen[0], b"EHLO [IPv6:::1]", "EHLO over IPv6")


# --- proxies --------------------------------------------------------------------------------------------------------------------


def proxy_to(port, reply=b"HTTP/1.1 200 Connection established\r\nVia: 1.1 us\r\n\r\n", hold_back=False):
    def play(talk):
        talk.hear(b"\r\n\r\n")
        if not hold_back:
            talk.say(reply)
            return talk.join(("127.0.0.1", port))
        with socket.create_connection(("127.0.0.1", port), timeout=5) as other:
            talk.say(reply + other.recv(4096))  # the proxy's answer and the server's greeting in one piece
            talk.connection.recv(4096)
            talk.say(b"250 nothing\r\n")

    return play


@case
def a_proxy_leads_to_the_target():
    backend = gnutls_serv(LEAF, PKI.response(LEAF))
    with Script(proxy_to(backend)) as proxy:
        for target, authority in (("www.example.com", b"www.example.com:443"), ("[2001:db8::1]:8443", b"[2001:db8::1]:8443")):
            result = clinch("check", "--json", "--ca", ROOT, "--proxy", f"127.0.0.1:{proxy.port}", "--servername", "localhost", target)
            expect_equal([result.rc, result.json["verdict"]], [0, "good"], f"through the proxy\n{result}")
            expect_equal(result.json["address"], f"127.0.0.1:{proxy.port}", "the address is the proxy's")
            expect_equal(proxy.seen[-1].split(b"\r\n"), [b"CONNECT " + authority + b" HTTP/1.1", b"Host: " + authority], "the request")


@case
def a_greeting_behind_the_proxys_answer_is_the_servers():
    def greets(talk):
        talk.say(b"220 hello\r\n")
        talk.hang()

    with Script(greets) as server, Script(proxy_to(server.port, hold_back=True)) as proxy:
        result = clinch("check", "--json", "--ca", ROOT, "--proxy", f"127.0.0.1:{proxy.port}", "--starttls", "smtp", "mail.test")
        expect_in("does not offer STARTTLS", result.json["detail"], f"the server's greeting was read\n{result}")


def add_proxy(name, play, reason, sentence):
    def is_refused():
        with Script(play) as proxy:
            begun, seconds = time.monotonic(), "0.8" if reason == "timeout" else "60"
            result = clinch("check", "--json", "--ca", ROOT, "--timeout", seconds, "--proxy", f"127.0.0.1:{proxy.port}", "www.example.com")
            expect_equal([result.rc, result.json["verdict"], result.json["reason"]], [1, "error", reason], f"{result}")
            expect_match(sentence, result.json["detail"], "the sentence")
            expect(time.monotonic() - begun < 0.8 + SLACK, "it ended in time")

    add_case(f"a_proxy_that_{name}", is_refused)


def says(reply):
    return lambda talk: (talk.hear(b"\r\n\r\n"), talk.say(reply), talk.hang())


add_proxy("forbids_it", says(b"HTTP/1.1 403 Forbidden\r\n\r\n"), "proxy", 'refuses the CONNECT: "HTTP/1.1 403 Forbidden"')
add_proxy("wants_a_password", says(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"), "proxy", "user and a password")
add_proxy("is_none", says(b"220 hello\r\n"), "proxy", "does not answer CONNECT as an HTTP proxy")
add_proxy("hangs", lambda talk: talk.hang(), "timeout", "HTTP CONNECT within 0.8 s")
add_proxy("drips_header_fields", lambda talk: (talk.hear(b"\r\n\r\n"), talk.say(b"HTTP/1.1 200 OK\r\n"), talk.drip(b"X: y\r\n")), "timeout",
          "HTTP CONNECT within 0.8 s")
add_proxy("has_endless_header_fields", lambda talk: (talk.hear(b"\r\n\r\n"), talk.say(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50000)), "proxy",
          "sent 32768 bytes")
add_proxy("closes", lambda talk: talk.hear(b"\r\n\r\n"), "proxy", "closed the connection|broke off")


@case
def a_proxy_that_is_not_there_is_named():
    port = free_port()
    result = clinch("check", "--json", "--ca", ROOT, "--proxy", f"127.0.0.1:{port}", "www.example.com")
    expect_equal([result.rc, result.json["reason"]], [1, "connection-refused"], f"{result}")
    expect_in(f"127.0.0.1:{port}", result.json["detail"], "the sentence")


main()
