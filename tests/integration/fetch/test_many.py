# SPDX-License-Identifier: LGPL-2.1-or-later
"""Many jobs on one engine: at most so many at a time per responder, and one that hangs is nobody else's trouble."""
import shutil
import threading
import time

from harness import build_path, case, expect, expect_equal, main, run, skip
from responder import Responder, answer, hang, keep_alive
from scene import good, leaf


def many(*args, timeout=30, wrapper=()):
    return run([*wrapper, build_path("tests/integration/fetch/many"), leaf.chain_file, *args], timeout=timeout)


def outcomes(result, url):
    lines = [line.split() for line in result.out.splitlines()]
    return [(outcome, int(took)) for asked, outcome, took in lines if asked == url]


class Crowd:
    """How many are served at the same time, at most; each is kept until `wanted` are there or nobody else comes."""

    def __init__(self, wanted):
        self.now = self.most = 0
        self.full = threading.Event()
        self.wanted, self.lock = wanted, threading.Lock()

    def __call__(self, connection, request, responder):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
            if self.now >= self.wanted:
                self.full.set()
        self.full.wait(10)
        time.sleep(0.02)  # room for one too many to show itself
        with self.lock:
            self.now -= 1
        answer(good, fields=("Connection: close",))(connection, request, responder)


def most_at_a_time(per_responder, total, wanted):
    crowd = Crowd(wanted)
    with Responder(crowd) as responder:
        result = many(per_responder, total, 20000, "wait", 30, responder.url)
        expect_equal(result.rc, 0, "exit status")
        expect_equal([outcome for outcome, _ in outcomes(result, responder.url)], ["ok"] * 30, "outcomes")
        expect_equal((len(responder.requests), crowd.most), (30, wanted), "requests, and the most at a time")


@case
def asks_one_responder_four_at_a_time():
    most_at_a_time(4, 64, 4)


@case
def asks_one_at_a_time_when_told():
    most_at_a_time(1, 64, 1)


@case
def asks_no_more_in_all_than_the_global_limit():
    most_at_a_time(50, 7, 7)


@case
def one_that_hangs_delays_nobody_else():
    with Responder(hang) as slow, Responder(answer(good)) as quick:
        result = many(2, 8, 1500, "wait", 6, slow.url, 40, quick.url)
        expect_equal(result.rc, 0, "exit status")
        expect_equal([outcome for outcome, _ in outcomes(result, quick.url)], ["ok"] * 40, "the quick ones")
        expect_equal([outcome for outcome, _ in outcomes(result, slow.url)], ["timed-out"] * 6, "the slow ones")
        ends = [line.split()[0] for line in result.out.splitlines()]
        expect_equal(ends[-2:], [slow.url] * 2, "who ended last: the third round of the slow ones")
        expect_equal(len(slow.requests), 6, "requests to the slow one: each had its turn, and its own time")


@case
def a_job_has_its_whole_time_from_its_turn_on():
    """Two rounds of one at a time, each of which takes all of its time."""
    with Responder(hang) as slow:
        took = [took for _, took in outcomes(many(1, 8, 700, "wait", 3, slow.url), slow.url)]
        expect(len(took) == 3 and all(600 <= ms for ms in took), f"each took {took} ms")


@case
def cancels_what_runs_and_what_waits():
    with Responder(hang) as slow, Responder(answer(good)) as quick:
        result = many(2, 8, 20000, "cancel", 20, slow.url, 1, quick.url, timeout=10)
        expect_equal((result.rc, len(result.out.splitlines())), (0, 1), "exit status, and ends")


@case
def frees_the_engine_with_all_that_runs():
    with Responder(hang) as slow, Responder(answer(good)) as quick:
        expect_equal(many(2, 8, 20000, "free", 20, slow.url, 1, quick.url, timeout=10).rc, 0, "exit status")


@case
def a_kept_connection_is_not_a_way_to_a_private_address():
    """It was opened for somebody who may; the stranger who comes next may not use it."""
    with Responder(keep_alive(good)) as responder:
        result = many(4, 8, 5000, "stranger", 1, responder.url)
        expect_equal(result.rc, 0, "exit status")
        expect_equal([outcome for outcome, _ in outcomes(result, responder.url)], ["ok", "private-address"], "outcomes")
        expect_equal((responder.connections, len(responder.requests)), (1, 1), "connections and requests")


def has_sanitizer():
    with open(build_path("tests/integration/fetch/many"), "rb") as program:
        return b"__asan_init" in program.read()


@case
def loses_no_memory():
    wrapper = ["valgrind", "-q", "--error-exitcode=99", "--leak-check=full", "--errors-for-leak-kinds=definite,indirect"]
    if has_sanitizer():
        wrapper = []  # it looks for leaks itself, and the two do not go together
    elif not shutil.which("valgrind"):
        skip("no valgrind")
    with Responder(hang) as slow, Responder(answer(good)) as quick, Responder(answer(b"", 404)) as gone:
        for what in ("wait", "cancel", "free"):
            result = many(2, 8, 1500, what, 3, slow.url, 5, quick.url, 3, gone.url, wrapper=wrapper, timeout=60)
            expect_equal(result.rc, 0, f"exit status\n{result}")


main()
