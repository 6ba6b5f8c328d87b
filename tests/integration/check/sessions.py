# SPDX-License-Identifier: LGPL-2.1-or-later
"""How `clinch check` connects, and what it asks beside: IPv6, DTLS, client certificates, the responder; and what it leaves."""
import base64
import os
import socket
import time
from datetime import timedelta
from urllib.parse import unquote

from cryptography import x509
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID

from harness import (build_path, case, clinch, expect, expect_equal, expect_in, expect_match, expect_not_in, free_port, main, run,
                     skip, start, tempdir)
from peers import Script, gnutls_serv, openssl_server
from pki import Pki


class PkiWithUrls(Pki):
    """Whose intermediate has a responder too."""

    def __init__(self, directory, url):
        super().__init__(directory)
        self.url = url

    @property
    def intermediate(self):
        access = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(self.url))
        return self._once("intermediate", lambda: self._issue("intermediate", "intermediate", self.root, [
            (x509.BasicConstraints(True, 0), True), (x509.AuthorityInformationAccess([access]), False)], None, 30, 3650))


RESPONDER = free_port()
PKI = PkiWithUrls(tempdir() + "/pki", f"http://127.0.0.1:{RESPONDER}/")
LEAF = PKI.leaf("localhost", ocsp_url=f"http://127.0.0.1:{RESPONDER}/")
PLAIN = PKI.leaf("localhost", label="without-a-url")
ROOT = PKI.root.cert_file


def check(*args, **more):
    return clinch("check", "--json", "--ca", ROOT, *args, **more)


# --- connections --------------------------------------------------------------------------------------------------------------


@case
def ipv6_with_and_without_brackets():
    port = openssl_server(LEAF, "-6", staple=PKI.response(LEAF), address="[::1]")
    result = check(f"[::1]:{port}")
    expect_equal([result.rc, result.json["address"]], [0, f"[::1]:{port}"], f"in brackets\n{result}")
    bare = check("--connect", f"[::1]:{port}", "::1")
    expect_equal([bare.rc, bare.json["target"]], [0, "::1"], f"bare\n{bare}")


@case
def connect_goes_elsewhere_and_wants_the_targets_name():
    port = gnutls_serv(LEAF, PKI.response(LEAF))
    result = check("--connect", f"127.0.0.1:{port}", "localhost:443")
    expect_equal([result.rc, result.json["target"], result.json["address"]], [0, "localhost:443", f"127.0.0.1:{port}"], "--connect")
    other = check("--connect", f"127.0.0.1:{port}", "www.example.com")
    expect_equal([other.rc, other.json["reason"]], [4, "path-name"], "another name")


@case
def servername_is_sent_and_a_literal_sends_none():
    direct = PKI.leaf("localhost", issuer=PKI.root, label="direct")  # the second certificate goes without a chain
    port = openssl_server(direct, "-servername", "localhost", "-servername_fatal", "-cert2", direct.cert_file, "-key2", direct.key_file)
    expect_equal(check("--servername", "localhost", f"127.0.0.1:{port}").rc, 0, "the name the server knows")
    refused = check("--servername", "www.example.com", f"127.0.0.1:{port}")
    expect_equal([refused.rc, refused.json["reason"]], [1, "tls-alert"], f"a name it does not know\n{refused}")
    expect_in("--servername", refused.json["detail"], "what to change")
    expect_equal(check(f"127.0.0.1:{port}").rc, 0, "a literal")


@case
def dtls():
    port = gnutls_serv(LEAF, PKI.response(LEAF), udp=True)
    result = check("--udp", f"127.0.0.1:{port}")
    expect_equal([result.rc, result.json["verdict"], result.json["tls"]["version"]], [0, "good", "DTLS1.2"], f"DTLS\n{result}")
    revoked = gnutls_serv(LEAF, PKI.response(LEAF, status="revoked"), udp=True)
    expect_equal(check("--udp", f"127.0.0.1:{revoked}").rc, 3, "revoked over DTLS")


@case
def dtls_of_openssl():
    port = openssl_server(LEAF, "-dtls1_2", "-listen", staple=PKI.response(LEAF))
    result = check("--udp", f"127.0.0.1:{port}")
    expect_equal([result.rc, result.json["verdict"]], [0, "good"], f"DTLS of OpenSSL\n{result}")


@case
def dtls_to_nobody():
    refused = check("--udp", "--timeout", "1", f"127.0.0.1:{free_port(socket.SOCK_DGRAM)}")
    expect_equal([refused.rc, refused.json["reason"], refused.json["address"]], [1, "connection-refused", None], f"{refused}")
    text = clinch("check", "--udp", "--timeout", "1", f"127.0.0.1:{free_port(socket.SOCK_DGRAM)}")
    expect_not_in("connected", text.out, "the text")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        begun = time.monotonic()
        late = check("--udp", "--timeout", "0.7", f"127.0.0.1:{silent.getsockname()[1]}")
        expect_equal([late.rc, late.json["reason"]], [1, "timeout"], f"{late}")
        expect(time.monotonic() - begun < 9, "it ended in time")  # by default it has 10 s


@case
def a_client_certificate_is_shown_when_it_is_asked_for():
    client = PKI.leaf("client", label="client")
    for version in ("-tls1_2", "-tls1_3"):
        port = openssl_server(LEAF, version, "-Verify", "3", "-verify_return_error", "-CAfile", ROOT, staple=PKI.response(LEAF))
        both = ["--client-cert", client.chain_file, "--client-key", client.key_file]
        result = check(*both, f"127.0.0.1:{port}")
        expect_equal([result.rc, result.json["verdict"]], [0, "good"], f"with {version}\n{result}")
    port = openssl_server(LEAF, "-tls1_2", "-Verify", "3", "-verify_return_error", "-CAfile", ROOT, staple=PKI.response(LEAF))
    without = check(f"127.0.0.1:{port}")
    expect_equal([without.rc, without.json["verdict"], without.json["reason"]], [1, "error", "tls-alert"], f"without\n{without}")
    expect_in("--client-cert", without.json["detail"], "what to change")
    expect_equal(without.json["chain"][0]["staple"]["verdict"], "good", "the staple is shown all the same")


# --- the responder ----------------------------------------------------------------------------------------------------------------


def openssl_responder(revoked=(), issuer=None, leaves=(LEAF,)):
    issuer = issuer or PKI.intermediate
    index = PKI.index(leaves, revoked, name=f"index-{time.monotonic_ns()}.txt")
    start(["openssl", "ocsp", "-port", RESPONDER, "-index", index, "-CA", issuer.cert_file, "-rsigner", issuer.cert_file, "-rkey",
           issuer.key_file, "-ndays", "4"], ready="waiting for OCSP client connections")


def http_answer(body, kind=b"application/ocsp-response"):
    head = b"HTTP/1.1 200 OK\r\nContent-Type: " + kind + b"\r\nConnection: close\r\nContent-Length: "

    def play(talk):
        talk.connection.recv(65536)
        talk.say(head + str(len(body)).encode() + b"\r\n\r\n" + body)

    return play


def responder(play):
    return Script(play, port=RESPONDER)


def ids(result):
    return [f["id"] for f in result.json["findings"]]


@case
def the_responder_has_a_newer_answer():
    openssl_responder()
    port = gnutls_serv(LEAF, PKI.response(LEAF))
    result = check("--ask-responder", f"127.0.0.1:{port}")
    expect_equal([result.rc, result.json["verdict"]], [0, "good"], f"{result}")
    expect_in("newer-at-responder", ids(result), "findings")
    answer = result.json["chain"][0]["responder"]
    expect_equal([answer["verdict"], answer["fresh"]], ["good", True], "the answer")
    expect(answer["this_update"] > result.json["chain"][0]["staple"]["this_update"], "it is newer")
    expect_not_in("responder", result.json["chain"][1], "the intermediate, which is asked about under chain only")
    text = clinch("check", "--ca", ROOT, "--ask-responder", f"127.0.0.1:{port}")
    expect_match(r"^  responder +good  \[", text.out, "the text")
    expect_match(r"warning +newer-at-responder: ", text.out, "the text")


@case
def revoked_since_it_was_stapled():
    openssl_responder(revoked=(LEAF,))
    port = gnutls_serv(LEAF, PKI.response(LEAF))
    expect_equal(check(f"127.0.0.1:{port}").rc, 0, "without asking")
    result = check("--ask-responder", f"127.0.0.1:{port}")
    expect_equal([result.rc, result.json["verdict"], result.json["reason"], result.json["accepted"]], [3, "revoked", "revoked", False],
                 f"{result}")
    expect_match("^its responder says: the certificate is revoked since", result.json["detail"], "the detail")
    expect_equal(result.json["chain"][0]["staple"]["verdict"], "good", "the staple")
    expect_in("responder-disagrees", ids(result), "findings")


@case
def revoked_and_nothing_stapled():
    openssl_responder(revoked=(LEAF,))
    result = check("--ask-responder", f"127.0.0.1:{gnutls_serv(LEAF)}")
    expect_equal([result.rc, result.json["verdict"]], [3, "revoked"], f"{result}")


@case
def the_responder_does_not_know_it():
    openssl_responder(leaves=())
    result = check("--ask-responder", f"127.0.0.1:{gnutls_serv(LEAF, PKI.response(LEAF))}")
    expect_equal([result.rc, result.json["verdict"]], [0, "good"], f"the staple is still believed\n{result}")
    expect_in("responder-disagrees", ids(result), "findings")


@case
def a_responder_that_is_not_there_changes_nothing():
    port = gnutls_serv(LEAF, PKI.response(LEAF))
    result = check("--ask-responder", f"127.0.0.1:{port}")
    expect_equal([result.rc, result.json["verdict"]], [0, "good"], f"{result}")
    expect_in("responder-unanswered", ids(result), "findings")
    expect_match(r"127\.0\.0\.1", result.json["chain"][0]["responder"]["detail"], "who did not answer")


@case
def a_responder_that_hangs_or_talks_nonsense_changes_nothing():
    port = gnutls_serv(LEAF, PKI.response(LEAF))
    stranger = Pki(tempdir() + "/stranger")
    for name, play in (("hangs", lambda talk: talk.hang()), ("html", http_answer(b"<html>hello</html>", b"text/html")),
                       ("forged", http_answer(PKI.response(LEAF, status="revoked", signer=stranger.root))),
                       ("endless", lambda talk: talk.say(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 300000))):
        with responder(play):
            begun = time.monotonic()
            result = check("--ask-responder", "--timeout", "4", f"127.0.0.1:{port}")
            expect_equal([result.rc, result.json["verdict"]], [0, "good"], f"{name}\n{result}")
            expect_in("responder-unanswered", ids(result), f"findings when it {name}")
            expect(time.monotonic() - begun < 4 + 20, f"in time when it {name}")


@case
def a_certificate_without_a_responder_is_not_asked_about():
    result = check("--ask-responder", f"127.0.0.1:{gnutls_serv(PLAIN, PKI.response(PLAIN))}")
    expect_equal([result.rc, result.err], [0, ""], f"{result}")
    expect_not_in("responder", result.json["chain"][0], "the member")
    expect_in("responder-unnamed", ids(result), "findings")
    text = clinch("check", "-v", "--ca", ROOT, "--ask-responder", f"127.0.0.1:{gnutls_serv(PLAIN, PKI.response(PLAIN))}")
    expect_match("^  responder    none is named in the certificate$", text.out, "the text")
    expect_in("certificate 1 of the path names no responder", text.err, "the steps")
    expect_not_in("asking", text.err, "the steps")


@case
def advice_of_the_half_that_fetches_is_not_handed_on():
    by_ldap = PKI.leaf("localhost", ocsp_url="ldap://127.0.0.1/", label="by-ldap")
    result = check("--ask-responder", f"127.0.0.1:{gnutls_serv(by_ldap, PKI.response(by_ldap))}")
    expect_match("^ldap://127.0.0.1/: .*neither http nor https$", result.json["chain"][0]["responder"]["detail"], "the detail")


@case
def tls_1_2_meets_chain_by_asking_for_the_intermediates():
    port = gnutls_serv(LEAF, PKI.response(LEAF))
    expect_equal(check("--tls", "1.2", "--require", "chain", f"127.0.0.1:{port}").rc, 5, "without asking")
    answers = {LEAF.cert.serial_number: PKI.response(LEAF), PKI.intermediate.cert.serial_number: PKI.response(PKI.intermediate)}
    with responder(answer_by_serial(answers)):
        result = check("--tls", "1.2", "--require", "chain", "--ask-responder", f"127.0.0.1:{port}")
        expect_equal([result.rc, result.json["verdict"]], [0, "good"], f"both good\n{result}")
        expect_in("good-by-responder", ids(result), "findings")
    answers[PKI.intermediate.cert.serial_number] = PKI.response(PKI.intermediate, status="revoked")
    with responder(answer_by_serial(answers)):
        result = check("--tls", "1.2", "--require", "chain", "--ask-responder", f"127.0.0.1:{port}")
        expect_equal([result.rc, result.json["reason"]], [3, "revoked"], f"the intermediate revoked\n{result}")
        expect_match("^CN=intermediate: its responder says: ", result.json["detail"], "the detail")
    result = check("--tls", "1.2", "--require", "chain", "--ask-responder", f"127.0.0.1:{port}")
    expect_equal([result.rc, result.json["reason"]], [5, "missing-required"], f"nobody answers\n{result}")


def answer_by_serial(answers):
    """A responder that tells requests apart by the serial number in them, GET or POST."""
    def play(talk):
        head = talk.hear(b"\r\n\r\n")
        method, path = head.split(b" ", 2)[:2]
        if method == b"POST":
            length = int(next(line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")))
            request = talk.hear_bytes(length)
        else:
            request = base64.b64decode(unquote(path.decode())[1:])
        serial = ocsp.load_der_ocsp_request(request).serial_number
        body = answers[serial]
        talk.say(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body)

    return play


@case
def a_strangers_url_does_not_lead_into_the_private_network():
    openssl_responder(revoked=(LEAF,))
    backend = gnutls_serv(LEAF, PKI.response(LEAF))

    def through(talk):
        talk.hear(b"\r\n\r\n")
        talk.say(b"HTTP/1.1 200 OK\r\n\r\n")
        talk.join(("127.0.0.1", backend))

    with Script(through) as proxy:  # behind a proxy the target may be anywhere
        by_proxy = ["--ask-responder", "--proxy", f"127.0.0.1:{proxy.port}", "localhost:443"]
        kept_out = check(*by_proxy)
        expect_equal(kept_out.rc, 0, f"kept out\n{kept_out}")
        expect_in("responder-unanswered", ids(kept_out), "findings")
        expect_match("; --allow-private permits that$", kept_out.json["chain"][0]["responder"]["detail"], "what to change")
        allowed = check("--allow-private", *by_proxy)
        expect_equal([allowed.rc, allowed.json["verdict"]], [3, "revoked"], f"allowed\n{allowed}")


# --- what is left behind ----------------------------------------------------------------------------------------------------------


def skip_with_a_sanitizer():
    with open(build_path("clinch"), "rb") as f:
        if b"__asan_init" in f.read() or os.environ.get("CLINCH_WRAPPER"):
            skip("this build looks for leaks itself, and keeps what is freed")


@case
def valgrind_finds_nothing_lost():
    skip_with_a_sanitizer()
    good, bad = gnutls_serv(LEAF, PKI.response(LEAF, signer=PKI.delegate())), gnutls_serv(LEAF, PKI.expired(LEAF))
    for status, args in ((0, [f"127.0.0.1:{good}"]), (4, [f"127.0.0.1:{bad}"]), (1, ["nobody.invalid", f"127.0.0.1:{free_port()}"]),
                         (4, ["--json", f"127.0.0.1:{good}", f"127.0.0.1:{bad}"])):
        result = run(["valgrind", "-q", "--leak-check=full", "--errors-for-leak-kinds=definite,indirect,possible",
                      "--error-exitcode=99", build_path("clinch"), "check", "--ca", ROOT, "--timeout", "30", *args], timeout=90)
        expect_equal(result.rc, status, f"{args}\n{result}")


@case
def many_targets_need_little_memory():
    skip_with_a_sanitizer()
    port = gnutls_serv(LEAF, PKI.response(LEAF))
    peaks = []
    for count in ("1", "300"):
        with open(f"{tempdir()}/few", "w") as f:
            f.write(f"127.0.0.1:{port}\n" * int(count))
        result = run(["/usr/bin/python3", "-c", PEAK, build_path("clinch"), "check", "--format", "nagios", "--ca", ROOT, "--targets",
                      f"{tempdir()}/few"], timeout=120)
        expect_equal([result.rc, len(result.out.splitlines())], [0, int(count)], f"{count} targets\n{result.err}")
        peaks.append(int(result.err.splitlines()[-1]))
    expect(peaks[1] - peaks[0] < 1024, f"kB at the peak for 1 and 300 targets: {peaks}")


PEAK = """
import resource, subprocess, sys
status = subprocess.run(sys.argv[1:]).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(status)
"""


@case
def the_expired_delegate_is_judged_at_its_time():
    brief = PKI.delegate(days=2, label="brief")
    port = gnutls_serv(LEAF, PKI.response(LEAF, signer=brief, next_update=timedelta(days=6)))
    at = (PKI.now + timedelta(days=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
    result = check("--at", at, f"127.0.0.1:{port}")
    expect_equal([result.rc, result.json["reason"]], [4, "delegate-expired"], f"{result}")


main()
