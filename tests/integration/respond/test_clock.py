# SPDX-License-Identifier: LGPL-2.1-or-later
"""Times and max-age to the second, with a clock that stands still until it is told to move."""
import itertools
import os
import time

import ask
from clock import Clock
from harness import case, expect, expect_equal, main, new_tempdir, wait_for
from issuer import DAY_S, Ca, Index, write
from respond import Respond, authority, configuration, read
from talk import exchange, get

GOOD = 0x1001
START = int(time.time()) // 3600 * 3600 + 7200
labels = itertools.count()


class Scene:
    def __init__(self, more="", crl_life=None, **settings):
        self.clock = Clock(START)
        self.ca = Ca(new_tempdir(), f"ours-{next(labels)}", now=START)
        self.delegate = self.ca.delegate()
        index = Index(os.path.join(self.ca.dir, "index.txt"), START).add("V", GOOD).save()
        source = {"index": index.path}
        if crl_life:
            self.crl = write(os.path.join(self.ca.dir, "ca.crl"), self.ca.crl(next_=crl_life, now=START))
            source = {"crl": [self.crl], "crl_means": "good"}
        self.one = Respond(configuration(authority(self.ca, self.delegate, **source, **settings), more=more), env=self.clock.env)

    def __enter__(self):
        self.one.__enter__()
        return self

    def __exit__(self, *what):
        self.one.__exit__(*what)

    def ask(self):
        """A GET's answer, its one SingleResponse, and when it was produced, as seconds from START."""
        answer = exchange(self.one.address, get(ask.path_escaped(ask.request(ask.cert_id(self.ca, GOOD)))))
        response = read(answer)
        expect_equal(answer.date("date"), self.clock.at, "Date")
        return answer, response.single, response.produced_at - START


@case
def times_by_default():
    with Scene() as scene:
        answer, single, produced = scene.ask()
        expect_equal((produced, single.this_update - START, single.next_update - START), (0, -60, -60 + 4 * DAY_S), "times")
        expect_equal(answer.max_age, 3600, "max-age")


@case
def max_age_is_what_is_left_until_the_refresh():
    """At half of the validity, or before it, where refreshes are spread out; each second that passes is one less."""
    with Scene(validity="1h") as scene:
        answer, single, _ = scene.ask()
        expect_equal((single.this_update - START, single.next_update - START), (-60, 3540), "times")
        first = answer.max_age
        expect(900 <= first <= 1800, f"max-age {first}")
        for passed in (1, 600, first - 1):
            scene.clock.set(START + passed)
            later, same, produced = scene.ask()
            expect_equal((produced, same.this_update, later.field("etag")), (0, single.this_update, answer.field("etag")), "the same answer")
            expect_equal(later.max_age, first - passed, f"max-age after {passed} s")
        scene.clock.set(START + first + 1)
        wait_for(lambda: scene.ask()[2] > 0, 10, "a refreshed answer")
        later, single, produced = scene.ask()
        expect_equal((produced, single.this_update - START), (first + 1, first - 59), "times of the refreshed one")
        expect(later.max_age > 800, f"max-age of the refreshed one: {later.max_age}")


@case
def max_age_is_never_beyond_the_source():
    with Scene(crl_life=1000) as scene:
        answer, single, _ = scene.ask()
        expect_equal((single.this_update - START, single.next_update - START), (-60, 1000), "times")
        expect(0 < answer.max_age <= 1000, f"max-age {answer.max_age}")
        expect_equal(answer.date("expires") - START, 1000, "Expires")


@case
def a_clock_that_was_set_back_gives_no_answer_from_the_future():
    with Scene() as scene:
        scene.ask()
        scene.clock.set(START - 3 * 3600)
        wait_for(lambda: scene.ask()[1].this_update <= scene.clock.at, 10, "an answer whose thisUpdate is not to come")


@case
def a_clock_that_was_set_forward_gives_no_answer_that_has_ended():
    with Scene() as scene:
        scene.ask()
        scene.clock.set(START + 6 * DAY_S)
        answer, single, _ = scene.ask()
        expect(single.next_update > scene.clock.at, "an answer past its nextUpdate")
        expect(answer.max_age > 0, f"max-age {answer.max_age}")


main()
