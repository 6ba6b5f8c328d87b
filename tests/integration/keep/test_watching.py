# SPDX-License-Identifier: LGPL-2.1-or-later
"""`clinch keep`: certificates that appear, are renewed, half-written, removed, many at once; issuers; reload; systemd."""
import http.server
import os
import shutil
import signal
import socket
import threading

from authority import Authority
from harness import build_path, case, expect, expect_equal, expect_in, expect_not_in, main, new_tempdir, run, skip, wait_for
from scene import Keep, put, this_update, until


@case
def a_certificate_renewed_by_rename_is_fetched_for_at_once():
    with Authority() as ca:
        path = os.path.join(new_tempdir(), "site.pem")
        old, new = ca.leaf("www.example.org", label="old"), ca.leaf("www.example.org", label="new")
        keep = Keep(put(old, path)).start()
        put(new, path)
        keep.wait_held(new, seconds=3)
        keep.wait_event("gone")
        keep.expect_held(old)  # for a week


# certbot: live/NAME/fullchain.pem is a link into archive/, and is replaced
@case
def a_certificate_renewed_by_a_symlink_is_fetched_for_at_once():
    with Authority() as ca:
        home = new_tempdir()
        old, new = ca.leaf("www.example.org", label="old"), ca.leaf("www.example.org", label="new")
        os.makedirs(f"{home}/live/www")
        os.makedirs(f"{home}/archive/www")
        put(old, f"{home}/archive/www/fullchain1.pem")
        os.symlink("../../archive/www/fullchain1.pem", f"{home}/live/www/fullchain.pem")
        keep = Keep(f"{home}/live/*/fullchain.pem").start()
        keep.expect_held(old)
        put(new, f"{home}/archive/www/fullchain2.pem")
        os.symlink("../../archive/www/fullchain2.pem", f"{home}/live/www/new")
        os.rename(f"{home}/live/www/new", f"{home}/live/www/fullchain.pem")
        keep.wait_held(new, seconds=3)


# Kubernetes: tls.crt -> ..data/tls.crt, and ..data is swapped
@case
def a_secret_whose_directory_is_swapped_is_fetched_for_at_once():
    with Authority() as ca:
        home = new_tempdir()
        old, new = ca.leaf("www.example.org", label="old"), ca.leaf("www.example.org", label="new")
        os.mkdir(f"{home}/..2026_1")
        put(old, f"{home}/..2026_1/tls.crt")
        os.symlink("..2026_1", f"{home}/..data")
        os.symlink("..data/tls.crt", f"{home}/tls.crt")
        keep = Keep(f"{home}/tls.crt").start()
        keep.expect_held(old)
        os.mkdir(f"{home}/..2026_2")
        put(new, f"{home}/..2026_2/tls.crt")
        os.symlink("..2026_2", f"{home}/..new")
        os.rename(f"{home}/..new", f"{home}/..data")
        shutil.rmtree(f"{home}/..2026_1")
        keep.wait_held(new, seconds=3)


@case
def a_directory_that_appears_later_is_found():
    with Authority() as ca:
        home = new_tempdir()
        leaf = ca.leaf("www.example.org")
        keep = Keep(f"{home}/live/*/fullchain.pem", f"{home}/certs/one.pem").start()
        os.makedirs(f"{home}/live/www")
        put(leaf, f"{home}/live/www/fullchain.pem")
        keep.wait_held(leaf, seconds=5)
        other = ca.leaf("other.example.org")
        os.mkdir(f"{home}/certs")
        put(other, f"{home}/certs/one.pem")
        keep.wait_held(other, seconds=5)


@case
def a_half_written_file_changes_nothing_until_it_is_whole():
    with Authority() as ca:
        path = os.path.join(new_tempdir(), "site.pem")
        old, new = ca.leaf("www.example.org", label="old"), ca.leaf("www.example.org", label="new")
        keep = Keep(put(old, path)).start()
        whole = new.pem + ca.pki.intermediate.pem
        with open(path, "wb") as f:
            f.write(whole[:300])
            f.flush()
            keep.process.popen.send_signal(signal.SIGHUP)  # it is looked at now
            keep.wait_event("notice", text="stays in use")
            expect_equal(keep.events("gone"), [], "what is gone")
            f.write(whole[300:])
        keep.wait_held(new, seconds=3)


@case
def a_file_that_stays_broken_does_not_keep_its_certificate_from_being_refreshed():
    with Authority() as ca:
        ca.life_s = 8
        leaf = ca.leaf("www.example.org")
        path = put(leaf, os.path.join(new_tempdir(), "site.pem"))
        keep = Keep(path).start()
        with open(path, "wb") as f:
            f.write(leaf.pem[:300])
        keep.wait_event("notice", text="stays in use")
        keep.wait_event("refreshed", "www.example.org")
        expect_equal(keep.events("gone"), [], "what is gone")


@case
def a_removed_certificate_is_gone_and_its_response_stays_for_a_week():
    with Authority() as ca:
        home = new_tempdir()
        leaf = ca.leaf("www.example.org")
        path = put(leaf, f"{home}/a.pem")
        keep = Keep(home).start()
        os.unlink(path)
        keep.wait_event("gone", "www.example.org")
        keep.expect_held(leaf)
        put(leaf, path)
        keep.wait_event("loaded", "www.example.org")
        expect_equal(ca.asked(leaf), 1, "questions in all")


@case
def one_certificate_in_two_files_is_one_row_until_both_are_gone():
    with Authority() as ca:
        ca.life_s = 8
        home = new_tempdir()
        leaf = ca.leaf("www.example.org")
        put(leaf, f"{home}/a.pem")
        put(leaf, f"{home}/b.pem")
        keep = Keep(home).start()
        expect_equal(keep.wait_event("ready")["certificates"], 1, "certificates")
        os.unlink(f"{home}/a.pem")
        keep.wait_event("refreshed", "www.example.org")
        expect_equal(keep.events("gone"), [], "what is gone")
        os.unlink(f"{home}/b.pem")
        keep.wait_event("gone", "www.example.org")


@case
def a_thousand_added_at_once_leave_no_gap_for_the_others():
    with Authority() as ca:
        ca.pki.new_key = lambda kind=None, key=ca.pki.new_key(): key
        home, staging = new_tempdir(), new_tempdir()
        old = ca.leaf("old.example.org")
        ca.life_of[old.serial] = 10
        put(old, f"{home}/old.pem")
        keep = Keep(f"{home}/*.pem", f"{home}/more/*.pem").start()
        leaves = [ca.leaf(f"new{i}.example.org", label=f"new{i}") for i in range(1000)]
        for i, leaf in enumerate(leaves):
            put(leaf, f"{staging}/{i}.pem")
        since, lives = keep.mark(), {}
        os.rename(staging, f"{home}/more")

        def all_held():
            held = keep.held(old)
            lives[this_update(held)] = until(held)
            return len(keep.events("first-staple", since=since)) == 1000

        wait_for(all_held, 120, "a response for each of the thousand")
        for (_, end), begin in zip(sorted(lives.items()), sorted(lives)[1:]):
            expect(begin < end, f"the old one's next response was made when the one before had ended: {lives}")
        for leaf in leaves[::100]:
            keep.expect_held(leaf)
        os.mkdir(staging)


# --- issuers ----------------------------------------------------------------------------------------------------------------


class CaIssuers:
    """An HTTP server of one certificate."""

    def __init__(self, der):
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", str(len(der)))
                self.end_headers()
                self.wfile.write(der)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/ca.crt"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


@case
def a_missing_issuer_is_found_by_its_url_and_remembered():
    ca = Authority()
    issuers = CaIssuers(ca.pki.intermediate.der)
    leaf = ca.leaf("alone.example.org", ca_issuers=issuers.url)
    keep = Keep(put(leaf, os.path.join(new_tempdir(), "leaf.pem"), chain=False)).start()
    keep.wait_held(leaf)
    keep.stop()
    ca.stop()
    issuers.stop()
    keep.start()
    expect_equal(keep.wait_event("loaded", "alone.example.org")["status"], "good", "status, with every server down")


@case
def a_missing_issuer_is_found_in_the_directory_of_issuers():
    with Authority() as ca:
        leaf = ca.leaf("alone.example.org")
        issuers = new_tempdir()
        put(ca.pki.intermediate, f"{issuers}/ca.pem", chain=False)
        keep = Keep(put(leaf, os.path.join(new_tempdir(), "leaf.pem"), chain=False), settings=f"issuers: {issuers}").start()
        keep.expect_held(leaf)


@case
def an_issuer_that_is_put_into_the_directory_later_is_found():
    with Authority() as ca:
        leaf = ca.leaf("alone.example.org")
        issuers = new_tempdir()
        keep = Keep(put(leaf, os.path.join(new_tempdir(), "leaf.pem"), chain=False), settings=f"issuers: {issuers}").start()
        keep.wait_event("notice", text="its issuer, CN=intermediate ec, is neither in the file")
        put(ca.pki.intermediate, f"{issuers}/ca.pem", chain=False)
        keep.wait_held(leaf, seconds=3)


@case
def an_issuer_that_is_nowhere_is_an_error_that_names_the_certificate():
    with Authority() as ca:
        leaf = ca.leaf("alone.example.org")
        path = put(leaf, os.path.join(new_tempdir(), "leaf.pem"), chain=False)
        keep = Keep(path).start()
        said = keep.wait_event("notice", text="its issuer, CN=intermediate ec, is neither in the file")
        expect_equal((said["level"], said["path"]), ("error", path), "level and path")
        expect_in("alone.example.org", said["text"], "text")
        put(leaf, path)
        keep.wait_held(leaf)


@case
def a_certificate_without_a_responder_is_said_once_and_left_alone():
    with Authority() as ca:
        leaf = ca.leaf("quiet.example.org", ocsp_url=[])
        keep = Keep(put(leaf, os.path.join(new_tempdir(), "leaf.pem"))).start()
        said = keep.wait_event("notice", text="quiet.example.org: names no OCSP responder")
        expect_equal(said["level"], "info", "level")
        expect_equal(keep.wait_event("ready")["certificates"], 0, "certificates that are kept")


@case
def one_that_lives_for_days_is_left_alone_unless_it_is_must_staple():
    with Authority() as ca:
        home = new_tempdir()
        plain = ca.leaf("plain.example.org", days=5)
        must = ca.leaf("must.example.org", days=5, must_staple=True)
        for leaf in (plain, must):
            put(leaf, f"{home}/{leaf.label}.pem")
        keep = Keep(home).start()
        expect_equal(keep.wait_event("ready")["certificates"], 1, "certificates that are kept")
        keep.expect_held(must)
        keep.wait_event("notice", text="plain.example.org: lives less than 7 days")
        expect_equal((ca.asked(plain), keep.held(plain)), (0, None), "questions about the other, and what is held")


@case
def a_configured_responder_is_asked_instead():
    with Authority() as ca:
        leaf = ca.leaf("www.example.org", ocsp_url="http://127.0.0.1:9/")
        path = put(leaf, os.path.join(new_tempdir(), "leaf.pem"))
        keep = Keep(f"{{ path: {path}, responder: {ca.url} }}").start()
        keep.expect_held(leaf)


# --- reload, and systemd ----------------------------------------------------------------------------------------------------


@case
def a_reload_finds_what_is_new_and_drops_what_is_not_meant_any_more():
    with Authority() as ca:
        home = new_tempdir()
        first, second = ca.leaf("first.example.org"), ca.leaf("second.example.org")
        a, b = put(first, f"{home}/a.pem"), put(second, f"{home}/b.pem")
        keep = Keep(a).start()
        keep.configure(b)
        keep.process.popen.send_signal(signal.SIGHUP)
        keep.wait_held(second)
        keep.wait_event("gone", "first.example.org")
        expect_equal(ca.asked(first), 1, "questions about the first")


@case
def a_bad_reload_keeps_the_old_state_and_says_so():
    with Authority() as ca:
        ca.life_s = 8
        leaf = ca.leaf("www.example.org")
        keep = Keep(put(leaf, os.path.join(new_tempdir(), "leaf.pem"))).start()
        with open(keep.conf, "a") as f:
            f.write("nonsense: true\n")
        keep.process.popen.send_signal(signal.SIGHUP)
        said = keep.wait_event("notice", text="not reloaded")
        expect_in("clinch.yaml:", said["text"], "the place in the file")
        first = this_update(keep.held(leaf))
        keep.wait_event("refreshed", "www.example.org")
        expect(this_update(keep.held(leaf)) > first, "it goes on")


@case
def systemd_is_told_how_it_goes():
    with Authority() as ca, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        leaf = ca.leaf("www.example.org")
        path = os.path.join(new_tempdir(), "notify")
        notify.bind(path)
        notify.settimeout(60)
        keep = Keep(put(leaf, os.path.join(new_tempdir(), "leaf.pem")))
        keep.start(env={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "400000"})
        told = []

        def hear(word):
            while not any(word in t for t in told):
                told.append(notify.recv(4096).decode())

        hear("READY=1")
        expect_in("1 with a response", "".join(told), "status")
        hear("WATCHDOG=1")
        del told[:]
        keep.process.popen.send_signal(signal.SIGHUP)
        hear("RELOADING=1\nMONOTONIC_USEC=")
        del told[:]
        hear("READY=1")
        keep.process.popen.send_signal(signal.SIGTERM)
        hear("STOPPING=1")
        expect_equal(keep.process.wait(5), 0, "exit status")


@case
def the_journal_gets_its_priorities():
    with Authority() as ca:
        leaf = ca.leaf("www.example.org")
        keep = Keep(put(leaf, os.path.join(new_tempdir(), "leaf.pem")))
        keep.start(env={"JOURNAL_STREAM": "1:1"})
        lines = keep.process.log_lines()
        expect(any(line.startswith('<6>{"level":"info","event":"ready"') for line in lines), f"<6> before ready in {lines}")


@case
def what_matches_nothing_is_said_once_and_when_it_does():
    with Authority() as ca:
        empty, home = new_tempdir(), new_tempdir()
        keep = Keep(f"{empty}/*.pem", home).start()
        ready = keep.wait_event("ready")
        expect_equal((ready["level"], ready["certificates"]), ("warning", 0), "what is ready")
        for i in range(3):  # each leads to a scan
            leaf = ca.leaf(f"h{i}.example.org")
            put(leaf, f"{home}/{i}.pem")
            keep.wait_event("first-staple", leaf.label)
        for path in (f"{empty}/*.pem", home):
            said = [e["level"] for e in keep.events("notice") if e.get("path") == path and "no file matches yet" in e["text"]]
            expect_equal(said, ["warning"], f"how often it is said of {path}")
        put(ca.leaf("last.example.org"), f"{empty}/last.pem")
        keep.wait_event("first-staple", "last.example.org")
        now = [e["path"] for e in keep.events("notice") if e.get("text") == "a file matches now"]
        expect_equal(now, [home, f"{empty}/*.pem"], "what matches")


@case
def a_checked_configuration_is_good_and_what_is_not_there_is_warned_of():
    home = new_tempdir()
    with open(f"{home}/there.pem", "w", encoding="ascii"):
        pass
    keep = Keep(f"{home}/there.pem", f"{home}/away.pem", f"{home}/*.crt")
    done = run(keep.argv("--check-config"))
    expect_equal((done.rc, done.out), (0, f"{keep.conf}: good\n"), "exit status and stdout")
    expect_equal(done.err.splitlines(), [f"clinch keep: warning: {home}/{name}: no file is there now" for name in ("away.pem", "*.crt")],
                 "stderr")


@case
def a_directory_that_cannot_be_read_is_said_once_and_when_it_can():
    if os.geteuid() == 0:
        skip("root reads every directory")
    with Authority() as ca:
        shut, home = new_tempdir(), new_tempdir()
        put(ca.leaf("shut.example.org"), f"{shut}/a.pem")
        os.chmod(shut, 0)
        keep = Keep(shut, home).start()
        try:
            for i in range(3):  # each leads to a scan
                leaf = ca.leaf(f"h{i}.example.org")
                put(leaf, f"{home}/{i}.pem")
                keep.wait_event("first-staple", leaf.label)
            said = [e["text"] for e in keep.events("notice") if e.get("path") == shut and "cannot be looked into" in e["text"]]
            expect_equal(len(said), 1, "how often it is said")
        finally:
            os.chmod(shut, 0o700)
        put(ca.leaf("last.example.org"), f"{home}/last.pem")
        keep.wait_event("notice", text="can be looked into again")
        keep.wait_event("first-staple", "shut.example.org")


@case
def what_takes_a_restart_is_said_at_a_reload():
    with Authority() as ca:
        keep = Keep(put(ca.leaf("a.example.org"), f"{new_tempdir()}/a.pem")).start()
        with open(keep.conf) as f:
            text = f.read()
        for old, new, words in (("proxy: none", "proxy: none, total: 7", "fetch.per_responder, fetch.total: other ones take a restart"),
                                ("proxy: none", "proxy: 'http://127.0.0.1:9'", "fetch.proxy: another one takes a restart")):
            since = keep.mark()
            with open(keep.conf, "w") as f:
                f.write(text.replace(old, new))
            keep.process.popen.send_signal(1)
            keep.wait_event("notice", since=since, text=words)
            keep.wait_event("notice", since=since, text="reloaded")


@case
def a_configuration_by_a_descriptor_is_not_named():
    with Authority() as ca:
        keep = Keep(put(ca.leaf("a.example.org"), f"{new_tempdir()}/a.pem"))
        keep.argv = lambda *options: ["sh", "-c", 'exec 3<"$0"; exec "$@"', keep.conf, build_path("clinch"), "keep", "-c",
                                      "/proc/self/fd/3", "--allow-root", *options]
        keep.start()
        process = keep.process
        keep.stop()
        expect_in("ends, as it was told to", process.log_text(), "the log")
        expect_not_in("/proc/self/fd", process.log_text(), "the log")


main()
