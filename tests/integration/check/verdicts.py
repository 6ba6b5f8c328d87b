# SPDX-License-Identifier: LGPL-2.1-or-later
"""`clinch check` against real TLS servers: each verdict, each form of the report, each exit status."""
import os
import pty
import re
import socket
from datetime import timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from harness import add_case, build_path, case, clinch, expect, expect_equal, expect_in, expect_match, expect_not_in, main, tempdir, \
    wait_for
from peers import Script, gnutls_serv, openssl_process, openssl_server, unknown_response
from pki import Pki

PKI = Pki(tempdir() + "/pki")
OTHER = Pki(tempdir() + "/other", label="other ")
LEAF = PKI.leaf("localhost", ocsp_url="http://127.0.0.1:9/")
MUST = PKI.leaf("localhost", must_staple=True)
ROOT = PKI.root.cert_file

TARGET_KEYS = "schema target address verdict accepted reason detail tls chain findings".split()
MEMBER_KEYS = "place subject issuer serial not_after must_staple ocsp_urls staple".split()
STAPLE_KEYS = ("present verdict fresh reason detail produced_at this_update next_update revoked_at revocation_reason signer "
               "signer_name signature cert_id_hash size age_s remaining_s findings").split()
TIME = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$"


def check(*args, **more):
    return clinch("check", "--ca", ROOT, *args, **more)


# what is stapled -> exit status, verdict, reason
TABLE = {
    "good": (lambda: PKI.response(LEAF), 0, "good", "good"),
    "good_by_a_delegate": (lambda: PKI.response(LEAF, signer=PKI.delegate()), 0, "good", "good"),
    "revoked": (lambda: PKI.response(LEAF, status="revoked", reason="key_compromise"), 3, "revoked", "revoked"),
    "expired": (lambda: PKI.expired(LEAF), 4, "invalid", "expired"),
    "an_error": (lambda: PKI.error_response(), 4, "invalid", "responder-try-later"),
    "forged": (lambda: PKI.response(LEAF, sign_as=OTHER.root), 4, "invalid", "signature-bad"),
    "a_strangers": (lambda: PKI.response(LEAF, signer=OTHER.root), 4, "invalid", "delegate-issuer"),
    "another_certificates": (lambda: PKI.response(MUST), 4, "invalid", "no-entry"),
    "unknown": (lambda: unknown_response(PKI, LEAF), 6, "unknown", "unknown"),
    "garbage": (lambda: bytes(range(200)), 4, "invalid", "response-malformed"),
    "from_the_future": (lambda: PKI.response(LEAF, this_update=timedelta(days=1)), 4, "invalid", "this-update-in-future"),
}


def add_verdict(name, make, status, verdict, reason):
    def judges():
        port = gnutls_serv(LEAF, make())
        for version in ("1.2", "1.3"):
            result = check("--json", "--tls", version, f"127.0.0.1:{port}")
            expect_equal(result.rc, status, f"exit status with TLS {version}\n{result}")
            found = result.json
            expect_equal([found["verdict"], found["reason"], found["accepted"]], [verdict, reason, status == 0], "the verdict")
            expect_equal(found["tls"]["version"], f"TLS{version}", "the version")
            expect_equal(found["chain"][0]["staple"]["reason"], reason, "the leaf's reason")

    add_case(f"judges_{name}_staple_over_tls_1_2_and_1_3", judges)


for row, (maker, *expected) in TABLE.items():
    add_verdict(row, maker, *expected)


@case
def a_missing_staple_is_accepted_unless_it_is_required():
    # near: no-staple, missing-required
    port = gnutls_serv(LEAF)
    for require, status, reason in ((None, 0, "no-staple"), ("none", 0, "no-staple"), ("must-staple", 0, "no-staple"),
                                    ("leaf", 5, "missing-required"), ("chain", 5, "missing-required")):
        result = check("--json", *(["--require", require] if require else []), f"127.0.0.1:{port}")
        expect_equal(result.rc, status, f"exit status with --require {require}\n{result}")
        expect_equal([result.json["verdict"], result.json["reason"]], ["missing", reason], f"the verdict with {require}")
        expect(not result.json["chain"][0]["staple"]["present"], "the staple is not there")


@case
def a_certificate_that_says_must_staple_needs_one():
    port = gnutls_serv(MUST)
    result = check("--json", f"127.0.0.1:{port}")
    expect_equal([result.rc, result.json["reason"]], [5, "missing-must-staple"], "must-staple without a staple")
    expect(result.json["chain"][0]["must_staple"], "must_staple is said")
    expect_equal(check("--require", "none", f"127.0.0.1:{port}").rc, 0, "exit status with --require none")
    stapled = check(f"127.0.0.1:{gnutls_serv(MUST, PKI.response(MUST))}")
    expect_equal(stapled.rc, 0, f"exit status with the staple\n{stapled}")
    expect_in("must-staple", stapled.out, "the report")


@case
def an_unknown_staple_does_not_satisfy_must_staple():
    result = check("--json", f"127.0.0.1:{gnutls_serv(MUST, unknown_response(PKI, MUST))}")
    expect_equal([result.rc, result.json["reason"]], [6, "unknown"], "unknown")


@case
def openssl_is_judged_alike():
    for make, status, reason in ((lambda: PKI.response(LEAF), 0, "good"), (lambda: PKI.expired(LEAF), 4, "expired"),
                                 (lambda: PKI.response(LEAF, status="revoked"), 3, "revoked")):
        result = check("--json", f"127.0.0.1:{openssl_server(LEAF, staple=make())}")
        expect_equal([result.rc, result.json["reason"]], [status, reason], f"{reason}\n{result}")


@case
def a_server_hears_why_it_was_refused():
    for version in ("-tls1_2", "-tls1_3"):
        port, server = openssl_process(LEAF, version, staple=PKI.expired(LEAF))
        expect_equal(check(f"127.0.0.1:{port}").rc, 4, "exit status")
        wait_for(lambda: "SSL alert number 113" in server.log_text(), 10, f"the alert in the server's log with {version}")


@case
def a_refused_connection_is_ended_and_not_reset():
    backend, endings = openssl_server(LEAF, "-tls1_3", staple=PKI.expired(LEAF)), []

    def between(talk):
        """Whatever the server has said is there, mostly unread, when the client leaves."""
        other = socket.create_connection(("127.0.0.1", backend), timeout=10)
        other.sendall(talk.connection.recv(65536))
        answer = other.recv(65536)
        while len(answer) < 2000:
            answer += other.recv(65536)
        talk.say(answer + b"\x17\x03\x03\x00\x10" + b"x" * 16)
        try:
            while talk.connection.recv(65536):
                pass
            endings.append("end")
        except ConnectionResetError:
            endings.append("reset")
        other.close()

    with Script(between) as proxy:
        expect_equal(check(f"127.0.0.1:{proxy.port}").rc, 4, "exit status")
        wait_for(lambda: endings, 10, "the end of the connection")
    expect_equal(endings, ["end"], "how it ended")


@case
def json_has_exactly_the_fixed_keys():
    good, missing = gnutls_serv(LEAF, PKI.response(LEAF)), gnutls_serv(MUST)
    result = check("--format", "json", f"127.0.0.1:{good}", f"127.0.0.1:{missing}", "nobody.invalid", "--timeout", "20")
    lines = result.jsonlines
    expect_equal(len(lines), 3, "lines")
    for found in lines:
        expect_equal(list(found), TARGET_KEYS, "keys of a target")
        for member in found["chain"]:
            expect_equal(list(member), MEMBER_KEYS, "keys of a chain member")
            expect_equal(list(member["staple"]), STAPLE_KEYS, "keys of a staple")
            expect_match(TIME, member["not_after"], "not_after")
        for finding in found["findings"]:
            expect_equal(list(finding), ["id", "level", "text"], "keys of a finding")
            expect_in(finding["level"], ("info", "warning"), "level")
        expect_equal(found["schema"], "clinch-check-1", "schema")
    first = lines[0]
    expect_equal([m["place"] for m in first["chain"]], ["leaf", "intermediate"], "places")
    expect_equal(first["address"], f"127.0.0.1:{good}", "address")
    expect_equal(first["chain"][0]["ocsp_urls"], ["http://127.0.0.1:9/"], "ocsp_urls")
    expect_equal(int(first["chain"][0]["serial"], 16), LEAF.cert.serial_number, "serial")
    staple = first["chain"][0]["staple"]
    expect_match(TIME, staple["this_update"], "this_update")
    expect(3000 < staple["age_s"] < 4200 and 345000 < staple["remaining_s"] <= 345600, f"age and rest: {staple}")
    unreached = lines[2]
    expect_equal([unreached["verdict"], unreached["address"], unreached["tls"], unreached["chain"], unreached["accepted"]],
                 ["error", None, None, [], False], "a target that could not be reached")


@case
def json_is_the_same_with_both_options():
    port = gnutls_serv(LEAF, PKI.response(LEAF))
    one, other = (check(*form, *at(PKI.now + timedelta(minutes=1)), f"127.0.0.1:{port}") for form in (["--json"], ["--format", "json"]))
    expect_equal(one.out, other.out, "--json and --format json")


@case
def the_worst_of_several_targets_is_the_exit_status():
    ports = {3: gnutls_serv(LEAF, PKI.response(LEAF, status="revoked")), 4: gnutls_serv(LEAF, PKI.expired(LEAF)),
             6: gnutls_serv(LEAF, unknown_response(PKI, LEAF)), 5: gnutls_serv(MUST), 1: 1, 0: gnutls_serv(LEAF)}
    order = [3, 4, 6, 5, 1, 0]
    for i, worst in enumerate(order):
        targets = [f"127.0.0.1:{ports[status]}" for status in order[i:]]
        for several in (targets, targets[::-1]):
            result = check("--json", *several)
            expect_equal(result.rc, worst, f"the worst of {order[i:]}\n{result}")
            expect_equal([line["target"] for line in result.jsonlines], several, "a line a target, in order")


@case
def text_says_verdict_life_reason_and_next_step():
    good = check(f"127.0.0.1:{gnutls_serv(LEAF, PKI.response(LEAF))}")
    expect_match(r"^\+ good  127\.0\.0\.1:\d+: the certificate is good", good.out, "the first line")
    expect_match(r"^  leaf +CN=localhost\n +good  \[[#-]+\] .*(3 d 2\d h|4 d) left$", good.out, "the leaf and its bar")
    expect_match(r"^  intermediate CN=.*\n +no staple$", good.out, "the intermediate")
    expired = check(f"127.0.0.1:{gnutls_serv(LEAF, PKI.expired(LEAF))}")
    expect_match(r"^! invalid  127\.0\.0\.1:\d+: nextUpdate was .* ago$", expired.out, "the first line of an expired one")
    expect_match(r"over for 1 d", expired.out, "the bar of an expired one")
    expect_match(r"^  next step +fetch a new response", expired.out, "the next step")
    for result in (good, expired):
        expect_not_in("\033", result.out, "colour on what is no terminal")
        expect_equal(result.err, "", "stderr")


def on_a_terminal(argv, env):
    """What a person sees, and the exit status."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(argv[0], argv, {**os.environ, **env})
    seen = b""
    while True:
        try:
            seen += os.read(terminal, 4096)
        except OSError:  # the other end is closed
            break
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), seen.decode()


@case
def a_terminal_has_colour_unless_no_color_is_set():
    argv = [build_path("clinch"), "check", "--ca", ROOT, f"127.0.0.1:{gnutls_serv(LEAF, PKI.response(LEAF))}"]
    env = {"TERM": "xterm", "LC_ALL": "C.UTF-8", "NO_COLOR": ""}
    status, seen = on_a_terminal(argv, env)
    expect_equal(status, 0, "exit status")
    expect_match("^\033\\[1;32m\u2714 good\033\\[0m  127", seen, "in colour")
    status, seen = on_a_terminal(argv, {**env, "NO_COLOR": "1"})
    expect_not_in("\033", seen, "with NO_COLOR")
    expect_match("^\u2714 good  127", seen, "the mark")


@case
def without_ca_the_systems_roots_count():
    result = clinch("check", "--json", f"127.0.0.1:{gnutls_serv(LEAF, PKI.response(LEAF))}")
    if os.path.exists("/etc/ssl/certs/ca-certificates.crt"):
        expect_equal([result.rc, result.json["reason"]], [4, "path-untrusted"], f"{result}")
    else:
        expect_equal([result.rc, result.out], [1, ""], f"{result}")
        expect_in("--ca", result.err, "what to change")


@case
def text_says_when_gnutls_alone_would_have_believed_it():
    result = check(f"127.0.0.1:{gnutls_serv(LEAF, PKI.error_response())}")
    expect_equal(result.rc, 4, "exit status")
    expect_in("GnuTLS alone says: checked", result.out, "the report")
    ids = [f["id"] for f in check("--json", f"127.0.0.1:{gnutls_serv(LEAF, PKI.error_response())}").json["findings"]]
    expect_in("gnutls-says-checked", ids, "the findings")


@case
def quiet_says_nothing_and_verbose_says_each_step():
    port = gnutls_serv(LEAF, PKI.expired(LEAF))
    quiet = check("--quiet", f"127.0.0.1:{port}")
    expect_equal([quiet.rc, quiet.out, quiet.err], [4, "", ""], "--quiet")
    verbose = check("-v", f"127.0.0.1:{port}")
    expect_match(rf"127\.0\.0\.1:{port}: connected to 127\.0\.0\.1:{port}", verbose.err, "stderr")
    for part in ("thisUpdate", "signed by|claims to be", "cert-id-sha1"):
        expect_match(part, verbose.out, "the report in full")


@case
def nagios_has_its_own_statuses_and_one_line_a_target():
    good = gnutls_serv(LEAF, PKI.response(LEAF, this_update=timedelta(hours=-1), next_update=timedelta(hours=20)))
    plain = check("--format", "nagios", f"127.0.0.1:{good}")
    expect_equal(plain.rc, 0, f"exit status\n{plain}")
    expect_match(rf"^STAPLE OK - 127.0.0.1:{good}: good, \d+ h.* left \| 'staple_remaining'=\d+s;;$", plain.out, "the line")
    for limits, status, word in ((["--warn-below", "2d"], 1, "WARNING"), (["--warn-below", "12h"], 0, "OK"),
                                 (["--warn-below", "3d", "--critical-below", "2d"], 2, "CRITICAL")):
        result = check("--format", "nagios", *limits, f"127.0.0.1:{good}")
        expect_equal(result.rc, status, f"exit status with {limits}\n{result}")
        expect_in(f"STAPLE {word} - ", result.out, f"the line with {limits}")
    revoked = gnutls_serv(LEAF, PKI.response(LEAF, status="revoked"))
    for targets, status in (([revoked], 2), ([1], 3), ([good, 1], 3), ([1, revoked], 2)):
        result = check("--format", "nagios", *(f"127.0.0.1:{port}" for port in targets))
        expect_equal(result.rc, status, f"exit status of {targets}\n{result}")
        expect_equal(len(result.out.splitlines()), len(targets), "lines")


@case
def nagios_warns_of_a_warning_level_finding():
    result = check("--format", "nagios", f"127.0.0.1:{gnutls_serv(LEAF, PKI.response(LEAF, next_update=False))}")
    expect_equal(result.rc, 1, f"exit status\n{result}")
    expect_in("(no-next-update)", result.out, "the line")


@case
def judges_as_of_another_instant_and_by_age():
    port = gnutls_serv(LEAF, PKI.response(LEAF))
    for later, status, reason in ((timedelta(minutes=5), 0, "good"), (timedelta(days=5), 4, "expired"),
                                  (timedelta(days=-400), 4, "path-not-yet-valid"), (timedelta(days=100), 4, "path-expired")):
        result = check("--json", *at(PKI.now + later), f"127.0.0.1:{port}")
        expect_equal([result.rc, result.json["reason"]], [status, reason], f"{later} from now")
    aged = check("--json", "--max-age", "60", f"127.0.0.1:{port}")
    expect_equal([aged.rc, aged.json["reason"]], [4, "older-than-max-age"], "--max-age 60")


def lone(leaf):
    """A server that forgot its intermediate."""
    class Bare:
        chain_file, key_file = leaf.cert_file, leaf.key_file

    return gnutls_serv(Bare)


@case
def the_path_and_the_name_count():
    port = gnutls_serv(LEAF, PKI.response(LEAF))
    wrong = check("--servername", "www.example.com", f"127.0.0.1:{port}")
    expect_equal(wrong.rc, 4, f"exit status for another name\n{wrong}")
    expect_match(r"not for www\.example\.com, it is for localhost, 127\.0\.0\.1", wrong.out, "the sentence")
    for count, end in ((5, "5.test"), (6, "5.test, ...")):
        names = [f"{i}.test" for i in range(1, count + 1)]
        many = check("--json", "--servername", "www.example.com", f"127.0.0.1:{gnutls_serv(PKI.leaf('many', dns=names, ip=[], label=end))}")
        expect_equal(many.json["detail"].split(", it is for ")[1], "1.test, 2.test, 3.test, 4.test, " + end, f"{count} names")
    untrusted = clinch("check", "--json", "--ca", OTHER.root.cert_file, f"127.0.0.1:{port}")
    expect_equal([untrusted.rc, untrusted.json["verdict"], untrusted.json["reason"]], [4, "invalid", "path-untrusted"], "another root")
    expect_match("the last of the 2 sent was issued by CN=root ec$", untrusted.json["detail"], "the issuer that is not trusted")
    alone = clinch("check", "--json", "--ca", OTHER.root.cert_file, f"127.0.0.1:{lone(LEAF)}")
    expect_match("no other was sent with it, and it was issued by CN=intermediate ec$", alone.json["detail"], "a forgotten intermediate")
    old = PKI.leaf("localhost", days=-1, before_days=30, label="old")
    expired = check("--json", f"127.0.0.1:{gnutls_serv(old)}")
    expect_equal([expired.rc, expired.json["reason"]], [4, "path-expired"], "an expired certificate")
    expect_match(r"CN=localhost ended at .*, 1 d ago", expired.json["detail"], "the detail")


def at(instant):
    return ["--at", instant.strftime("%Y-%m-%dT%H:%M:%SZ")]


@case
def the_path_is_judged_to_the_second():
    # near: path-not-yet-valid, path-expired
    target = f"127.0.0.1:{gnutls_serv(LEAF)}"
    begins, ends = LEAF.cert.not_valid_before, LEAF.cert.not_valid_after
    for instant, status, reason in ((begins - timedelta(seconds=1), 4, "path-not-yet-valid"), (begins, 0, "no-staple"),
                                    (ends, 0, "no-staple"), (ends + timedelta(seconds=1), 4, "path-expired")):
        result = check("--json", *at(instant), target)
        expect_equal([result.rc, result.json["reason"]], [status, reason], f"at {instant}")


@case
def the_path_refuses_what_a_certificate_may_not_do():
    # near: path-name, path-untrusted, path-purpose, path-constraint, path-must-staple: LEAF and MUST differ by that alone
    name = (x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), False)
    feature = (x509.TLSFeature([x509.TLSFeatureType.status_request]), False)
    ca = [(x509.BasicConstraints(True, 0), True), feature]
    demanding = PKI._once("demanding", lambda: PKI._issue("demanding", "demanding", PKI.root, ca, None, 2, 90))
    client = PKI._once("client", lambda: PKI._issue("client", "client", PKI.intermediate, [
        name, (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False)], None, 2, 90))
    for leaf, status, reason in ((LEAF, 0, "no-staple"), (client, 4, "path-purpose"),
                                 (PKI.leaf("localhost", issuer=LEAF, label="below-a-leaf"), 4, "path-constraint"),
                                 (PKI.leaf("localhost", issuer=demanding, label="undemanding"), 4, "path-must-staple"),
                                 (PKI.leaf("localhost", issuer=demanding, must_staple=True, label="meek"), 5, "missing-must-staple")):
        result = check("--json", f"127.0.0.1:{gnutls_serv(leaf)}")
        expect_equal([result.rc, result.json["reason"]], [status, reason], f"{leaf.label}\n{result}")


@case
def an_intermediates_staple_counts_too():
    chain = gnutls_serv(LEAF, PKI.response(LEAF))
    expect_equal(check("--require", "leaf", f"127.0.0.1:{chain}").rc, 0, "leaf")
    result = check("--json", "--require", "chain", f"127.0.0.1:{chain}")
    expect_equal([result.rc, result.json["reason"]], [5, "missing-required"], "chain")
    expect_in("intermediate", result.json["detail"], "which one is missing")


@case
def a_finding_says_which_certificate_it_is_about():
    port = gnutls_serv(PKI.leaf("localhost", ocsp_url="ldap://127.0.0.1/", label="by-ldap"))
    texts = {f["id"]: f["text"] for f in check("--json", f"127.0.0.1:{port}").json["findings"]}
    expect_match(r"\Aan OCSP URL of the certificate is not http", texts["url-not-http"], "of the leaf")
    expect_match(r"\ACN=intermediate ec: the certificate names no", texts["no-url"], "of the intermediate")
    expect_match(r"^  info         no-url: CN=intermediate ec: ", check("-v", f"127.0.0.1:{port}").out, "the text")
    neither = {f["id"]: f["text"] for f in check("--json", f"127.0.0.1:{gnutls_serv(MUST)}", "--require", "none").json["findings"]}
    expect_match(r"\Athe certificate names no", neither["no-url"], "of both")


@case
def a_stranger_cannot_write_on_the_terminal():
    nasty = PKI.leaf("evil\x1b[2J\u202egnp.exe", label="nasty", dns=["localhost"])
    result = check("-v", f"127.0.0.1:{gnutls_serv(nasty, PKI.response(nasty))}")
    expect_equal(result.rc, 0, f"exit status\n{result}")
    for bad in ("\x1b", "\u202e"):
        expect_not_in(bad, result.out, "the report")
    expect(re.search(r"CN=evil", result.out), "the name, made harmless")


main()
