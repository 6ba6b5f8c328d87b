# SPDX-License-Identifier: LGPL-2.1-or-later
"""`clinch check` and everything that can go wrong: the right exit status, a sentence that names the thing, in time."""
import re
import socket
import subprocess
import time

from harness import (add_case, build_path, case, clinch, expect, expect_equal, expect_in, expect_match, free_port, main,
                     tempdir)
from peers import Script, gnutls_serv, openssl_server
from pki import Pki

PKI = Pki(tempdir() + "/pki")
LEAF = PKI.leaf("localhost")
ROOT = PKI.root.cert_file
NAMES = {"LD_PRELOAD": build_path("tests/integration/check/libnames.so"), "ASAN_OPTIONS": "verify_asan_link_order=0"}
SLACK = 20.0  # seconds above a deadline that a busy machine may take


def check(*args, **more):
    return clinch("check", "--ca", ROOT, *args, **more)


def expect_trouble(reason, pattern, *args, within=None, **more):
    """Exit status 1, `reason` in JSON, a sentence that matches, in text too; and not later than `within` seconds."""
    begun = time.monotonic()
    result = check("--json", *args, **more)
    took = time.monotonic() - begun
    expect_equal(result.rc, 1, f"exit status\n{result}")
    found = result.json
    expect_equal([found["verdict"], found["reason"], found["accepted"]], ["error", reason, False], f"the verdict\n{result}")
    expect_match(pattern, found["detail"], "the sentence")
    text = check(*args, **more)
    expect_equal(text.rc, 1, "exit status with text")
    expect_match(rf"^\? error  .*{pattern}", text.out, "the text")
    if within is not None:
        expect(took < within + SLACK, f"took {took:.1f} s, the deadline was {within} s")
    return found


# --- no connection ----------------------------------------------------------------------------------------------------------


@case
def no_such_host():
    expect_trouble("no-such-host", r'"nobody\.invalid": is the name right', "nobody.invalid:443", env=NAMES)


@case
def a_name_service_that_fails_for_now():
    expect_trouble("name-service", r'"tired\.test"', "tired.test:443", env=NAMES)


@case
def a_name_service_that_hangs():
    expect_trouble("timeout", r'name service did not answer in time for "hang\.test"', "--timeout", "0.5", "hang.test:443", within=0.5,
                   env=NAMES)


@case
def a_hanging_lookup_does_not_keep_the_next_target():
    named = PKI.leaf("one.test", ip=[])
    port = gnutls_serv(named, PKI.response(named))
    begun = time.monotonic()
    result = check("--json", "--timeout", "0.5", "hang.test", "hang.test", "hang.test", "hang.test", "hang.test", "hang.test",
                   f"one.test:{port}", env=NAMES)
    expect_equal([line["verdict"] for line in result.jsonlines], ["error"] * 6 + ["good"], "the verdicts")
    expect_equal(result.rc, 1, "exit status")
    expect(time.monotonic() - begun < 3 + SLACK, "it ended in time")


@case
def refused():
    port = free_port()
    expect_trouble("connection-refused", rf"127\.0\.0\.1:{port} refuses the connection", f"127.0.0.1:{port}")
    expect_trouble("connection-refused", rf"\[::1\]:{port} refuses the connection", f"[::1]:{port}")
    for target in (f"127.0.0.1:{port}", f"[::1]:{port}"):
        expect_match(rf"^\? error  {re.escape(target)} refuses the", check(target).out, "an address literal, said once")


@case
def a_name_is_resolved_and_asked_for():
    named = PKI.leaf("one.test", ip=[])
    port = openssl_server(named, "-servername", "one.test", "-servername_fatal", "-cert2", named.cert_file, "-key2", named.key_file)
    for target in ("one.test", "one.test.", "ONE.test"):
        result = clinch("check", "--json", "--ca", PKI.intermediate.cert_file, f"{target}:{port}", env=NAMES)
        expect_equal([result.rc, result.json["address"]], [0, f"127.0.0.1:{port}"], f"{target}\n{result}")


@case
def tries_the_addresses_of_a_name_in_turn():
    with_name = PKI.leaf("two.test")
    port = openssl_server(with_name, staple=PKI.response(with_name), address="127.0.0.1")
    result = check("--json", f"two.test:{port}", env=NAMES)
    expect_equal([result.rc, result.json["address"]], [0, f"127.0.0.1:{port}"], f"the second address\n{result}")
    expect_trouble("connection-refused", r"two\.test.*127\.0\.0\.1:\d+ \(the last of 2 addresses\) refuses", f"two.test:{free_port()}", env=NAMES)


@case
def a_family_that_the_name_has_not():
    expect_trouble("no-such-host", r'"127\.0\.0\.1".* -6', "-6", "127.0.0.1:443")
    expect_trouble("no-such-host", r'"::1".* -4', "-4", "[::1]:443")


# --- a connection, and no TLS -----------------------------------------------------------------------------------------------


@case
def a_server_that_never_answers():
    with Script(lambda talk: talk.hang()) as server:
        expect_trouble("timeout", rf"127\.0\.0\.1:{server.port} did not finish the TLS handshake within 0\.6 s", "--timeout", "0.6",
                       f"127.0.0.1:{server.port}", within=0.6)


@case
def a_server_that_accepts_no_connection():
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):  # the queue is full: the next SYN stays unanswered
            expect_trouble("timeout", rf"127\.0\.0\.1:{port}.* within 0\.6 s", "--timeout", "0.6", f"127.0.0.1:{port}", within=0.6)


def hang_in_the_middle(talk):
    """The first half of a ServerHello's record, and no more."""
    talk.hear_bytes(5)
    talk.say(bytes.fromhex("16030300 7a 0200007603 03".replace(" ", "")))
    talk.hang()


@case
def a_server_that_hangs_in_the_handshake():
    with Script(hang_in_the_middle) as server:
        expect_trouble("timeout", r"did not finish the TLS handshake", "--timeout", "0.6", f"127.0.0.1:{server.port}", within=0.6)


@case
def a_server_that_drips_warnings_for_ever():
    with Script(lambda talk: talk.drip(bytes.fromhex("15030300020170"), pause=0.001)) as server:  # warning: unrecognized_name
        begun = time.monotonic()
        result = check("--json", "--timeout", "0.6", f"127.0.0.1:{server.port}")
        expect_equal([result.rc, result.json["verdict"]], [1, "error"], f"{result}")
        expect(time.monotonic() - begun < 0.6 + SLACK, "it ended in time")


@case
def a_server_that_closes_at_once():
    with Script(lambda talk: talk.hear_bytes(5)) as server:
        expect_trouble("closed", rf"127\.0\.0\.1:{server.port} (closed the connection|broke off)", f"127.0.0.1:{server.port}")


def add_plain(name, says, hint):
    def is_not_tls():
        def play(talk):
            talk.say(says)
            talk.hang()

        with Script(play) as server:
            expect_trouble("not-tls", hint, f"127.0.0.1:{server.port}", "--timeout", "60", within=2)

    add_case(f"{name}_is_no_tls", is_not_tls)


add_plain("http", b"HTTP/1.1 400 Bad Request\r\n\r\n", r'it says "HTTP/1\.1 400 Bad Request"; that is plain HTTP')
add_plain("smtp", b"220 mail.example.org ESMTP\r\n", r'it says "220 mail.*--starttls smtp')
add_plain("imap", b"* OK ready\r\n", r"--starttls imap")
add_plain("pop3", b"+OK ready\r\n", r"--starttls pop3")
add_plain("ssh", b"SSH-2.0-OpenSSH_9.2\r\n", r"that is SSH")
add_plain("a_lone_byte", b"\x00", r'it says "\?"')
add_plain("an_escape_sequence", b"\x1b[2Jhello\n", r'it says "\?\[2Jhello"')


@case
def a_tls_alert_is_named():
    with Script(lambda talk: (talk.hear_bytes(5), talk.say(bytes.fromhex("15030300020228")))) as server:
        expect_trouble("tls-alert", r"TLS alert 40 \(Handshake failed\).*--tls and --client-cert", f"127.0.0.1:{server.port}")


@case
def a_version_that_the_server_has_not():
    port = openssl_server(LEAF, "-tls1_2")
    expect_trouble("tls-alert", rf"127\.0\.0\.1:{port} breaks the handshake off with the TLS alert 70", "--tls", "1.3", f"127.0.0.1:{port}")


@case
def garbage_in_a_record():
    with Script(lambda talk: (talk.hear_bytes(5), talk.say(bytes.fromhex("16030300040f000000")), talk.hang())) as server:
        expect_trouble("tls", rf"127\.0\.0\.1:{server.port}: the TLS handshake failed", f"127.0.0.1:{server.port}", "--timeout", "60", within=2)


# --- files --------------------------------------------------------------------------------------------------------------------


def a_file(name, data):
    path = f"{tempdir()}/{name}"
    with open(path, "wb") as f:
        f.write(data)
    return path


@case
def ca_files_that_are_none():
    with open(LEAF.key_file, "rb") as f:
        key = f.read()
    for path, words in (("/nonexistent/roots.pem", "No such file"), (a_file("empty.pem", b""), "empty|no certificate|nothing"),
                        (a_file("prose.pem", b"Dear CA,\n"), "not PEM|no certificate|neither"), (a_file("key.pem", key), "key"),
                        (a_file("large.pem", b"-----BEGIN" * 1024 * 1024), "8388608|larger|more than|limit"), (tempdir(), "directory")):
        result = clinch("check", "--ca", path, "localhost:1")
        expect_equal([result.rc, result.out], [1, ""], f"{path}\n{result}")
        expect_in(path, result.err, "stderr names the file")
        expect_match(words, result.err, "stderr says what it is")


@case
def a_ca_file_may_have_many_roots_or_be_der():
    port = gnutls_serv(LEAF, PKI.response(LEAF))
    many = b"".join(Pki(f"{tempdir()}/many-{i}", label=f"{i} ").root.pem for i in range(80))
    for path in (a_file("many.pem", b"# roots\n" + many + PKI.root.pem), a_file("root.der", PKI.root.der)):
        result = clinch("check", "--ca", path, f"127.0.0.1:{port}")
        expect_equal(result.rc, 0, f"exit status\n{result}")


@case
def client_certificate_files_that_are_none():
    other = PKI.leaf("client")
    for options, words in ((["--client-cert", "/nonexistent/c.pem"], "/nonexistent/c.pem"),
                           (["--client-cert", LEAF.key_file], LEAF.key_file),
                           (["--client-cert", LEAF.cert_file, "--client-key", other.key_file], "not the one of the certificate"),
                           (["--client-cert", LEAF.cert_file, "--client-key", a_file("e.key", b"")], "e.key")):
        result = check(*options, "localhost:1")
        expect_equal([result.rc, result.out], [1, ""], f"{options}\n{result}")
        expect_in(words, result.err, "stderr")


# --- the command line ---------------------------------------------------------------------------------------------------------


def add_usage(name, args, words):
    def is_refused():
        result = clinch("check", *args)
        expect_equal([result.rc, result.out], [2, ""], f"exit status and stdout\n{result}")
        expect_in(words, result.err, "stderr")

    add_case(f"usage_{name}", is_refused)


for row, (row_args, row_words) in {
        "no_target": ([], "which target"),
        "port_0": (["localhost:0"], '"localhost:0"'),
        "port_65536": (["localhost:65536"], '"localhost:65536"'),
        "port_that_is_a_word": (["localhost:https"], '"localhost:https"'),
        "port_that_is_empty": (["localhost:"], '"localhost:"'),
        "port_with_a_sign": (["localhost:+443"], '"localhost:+443"'),
        "url": (["https://localhost/"], "is a URL"),
        "no_host": ([":443"], "no host name"),
        "empty": ([""], "no host name"),
        "open_bracket": (["[::1:443"], "bracket"),
        "name_in_brackets": (["[localhost]:443"], "IPv6"),
        "several_colons": (["a:b:c"], "IPv6"),
        "space": (["local host"], "is not HOST[:PORT]"),
        "line_break": (["local\nhost:25"], "is not HOST[:PORT]"),
        "long_name": (["a" * 300], "253"),
        "unknown_option": (["--nonsense", "localhost"], "--nonsense"),
        "unknown_require": (["--require", "all", "localhost"], '"all"'),
        "unknown_starttls": (["--starttls", "ftp", "localhost"], '"ftp"'),
        "unknown_tls": (["--tls", "1.1", "localhost"], '"1.1"'),
        "unknown_format": (["--format", "xml", "localhost"], '"xml"'),
        "timeout_0": (["--timeout", "0", "localhost"], '"0"'),
        "timeout_negative": (["--timeout", "-1", "localhost"], '"-1"'),
        "timeout_word": (["--timeout", "5s", "localhost"], '"5s"'),
        "timeout_huge": (["--timeout", "99999999999999999999", "localhost"], "3600"),
        "at": (["--at", "yesterday", "localhost"], '"yesterday"'),
        "at_the_epoch": (["--at", "1970-01-01T00:00:00Z", "localhost"], '"1970-01-01T00:00:00Z"'),
        "max_age": (["--max-age", "-5", "localhost"], '"-5"'),
        "connect_without_port": (["--connect", "127.0.0.1", "localhost"], '"127.0.0.1"'),
        "proxy_without_port": (["--proxy", "proxy.test", "localhost"], '"proxy.test"'),
        "servername_with_port": (["--servername", "a:1", "localhost"], '"a:1"'),
        "key_alone": (["--client-key", "k.pem", "localhost"], "--client-cert"),
        "udp_and_starttls": (["--udp", "--starttls", "smtp", "localhost"], "--starttls"),
        "udp_and_tls_1_3": (["--udp", "--tls", "1.3", "localhost"], "DTLS 1.3"),
        "udp_and_proxy": (["--udp", "--proxy", "p:1", "localhost"], "--proxy"),
        "duration_without_unit": (["--format", "nagios", "--warn-below", "5", "localhost"], '"5"'),
        "warn_below_as_text": (["--warn-below", "5d", "localhost"], "nagios"),
}.items():
    if "--format" in row_args and "nagios" in row_args:
        continue  # its exit status is the monitor's: below
    add_usage(row, row_args, row_words)


@case
def usage_under_nagios_is_unknown_and_not_critical():
    for args in (["--warn-below", "5", "localhost"], ["--warn-below", "1h", "--critical-below", "2h", "localhost"], []):
        result = clinch("check", "--format", "nagios", *args)
        expect_equal(result.rc, 3, f"{args}\n{result}")
    for form in (["--format", "nagios"], ["--format=nagios"]):
        expect_equal(clinch("check", "--bogus", *form, "localhost").rc, 3, f"a mistake before {form}")
    expect_equal(clinch("check", "--bogus", "--", "--format", "nagios").rc, 2, "where it is no option")
    missing = clinch("check", "--format", "nagios", "--ca", "/nonexistent.pem", "localhost")
    expect_equal(missing.rc, 3, f"a missing file\n{missing}")


@case
def targets_come_from_a_file_too():
    port = gnutls_serv(LEAF, PKI.response(LEAF))
    path = a_file("targets", f"# ours\n127.0.0.1:{port}\n\n  127.0.0.1:{port}   # the same\r\n".encode())
    result = check("--json", "--targets", path, f"[::1]:{free_port()}")
    expect_equal([line["target"] for line in result.jsonlines][:2], [f"127.0.0.1:{port}", f"127.0.0.1:{port}"], "the targets")
    expect_equal([result.rc, len(result.jsonlines)], [1, 3], "exit status and lines")
    piped = check("--json", "--targets", "-", input=f"127.0.0.1:{port}\n")
    expect_equal([piped.rc, len(piped.jsonlines)], [0, 1], f"from standard input\n{piped}")
    expect_equal(check("--targets", "/nonexistent/targets").rc, 1, "a missing file")
    full = check("--targets", a_file("full", b"\n" * (16 << 20)))
    expect_equal(full.rc, 2, f"as large as it may be, and empty\n{full}")
    expect_in("which target?", full.err, "stderr")
    larger = check("--targets", a_file("larger", b"\n" * ((16 << 20) + 1)))
    expect_equal(larger.rc, 1, f"larger\n{larger}")
    expect_in("limit", larger.err, "stderr")
    expect_equal(check("--targets", a_file("bad", b"localhost:0\n")).rc, 2, "a bad target in it")
    expect_equal(check("--targets", a_file("nul", b"local\0host\n")).rc, 2, "not a text file")


@case
def a_full_disk_is_said():
    port = gnutls_serv(LEAF, PKI.response(LEAF))
    with open("/dev/full", "wb") as full:
        done = subprocess.run([build_path("clinch"), "check", "--ca", ROOT, f"127.0.0.1:{port}"], stdout=full, stderr=subprocess.PIPE,
                              timeout=20)
    expect_equal(done.returncode, 1, "exit status")
    expect_in(b"No space left", done.stderr, "stderr")


@case
def idn_names_are_asked_for_in_ascii():
    result = check("--json", "bücher.invalid", env={**NAMES, "LC_ALL": "C.UTF-8"})
    expect_in("xn--bcher-kva.invalid", result.json["detail"], "the name that was looked up")
    expect_equal(result.json["target"], "bücher.invalid", "the target as it was written")


main()
