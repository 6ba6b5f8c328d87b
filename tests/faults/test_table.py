# SPDX-License-Identifier: LGPL-2.1-or-later
"""Faults that change nothing for a client: each lie at the first fetch and at a refresh, through `clinch serve` and through nginx.

All rows run at once. Where nothing of a lie is to be believed there are two certificates for it: one is lied about until its keeper
has said what came of that, and is told the truth when it asks again; the other is told the truth first, and is lied about from its
refresh on until its staple has ended. Of a lie that is no fault one certificate sees both. What was on the wire all the while is
judged afterwards, a row at a time.
"""
import time
from concurrent.futures import ThreadPoolExecutor

from cells import LAG_S, Nginx, Serve
from harness import Failed, add_case, expect, main, wait_for
from liar import Liar
from lies import LIES, OLDER, TAKEN, Held, Lie

OUTCOMES = ("first-staple", "refreshed", "unchanged", "failed")
MOST_S = 110
NEIGHBOUR_LIFE = 12


class Row:
    """One lie in one cell, in one or both of the phases."""

    def __init__(self, cell, name, lie, wanted):
        self.cell, self.name, self.wanted = cell, name, wanted
        self.subject = cell.add(name if "first" in wanted else name + "-later", lie)
        self.told, self.told_at, self.attempts, self.unexpected, self.failed = {}, {}, {}, [], set()
        self.subject.enter("first" if "first" in wanted else "good")

    # -- the course of things

    def on_event(self, event):
        phase = self.subject.phase
        if event["event"] == "attempt":
            self.attempts.setdefault(phase, []).append(event)
        if event["event"] not in OUTCOMES or phase not in ("first", "good", "refresh"):
            return
        self.told[phase], self.told_at[phase] = event, time.monotonic()
        if phase == "good" and event["event"] != "first-staple":
            self.unexpected.append(event)
        self.subject.enter(self.after(phase))

    def after(self, phase):
        """"good": the truth; "over": the lie goes on; "dead": nothing but errors."""
        if phase == "first":
            return "good" if isinstance(self.wanted["first"], Held) else "refresh"
        if phase == "good" and "refresh" in self.wanted:
            return "refresh"
        return "over" if phase == "refresh" and isinstance(self.wanted["refresh"], Held) else "dead"

    def held_first(self):
        """The response that was the first to be held; None: there is none yet."""
        phase = "first" if self.wanted.get("first") == TAKEN else "good"
        return self.subject.sent_in(phase) if phase in self.told else None

    def held_last(self):
        if "refresh" not in self.told:
            return None
        return self.subject.sent_in("refresh") if self.wanted["refresh"] == TAKEN else self.held_first()

    def is_over(self):
        if "refresh" not in self.wanted:
            return "good" in self.told and time.monotonic() > self.told_at["good"] + 2 * LAG_S[self.cell.kind] + 2
        held = self.held_last()
        return held is not None and time.time() > over_at(held) + 3

    # -- the judgement

    def judge(self, phase):
        self.judge_delivery(phase)
        self.judge_words(phase)
        self.judge_neighbour(phase)
        if phase == "first":
            self.judge_first()
        else:
            self.judge_refresh()
            self.judge_end()
        self.judge_all_samples()

    def judge_delivery(self, phase):
        n = self.subject.lie.delivered(self.subject, phase, self.attempts.get(phase, []))
        expect(n > 0, "the lie was not told in this phase")

    def judge_words(self, phase):
        expect(phase in self.told, f"the log has no outcome; the last: {self.told}")
        event, wanted = self.told[phase], self.wanted[phase]
        if isinstance(wanted, Held):
            got = (event["event"], event.get("phase"), event.get("failure"), event.get("reason"))
            expect(got == ("failed", wanted.phase, wanted.failure, wanted.reason), f"the log says {got}: {event}")
            expect(event.get("detail"), "the log has no detail")
        elif wanted == OLDER:
            expect((event["event"], event.get("answer")) == ("unchanged", "older"), f"the log says {event}")
        else:
            expect(event["event"] == ("first-staple" if phase == "first" else "refreshed"), f"the log says {event}")
            expect(event["this_update"] == stamp(self.subject.sent_in(phase).this_update), f"thisUpdate in the log: {event}")
        if self.name == "date-10-minutes-off":
            expect(595 <= event.get("skew_s", 0) <= 605, f"the log says nothing of the skew: {event}")
        expect(not self.unexpected, f"between the phases the log says {self.unexpected}")

    def judge_neighbour(self, phase):
        """In the same process, from the lie to the end of the phase, a newer one reached the wire."""
        begin = self.subject.first_delivery.get(phase, self.told_at[phase])
        end = self.told_at.get("good", float("inf")) if phase == "first" else mono(over_at(self.held_last())) + 3
        seen = {s.sent.this_update for s in self.cell.samples[neighbours[self.cell.kind].name]
                if s.sent and begin - NEIGHBOUR_LIFE / 2 <= s.began <= end}
        expect(len(seen) >= 2, f"the healthy neighbour was not refreshed meanwhile: {seen}")

    def samples(self, begin, end):
        return [s for s in self.cell.samples[self.subject.name] if s.began >= begin and s.ended <= end]

    def expect_on_wire(self, sent, begin, end, when):
        samples = self.samples(begin, end)
        expect(samples, f"nobody looked {when}")
        for sample in samples:
            expect(sample.sent is sent, f"{when}: {describe(sample.sent)} on the wire instead of {describe(sent)}, "
                                        f"{sample.began - begin:.1f} s into it")

    def judge_first(self):
        at, lag, sent = self.told_at["first"], LAG_S[self.cell.kind], self.held_first()
        if isinstance(self.wanted["first"], Held):
            self.expect_on_wire(None, 0, sent.at, "after the start")
            at, lag = self.told_at["good"], 2 * lag  # nothing follows it soon: a busy machine has its time
        elif self.cell.kind == "serve":
            lag = 0  # it listens when what can be there is there
        self.expect_on_wire(sent, at + lag, self.first_ends(sent), "once it was held")

    def first_ends(self, sent):
        """Nothing older changes what is held, and it is offered soon: there, and where nothing follows, it is the end of its life.
        Of one that is taken it is when it was sent: the wire may have it before its line in the log was read here."""
        if self.wanted.get("refresh", OLDER) == OLDER:
            return mono(staple_end(sent)) - 0.2
        return self.subject.sent_in("refresh").at if self.wanted["refresh"] == TAKEN else self.told_at["refresh"]

    def judge_refresh(self):
        held, at, lag = self.held_last(), self.told_at["refresh"], LAG_S[self.cell.kind]
        end = mono(staple_end(held)) if self.cell.kind == "serve" else float("inf")
        self.expect_on_wire(held, at + (lag if held.phase == "refresh" else 0), end - 0.2, "after the refresh")

    def judge_end(self):
        """serve staples nothing that has ended; of a file nginx staples what is in it."""
        held = self.held_last()
        sent = None if self.cell.kind == "serve" else held
        self.expect_on_wire(sent, mono(over_at(held)), float("inf"), "after nextUpdate")

    def judge_all_samples(self):
        mine = [t for t in self.cell.trouble if t.startswith(self.subject.name + ":")]
        expect(not mine, f"handshakes that failed, or staples of nobody: {mine}")
        for sample in self.cell.samples[self.subject.name]:
            if not sample.sent:
                continue
            expect(sample.sent.status in ("good", "revoked"), f"{describe(sample.sent)} was on the wire")
            if self.cell.kind == "serve":
                expect(sample.wall < end_of(sample.sent), f"{describe(sample.sent)} was on the wire when it had ended")


def end_of(sent):
    return sent.next_update or sent.this_update + 86400


def staple_end(sent):
    return end_of(sent) - min(300, (end_of(sent) - sent.this_update) / 10)


def over_at(sent):
    """When nothing of it is left to staple: nextUpdate, or where there is none the end of what a server staples."""
    return sent.next_update or staple_end(sent)


def mono(wall):
    return wall - time.time() + time.monotonic()


def stamp(seconds):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def describe(sent):
    return f"{sent.status} of {stamp(sent.this_update)}, sent in phase {sent.phase}" if sent else "no staple"


class Truth(Lie):
    """What the healthy neighbours are told about."""

    def answer(self, connection, request, subject):
        raise AssertionError("nobody lies about it")


liar = Liar()
rows, by_certificate, neighbours, state = {}, {}, {}, {}


def prepare():
    for cell in cells:
        neighbours[cell.kind] = cell.add("healthy", Truth(), life=NEIGHBOUR_LIFE)
        neighbours[cell.kind].enter("good")
        for name, lie, first, refresh in LIES:
            phases = {"first": first, "refresh": refresh}
            courses = [{p: phases[p]} for p in phases] if isinstance(first, Held) else [phases]
            for wanted in courses:
                row = Row(cell, name, lie, wanted)
                by_certificate[row.subject.name] = row
                rows.update({(name, phase, cell.kind): row for phase in wanted})


def on_event(event):
    row = by_certificate.get(event.get("cert"))
    if row:
        row.on_event(event)


cells = [Serve(liar, on_event), Nginx(liar, on_event)]


def all_rows_run_at_once():
    began = time.monotonic()
    prepare()
    try:
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda cell: cell.start_servers(), cells))
        wait_for(lambda: all(row.is_over() for row in by_certificate.values()), MOST_S, "the end of all rows")
    except Failed:
        waiting = {name: (row.subject.phase, list(row.told)) for name, row in by_certificate.items() if not row.is_over()}
        raise Failed(f"after {MOST_S} s these are not over: {waiting}") from None
    finally:
        for cell in cells:
            cell.stop()
        liar.stop()
        state["took"] = time.monotonic() - began
    expect(state["took"] < 120, f"it took {state['took']:.0f} s")
    for cell in cells:
        expect(cell.log_of.running(), f"{cell.kind} has ended")


def the_healthy_neighbours_always_had_a_staple():
    for cell in cells:
        name = neighbours[cell.kind].name
        samples = cell.samples[name]
        first = next((i for i, s in enumerate(samples) if s.sent), len(samples))
        expect(first == 0 or cell.kind == "nginx", f"serve listened before the neighbour had its staple, in {first} handshakes")
        held = samples[first:]
        expect(len(held) > 15, f"{name}: {len(held)} handshakes with a staple")
        expect(all(s.sent and s.wall < end_of(s.sent) for s in held), f"{name}: {[describe(s.sent) for s in held]}")
        expect(not [t for t in cell.trouble if t.startswith(name + ":")], f"{cell.trouble}")


def judged(row, phase):
    try:
        row.judge(phase)
    except (Failed, KeyError) as failed:
        row.failed.add(phase)
        raise Failed(f"{failed!r}" if isinstance(failed, KeyError) else str(failed)) from None


def add_cells():
    for name, _, first, refresh in LIES:
        for phase, when, outcome in (("first", "at the first fetch", first), ("refresh", "at a refresh", refresh)):
            for cell in cells:
                add_case(f"{name} {when}, through {cell.kind}: {outcome}",
                         lambda n=(name, phase, cell.kind): judged(rows[n], n[1]))


def outcome_of(first, refresh):
    return str(first) if first == refresh else f"{first}; then {refresh}"


def cells_of(name, phase):
    """How often it was told, and ok or FAIL for each cell."""
    of = [rows[name, phase, cell.kind] for cell in cells]
    told = sum(row.subject.lie.delivered(row.subject, phase, row.attempts.get(phase, [])) for row in of)
    return f"{told:5} " + " ".join(f"{'FAIL' if phase in row.failed else 'ok':5}" for row in of)


def the_table_is_printed():
    """tools/count-tests shows it."""
    print(f"#| {'':22} {'':40}    at the first fetch     at a refresh")
    print(f"#| {'what the responder did':22} {'what comes of it':40}  told serve nginx   told serve nginx")
    for name, _, first, refresh in LIES:
        print(f"#| {name:22} {outcome_of(first, refresh):40} {cells_of(name, 'first')}  {cells_of(name, 'refresh')}".rstrip())
    n = sum(len(s) for cell in cells for s in cell.samples.values())
    print(f"#| {len(by_certificate)} certificates in {len(cells)} cells, {n} handshakes, {state.get('took', 0):.0f} s", flush=True)
    expect(all(cell.samples for cell in cells), "something was looked at")


add_case("all rows run at once, in less than 120 s", all_rows_run_at_once)
add_case("the healthy neighbours always had a staple", the_healthy_neighbours_always_had_a_staple)
add_cells()
add_case("the table is printed", the_table_is_printed)
main()
