# SPDX-License-Identifier: LGPL-2.1-or-later
"""`clinch status` and `clinch put`, and the keeper's socket under them."""
import base64
import json
import os
import re
import shutil
import socket
import stat

from authority import Authority
from harness import build_path, case, clinch, expect, expect_equal, expect_in, expect_not_in, main, new_tempdir, run, skip, wait_for
from scene import Keep, put, this_update

NO_CONF = {"NO_COLOR": "1"}


def status(keep, *options):
    return clinch("status", "-c", keep.conf, *options, env=NO_CONF)


def one(ca, name="www.example.org", mode=None, **more):
    leaf = ca.leaf(name)
    if mode is not None:
        ca.mode[leaf.serial] = mode
    return leaf, Keep(put(leaf, os.path.join(new_tempdir(), "leaf.pem")), **more)


class Line:
    """A connection to the keeper's socket."""

    def __init__(self, keep):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(os.path.join(keep.dir, "keep.sock"))
        self.file = self.socket.makefile("rb")

    def ask(self, question):
        self.socket.sendall((question if isinstance(question, bytes) else json.dumps(question).encode()) + b"\n")
        return json.loads(self.file.readline())


# --- status -----------------------------------------------------------------------------------------------------------------------


@case
def all_is_well_is_0_and_a_table_with_state_life_and_next_try():
    with Authority() as ca:
        _, keep = one(ca)
        keep.start()
        done = status(keep)
        expect_equal(done.rc, 0, "exit status")
        expect_in("1 certificate: 1 good", done.out, "the first line")
        row = next(line for line in done.out.splitlines() if "www.example.org (ecdsa)" in line)
        expect(row.startswith("good ") and "% gone" in row and " left" in row and " in " in row, f"the row is {row!r}")


@case
def json_has_what_the_keeper_has():
    with Authority() as ca:
        leaf, keep = one(ca)
        keep.start()
        got = status(keep, "--json").json
        row = got["certificates"][0]
        expect_equal((got["schema"], got["ready"], got["store_works"], got["totals"]["good"]), ("clinch-status-1", True, True, 1), "head")
        expect_equal((row["name"], row["state"], row["key_type"], row["failures"], row["trouble"], row["stapled"], row["in_store"]),
                     ("www.example.org", "good", "ecdsa", 0, None, True, True), "row")
        expect_equal(row["fingerprint"] + ".der", os.path.basename(keep.path_of(leaf)), "fingerprint")
        expect(0 < row["remaining_s"] <= 4 * 86400, f"remaining_s is {row['remaining_s']}")


@case
def a_missing_one_is_5_with_the_last_error_and_comes_first():
    with Authority() as ca:
        where = new_tempdir()
        put(ca.leaf("a.example.org"), os.path.join(where, "a.pem"))
        dead = ca.leaf("z.example.org")
        ca.mode[dead.serial] = 500
        put(dead, os.path.join(where, "z.pem"))
        keep = Keep(where).start()
        done = status(keep)
        expect_equal(done.rc, 5, "exit status")
        lines = done.out.splitlines()
        expect(lines[3].startswith("missing  z.example.org"), f"the first row is {lines[3]!r}")
        expect_in("1 failure in a row: http: ", lines[4], "the line below it")
        expect_in(ca.url, lines[4], "the line below it")
        expect_equal(status(keep, "a.example.org").rc, 0, "exit status of the other alone")
        trouble = status(keep, "--json", "z.example.org").json["certificates"][0]["trouble"]
        expect_equal((trouble["phase"], trouble["failure"], trouble["http_status"]), ("http", "http-server-error", 500), "trouble")


@case
def a_revoked_one_is_3_and_one_below_the_limit_5():
    with Authority() as ca:
        _, keep = one(ca, mode="revoked")
        keep.start()
        expect_equal(status(keep).rc, 3, "exit status")
        _, other = one(ca, "other.example.org")
        other.start()
        expect_equal(status(other, "--critical-below", "5d").rc, 5, "exit status with 4 days left, below 5")
        expect_equal(status(other, "--critical-below", "3d").rc, 0, "exit status with 4 days left, above 3")


@case
def a_name_a_path_and_the_start_of_a_fingerprint_mean_a_certificate():
    with Authority() as ca:
        leaf, keep = one(ca)
        keep.start()
        path = status(keep, "--json").json["certificates"][0]["path"]
        digits = os.path.basename(keep.path_of(leaf))[:8]
        for name in ("www.example.org", "WWW.example.org", path, digits, digits.upper()):
            done = status(keep, name)
            expect_equal(done.rc, 0, f"exit status for {name}")
            for text in ("good  www.example.org", path, "thisUpdate", "next try", "fingerprint"):
                expect_in(text, done.out, f"what is said of {name}")
        for name in ("nobody.example.org", digits[:7], "/nowhere"):
            done = status(keep, name)
            expect_equal(done.rc, 1, f"exit status for {name}")
            expect_in("keeps no such certificate", done.err, f"what is said of {name}")


@case
def without_a_keeper_it_is_1_and_for_nagios_3():
    with Authority() as ca:
        _, keep = one(ca)
        done = status(keep)
        expect_equal(done.rc, 1, "exit status")
        expect_in(f"{keep.dir}/keep.sock", done.err, "stderr")
        done = status(keep, "--format", "nagios")
        expect_equal((done.rc, done.out[:17]), (3, "KEEPER UNKNOWN - "), "nagios")


@case
def what_a_stranger_says_is_one_line_without_a_bar_for_nagios():
    with Authority() as ca:
        _, keep = one(ca)
        keep.start()
        for name in ("no|certificate=1", "no\n\x1b[2J|"):
            for options, rc in ((("--format", "nagios"), 3), ((), 1)):
                done = status(keep, *options, name)
                said = done.out if rc == 3 else done.err
                expect_equal(done.rc, rc, f"exit status for {name!r}")
                expect_in("the keeper keeps no such certificate", said, "what is said")
                expect_equal((said.count("\n"), "\x1b" in said, rc == 3 and "|" in said), (1, False, False), f"the line {said!r}")


@case
def nagios_has_its_own_statuses():
    with Authority() as ca:
        leaf, keep = one(ca)
        ca.life_s, ca.age_s = 7200, 4200  # more than half of it is over: it is asked about again after the next start
        keep.start()
        done = status(keep, "--format", "nagios")
        expect_equal(done.rc, 0, "exit status of a good one")
        left = r"\d+ \w+[^|]* left"
        expect(re.match(rf"KEEPER OK - 1 certificate, the first to end is www\.example\.org: {left} \| ", done.out), f"the line is {done.out!r}")
        done = status(keep, "--format", "nagios", "--warn-below", "1d")
        expect_equal(done.rc, 1, "below the warning")
        expect(re.match(rf"KEEPER WARNING - www\.example\.org: {left}, below 1 d \| ", done.out), f"the line is {done.out!r}")
        done = status(keep, "--format", "nagios", "--warn-below", "30d", "--critical-below", "5d")
        expect_equal(done.rc, 2, "below what is critical")
        expect(re.match(rf"KEEPER CRITICAL - www\.example\.org: {left}, below 5 d \| ", done.out), f"the line is {done.out!r}")
        keep.stop()
        ca.mode[leaf.serial] = 500
        keep.start()
        keep.wait_event("failed")
        done = status(keep, "--format", "nagios")
        expect_equal((done.rc, done.out.split(" - ")[0]), (1, "KEEPER WARNING"), "with a failure")
        brief = ca.sign(leaf, age_s=10, life_s=20)
        expect_equal(clinch("put", "-c", keep.conf, "--cert", leaf.chain_file, "-", input=brief).rc, 0, "exit status of put")
        keep.wait_event("expired")
        done = status(keep, "--format", "nagios")
        expect_equal((done.rc, done.out.split(" - ")[0]), (2, "KEEPER CRITICAL"), "once it has ended")
        expect_in("www.example.org: expired", done.out, "the line")
        expect_equal(status(keep).rc, 5, "exit status of the table")


@case
def what_cannot_be_kept_is_as_a_missing_one():
    with Authority() as ca, Authority() as stranger:  # whose CA is in no file
        leaf, keep = one(ca)
        lost = put(stranger.leaf("lost.example.org"), os.path.join(new_tempdir(), "lost.pem"), chain=False)
        bad = os.path.join(new_tempdir(), "bad.pem")
        with open(bad, "w") as f:
            f.write("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
        good = put(leaf, os.path.join(new_tempdir(), "good.pem"))
        for paths, words in (((good, lost), "1 certificate, 1 without its issuer"), ((good, bad), "1 file cannot be read"),
                             ((os.path.join(new_tempdir(), "*.pem"),), "CRITICAL - 0 certificates")):
            keep.configure(*paths)
            keep.start()
            expect_equal(status(keep).rc, 5, f"exit status with {words}")
            done = status(keep, "--format", "nagios")
            expect_equal(done.rc, 2, f"exit status for nagios with {words}")
            expect_in(words, done.out, "the line")
            if good in paths:
                expect_equal(status(keep, "www.example.org").rc, 0, "exit status of the good one alone")
                expect_equal(status(keep, "--format", "nagios", "www.example.org").rc, 0, "exit status for nagios of it alone")
            keep.stop()


@case
def certificates_that_need_no_response_are_well():
    with Authority() as ca:
        plain = put(ca.pki.leaf("plain.example.org"), os.path.join(new_tempdir(), "plain.pem"))  # names no responder
        keep = Keep(plain)
        keep.start()
        ready = keep.wait_event("ready")
        expect_equal((ready["level"], ready["certificates"], ready["files"]), ("info", 0, 1), "what is ready")
        expect_equal(status(keep).rc, 0, "exit status")
        done = status(keep, "--format", "nagios")
        expect_equal(done.rc, 0, "exit status for nagios")
        expect_in("KEEPER OK - no certificate needs a response |", done.out, "the line")


@case
def wrong_words_are_usage():
    for words in (("--format", "xml"), ("--critical-below", "12"), ("--critical-below", "0s"), ("a", "b"), ("--warn-below", "1d"),
                  ("-c", "/x", "--socket", "/y"), ("-c", "/dev/null")):
        done = clinch("status", *words)
        expect_equal(done.rc, 1 if words[-1] == "/dev/null" else 2, f"exit status of {words}")


@case
def outputs_that_fail_are_shown():
    with Authority() as ca:
        _, keep = one(ca, settings="ready_timeout: 60s\n  outputs:\n    - { run: [ /bin/false ], after: 10ms }\n"
                                   f"    - {{ der: \"/nonexistent/{{name}}.der\" }}\n")
        keep.start()
        keep.wait_event("notice", text="ended with status 1")
        keep.wait_event("notice", text="cannot be opened")
        done = status(keep)
        expect_equal(done.rc, 0, "exit status: the keeper has what it should")
        expect_in("fails    run /bin/false: ended with status 1", done.out, "the table")
        expect_in("fails    der /nonexistent/{name}.der: the directory /nonexistent cannot be opened", done.out, "the table")
        rows = status(keep, "--json").json["outputs"]
        expect_equal([(r["kind"], r["failures"] > 0, r["pending"]) for r in rows], [("run", True, 1), ("der", True, 1)], "in JSON")
        expect_equal(status(keep, "--format", "nagios").rc, 1, "nagios: a warning")


# --- the socket -------------------------------------------------------------------------------------------------------------------


@case
def the_socket_has_mode_0660_and_goes_with_the_keeper():
    with Authority() as ca:
        _, keep = one(ca)
        path = os.path.join(keep.dir, "keep.sock")
        keep.start()
        expect_equal(stat.S_IMODE(os.stat(path).st_mode), 0o660, "mode")
        keep.stop()
        expect(not os.path.exists(path), "the socket is gone")


@case
def what_a_killed_keeper_left_is_replaced_and_nothing_else():
    with Authority() as ca:
        _, keep = one(ca)
        path = os.path.join(keep.dir, "keep.sock")
        left = socket.socket(socket.AF_UNIX)
        left.bind(path)
        left.close()
        keep.start()
        expect_equal(status(keep).rc, 0, "exit status")
        _, other = one(ca, "other.example.org")
        with open(other.conf) as f:
            text = f.read().replace(f"socket: {other.dir}/keep.sock", f"socket: {path}")
        with open(other.conf, "w") as f:
            f.write(text)
        other.start(wait=False)
        expect_equal(other.process.wait(), 2, "exit status of a second keeper")
        expect_in("another process listens there", other.process.log_text(), "what it says")
        expect_equal(status(keep).rc, 0, "exit status: the first still answers")


@case
def a_socket_in_a_directory_that_is_not_there_is_said_as_such():
    with Authority() as ca:
        _, keep = one(ca)
        with open(keep.conf) as f:
            text = f.read().replace(f"socket: {keep.dir}/keep.sock", f"socket: {keep.dir}/later/keep.sock")
        with open(keep.conf, "w") as f:
            f.write(text)
        keep.start(wait=False)
        expect_equal(keep.process.wait(), 1, "exit status")
        expect_in(f"{keep.dir}/later: the directory for the socket", keep.process.log_text(), "what it says")
        expect_in("No such file", keep.process.log_text(), "why")


@case
def a_long_answer_comes_whole_to_one_that_reads_late():
    with Authority() as ca:
        ca.pki.new_key = lambda kind=None, key=ca.pki.new_key(): key
        where = new_tempdir()
        for i in range(400):
            put(ca.leaf(f"h{i}.example.org"), os.path.join(where, f"{i}.pem"))
        keep = Keep(where).start()
        late = [Line(keep) for _ in range(20)]
        for line in late:
            line.socket.sendall(b'{"ask":"status"}\n{"ask":"status","name":"h7.example.org"}\n')
        rows = Line(keep).ask({"ask": "status"})["certificates"]
        expect_equal(sorted(row["name"] for row in rows), sorted(f"h{i}.example.org" for i in range(400)), "names")
        for line in late:
            expect_equal(len(json.loads(line.file.readline())["certificates"]), 400, "certificates for one that reads late")
            expect_equal([row["name"] for row in json.loads(line.file.readline())["certificates"]], ["h7.example.org"], "its next answer")


@case
def questions_that_are_none_are_answered_and_the_line_goes_on():
    with Authority() as ca:
        _, keep = one(ca)
        keep.start()
        line = Line(keep)
        for question in (b"", b"x", b"[]", b"{}", b'{"ask":"what"}', b'{"ask":"status","name":1}', b'{"ask":"put"}', b"\xff\x00",
                         b'{"ask":"put","fingerprint":"00","response":"AA=="}', b'{"ask":"status","ask":"put"}', b"[" * 4000):
            answer = line.ask(question)
            expect_equal((answer["schema"], answer["error"]), ("clinch-error-1", "question"), f"the answer to {question[:40]!r}")
        expect_equal(line.ask({"ask": "put", "fingerprint": "00" * 32, "response": "AAAA"})["error"], "missing", "an unknown certificate")
        expect_equal(line.ask({"ask": "status"})["schema"], "clinch-status-1", "a good question behind them")
        line.socket.sendall(b'{"ask":"status"}\n{"ask":"status","name":"nobody"}\n')
        expect_equal([len(json.loads(line.file.readline())["certificates"]) for _ in range(2)], [1, 0], "two at once")


@case
def a_question_without_end_is_cut_off():
    with Authority() as ca:
        _, keep = one(ca)
        keep.start()
        line = Line(keep)
        try:
            line.socket.sendall(b"x" * 400000)
        except (BrokenPipeError, ConnectionResetError):
            pass
        try:
            expect_in(b"longer than", line.file.readline(), "the answer")
            expect_equal(line.file.readline(), b"", "what comes behind it")
        except ConnectionResetError:
            pass
        expect_equal(status(keep).rc, 0, "others are answered")


@case
def a_client_that_says_nothing_is_let_go_and_keep_nobody_out_for_long():
    with Authority() as ca:
        _, keep = one(ca)
        keep.start()
        lines = [Line(keep) for _ in range(32)]
        wait_for(lambda: status(keep).rc == 0, 15, "an answer beside all the silent clients")
        lines[0].socket.settimeout(15)
        expect_equal(lines[0].file.readline(), b"", "what a silent client reads")


# --- put --------------------------------------------------------------------------------------------------------------------------


def write(der):
    path = os.path.join(new_tempdir(), "response.der")
    with open(path, "wb") as f:
        f.write(der)
    return path


def put_into(store, leaf, der, *options):
    return clinch("put", "--store", store, "--cert", leaf.chain_file, *options, write(der))


@case
def a_newer_one_is_taken_the_same_one_unchanged_an_older_one_refused():
    with Authority() as ca:
        leaf, store = ca.leaf("www.example.org"), os.path.join(new_tempdir(), "store")
        first, second = ca.sign(leaf, age_s=3600), ca.sign(leaf, age_s=60)
        for der, rc, word in ((first, 0, "taken"), (first, 0, "unchanged"), (second, 0, "taken"), (first, 4, "older")):
            done = put_into(store, leaf, der)
            expect_equal(done.rc, rc, f"exit status of one that is {word}")
            expect_in(word, done.out + done.err, "what is said")
        held = [name for name in os.listdir(store) if name.endswith(".der")]
        with open(os.path.join(store, held[0]), "rb") as f:
            expect_equal((len(held), f.read()), (1, second), "what the store has")


@case
def root_makes_no_store_that_would_be_closed_to_the_keeper():
    """Root of a namespace of its own."""
    as_root = ["unshare", "--user", "--map-root-user"]
    if os.geteuid() != 0 and (not shutil.which("unshare") or run([*as_root, "true"]).rc != 0):
        skip("no namespaces here")
    with Authority() as ca:
        leaf, store = ca.leaf("www.example.org"), os.path.join(new_tempdir(), "store")
        put_it = [*(as_root if os.geteuid() else []), build_path("clinch"), "put", "--store", store, "--cert", leaf.chain_file,
                  write(ca.sign(leaf))]
        done = run(put_it)
        expect_equal(done.rc, 1, "exit status")
        expect_in(f"{store}: is not there", done.err, "what is said")
        expect(not os.path.exists(store), "no store was made")
        os.mkdir(store)
        expect_equal(run(put_it).rc, 0, "exit status where it is there")


@case
def what_is_not_believed_leaves_no_trace():
    with Authority() as ca, Authority() as stranger:
        leaf, other, store = ca.leaf("www.example.org"), ca.leaf("other.example.org"), os.path.join(new_tempdir(), "store")
        good = ca.sign(leaf)
        cases = {"expired": ca.sign(leaf, age_s=9000, life_s=3600), "from the future": ca.sign(leaf, age_s=-7200),
                 "of another certificate": ca.sign(other), "of another CA": stranger.sign(stranger.leaf("www.example.org")),
                 "an error": ca.pki.error_response("TRY_LATER"), "empty": b"",
                 "garbage": b"\x30\x03abc", "truncated": good[:-1], "with a byte behind it": good + b"\0",
                 "forged": good[:-1] + bytes([good[-1] ^ 1])}
        for name, der in cases.items():
            done = put_into(store, leaf, der)
            expect_equal(done.rc, 4, f"exit status of one that is {name}")
            expect_in("refused", done.err, "what is said")
        expect(not os.path.exists(store), "no store was made for them")
        done = put_into(store, leaf, ca.sign(leaf, status="revoked"))
        expect_equal(done.rc, 3, "exit status of a revoked one")
        expect(re.search(r": revoked since \d{4}-[^ ]*Z( \(\w+\))?, for use until \d{4}-[^ ]*Z, taken$", done.out.strip()), f"it says {done.out!r}")
        expect_equal(put_into(store, leaf, ca.sign(leaf, age_s=10)).rc, 4, "exit status of a good one that is older")


@case
def pem_standard_input_and_an_issuer_of_its_own_are_taken():
    with Authority() as ca:
        leaf, store = ca.leaf("www.example.org"), os.path.join(new_tempdir(), "store")
        alone = put(leaf, os.path.join(new_tempdir(), "leaf.pem"), chain=False)
        pem = b"-----BEGIN OCSP RESPONSE-----\n" + base64.encodebytes(ca.sign(leaf)) + b"-----END OCSP RESPONSE-----\n"
        done = clinch("put", "--store", store, "--cert", alone, write(pem))
        expect_equal(done.rc, 2, "exit status without the issuer")
        expect_in("--issuer", done.err, "what is said")
        expect_equal(clinch("put", "--store", store, "--cert", alone, "--issuer", ca.pki.intermediate.cert_file, write(pem)).rc, 0, "PEM")
        expect_equal(clinch("put", "--store", store, "--cert", leaf.chain_file, "-", input=ca.sign(leaf)).rc, 0, "standard input")
        expect_equal(clinch("put", "--store", store, "--cert", alone, "--issuer", alone, write(pem)).rc, 2, "not its issuer")
        for words in (("--store", store), ("--cert", alone), ("--cert", "-", "-"), ("--cert", alone, "a", "b")):
            expect_equal(clinch("put", *words).rc, 2, f"exit status of {words}")


@case
def a_store_that_a_keeper_holds_is_reached_by_the_keeper():
    with Authority() as ca:
        leaf, keep = one(ca, mode=500)
        keep.start()
        expect_equal(status(keep).rc, 5, "exit status of status before")
        der = ca.sign(leaf, age_s=60)
        done = put_into(keep.store, leaf, der)
        expect_equal(done.rc, 2, "exit status where the keeper's socket is not known")
        expect_in(str(keep.process.popen.pid), done.err, "what is said")
        expect_in("--socket", done.err, "what is said")
        done = clinch("put", "-c", keep.conf, "--cert", leaf.chain_file, write(der))
        expect_equal((done.rc, done.out.strip()[-5:]), (0, "taken"), "by the configuration")
        first = keep.wait_event("first-staple")
        expect_not_in("url", first, "the event of what was put by hand")
        expect_equal(keep.held(leaf).serial_number, leaf.serial, "what the store has")
        expect_equal(status(keep).rc, 0, "exit status of status after")
        socket_path = f"{keep.dir}/keep.sock"
        expect_equal(put_into(keep.store, leaf, der, "--socket", socket_path).rc, 0, "the same again, by store and socket")
        expect_equal(clinch("put", "--socket", socket_path, "--cert", leaf.chain_file, write(ca.sign(leaf, age_s=600))).rc, 4,
                     "an older one, by the socket")
        stranger = ca.leaf("stranger.example.org")
        done = clinch("put", "--socket", socket_path, "--cert", stranger.chain_file, write(ca.sign(stranger)))
        expect_equal(done.rc, 4, "one that the keeper does not keep")
        expect_in("keeps no such certificate", done.err, "what is said")
        expect(this_update(keep.held(leaf)) > 0, "what is held is still there")


main()
