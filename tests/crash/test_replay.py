# SPDX-License-Identifier: LGPL-2.1-or-later
"""The recorded sequence of file operations of the store's writer, replayed to every prefix: all of it loads, and nothing is lost."""
import os
import subprocess

from disk import Disk, Op, read_ops
from harness import case, expect, expect_equal, main, new_tempdir, run, skip, wait_for
from stage import Estate, Life, Remembering, tool

CERTIFICATES = 8
GENERATIONS = 3
LEFT_OVER = ".clinch-00000000-1.tmp"


class Recording:
    """A keeper that fetched for each certificate once in each of its lives; what it did to its store. What it held is over by more
    than half then, and is valid for long all the same, however slow strace makes it."""

    def __init__(self):
        if run(["strace", "-o", "/dev/null", "true"]).rc != 0:
            skip("strace may not trace here")
        with Remembering() as ca:
            ca.life_s = 7200
            self.estate = Estate(ca, [ca.leaf(f"host{i}.example.org", label=f"host{i}") for i in range(CERTIFICATES)])
            os.mkdir(self.estate.store)
            self.before = {LEFT_OVER: ca.sign(self.estate.leaves[0])[:200]}
            with open(os.path.join(self.estate.store, LEFT_OVER), "wb") as f:
                f.write(self.before[LEFT_OVER])
            self.log = os.path.join(self.estate.dir, "strace")
            for generation in range(GENERATIONS):
                ca.age_s = 4200 - 60 * generation
                self.live()
            self.ops = read_ops(self.log, self.estate.store)
            self.leaf_of = {os.path.basename(self.estate.path_of(leaf)): leaf for leaf in self.estate.leaves}
            self.signed = dict(ca.signed)
        self.held = {leaf.label: self.estate.held(leaf) for leaf in self.estate.leaves}

    def live(self):
        before = [self.estate.held(leaf) for leaf in self.estate.leaves]
        keep = self.estate.keep()
        argv = keep.argv
        keep.argv = lambda *options: ["strace", "-f", "-y", "-ttt", "-xx", "-s", "100000", "-e", "trace=%file,%desc", "-A", "-o", self.log,
                                      *argv(*options)]
        keep.start(env={"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"})
        wait_for(lambda: all(self.estate.held(leaf) != was for leaf, was in zip(self.estate.leaves, before)), 60, "a newer one of each")
        keep.process.stop(10)


class Judge:
    """The store's own code on a directory that is made to hold one state after the other."""

    def __init__(self, recording):
        self.leaves = recording.estate.leaves
        self.dir, self.there, self.known = new_tempdir(), {}, {}
        chains = [recording.estate.chain_of[leaf.label] for leaf in self.leaves]
        self.process = subprocess.Popen([tool("judge"), self.dir, *chains], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        expect_equal(self.process.wait(30), 0, "exit status of the judge")
        self.process.stdout.close()

    def verdicts(self, state, at, always):
        """{label: its line}. What the same files have led to is remembered, unless `always`."""
        key = frozenset(state.items())
        if always or key not in self.known:
            self._become(state)
            self.process.stdin.write(f"{int(at)}\n")
            self.process.stdin.flush()
            self.known[key] = {leaf.label: self.process.stdout.readline().strip() for leaf in self.leaves}
        return self.known[key]

    def _become(self, state):
        for name in self.there.keys() - state.keys():
            os.unlink(os.path.join(self.dir, name))
        for name, data in state.items():
            if self.there.get(name) != data:
                with open(os.path.join(self.dir, name), "wb") as f:
                    f.write(data)
        self.there = dict(state)


def held_in(state, recording):
    """{label: thisUpdate} of the responses that a state has under their names."""
    return {recording.leaf_of[name].label: Life(data).this_update for name, data in state.items()
            if name in recording.leaf_of and recording.signed.get(data) is recording.leaf_of[name]}


def troubles_of(verdicts, owed, where):
    """Each certificate's response loads, and is not older than what is owed; where none is, there may be none."""
    for label, verdict in verdicts.items():
        word, _, this_update = verdict.partition(" ")
        if word not in ("believed", "missing"):
            yield f"{where}: {label} is {verdict}"
        elif label in owed and (word == "missing" or int(this_update) < owed[label]):
            yield f"{where}: {label} is {verdict}, and {owed[label]} was held"


def replay(recording, ops):
    """What is wrong after a crash behind any of the operations: sentences, and how many states there were."""
    disk, held, owed, troubles, states = Disk(recording.before), {}, {}, [], 0
    with Judge(recording) as judge:
        for i, op in enumerate(ops):
            disk.apply(op)
            where = f"after operation {i + 1} of {len(ops)}, {op}"
            now = disk.now()
            for label, this_update in held_in(now, recording).items():
                held[label] = max(this_update, held.get(label, 0))
            troubles += troubles_of(judge.verdicts(now, op.at, True), held, f"kill -9 {where}")
            if op.kind == "sync-directory":
                owed = dict(held)
            states += 1
            for state in disk.after_power_loss():
                states += 1
                troubles += troubles_of(judge.verdicts(state, op.at, False), owed, f"power lost {where}")
    return troubles, states


_recorded = []


def recording():
    if not _recorded:
        _recorded.append(Recording())
    return _recorded[0]


@case
def every_prefix_of_what_the_writer_did_loads():
    tape = recording()
    kinds = [op.kind for op in tape.ops]
    expect(kinds.count("rename") >= GENERATIONS * CERTIFICATES, f"{kinds.count('rename')} responses were written")
    expect("unlink" in kinds and kinds.count("sync-directory") >= GENERATIONS, f"the recording is whole: {tape.ops}")
    end = Disk(tape.before)
    for op in tape.ops:
        end.apply(op)
    expect_equal({n: d for n, d in end.now().items() if n != ".lock"},
                 {os.path.basename(tape.estate.path_of(leaf)): tape.held[leaf.label] for leaf in tape.estate.leaves}, "the replayed store")
    troubles, states = replay(tape, tape.ops)
    expect_equal(troubles[:10], [], "what is wrong")
    print(f"#| {len(tape.ops)} operations, {states} states")


@case
def the_replay_notices_a_writer_that_does_not_sync_its_files():
    tape = recording()
    troubles, _ = replay(tape, [op for op in tape.ops if op.kind != "sync"])
    expect(any("power lost" in t and "not-believed" in t for t in troubles), "a file that was not synced was never lost")
    expect(not any("kill -9" in t for t in troubles), "a sync matters to kill -9")


@case
def the_replay_notices_a_writer_that_does_not_rename():
    tape = recording()
    final = {op.args[0]: op.args[1] for op in tape.ops if op.kind == "rename"}
    in_place = []
    for op in tape.ops:
        args = (final.get(op.args[0], op.args[0]), *op.args[1:]) if op.args else ()
        if op.kind == "create" and op.args[0] in final:
            in_place += [Op(op.at, "create", *args), Op(op.at, "truncate", *args, 0)]
        elif op.kind != "rename":
            in_place.append(Op(op.at, op.kind, *args))
    troubles, _ = replay(tape, in_place)
    expect(any("kill -9" in t for t in troubles), "a file that was written in place was never seen half")


main()
