# SPDX-License-Identifier: LGPL-2.1-or-later
"""What `clinch fetch` reads and writes: chain files, issuers, and the store rule of the file that is written."""
import os
import stat
from datetime import timedelta

from cryptography.hazmat.primitives.serialization import Encoding, pkcs7
from harness import build_path, case, expect, expect_equal, expect_in, expect_match, expect_not_in, main, run, skip, tempdir
from responder import Responder, answer
from scene import (EXIT_GOOD, EXIT_NOT_BELIEVED, EXIT_NOT_FOUND_OUT, EXIT_REVOKED, EXIT_TEMPORARY, EXIT_UNKNOWN, EXIT_USAGE, NO_PROXY,
                   expect_exit, fetch, good, leaf, out_file, pki, read)

MINUTE = timedelta(minutes=1)
other = pki.leaf("other.example.org", before_days=20)


def write(path, data):
    with open(path, "wb") as f:
        f.write(data)
    return path


def fresh(minutes_ago, status="good", **more):
    return pki.response(leaf, status, this_update=-minutes_ago * MINUTE, **more)


# --- what is written --------------------------------------------------------------------------------------------------------


@case
def writes_a_file_for_everybody_to_read():
    out = out_file()
    with Responder(answer(good)) as responder:
        result = fetch("--url", responder.url, "-o", out)
        expect_exit(result, EXIT_GOOD)
        expect_equal((result.out, read(out)), ("", good), "stdout, and the file")
        expect_equal(stat.S_IMODE(os.stat(out).st_mode), 0o644, "mode")
        expect_match(f"; written: {out}$", result.err, "the message")


@case
def writes_a_revoked_answer_and_says_so():
    out = out_file()
    revoked = fresh(60, "revoked", reason="key_compromise")
    with Responder(answer(revoked)) as responder:
        result = fetch("--url", responder.url, "-o", out)
        expect_exit(result, EXIT_REVOKED)
        expect_equal(read(out), revoked, "the file")
        expect_in("revoked", result.err, "the message")
        expect_equal(fetch("--url", responder.url).raw_out, revoked, "stdout")


@case
def leaves_the_file_alone_when_nothing_was_believed():
    out = out_file()
    fetch_good_into(out)
    for bad in (b"", b"<html>", pki.error_response("TRY_LATER"), pki.expired(leaf), pki.response(other),
                pki.response(leaf, sign_as=other)):
        with Responder(answer(bad)) as responder:
            expect(fetch("--url", responder.url, "-o", out).rc in (EXIT_NOT_BELIEVED, EXIT_TEMPORARY), "exit status")
            expect_equal(read(out), good, "the file")


def fetch_good_into(out):
    with Responder(answer(good)) as responder:
        expect_exit(fetch("--url", responder.url, "-o", out), EXIT_GOOD)


def replaces(held, offered, status=EXIT_GOOD, kept=False):
    out = write(out_file(), held)
    with Responder(answer(offered)) as responder:
        result = fetch("--url", responder.url, "-o", out, "--json")
    expect_exit(result, status)
    expect_equal(read(out), held if kept else offered, "the file")
    expect_equal((result.json["written"], result.json["unchanged"]), (not kept, kept), "written, unchanged")
    return result


@case
def replaces_an_older_response():
    replaces(fresh(60), fresh(30))


@case
def keeps_a_newer_response():
    result = replaces(fresh(30), fresh(60), kept=True)
    expect_in(": kept, it is newer (thisUpdate ", result.err, "the message")


@case
def takes_the_same_response_for_unchanged():
    result = replaces(good, good, kept=True)
    expect_not_in("newer", result.err, "the message")


@case
def takes_the_later_next_update_of_two_that_are_equally_old():
    sooner, later = fresh(60, next_update=timedelta(days=2)), fresh(60, next_update=timedelta(days=3))
    replaces(sooner, later)
    replaces(later, sooner, kept=True)


@case
def replaces_good_by_a_revoked_that_is_not_older():
    replaces(fresh(60), fresh(60, "revoked"), EXIT_REVOKED)
    replaces(fresh(30), fresh(60, "revoked"), EXIT_GOOD, kept=True)


@case
def keeps_a_newer_revoked_and_says_revoked():
    replaces(fresh(30, "revoked"), fresh(60), EXIT_REVOKED, kept=True)


@case
def keeps_an_old_revoked_that_is_newer_than_a_good_answer():
    old = pki.response(leaf, "revoked", this_update=-30 * MINUTE, next_update=-10 * MINUTE)
    replaces(old, fresh(60), EXIT_REVOKED, kept=True)
    replaces(old, fresh(20), EXIT_GOOD)


@case
def replaces_what_is_no_longer_believed():
    for held in (pki.expired(leaf), fresh(30)[:100], b"", b"\0" * 100000, pki.response(other, this_update=-MINUTE),
                 pki.response(leaf, this_update=-MINUTE, sign_as=other)):
        replaces(held, fresh(60))


@case
def keeps_a_revoked_that_is_as_old_as_a_good_answer():
    result = replaces(fresh(60, "revoked"), fresh(60), EXIT_REVOKED, kept=True)
    expect_in(": kept, it is worse (thisUpdate ", result.err, "the message")


@case
def replaces_what_a_link_leads_to():
    place = os.path.join(tempdir(), "linked")
    os.mkdir(place)
    real, link = os.path.join(place, "real.der"), os.path.join(tempdir(), "link.der")
    os.symlink(real, link)
    with Responder(answer(good)) as responder:
        nowhere = fetch("--url", responder.url, "-o", link)
        expect_exit(nowhere, EXIT_NOT_FOUND_OUT)
        expect_in(f"{link}: No such file", nowhere.err, "the message")
        write(real, fresh(120))
        expect_exit(fetch("--url", responder.url, "-o", link), EXIT_GOOD)
        expect_equal((os.readlink(link), read(real), os.listdir(place)), (real, good, ["real.der"]), "the link and its file")
        expect_exit(fetch("--url", responder.url, "-o", link), EXIT_GOOD)


@case
def says_that_the_directory_of_the_file_is_not_there():
    with Responder(answer(good)) as responder:
        result = fetch("--url", responder.url, "-o", "/nonexistent/leaf.der")
        expect_exit(result, EXIT_NOT_FOUND_OUT)
        expect_in("/nonexistent/leaf.der: ", result.err, "the message")


@case
def reports_what_went_wrong_with_a_file():
    with Responder(answer(good)) as responder:
        result = fetch("--json", "--url", responder.url, "-o", "/nonexistent/leaf.der")
        expect_exit(result, EXIT_NOT_FOUND_OUT)
        expect_equal((result.json["exit"], result.json["written"], result.json["reason"]), (1, False, "good"), "the report")
        expect_in("/nonexistent/leaf.der", result.json["detail"], "detail")
        result = fetch("--json", "--url", responder.url, chain="/nonexistent/chain.pem")
        expect_exit(result, EXIT_NOT_FOUND_OUT)
        expect_equal((result.json["outcome"], result.json["staple"], result.json["attempts"]), ("not-asked", None, []), "the report")
        expect_in("/nonexistent/chain.pem", result.json["detail"], "detail")


@case
def says_that_the_directory_cannot_be_written():
    if os.geteuid() == 0:
        skip("root may write everywhere")
    closed = os.path.join(tempdir(), "closed")
    os.mkdir(closed)
    write(os.path.join(closed, "leaf.der"), fresh(120))
    os.chmod(closed, 0o555)
    with Responder(answer(good)) as responder:
        result = fetch("--url", responder.url, "-o", os.path.join(closed, "leaf.der"))
    os.chmod(closed, 0o755)
    expect_exit(result, EXIT_NOT_FOUND_OUT)
    expect_in(f"{closed}/leaf.der: ", result.err, "the message")
    expect_equal(os.listdir(closed), ["leaf.der"], "the directory")


@case
def says_that_the_name_is_a_directory():
    place = os.path.join(tempdir(), "a-directory")
    os.mkdir(place)
    for name in (place, place + "/"):
        with Responder(answer(good)) as responder:
            result = fetch("--url", responder.url, "-o", name)
            expect_exit(result, EXIT_NOT_FOUND_OUT)
            expect_in("directory", result.err, "the message")
    expect_equal(os.listdir(place), [], "the directory")


@case
def leaves_the_old_file_when_there_is_no_room_for_the_new():
    """A limit of no bytes is the full disk that an ordinary user can make."""
    place = os.path.join(tempdir(), "full")
    os.mkdir(place)
    held = write(os.path.join(place, "leaf.der"), fresh(120))
    before = read(held)
    with Responder(answer(good)) as responder:
        result = run(["sh", "-c", 'trap "" XFSZ; ulimit -f 0; exec "$@"', "sh", build_path("clinch"), "fetch", "--url", responder.url,
                      "-o", held, leaf.chain_file], env=NO_PROXY)
    expect_exit(result, EXIT_NOT_FOUND_OUT)
    expect_in(f"{held}: cannot be written", result.err, "the message")
    expect_equal((os.listdir(place), read(held)), (["leaf.der"], before), "the directory, and the old file")


@case
def says_that_stdout_is_full():
    with Responder(answer(good)) as responder:
        result = run(["sh", "-c", 'exec "$@" >/dev/full', "sh", build_path("clinch"), "fetch", "--url", responder.url, "-o", "-",
                      leaf.chain_file], env=NO_PROXY)
    expect_exit(result, EXIT_NOT_FOUND_OUT)
    expect_in("standard output", result.err, "the message")


@case
def does_not_overwrite_a_certificate():
    with Responder(answer(good)) as responder:
        link = os.path.join(tempdir(), "link.pem")
        os.symlink(leaf.chain_file, link)
        for name in (leaf.chain_file, link):
            expect_exit(fetch("--url", responder.url, "-o", name), EXIT_USAGE)
        expect_exit(fetch("--url", responder.url, "--issuer", pki.intermediate.cert_file, "-o", pki.intermediate.cert_file), EXIT_USAGE)
        expect_equal(len(responder.requests), 0, "requests")
    expect_in(b"CERTIFICATE", read(leaf.chain_file), "the chain file")


@case
def reports_to_a_file_descriptor_beside_the_response():
    with Responder(answer(good)) as responder:
        result = run(["sh", "-c", 'exec "$@" 3>&2 2>/dev/null', "sh", build_path("clinch"), "fetch", "--report", "3", "-o", "-", "--url",
                      responder.url, leaf.chain_file], env=NO_PROXY)
    expect_exit(result, EXIT_GOOD)
    expect_equal(result.raw_out, good, "stdout")
    expect_match(r'^\{"schema":"clinch-fetch-1",.*\}$', result.err, "the report")


@case
def refuses_a_report_to_a_descriptor_that_is_not_open():
    expect_exit(fetch("--report", 9, "--url", "http://127.0.0.1/"), EXIT_USAGE)


@case
def refuses_json_and_the_response_on_one_stdout():
    expect_exit(fetch("--json", "-o", "-", "--url", "http://127.0.0.1/"), EXIT_USAGE)


# --- what is read -----------------------------------------------------------------------------------------------------------


def refuses_chain(chain, words, status=EXIT_NOT_FOUND_OUT, *options, input=None):
    with Responder(answer(good)) as responder:
        result = fetch("--url", responder.url, *options, chain=chain, input=input)
        expect_exit(result, status)
        for word in words:
            expect_in(word, result.err, "the message")
        expect_equal(len(responder.requests), 0, "requests")


@case
def says_what_is_wrong_with_the_chain_file():
    empty = write(os.path.join(tempdir(), "empty.pem"), b"")
    text = write(os.path.join(tempdir(), "text.pem"), b"this is no certificate\n" * 10)
    large = write(os.path.join(tempdir(), "large.pem"), leaf.pem + b"\n" * 10_000_000)
    cut = write(os.path.join(tempdir(), "cut.pem"), leaf.pem[:300])
    refuses_chain("/nonexistent/chain.pem", ["/nonexistent/chain.pem", "No such file"])
    refuses_chain(tempdir(), [tempdir(), "directory"])
    refuses_chain(empty, [empty])
    refuses_chain(text, [text])
    refuses_chain(large, [large, "limit"])
    refuses_chain(cut, [cut])
    refuses_chain(leaf.key_file, [leaf.key_file, "key"])


@case
def skips_a_private_key_in_the_chain_file():
    both = write(os.path.join(tempdir(), "both.pem"), read(leaf.key_file) + read(leaf.chain_file))
    with Responder(answer(good)) as responder:
        expect_exit(fetch("--url", responder.url, chain=both), EXIT_GOOD)


@case
def reads_the_chain_from_standard_input():
    with Responder(answer(good)) as responder:
        result = fetch("--url", responder.url, chain="-", input=read(leaf.chain_file))
        expect_exit(result, EXIT_GOOD)
        expect_equal(result.raw_out, good, "stdout")


@case
def takes_the_issuer_of_the_option():
    with Responder(answer(good)) as responder:
        expect_exit(fetch("--url", responder.url, "--issuer", pki.intermediate.cert_file, chain=leaf.cert_file), EXIT_GOOD)


@case
def finds_the_issuer_among_several():
    pool = write(os.path.join(tempdir(), "pool.pem"), pki.root.pem + other.pem + pki.intermediate.pem)
    mixed = write(os.path.join(tempdir(), "mixed.pem"), leaf.pem + pki.root.pem + other.pem + pki.intermediate.pem)
    with Responder(answer(good)) as responder:
        expect_exit(fetch("--url", responder.url, "--issuer", pool, chain=leaf.cert_file), EXIT_GOOD)
        expect_exit(fetch("--url", responder.url, chain=mixed), EXIT_GOOD)


@case
def refuses_an_issuer_that_is_not_the_issuer():
    refuses_chain(leaf.chain_file, [pki.root.cert_file, "did not issue", leaf.chain_file], EXIT_USAGE, "--issuer", pki.root.cert_file)


@case
def refuses_a_key_as_issuer():
    refuses_chain(leaf.chain_file, [pki.root.key_file, "key"], EXIT_NOT_FOUND_OUT, "--issuer", pki.root.key_file)


@case
def says_that_the_issuer_is_missing():
    refuses_chain(leaf.cert_file, ["CN=www.example.org", "CN=intermediate ec", "--issuer"])


# --- the issuer, by caIssuers -----------------------------------------------------------------------------------------------


def with_ca_issuers(label, *urls):
    return pki.leaf(label, ca_issuers=list(urls), before_days=20)


def finds_issuer(label, body, status=EXIT_GOOD):
    with Responder(lambda *a: behaviour(*a)) as responder, Responder(answer(body)) as ca:
        cert = with_ca_issuers(label, ca.url + "ca.crt")
        behaviour = answer(pki.response(cert))
        result = fetch("--url", responder.url, chain=cert.cert_file)
        expect_exit(result, status)
        expect_equal([(r.method, r.target) for r in ca.requests], [("GET", "/ca.crt")], "requests to the CA")
        expect_equal(len(responder.requests), int(status == EXIT_GOOD), "requests to the responder")
        return result


@case
def fetches_the_issuer_in_der():
    finds_issuer("issuer-der", pki.intermediate.der)


@case
def fetches_the_issuer_in_pem():
    finds_issuer("issuer-pem", pki.intermediate.pem)


@case
def fetches_the_issuer_in_pkcs7():
    bag = [pki.root.cert, pki.intermediate.cert]
    finds_issuer("issuer-p7c", pkcs7.serialize_certificates(bag, Encoding.DER))
    finds_issuer("issuer-p7b", pkcs7.serialize_certificates(bag, Encoding.PEM))


@case
def refuses_a_ca_issuers_answer_that_is_not_the_issuer():
    for label, body in (("not-issuer", pki.root.der), ("no-certificate", b"<html>"), ("nothing", b""), ("half", pki.intermediate.der[:99])):
        result = finds_issuer(label, body, EXIT_NOT_FOUND_OUT)
        expect_in("--issuer", result.err, "what to change")


@case
def bounds_a_ca_issuers_answer():
    result = finds_issuer("issuer-large", b"\0" * 100000, EXIT_NOT_FOUND_OUT)
    expect_in("larger than 65536 bytes", result.err, "the message")


@case
def forbids_private_ca_issuers_of_a_stranger():
    with Responder(answer(pki.intermediate.der)) as ca:
        cert = with_ca_issuers("issuer-private", ca.url)
        result = fetch("--forbid-private", chain=cert.cert_file)
        expect_exit(result, EXIT_NOT_FOUND_OUT)
        expect_in("not a public address", result.err, "the message")
        expect_equal(ca.connections, 0, "connections")


@case
def asks_the_next_ca_issuers_url():
    with Responder(answer(b"", 404)) as gone, Responder(answer(pki.intermediate.der)) as ca:
        cert = with_ca_issuers("issuer-second", gone.url, ca.url)
        with Responder(answer(pki.response(cert))) as responder:
            expect_exit(fetch("--url", responder.url, chain=cert.cert_file), EXIT_GOOD)
        expect_equal(len(gone.requests), 1, "requests to the first")


@case
def gives_up_for_now_when_ca_issuers_is_down():
    with Responder(answer(b"", 503)) as ca:
        expect_exit(fetch(chain=with_ca_issuers("issuer-down", ca.url).cert_file), EXIT_TEMPORARY)


# --- usage ------------------------------------------------------------------------------------------------------------------


@case
def refuses_wrong_usage():
    for options in (["--timeout", "0"], ["--timeout", "1e3"], ["--timeout", "601"], ["--max-size", "0"], ["--hash", "md5"],
                    ["--max-age", "-1"], ["-o", ""], ["--report", "1"], ["--no-such-option"], [leaf.chain_file]):
        result = fetch(*options)
        expect_exit(result, EXIT_USAGE)
        expect_equal(result.out, "", "stdout")


@case
def clinch_keep_says_what_it_is():
    keep = build_path("clinch-keep")
    expect_match(r"^clinch-keep [0-9.]+$", run([keep, "--version"]).out, "version")
    expect_in("fetch", run([keep, "--help"]).out, "help")
    expect_equal(run([keep]).rc, EXIT_USAGE, "exit status")
    expect_equal(run([keep, "no-such-command"]).rc, EXIT_USAGE, "exit status")


@case
def shows_help():
    result = fetch("--help")
    expect_exit(result, EXIT_GOOD)
    expect_in("--forbid-private", result.out, "help")


main()
