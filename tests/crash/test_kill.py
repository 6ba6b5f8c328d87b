# SPDX-License-Identifier: LGPL-2.1-or-later
"""kill -9 of a keeper, and of the keeper that serve started, on a busy store: what was held is stapled at the first handshake."""
import math
import os
import random
import shutil
import signal
import time

from harness import case, expect, expect_equal, expect_in, main, wait_for
from scene import NO_PROXY
from stage import SANITIZED, SOAK, Estate, Front, Life, Remembering, has_ended, mark, shake_once, tool

KILLS = 100 if SOAK else 15
CERTIFICATES = 60
LIFE_S, STARTS = (16 if SANITIZED else 8), 8  # a life is so many starts of a keeper too, however busy the machine is
BETWEEN = ("write", "sync", "rename")  # steps of halt.c between open and rename, and the one after them
STEPS = (*BETWEEN, "renamed")
LOOK_S = 2  # serve looks at its store once a second
SPARE_S = 1.5  # a staple that ends so soon may be gone when a client asks


class Round:
    """One estate through all kills: what each certificate had is what it must still have, or a newer one."""

    def __init__(self, ca):
        self.ca = ca
        self.estate = Estate(ca, [ca.leaf(f"host{i}.example.org", label=f"host{i}") for i in range(CERTIFICATES)])
        self.names = [f"{leaf.label}.example.org" for leaf in self.estate.leaves]
        self.best = {}  # by label: the newest thisUpdate seen in the store
        self.halt = os.path.join(self.estate.dir, "halt")
        self.kills = {}
        self.stapled = self.swept = 0
        sanitizer = os.environ.get("ASAN_OPTIONS", "")  # its runtime need not be the first library then
        self.env = {**NO_PROXY, "LD_PRELOAD": tool("halt.so"), "HALT_FILE": self.halt,
                    "ASAN_OPTIONS": f"{sanitizer}:verify_asan_link_order=0:detect_leaks=0"}

    def look_at_store(self):
        """Each file is a response that was signed for it, and not older than the one before."""
        lives = {}
        for leaf in self.estate.leaves:
            der = self.estate.held(leaf)
            if der is None:
                expect(leaf.label not in self.best, f"the response of {leaf.label} is gone from the store")
                continue
            expect(self.ca.signed.get(der) is leaf, f"the store has {len(der)} bytes for {leaf.label} that were never signed for it")
            life = lives[leaf.label] = Life(der)
            before = self.best.get(leaf.label, 0)
            expect(life.this_update >= before, f"{leaf.label}: the store went back from {before} to {life.this_update}")
            self.best[leaf.label] = life.this_update
        return lives

    def kill(self, pid, how):
        """At a step of a write, or after a few answers: whatever it is doing then."""
        if how in STEPS:
            with open(f"{self.halt}.{how}", "wb"):
                pass
            wait_for(lambda: has_ended(pid), 20, f"a temporary file to come to its {how}")
            expect(not os.path.exists(f"{self.halt}.{how}"), f"it died otherwise than by its {how}")
        else:
            answered, few = sum(self.ca.times.values()), how
            wait_for(lambda: sum(self.ca.times.values()) >= answered + few, 20, "a few answers")
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: has_ended(pid), 5, "its end")
        left = self.estate.temporaries()
        expect(how not in BETWEEN or left, f"killed at {how}, it left no temporary file")
        self.kills[how if how in STEPS else "any moment"] = self.kills.get(how if how in STEPS else "any moment", 0) + 1

    def handshakes(self, port, lives, first=True):
        """All that is held and valid is on the wire, byte for byte, and nothing else. A server that ran on may not have looked at the
        store since: then the one before is as good, and where its time is over, the next look has to find the newer one."""
        began = time.time()
        seen = shake_once(port, self.ca.pki.root.cert_file, self.names)
        ended = time.time()
        for leaf in self.estate.leaves:
            got, life = seen[f"{leaf.label}.example.org"], lives.get(leaf.label)
            expect(got.state in ("stapled", "unstapled") and got.is_of(leaf), f"the handshake with {got.name}: {got.line}")
            if got.state == "stapled":
                expect(got.until > began, f"{got.name} was sent a staple whose time was over: {got.line}")
                expect(life and (got.this_update >= life.this_update or not first), f"{got.name} was sent an older one than the store had: {got.line}")
            if not first and got.state == "unstapled" and life and life.served_until > ended + LOOK_S + SPARE_S:
                while shake_once(port, self.ca.pki.root.cert_file, [got.name])[got.name].state != "stapled":
                    expect(time.time() < life.served_until - SPARE_S, f"the newer staple of {got.name} was not found in its time")
            elif life and life.served_until > ended + SPARE_S and (first or got.state == "stapled"):
                expect_equal(got.state, "stapled", f"{got.name}, whose response lives {life.until - ended:.1f} s more")
                if got.this_update == life.this_update:  # the next child of one that ran on may have written another since
                    expect_in(got.staple, (mark(life.der), mark(self.estate.held(leaf))), f"the staple of {got.name}")
                self.stapled += 1

    def wait_swept(self):
        """The next writer removes what the killed one left half-written."""
        left = self.estate.temporaries()
        wait_for(lambda: not set(left) & set(self.estate.temporaries()), 10, f"{left} to be removed")
        self.swept += len(left)

    def of_the_keeper(self, how):
        keep = self.estate.keep().start(env=self.env)
        self.wait_swept()
        self.kill(keep.process.pid, how)
        lives = self.look_at_store()
        with_all_dead(self.ca, lambda: self.restart(lives, keeper=False))

    def of_the_child(self, how):
        front = Front(self.estate, keeper=True, env=self.env)
        self.wait_swept()
        self.kill(front.child(), how)
        lives = self.look_at_store()
        self.handshakes(front.port, lives, first=False)  # it goes on without its child
        os.kill(front.process.pid, signal.SIGKILL)
        wait_for(lambda: has_ended(front.process.pid), 5, "its end")
        with_all_dead(self.ca, lambda: self.restart(self.look_at_store(), keeper=True))

    def restart(self, lives, keeper):
        front = Front(self.estate, keeper=keeper, settings="ready_timeout: 1s")
        self.handshakes(front.port, lives)
        front.process.stop()
        self.look_at_store()


def with_all_dead(ca, do):
    ca.stop()
    try:
        do()
    finally:
        ca.start(ca.port)


def moments(n):
    """A third of them between open and rename."""
    chosen = random.Random(n)
    return [BETWEEN[i // 3 % len(BETWEEN)] if i % 3 == 2 else "renamed" if i % 12 == 0 else chosen.randint(1, 15) for i in range(n)]


@case
def what_was_held_is_stapled_at_the_first_handshake_after_kill_9():
    with Remembering() as ca:
        world = Round(ca)
        os.mkdir(world.estate.store)
        began = time.monotonic()
        world.estate.keep().start().stop()
        ca.life_s = max(LIFE_S, math.ceil(STARTS * (time.monotonic() - began)))
        shutil.rmtree(world.estate.store)
        os.mkdir(world.estate.store)
        for i, how in enumerate(moments(KILLS)):
            (world.of_the_child if (i + i // 12) % 2 else world.of_the_keeper)(how)
        print(f"#| kills: {world.kills}; staples checked at first handshakes: {world.stapled}; temporary files swept: {world.swept}")
        expect(world.stapled > KILLS * CERTIFICATES / 2, f"only {world.stapled} responses were valid at a restart")
        expect(world.swept >= KILLS // 5, f"only {world.swept} temporary files were left behind and swept")


main()
