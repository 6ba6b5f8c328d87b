# SPDX-License-Identifier: LGPL-2.1-or-later
"""SIGTERM at a bad moment: while files are read, and while clients send on to the last."""
import os
import signal
import time

import ask
from harness import case, expect, expect_equal, expect_in, main, new_tempdir, wait_for
from issuer import Ca, Index, write
from respond import SANITIZED, Respond, authority, configuration
from talk import post

LINES = 100000 if SANITIZED else 300000  # some tenths of a second to read
FIRST = 0x10000
ca = Ca(new_tempdir(), "ours")
delegate = ca.delegate()
small = Index(os.path.join(ca.dir, "small.txt")).add("V", FIRST).save()
long_ = os.path.join(ca.dir, "long.txt")
write(long_, "".join(small.row("V", FIRST + i, subject="/CN=x") for i in range(LINES)).encode())


def add_line_until_it_reads(one):
    """A thread of its own is at work then, and the process has grown by it; which is soon over, and on a busy machine may not be seen."""
    before, numbers, last = one.resident(), iter(range(LINES, 2 * LINES)), time.monotonic() - 60

    def reads():
        nonlocal last
        if time.monotonic() - last > 5:
            with open(long_, "a", encoding="ascii") as f:
                f.write(small.row("V", FIRST + next(numbers)))
            last = time.monotonic()
        return one.resident() > before + LINES * 8

    wait_for(reads, 60, "the index to be read again")


def end(one):
    os.kill(one.pid, signal.SIGTERM)
    expect_equal(one.process.wait(20), 0, "exit status")


@case
def SIGTERM_while_a_changed_file_is_read():
    with Respond(configuration(authority(ca, delegate, index=long_))) as one:
        add_line_until_it_reads(one)
        end(one)


@case
def SIGTERM_while_all_of_it_is_read():
    with Respond(configuration(authority(ca, delegate, index=long_))) as one:
        one.hup()
        end(one)


def cpu_s(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        fields = f.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@case
def SIGTERM_does_not_keep_a_processor_busy_when_a_file_changes_meanwhile():
    index = Index(os.path.join(ca.dir, "late.txt")).add("V", FIRST).save()
    with Respond(configuration(authority(ca, delegate, index=index.path), more="limits: { drain: 3s }")) as one:
        slow = one.talk()
        slow.send(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/ocsp-request\r\nContent-Length: 70\r\n"
                  b"Expect: 100-continue\r\n\r\n")
        expect_in(b" 100 ", slow.socket.recv(100), "what comes before the body")
        os.kill(one.pid, signal.SIGTERM)
        one.wait_said("draining")
        index.add("V", FIRST + 1).save()
        before, begun = cpu_s(one.pid), time.monotonic()
        wait_for(lambda: time.monotonic() > begun + 1.5, 10, "a while to pass")
        spent = cpu_s(one.pid) - before
        expect(spent < 0.5, f"{spent} s of CPU time while it waits for a client")
        slow.close()
        expect_equal(one.process.wait(20), 0, "exit status")


@case
def signals_are_for_one_thread():
    """What is at its end is not ended once more by a signal that another thread takes."""
    with Respond(configuration(authority(ca, delegate, index=small.path))) as one:
        taking = []
        for task in os.listdir(f"/proc/{one.pid}/task"):
            with open(f"/proc/{one.pid}/task/{task}/status", encoding="ascii") as f:
                blocked = next(int(line.split()[1], 16) for line in f if line.startswith("SigBlk"))
            if not blocked & 1 << signal.SIGTERM - 1:
                taking.append(int(task))
        expect_equal(taking, [one.pid], "threads that SIGTERM can come to")


class Sender:
    """A client that sends on without waiting for what it gets."""

    def __init__(self, one, data):
        self.talk, self.data, self.over = one.talk(), data, False
        self.talk.socket.setblocking(False)

    def turn(self):
        for action in (lambda: self.talk.socket.send(self.data), lambda: self.talk.socket.recv(65536)):
            try:
                action()
            except BlockingIOError:
                pass
            except OSError:
                self.over = True

    def close(self):
        self.talk.close()


@case
def SIGTERM_while_clients_send_on_to_the_last():
    data = post(ask.request(ask.cert_id(ca, FIRST), extensions=[ask.nonce(16)])) * 20
    for _ in range(3):
        with Respond(configuration(authority(ca, delegate, index=small.path), more="threads: 1")) as one:
            senders = [Sender(one, data) for _ in range(100)]
            os.kill(one.pid, signal.SIGTERM)
            again, late = time.monotonic() + 0.15, time.monotonic() + 60
            while one.process.running() and time.monotonic() < late:
                for sender in senders:
                    sender.turn()
                if again and time.monotonic() > again:
                    os.kill(one.pid, signal.SIGTERM)  # no more waiting
                    again = None
            for sender in senders:
                sender.close()
            expect_equal(one.process.wait(10), 0, "exit status")


main()
