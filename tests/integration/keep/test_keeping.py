# SPDX-License-Identifier: LGPL-2.1-or-later
"""`clinch keep`: first staples, refreshes, errors, restarts, and a store that is taken away."""
import glob
import os
import shutil

import faketime
from authority import Authority
from harness import build_path, case, expect, expect_equal, expect_in, main, new_tempdir, run, skip, wait_for
from scene import NO_PROXY, Keep, put, this_update, until


@case
def fetches_the_first_staple_before_it_is_ready():
    with Authority() as ca:
        leaf = ca.leaf("www.example.org")
        keep = Keep(put(leaf, os.path.join(new_tempdir(), "leaf.pem"))).start()
        keep.expect_held(leaf)
        ready = keep.wait_event("ready")
        expect_equal((ready["certificates"], ready["good"]), (1, 1), "certificates, and good ones")
        first = keep.wait_event("first-staple", "www.example.org")
        expect_equal(first["status"], "good", "status")
        expect_equal(keep.stop(), 0, "exit status after SIGTERM")


@case
def a_file_that_holds_the_private_key_too_is_a_certificates_file():
    with Authority() as ca:
        leaf = ca.leaf("www.example.org")
        keep = Keep(put(leaf, os.path.join(new_tempdir(), "haproxy.pem"), with_key=True)).start()
        keep.expect_held(leaf)


@case
def refreshes_at_half_of_the_life_and_never_lets_it_end():
    with Authority() as ca:
        ca.life_s = 8
        leaf = ca.leaf("short.example.org")
        keep = Keep(put(leaf, os.path.join(new_tempdir(), "leaf.pem"))).start()
        first = keep.held(leaf)
        keep.wait_event("refreshed", "short.example.org")
        expect(this_update(first) < this_update(keep.held(leaf)) < until(first), "a newer one was made before the first had ended")


@case
def an_unchanged_answer_is_no_failure_and_an_older_one_is_not_taken():
    with Authority() as ca:
        ca.life_s = 10
        leaf = ca.leaf("same.example.org")
        keep = Keep(put(leaf, os.path.join(new_tempdir(), "leaf.pem"))).start()
        first = this_update(keep.held(leaf))
        ca.mode[leaf.serial] = "same"
        expect_equal(keep.wait_event("unchanged", "same.example.org")["answer"], "same", "answer")
        since = keep.mark()
        ca.mode[leaf.serial] = ca.sign(leaf, age_s=60, life_s=3600)
        expect_equal(keep.wait_event("unchanged", "same.example.org", since=since)["answer"], "older", "answer")
        expect_equal(this_update(keep.held(leaf)), first, "thisUpdate of what is held")
        expect_equal(keep.events("failed"), [], "failures")
        for _ in range(3):
            since = keep.mark()
            keep.wait_event("unchanged", "same.example.org", since=since)
        expect(len(keep.events("life-50")) == 1, "half of the life is told once, not with each answer")


@case
def a_failure_leaves_what_is_held_and_is_told_with_phase_and_reason():
    with Authority() as ca:
        ca.life_s = 8
        leaf = ca.leaf("trouble.example.org")
        keep = Keep(put(leaf, os.path.join(new_tempdir(), "leaf.pem"))).start()
        held = keep.held(leaf)
        ca.mode[leaf.serial] = 500
        failed = keep.wait_event("failed", "trouble.example.org")
        expect_equal((failed["phase"], failed["failure"], failed["failures"]), ("http", "http-server-error", 1), "what failed")
        expect_equal(failed["level"], "warning", "level of the first failure")
        expect_equal(this_update(keep.held(leaf)), this_update(held), "thisUpdate of what is held")
        ca.mode[leaf.serial] = "good"
        keep.wait_event("recovered", "trouble.example.org")
        expect(this_update(keep.held(leaf)) > this_update(held), "a newer one is held")


@case
def warns_as_the_life_runs_out_and_says_when_it_has():
    with Authority() as ca:
        ca.life_s, ca.age_s = 400, 396
        leaf = ca.leaf("ending.example.org")
        keep = Keep(put(leaf, os.path.join(new_tempdir(), "leaf.pem"))).start()
        ca.mode[leaf.serial] = 503
        keep.wait_event("life-10", "ending.example.org")
        expect_equal(keep.wait_event("expired", "ending.example.org")["status"], "expired", "status")
        keep.expect_held(leaf)


@case
def what_was_held_is_in_use_after_a_restart_with_a_dead_responder():
    ca = Authority()
    leaf = ca.leaf("dead.example.org")
    keep = Keep(put(leaf, os.path.join(new_tempdir(), "leaf.pem"))).start()
    held = this_update(keep.held(leaf))
    keep.stop()
    ca.stop()
    keep.start()
    loaded = keep.wait_event("loaded", "dead.example.org")
    expect_equal(loaded["status"], "good", "status")
    expect_equal(keep.wait_event("ready")["good"], 1, "good ones when ready")
    expect_equal(this_update(keep.held(leaf)), held, "thisUpdate")


@case
def is_ready_after_its_time_when_no_responder_answers():
    with Authority() as ca:
        leaf = ca.leaf("hanging.example.org")
        ca.mode[leaf.serial] = "hang"
        keep = Keep(put(leaf, os.path.join(new_tempdir(), "leaf.pem")), settings="ready_timeout: 1s")
        keep.start()
        expect_equal(keep.wait_event("ready")["missing"], 1, "missing ones when ready")


@case
def a_damaged_file_of_the_store_is_said_and_passed_over():
    with Authority() as ca:
        leaf = ca.leaf("damaged.example.org")
        keep = Keep(put(leaf, os.path.join(new_tempdir(), "leaf.pem"))).start()
        keep.stop()
        with open(keep.path_of(leaf), "r+b") as f:
            f.truncate(100)
        keep.start()
        keep.wait_event("notice", "damaged.example.org", text="passed over")
        keep.wait_event("first-staple", "damaged.example.org")
        keep.expect_held(leaf)


@case
def a_hanging_responder_delays_nobody_elses_refresh():
    with Authority() as slow, Authority() as ca:
        ca.life_s = 8
        leaf = ca.leaf("quick.example.org")
        directory = new_tempdir()
        put(leaf, os.path.join(directory, "quick.pem"))
        for i in range(12):
            stuck = slow.leaf(f"stuck{i}.example.org")
            slow.mode[stuck.serial] = "hang"
            put(stuck, os.path.join(directory, f"stuck{i}.pem"))
        keep = Keep(directory, settings="ready_timeout: 1s").start()
        first = keep.held(leaf)
        keep.wait_event("refreshed", "quick.example.org")
        expect(this_update(keep.held(leaf)) < until(first), "the next one was made before the first had ended")
        expect_equal(keep.events("failed", "quick.example.org"), [], "failures of the quick one")


@case
def revoked_is_kept_and_said_loudly():
    with Authority() as ca:
        leaf = ca.leaf("revoked.example.org")
        ca.mode[leaf.serial] = "revoked"
        keep = Keep(put(leaf, os.path.join(new_tempdir(), "leaf.pem"))).start()
        expect_equal(keep.wait_event("revoked", "revoked.example.org")["level"], "error", "level")
        keep.expect_held(leaf)
        keep.stop()
        expect_equal(keep.once().rc, 3, "exit status of --once")


# --- the clock ------------------------------------------------------------------------------------------------------------


@case
def a_clock_that_is_set_has_all_planned_anew_and_costs_no_response():
    libraries = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
    if not libraries or os.environ.get("CLINCH_SANITIZE", "none") != "none":
        skip("no libfaketime, or a sanitizer that wants to be the first library")
    faketime.forget_the_dead()
    with Authority() as ca:
        ca.age_s = 60
        leaf = ca.leaf("clock.example.org", before_days=30)
        keep = Keep(put(leaf, os.path.join(new_tempdir(), "leaf.pem")))
        clock = os.path.join(keep.dir, "clock")

        def set_clock(offset):
            with open(clock + ".new", "w") as f:
                f.write(f"{offset}\n")
            os.rename(clock + ".new", clock)

        set_clock("+0")
        keep.start(env={"LD_PRELOAD": libraries[0], "FAKETIME_TIMESTAMP_FILE": clock, "FAKETIME_NO_CACHE": "1",
                        "FAKETIME_DONT_FAKE_MONOTONIC": "1"})
        first = this_update(keep.held(leaf))
        since, ca.age_s = keep.mark(), 0  # the next one is newer also where it comes in the same second
        set_clock("+3d")
        keep.wait_event("notice", since=since, text="the clock was set by +2592")
        keep.wait_event("refreshed", "clock.example.org", since=since)
        second = this_update(keep.held(leaf))
        expect(second > first, "it was asked for again, three of four days later")
        since = keep.mark()
        set_clock("-10d")
        keep.wait_event("notice", since=since, text="the clock was set by -")
        keep.wait_event("failed", "clock.example.org", since=since)
        expect_equal(this_update(keep.held(leaf)), second, "thisUpdate of what is held")
        since = keep.mark()
        set_clock("+0")
        keep.wait_event("notice", since=since, text="the clock was set by +")
        keep.stop()
        expect_equal(keep.once().rc, 0, "exit status of --once, by the right clock")


# --- the disk ---------------------------------------------------------------------------------------------------------------


@case
def a_store_that_cannot_be_written_is_said_and_memory_goes_on():
    if os.geteuid() == 0:
        skip("root may write to a read-only directory")
    with Authority() as ca:
        ca.life_s = 8
        leaf = ca.leaf("full.example.org")
        keep = Keep(put(leaf, os.path.join(new_tempdir(), "leaf.pem"))).start()
        first = this_update(keep.held(leaf))
        os.chmod(keep.store, 0o555)
        try:
            keep.wait_event("refreshed", "full.example.org")
            said = keep.wait_event("notice", text="kept in memory")
            expect_equal(said["level"], "error", "level")
            expect_equal(this_update(keep.held(leaf)), first, "thisUpdate on disk")
        finally:
            os.chmod(keep.store, 0o755)
        keep.wait_event("notice", text="can be written again")
        expect(this_update(keep.held(leaf)) > first, "what memory had is on disk")


@case
def a_store_that_is_deleted_is_made_anew_from_memory():
    ca = Authority()
    leaf = ca.leaf("deleted.example.org")
    keep = Keep(put(leaf, os.path.join(new_tempdir(), "leaf.pem"))).start()
    held = this_update(keep.held(leaf))
    ca.stop()
    shutil.rmtree(keep.store)
    expect_equal(this_update(keep.wait_held(leaf)), held, "thisUpdate of what was written again")
    second = run(keep.argv(), env=NO_PROXY)
    expect_equal(second.rc, 2, "exit status of a second keeper: the new directory is locked too")


@case
def a_file_that_is_deleted_from_the_store_is_written_again():
    ca = Authority()
    leaf = ca.leaf("lost.example.org")
    keep = Keep(put(leaf, os.path.join(new_tempdir(), "leaf.pem"))).start()
    ca.stop()
    os.unlink(keep.path_of(leaf))
    keep.wait_held(leaf)


@case
def a_second_keeper_is_refused_by_the_pid_of_the_first():
    with Authority() as ca:
        leaf = ca.leaf("www.example.org")
        keep = Keep(put(leaf, os.path.join(new_tempdir(), "leaf.pem"))).start()
        second = run(keep.argv(), env=NO_PROXY)
        expect_equal(second.rc, 2, "exit status")
        expect_in(str(keep.process.pid), second.err, "message")


@case
def what_a_killed_keeper_left_half_written_is_swept():
    with Authority() as ca:
        leaf = ca.leaf("www.example.org")
        keep = Keep(put(leaf, os.path.join(new_tempdir(), "leaf.pem")))
        os.mkdir(keep.store)
        left = os.path.join(keep.store, ".clinch-01234567-99.tmp")
        open(left, "wb").close()
        stranger = os.path.join(keep.store, "README")
        open(stranger, "wb").close()
        keep.start()
        wait_for(lambda: not os.path.exists(left), 10, "the temporary file to go")
        expect(os.path.exists(stranger), "a stranger's file stays")


# --- once -------------------------------------------------------------------------------------------------------------------


@case
def once_fetches_what_is_due_and_ends():
    with Authority() as ca:
        leaf = ca.leaf("www.example.org")
        keep = Keep(put(leaf, os.path.join(new_tempdir(), "leaf.pem")))
        result = keep.once()
        expect_equal(result.rc, 0, f"exit status of\n{result}\n")
        keep.expect_held(leaf)
        expect_equal(keep.once().rc, 0, "exit status when nothing is due")
        expect_equal(ca.asked(leaf), 1, "questions in all")


@case
def once_exits_75_when_what_failed_may_pass():
    with Authority() as ca:
        leaf, other = ca.leaf("www.example.org"), ca.leaf("other.example.org")
        ca.mode[leaf.serial] = "try-later"
        directory = new_tempdir()
        put(leaf, os.path.join(directory, "a.pem"))
        put(other, os.path.join(directory, "b.pem"))
        keep = Keep(directory)
        expect_equal(keep.once().rc, 75, "exit status")
        keep.expect_held(other)
        ca.mode[leaf.serial] = b"nonsense"
        expect_equal(keep.once().rc, 4, "exit status for what is not believed")


# --- who runs it ------------------------------------------------------------------------------------------------------------


@case
def root_is_refused_unless_it_is_allowed_by_name():
    keep = Keep("/nowhere.pem")
    as_root = [] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user"]
    if as_root and run([*as_root, "true"]).rc != 0:
        skip("nobody can become root here")
    result = run([*as_root, build_path("clinch"), "keep", "-c", keep.conf])
    expect_equal(result.rc, 2, "exit status")
    expect_in("--allow-root", result.err, "message")
    expect(not os.path.exists(keep.store), "nothing was made")
    result = run([*as_root, build_path("clinch"), "keep", "-c", keep.conf, "--user", "no-such-user"])
    expect_equal(result.rc, 2, "exit status")
    expect_in("no-such-user", result.err, "message")


main()
