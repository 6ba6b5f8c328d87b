# SPDX-License-Identifier: LGPL-2.1-or-later
"""`keep.outputs.haproxy`, with HAProxy: by the staple that its clients get."""
import os
import shutil
import signal
import socket
import threading
from hashlib import sha1

from authority import Authority
from harness import (case, clinch, expect_equal, expect_in, free_port, main, new_tempdir, skip, start, wait_for)
from scene import Keep, put, this_update

PATH = {"PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}


class Haproxy:
    """With one certificate in a file of its own; `staple`: beside it from the start."""

    def __init__(self, leaf, staple=None):
        if not shutil.which("haproxy", path=PATH["PATH"]):
            skip("there is no haproxy")
        self.dir, self.port, self.leaf = new_tempdir(), free_port(), leaf
        self.socket, self.pem = os.path.join(self.dir, "admin.sock"), os.path.join(self.dir, "leaf.pem")
        put(leaf, self.pem, with_key=True)
        if staple:
            with open(self.pem + ".ocsp", "wb") as f:
                f.write(staple)
        with open(os.path.join(self.dir, "haproxy.cfg"), "w") as f:
            f.write(f"global\n  log stderr local0\n  stats socket {self.socket} mode 600 level admin\n"
                    "defaults\n  mode http\n  timeout client 10s\n  timeout server 10s\n  timeout connect 10s\n"
                    f"frontend tls\n  bind 127.0.0.1:{self.port} ssl crt {self.pem}\n  http-request return status 204\n")
        self.start()

    def start(self):
        self.process = start(["haproxy", "-db", "-f", os.path.join(self.dir, "haproxy.cfg")], ready=self.port, env=PATH)

    def staple(self, ca):
        """What `clinch check` says of the leaf's staple."""
        done = clinch("check", "--json", "--ca", ca.pki.root.cert_file, "--connect", f"127.0.0.1:{self.port}", "localhost")
        return done.json["chain"][0]["staple"]


def keeper(ca, leaf, haproxy, after="50ms"):
    return Keep(put(leaf, os.path.join(new_tempdir(), "leaf.pem")),
                settings=f"ready_timeout: 60s\n  outputs:\n    - {{ haproxy: {haproxy.socket}, after: {after} }}\n")


def wait_staple(haproxy, ca, wanted=None):
    def good():
        staple = haproxy.staple(ca)
        return staple if staple["verdict"] == "good" and staple["this_update"] != wanted else None

    return wait_for(good, 10, "a good staple from HAProxy" + (" another one" if wanted else ""))


@case
def one_that_has_none_gets_its_first_and_each_refresh():
    with Authority() as ca:
        ca.age_s = 600  # HAProxy takes none that lasts for less than five minutes, so a newer one is brought by hand
        leaf = ca.leaf("localhost")
        haproxy = Haproxy(leaf)
        expect_equal(haproxy.staple(ca)["present"], False, "staple before")
        keep = keeper(ca, leaf, haproxy).start()
        first = wait_staple(haproxy, ca)
        done = clinch("put", "-c", keep.conf, "--cert", leaf.chain_file, "-", input=ca.sign(leaf, age_s=5))
        expect_equal(done.rc, 0, "exit status of put")
        wait_staple(haproxy, ca, wanted=first["this_update"])
        expect_equal([e["text"] for e in keep.events("notice") if e["level"] in ("error", "warning")], [], "complaints")


@case
def what_is_revoked_replaces_a_good_one_also_where_it_is_dropped():
    """HAProxy cannot be made to forget; and where it has nothing, nothing comes."""
    with Authority() as ca:
        leaf = ca.leaf("localhost")
        full, empty = Haproxy(leaf, staple=ca.sign(leaf, age_s=7200, life_s=86400)), Haproxy(leaf)
        ca.mode[leaf.serial] = "revoked"
        path = put(leaf, os.path.join(new_tempdir(), "leaf.pem"))
        Keep(f"{{ path: {path}, on_revoked: drop }}", settings="ready_timeout: 60s\n  outputs:\n" + "".join(
            f"    - {{ haproxy: {haproxy.socket}, after: 50ms }}\n" for haproxy in (empty, full))).start()
        wait_for(lambda: full.staple(ca)["verdict"] == "revoked", 10, "the truth from HAProxy")
        expect_equal(empty.staple(ca)["present"], False, "staple where there was none")


@case
def one_that_has_one_gets_a_newer_one():
    with Authority() as ca:
        leaf = ca.leaf("localhost")
        haproxy = Haproxy(leaf, staple=ca.sign(leaf, age_s=7200, life_s=86400))
        before = wait_staple(haproxy, ca)
        keeper(ca, leaf, haproxy).start()
        wait_staple(haproxy, ca, wanted=before["this_update"])


@case
def one_that_was_started_anew_is_given_it_again():
    with Authority() as ca:
        leaf = ca.leaf("localhost")
        haproxy = Haproxy(leaf)
        keep = keeper(ca, leaf, haproxy).start()
        wait_staple(haproxy, ca)
        keep.process.popen.send_signal(signal.SIGSTOP)  # it would give it its staple any moment, or find it gone
        haproxy.process.stop()
        haproxy.start()
        expect_equal(haproxy.staple(ca)["present"], False, "staple of a new process")
        keep.process.popen.send_signal(signal.SIGCONT)
        wait_for(lambda: haproxy.staple(ca)["present"], 15, "its staple again")


@case
def certificates_that_it_does_not_have_are_no_trouble():
    with Authority() as ca:
        leaf, other = ca.leaf("localhost"), ca.leaf("elsewhere.example.org")
        haproxy, where = Haproxy(leaf), new_tempdir()
        put(leaf, os.path.join(where, "a.pem"))
        put(other, os.path.join(where, "b.pem"))
        keep = Keep(where, settings=f"ready_timeout: 60s\n  outputs:\n    - {{ haproxy: {haproxy.socket}, after: 50ms }}\n").start()
        wait_staple(haproxy, ca)
        expect_equal([e["text"] for e in keep.events("notice") if e["level"] == "error"], [], "errors")


@case
def a_socket_that_is_not_there_is_said_once_and_found_when_it_comes():
    with Authority() as ca:
        leaf = ca.leaf("localhost")
        haproxy = Haproxy(leaf)
        haproxy.process.stop()
        keep = keeper(ca, leaf, haproxy).start()
        expect_in("no connection", keep.wait_event("notice", text="no connection")["text"], "the sentence")
        haproxy.start()
        keep.process.popen.send_signal(1)  # SIGHUP: it is tried at once
        wait_staple(haproxy, ca)


class Fake:
    """A runtime socket that gives one answer to each question that begins with a word; closes, or says nothing (None)."""

    def __init__(self, answers):
        self.path, self.asked = os.path.join(new_tempdir(), "s"), []
        self.answers = {"show info": "Name: HAProxy\nPid: 1\n", **answers}
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen()
        self.open = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            client, _ = self.listener.accept()
            question = client.recv(65536).decode()
            self.asked.append(question.split("\n")[0])
            answer = next((a for start, a in self.answers.items() if question.startswith(start)), "\n")
            if answer is None:
                self.open.append(client)
                continue
            try:
                client.sendall(answer.encode())
            except BrokenPipeError:
                pass  # it has heard enough
            client.close()


def told_by(answers, text, timeout="30s"):
    with Authority() as ca:
        fake = Fake(answers)
        keep = Keep(put(ca.leaf("www.example.org"), os.path.join(new_tempdir(), "leaf.pem")), settings=(
            f"ready_timeout: 60s\n  outputs:\n    - {{ haproxy: {fake.path}, after: 10ms, timeout: {timeout} }}\n")).start()
        said = keep.wait_event("notice", text=text)
        expect_equal(said["level"], "error", "its level")
        return fake


@case
def every_other_answer_is_a_failure_that_quotes_it():
    told_by({"set ssl ocsp-response": "OCSP Response is expired.\n\n"}, 'HAProxy says "OCSP Response is expired."')
    told_by({"set ssl ocsp-response": ""}, "HAProxy says")
    told_by({"set ssl ocsp-response": "Permission denied\n"}, "Permission denied")
    told_by({"show info": "Who are you?\n"}, "this is not HAProxy's runtime socket")


@case
def one_that_says_nothing_is_left_in_time():
    told_by({"set ssl ocsp-response": None}, "no answer in time", timeout="300ms")


@case
def an_answer_without_end_is_left_where_it_is_too_long():
    told_by({"set ssl ocsp-response": "x" * (5 << 20)}, "the answer is too long")


@case
def a_transaction_that_fails_is_aborted():
    with Authority() as ca:
        leaf = ca.leaf("www.example.org")
        fake = Fake({"set ssl ocsp-response": "OCSP single response: Certificate ID does not match any certificate or issuer.\n\n",
                     "show ssl cert /a.pem": f"Filename: /a.pem\nSHA1 FingerPrint: {sha1(leaf.der).hexdigest().upper()}\n\n",
                     "show ssl cert": "# transaction\n*/b.pem\n# filename\n/a.pem\n/has space.pem\n\n",
                     "set ssl cert": "Transaction created for certificate /a.pem!\n\n",
                     "commit ssl cert": "Committing /a.pem.\nCan't commit!\n\n"})
        keep = Keep(put(leaf, os.path.join(new_tempdir(), "leaf.pem")), settings=(
            f"ready_timeout: 60s\n  outputs:\n    - {{ haproxy: {fake.path}, after: 10ms }}\n")).start()
        keep.wait_event("notice", text="commit ssl cert of /a.pem")
        wait_for(lambda: "abort ssl cert /a.pem" in fake.asked, 5, f"an abort; asked were {fake.asked}")
        expect_equal([q for q in fake.asked if "/b.pem" in q or "space" in q], [], "questions about what cannot be asked for")


main()
