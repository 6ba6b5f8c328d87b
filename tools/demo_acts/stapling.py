# SPDX-License-Identifier: LGPL-2.1-or-later
"""The second act: one `clinch serve` that always has its staple, while its responder dies, comes back, and lies."""
import os
import re
import time

from authority import P256, join, new_key, sign
from stage import COMMAND_S, Trouble, accepts_at, free_port, log_of, mark, paint, say, says_its_port, title

INTRO = """   A response lives one minute here, the least that openssl ocsp can write, and is asked for again at half of its life. So that nobody
   has to wait for that, the responder's clock is half a minute slow (FAKETIME): its responses come nearly half used up.
   "log" is what serve and its child write: the child asks, with no key in its memory; serve has the keys and asks nobody."""

SLOW_S = 27  # the responder's clock: half of a response's life is 3 s away when it comes
OLDER_S = 48  # older than that, and still good for 12 s


class Wrong(Exception):
    """A step came out wrong: what follows would rest on it."""


class Play:
    """The server, its responder, the log, and the thisUpdate that the next client has to see."""

    def __init__(self, stage):
        self.stage, self.store, self.rows = stage, "store", []
        self.responder = self.server = self.address = self.held = None
        self.responder_port, self.backend_port = str(free_port()), str(free_port())

    def start_responder(self, slow=f"-{SLOW_S}s", signer="delegate"):
        line = (f"env LD_PRELOAD='/usr/$LIB/faketime/libfaketime.so.1' FAKETIME={slow} openssl ocsp -port {self.responder_port} "
                f"-index issuing/index.txt -CA issuing.pem -rsigner {signer}.pem -rkey {signer}.key -nmin 1")
        say(paint("1", f"   $ {line} &"))
        self.stage.serve(line, says_its_port, FAKETIME_DONT_FAKE_MONOTONIC="1")
        self.responder = self.stage.servers[-1]

    def end_responder(self):
        say(paint("1", f"   $ kill {self.responder.pid}") + "   # the responder")
        self.stage.end(self.responder)

    def start_server(self):
        root = "--allow-root " if os.geteuid() == 0 else ""
        line = (f"clinch serve {root}--listen 127.0.0.1:0 --backend 127.0.0.1:{self.backend_port} --cert kept.chain.pem --key kept.key "
                f"--store {self.store} --issuers root.pem --connections 100 --ready-file ready -v")
        say(paint("1", f"   $ {line} &"))
        began = time.monotonic()
        self.address = self.stage.serve(line, self._is_ready)
        self.server = self.stage.servers[-1]
        say(f"   ready after {time.monotonic() - began:.2f} s, at {self.address}")

    def _is_ready(self, _):
        try:
            with open(self.stage.path("ready"), encoding="ascii") as f:
                return f.read().strip()
        except OSError:
            return None

    def end_server(self):
        say(paint("1", f"   $ kill {self.server.pid}") + "   # clinch serve, and its child with it")
        self.stage.end(self.server)
        os.unlink(self.stage.path("ready"))

    def log_size(self):
        return len(log_of(self.server))

    def wait_log(self, pattern, since=0):
        """The first line of the log that matches, shown."""
        deadline = time.monotonic() + COMMAND_S
        while time.monotonic() < deadline:
            found = re.search(pattern, log_of(self.server)[since:], re.M)
            if found:
                say("   log: " + paint("36", brief(found.group(0))))
                return found.group(0)
            time.sleep(0.02)
        raise Trouble(f"nothing like {pattern} was logged in {COMMAND_S} s:\n{log_of(self.server)[-3000:]}")

    def settle(self):
        """Waits until serve staples what its child has stored, and takes that for what clients have to see from now on."""
        deadline = time.monotonic() + COMMAND_S
        while time.monotonic() < deadline:
            stored = this_updates(log_of(self.server), "first-staple|refreshed|loaded", "localhost")
            sent = this_updates(log_of(self.server), "stapled|refreshed", "/[^ ]*kept.chain.pem")
            if stored and sent and stored[-1] == sent[-1]:
                self.held = sent[-1]
                return
            time.sleep(0.02)
        raise Trouble(f"serve does not staple what its child has stored:\n{log_of(self.server)[-3000:]}")

    def judge(self, what, logged, moved=False):
        """clinch check twice, for the person and for the comparison: good, and the thisUpdate that is held, or a later one."""
        words = ("--ca", "root.pem", "--require", "leaf", self.address)
        shown = self.stage.clinch("check", *words)
        _, found = self.stage.clinch_json("check", "--format", "json", *words)
        sent = ((found.get("chain") or [{}])[0].get("staple") or {}).get("this_update")
        right = shown == 0 and found.get("verdict") == "good" and self._is_expected(sent, moved)
        expected = "a later one than" if moved else "the same as"
        mark(right, f"{found.get('verdict')}, exit status {shown}; the staple is of {clock(sent)}, expected {expected} {clock(self.held)}"
             if self.held else f"{found.get('verdict')}, exit status {shown}; the staple is of {clock(sent)}")
        self.rows.append((what, logged, sent, found.get("verdict"), shown, right))
        if not right:
            raise Wrong
        self.held = sent if moved else self.held

    def _is_expected(self, sent, moved):
        if sent is None or self.held is None:
            return sent is not None
        return sent > self.held if moved else sent == self.held


def this_updates(log, event, cert):
    return re.findall(rf"event=(?:{event}) cert={cert} .*?this_update=(\S+)", log)


def clock(time_):
    return time_[11:] if time_ else "-"


def brief(line):
    """What the person needs of a line of the log."""
    keys = "event|status|this_update|phase|failure|reason|answer|next_try"
    return " ".join(m.group(0) for m in re.finditer(rf'(?<!\S)(?:{keys})=("[^"]*"|\S+)', line))


def begin(play):
    title("10. The server: clinch serve, in front of a plain web server that knows nothing of TLS")
    stage = play.stage
    new_key(stage, "kept", P256, "kept.example")
    stage.env["ISSUING_PORT"] = play.responder_port
    sign(stage, "issuing", "kept", "must_staple", 90)
    join(stage, "kept.chain.pem", "kept.pem", "issuing.pem")
    os.mkdir(stage.path("www"))
    with open(stage.path("www/index.html"), "w") as f:
        f.write("the plain backend's words\n")
    say(INTRO)
    play.start_responder()
    line = f"python3 -m http.server --bind 127.0.0.1 --directory www {play.backend_port}"
    say(paint("1", f"   $ {line} &"))
    stage.serve(line, accepts_at(int(play.backend_port)))
    play.start_server()
    play.wait_log(r"^.*event=first-staple cert=localhost .*$")
    play.judge("it starts", "first-staple")


def foreign_client(play):
    say("\n   And for a client that is not ours, through to the backend:")
    line = f"openssl s_client -connect {play.address} -CAfile root.pem -status -ign_eof"
    say(paint("1", f"   $ printf 'GET / HTTP/1.0\\r\\n\\r\\n' | {line}"))
    said = play.stage.answer(line, b"GET / HTTP/1.0\r\n\r\n")
    wanted = ("OCSP Response Status: successful", "Cert Status: good", "Verify return code: 0 (ok)", "the plain backend's words")
    for words in wanted:
        say(f"   {words if words in said else 'MISSING: ' + words}")
    right = all(words in said for words in wanted)
    mark(right, "openssl s_client takes the staple and gets the page")
    if not right:
        raise Trouble(f"openssl s_client said:\n{said}")


def killed(play):
    title("11. The responder dies: what is held is stapled")
    since = play.log_size()
    play.end_responder()
    play.wait_log(r"^.*event=failed cert=localhost .*failure=no-connection.*$", since)
    play.settle()
    play.judge("the responder is dead", "failed: no-connection")


def restarted(play):
    title("12. The server is restarted, the responder is still dead: the staple is there at the first handshake")
    play.end_server()
    play.start_server()
    play.judge("serve is restarted meanwhile", "-")
    play.wait_log(r"^.*event=failed cert=localhost .*failure=no-connection.*$")


def back(play):
    title("13. The responder is back: the staple is renewed, and no client did anything")
    since = play.log_size()
    play.start_responder()
    play.wait_log(r"^.*event=refreshed cert=localhost .*$", since)
    play.wait_log(r"^.*event=refreshed cert=/\S*kept.chain.pem .*$", since)
    play.judge("the responder is back", "refreshed", moved=True)


def lies(play):
    title("14. Somebody else answers in its place: nothing that he says replaces what is held")
    since = play.log_size()
    play.end_responder()
    play.wait_log(r"^.*event=failed cert=localhost .*failure=no-connection.*$", since)
    play.settle()
    for what, slow, signer, logged in (("older than what is held", f"-{OLDER_S}s", "delegate", "unchanged: older"),
                                       ("signed by a stranger", f"-{SLOW_S}s", "stranger", "failed: delegate-issuer"),
                                       ("ten days old and over", "-10d", "delegate", "failed: expired")):
        say(f"\n   A response that is {what}:")
        since = play.log_size()
        play.start_responder(slow, signer)
        event, why = logged.split(": ")
        play.wait_log(rf"^.*event={event} cert=localhost .*(?:answer|reason)={why}.*$", since)
        play.judge(f"a lie: {what}", logged)
        play.end_responder()


def summary(play):
    title("What happened, and what a client was sent")
    say(f"   {'':5}{'':32}{'logged':26}{'thisUpdate':14}{'clinch':9}{'exit status'}")
    before = None
    for what, logged, sent, verdict, got, right in play.rows:
        sign_ = paint("1;32", "[ok]") if right else paint("1;31", "[!!]")
        said = paint("32" if verdict == "good" else "31", f"{verdict!s:9}")
        say(f"   {sign_} {what:32}{logged:26}{clock(sent) + (' new' if sent != before else ''):14}{said}{got}")
        before = sent
    wrong = not play.rows[-1][-1]
    say("\n   " + (paint("1;31", "the last one came out WRONG") + ", and what follows it was not tried" if wrong else
                   paint("1;32", f"all {len(play.rows)} came out right") + ": a staple at each handshake, and never one that proves nothing"))
    return 1 if wrong else 0


def act(stage):
    play = Play(stage)
    try:
        for scene in (begin, foreign_client, killed, restarted, back, lies):
            scene(play)
    except Wrong:
        pass  # the summary says so
    return summary(play)
