# SPDX-License-Identifier: LGPL-2.1-or-later
"""The life of `clinch serve`: its limits, reloads, its end, and what stays the same after ten thousand handshakes."""
import copy
import json
import os
import resource
import shutil
import socket
import ssl
import threading
import time

from harness import build_path, case, clinch, expect, expect_equal, expect_in, expect_match, main, new_tempdir, run, skip, wait_for
from scene import (NOWHERE, SANITIZED, Backend, Serve, Store, configuration, connect, context, echo, leaf, look, pki,
                   write_configuration)


def echoes(server, data=b"hello"):
    with connect(server) as stream:
        stream.sendall(data)
        return stream.recv(len(data)) == data


# --- limits -----------------------------------------------------------------------------------------------------------------------


@case
def a_silent_client_is_cut_off_and_an_idle_one_too():
    with Serve("--handshake-timeout", 1) as server:
        began = time.monotonic()
        with socket.create_connection(server.address, timeout=60) as silent:
            expect_equal(silent.recv(10), b"", "what a silent client gets")
            expect(0.8 < time.monotonic() - began < 9, f"the handshake's time-out took {time.monotonic() - began} s")  # not the default
    with Backend(echo) as backend, Serve("--idle-timeout", 3, backend=backend) as server, connect(server) as idle:
        began = time.monotonic()
        while time.monotonic() - began < 3.5:  # not idle
            time.sleep(0.2)
            idle.sendall(b".")
            expect_equal(idle.recv(1), b".", "the echo")
        began = time.monotonic()
        idle.settimeout(60)
        try:
            expect_equal(idle.recv(1), b"", "what an idle client gets")
        except (ssl.SSLError, ConnectionError):  # an end without close_notify is none
            pass
        expect(time.monotonic() - began > 2.5, f"idle took {time.monotonic() - began} s")


@case
def a_client_that_drips_bytes_has_no_more_time_than_others():
    with Serve("--handshake-timeout", 1) as server:
        began = time.monotonic()
        with socket.create_connection(server.address, timeout=10) as slow:
            try:
                slow.sendall(b"\x16\x03\x01\x02\x00\x01")
                while time.monotonic() - began < 60:
                    slow.sendall(b"\x00")
                    time.sleep(0.05)
            except OSError:
                pass
        expect(time.monotonic() - began < 50, "it was served for as long as it liked")


@case
def connections_above_the_limit_wait_for_their_turn():
    with Backend(echo) as backend, Serve("--connections", 3, "--idle-timeout", 20, backend=backend) as server:
        held = [connect(server) for _ in range(3)]
        waiting = socket.create_connection(server.address, timeout=10)
        waiting.settimeout(0.5)
        wrapped = context().wrap_socket(waiting, server_hostname="www.example.org", do_handshake_on_connect=False)
        try:
            wrapped.do_handshake()
            raise AssertionError("a fourth handshake was made")
        except (TimeoutError, socket.timeout):
            pass
        expect_equal(len(server.wait_event("limit")), 1, "lines about it")
        held.pop().close()
        wrapped.settimeout(10)
        wrapped.do_handshake()
        wrapped.sendall(b"in")
        expect_equal(wrapped.recv(2), b"in", "the echo")


@case
def a_backend_that_does_not_accept_has_its_time():
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(0)
    address = listening.getsockname()
    full = []
    for _ in range(4):  # fills the queue: further ones are not answered
        stuffing = socket.socket()
        stuffing.setblocking(False)
        stuffing.connect_ex(address)
        full.append(stuffing)

    class Stuck:
        address = "127.0.0.1:%d" % listening.getsockname()[1]

    with Serve("--connect-timeout", 1, backend=Stuck) as server:
        began = time.monotonic()
        stream = connect(server)
        stream.settimeout(60)
        try:
            expect_equal(stream.recv(10), b"", "what the client gets")
        except (ssl.SSLError, ConnectionError):
            pass
        expect(0.8 < time.monotonic() - began < 4.9, f"it took {time.monotonic() - began} s")  # 5 s by default
        server.wait_event("backend-down")


# --- reload -----------------------------------------------------------------------------------------------------------------------


@case
def a_reload_under_load_loses_no_connection():
    second = pki.leaf("www.example.org", label="reloaded", ocsp_url=NOWHERE)
    store = Store(leaf, second)
    over, served, failed = threading.Event(), [], []
    with Backend(echo) as backend:
        path = configuration(store, backend, [leaf])
        with Serve(conf=path) as server:
            def load():
                while not over.is_set():
                    try:
                        served.append(echoes(server))
                    except (OSError, ssl.SSLError) as error:
                        failed.append(error)

            held = connect(server)
            clients = [threading.Thread(target=load, daemon=True) for _ in range(4)]
            for client in clients:
                client.start()
            for i in range(20):
                write_configuration(path, store, backend, [second if i % 2 == 0 else leaf])
                server.hup()
                server.wait_event("reloaded", i + 1)
                before = len(served)
                wait_for(lambda: failed or len(served) >= before + 4, 10, "clients to be served")
            write_configuration(path, store, backend, [second])
            server.hup()
            server.wait_event("reloaded", 21)
            over.set()
            for client in clients:
                client.join(10)
            expect_equal(failed, [], "connections that failed")
            expect(len(served) >= 80 and all(served), f"{len(served)} connections were served")
            expect_equal(look(server.address).leaf, second.cert.serial_number, "the certificate in the end")
            held.sendall(b"still here")
            expect_equal(held.recv(20), b"still here", "the echo on the connection from before")
            expect_equal(server.events("refresh-failed"), [], "trouble")


@case
def a_bad_configuration_keeps_the_old_one_and_says_so():
    with Backend(echo) as backend:
        store = Store(leaf)
        path = configuration(store, backend, [leaf])
        with Serve(conf=path) as server:
            with open(path, "w", encoding="ascii") as f:
                f.write("serve:\n  lisn: [ \"127.0.0.1:0\" ]\n")
            server.hup()
            expect_equal(len(server.wait_event("reload-failed", 1)), 1, "lines that say so")

            class Missing:
                chain_file, key_file = leaf.chain_file, "/nowhere/x.key"

            write_configuration(path, store, backend, [Missing])
            server.hup()
            expect_in("/nowhere/x.key", server.wait_event("reload-failed", 2)[1]["text"], "what is said")
            write_configuration(path, store, backend, [leaf], listen="127.0.0.1:1")
            server.hup()
            expect_in("listen", server.wait_event("reload-failed", 3)[2]["text"], "what is said")
            expect(echoes(server), "the old configuration is gone")
            write_configuration(path, store, backend, [leaf], more="alpn: [ h2 ]")
            server.hup()
            server.wait_event("reloaded")
            with connect(server, alpn=["h2"]) as stream:
                expect_equal(stream.selected_alpn_protocol(), "h2", "what the new configuration has")


@case
def a_reload_waits_for_the_new_certificates_staple():
    fresh = pki.leaf("www.example.org", label="fresh", ocsp_url=NOWHERE)
    with Backend(echo) as backend:
        store = Store(leaf)
        path = configuration(store, backend, [leaf])
        with Serve(conf=path) as server:
            write_configuration(path, store, backend, [fresh])
            server.hup()
            time.sleep(0.5)
            seen = look(server.address)
            expect_equal((seen.leaf, bool(seen.staple)), (leaf.cert.serial_number, True), "the certificate meanwhile")
            store.put(fresh)
            server.wait_event("reloaded")
            wait_for(lambda: look(server.address).leaf == fresh.cert.serial_number, 5, "the new certificate")
            expect(look(server.address).staple, "no staple of the new one")


# --- the end ----------------------------------------------------------------------------------------------------------------------


@case
def a_drain_ends_with_the_last_connection():
    with Backend(echo) as backend, Serve("--drain-timeout", 20, backend=backend) as server:
        held = connect(server)
        server.terminate()
        server.wait_event("draining")

        def refused():
            try:
                socket.create_connection(server.address, timeout=2).close()
                return False
            except ConnectionRefusedError:
                return True

        wait_for(refused, 5, "new connections to be refused")
        held.sendall(b"still here")
        expect_equal(held.recv(20), b"still here", "the echo while it drains")
        expect(server.process.running(), "it ended before its last connection")
        held.close()
        expect_equal(server.process.wait(5), 0, "exit status")


@case
def a_drain_ends_by_its_time_and_by_a_second_signal():
    for options, signals in ((("--drain-timeout", 1), 1), (("--drain-timeout", 60), 2)):
        with Backend(echo) as backend, Serve(*options, backend=backend) as server:
            held = connect(server)
            began = time.monotonic()
            for i in range(signals):
                server.terminate()
                server.wait_event("draining")
            expect_equal(server.process.wait(5), 0, "exit status")
            expect(time.monotonic() - began < 25, "the drain took too long")  # by default it has 30 s
            expect_equal(server.events("stopped")[0]["connections"], 1, "connections that were cut off")
            held.close()


@case
def it_ends_when_told_to_before_it_was_ready():
    with Serve("--ready-timeout", 60, store=Store(), wait=False) as server:
        wait_for(lambda: os.path.exists(f"/proc/{server.process.pid}/task") and len(os.listdir(f"/proc/{server.process.pid}/task")) > 2, 5,
                 "its threads")
        server.stop_well()


@case
def a_watchdog_that_cannot_be_kept_quiet_is_said():
    for microseconds, wanted in ((1999999, 1), (2000000, 0)):
        with Serve(env={"WATCHDOG_USEC": str(microseconds)}) as server:
            server.wait_event("ready")
            said = [e for e in server.events("notice") if "WatchdogSec" in e["text"]]
            expect_equal(len(said), wanted, f"lines about {microseconds} microseconds")


# --- who may start it, and how ----------------------------------------------------------------------------------------------------


def arguments(*more):
    return ["--listen", "127.0.0.1:0", "--backend", "127.0.0.1:9", "--cert", leaf.chain_file, "--key", leaf.key_file, "--store",
            Store(leaf).dir, "--no-keeper", *more]


@case
def root_is_refused_without_a_user_or_the_word():
    as_root = [] if os.geteuid() == 0 else ["unshare", "-r"]
    if as_root and run([*as_root, "true"]).rc != 0:
        skip("nobody here can be root: no user namespaces")
    done = run([*as_root, build_path("clinch"), "serve", *arguments()], timeout=10)
    expect_equal(done.rc, 2, f"exit status\n{done}")
    expect_in("--allow-root", done.err, "what is said")
    done = run([*as_root, build_path("clinch"), "serve", *arguments("--user", "no-such-user-here")], timeout=10)
    expect_equal(done.rc, 2, f"exit status\n{done}")
    expect_in("no-such-user-here", done.err, "what is said")


@case
def a_configuration_that_only_root_can_read_is_refused_at_once():
    """Not at the first SIGHUP."""
    if os.geteuid() != 0:
        skip("takes root, to become somebody else")
    where = new_tempdir()
    responder = (f'respond:\n  listen: [ "127.0.0.1:0" ]\n  authorities:\n    - ca: "{pki.root.cert_file}"\n'
                 f'      signers: [ {{ cert: "{pki.root.cert_file}", key: "{pki.root.key_file}" }} ]\n'
                 f'      index: "{where}/index.txt"\n')
    for command, section in (("serve", None), ("respond", responder)):
        path = configuration(Store(leaf), Backend(echo), [leaf])
        if section:
            with open(path, "w", encoding="ascii") as f:
                f.write(section)
        os.chmod(path, 0o600)
        done = clinch(command, "--user", "nobody", "-c", path, timeout=10)
        expect_equal(done.rc, 2, f"exit status of {command}\n{done}")
        expect_in(path, done.err, "what is said")
        expect_in("ermission denied", done.err, "what is said")


@case
def no_key_is_left_in_a_core():
    with Serve() as server:
        with open(f"/proc/{server.process.pid}/limits", encoding="ascii") as f:
            core = [line for line in f if line.startswith("Max core file size")]
        # 0 does not keep the kernel from a pipe of core_pattern, 1 does; a hard limit of 0 that was there stays
        limit = "0" if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0 else "1"
        expect_equal(core[0].split()[4:6], [limit, limit], "its limit of a core, soft and hard")


@case
def mistakes_end_it_with_2_and_name_the_thing():
    key = pki.leaf("plain.example.org").key_file
    for args, word in ((["--listen", "127.0.0.1:0"], "--backend"), (["--key", "x"], "--cert"),
                       (arguments("--cert", "x"), "--key"), (arguments("--backend", "nowhere"), "nowhere"),
                       (arguments("--priority", "NONSENSE"), "NONSENSE"), (arguments("-c", "x"), "--listen"),
                       (arguments("--cert", leaf.chain_file, "--key", key), "key")):
        done = clinch("serve", "--allow-root", *args, timeout=10)
        expect_equal(done.rc, 2, f"exit status\n{done}")
        expect_in(word, done.err, "what is said")


@case
def a_port_that_is_taken_is_said_also_when_another_clinch_has_it():
    with Serve() as server:
        done = clinch("serve", "--allow-root", *arguments("--listen", server.place), timeout=10)
        expect_equal(done.rc, 1, f"exit status\n{done}")
        expect_in(server.place, done.err, "what is said")


@case
def check_config_says_good_or_what_is_wrong():
    with Backend(echo) as backend:
        path = configuration(Store(leaf), backend, [leaf])
        done = clinch("serve", "--check-config", "-c", path)
        expect_equal(done.rc, 0, f"exit status\n{done}")
        with open(path, "a", encoding="ascii") as f:
            f.write("  nonsense: 1\n")
        done = clinch("serve", "--check-config", "-c", path)
        expect_equal(done.rc, 2, f"exit status\n{done}")
        expect_match(r":\d+:\d+: .*nonsense", done.err, "what is said")


@case
def systemd_is_told():
    path = os.path.join(new_tempdir(), "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(path)
        told.settimeout(10)
        with Serve(env={"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "2000000"}) as server:
            lines = told.recv(1000).split(b"\n")
            expect_in(b"READY=1", lines, "the first message")
            expect_equal(told.recv(1000), b"WATCHDOG=1", "the next one")
            server.hup()
            words = set()
            while not words & {b"READY=1"}:
                words |= set(told.recv(1000).split(b"\n"))
            expect_in(b"RELOADING=1", words, "the messages of a reload")
            server.terminate()
            while b"STOPPING=1" not in words:
                words |= set(told.recv(1000).split(b"\n"))


# --- many -------------------------------------------------------------------------------------------------------------------------


@case
def a_line_of_the_log_may_be_as_long_as_a_path():
    where = os.path.join(new_tempdir(), *["d" * 200] * 16)
    os.makedirs(where)
    long = copy.copy(leaf)
    long.chain_file = shutil.copy(leaf.chain_file, where)
    with Serve(certificates=[long]) as server:
        said = server.wait_event("stapled")[0]
        expect_equal(said["cert"], long.chain_file, "the certificate")
        expect(len(json.dumps(said)) > 3000, "a long line")


@case
def every_thread_serves():
    with Backend(echo) as backend, Serve(backend=backend, threads=4) as server:
        before = ticks(server)
        for _ in range(80):
            expect(echoes(server), "the echo")
        busy = [i for i, (was, now) in enumerate(zip(before, ticks(server))) if now > was]
        expect(len(busy) >= 3, f"of four threads these did something: {busy}")


def ticks(server):
    """How often each thread was switched to."""
    found = []
    for task in sorted(os.listdir(f"/proc/{server.process.pid}/task"))[1:]:
        with open(f"/proc/{server.process.pid}/task/{task}/status", encoding="ascii") as f:
            found.append(sum(int(line.split()[1]) for line in f if "ctxt_switches" in line))
    return found


def burst(server, n, threads=4):
    """n handshakes; every third ends well, the others are cut before or after it."""
    made = context()
    made.maximum_version = ssl.TLSVersion.TLSv1_2

    def some(count):
        for i in range(count):
            raw = socket.create_connection(server.address, timeout=10)
            if i % 9 == 8:
                raw.sendall(b"\x16\x03\x01")
                raw.close()
                continue
            stream = made.wrap_socket(raw, server_hostname="www.example.org")
            if i % 3 == 0:
                stream.sendall(b"x")
                stream.recv(1)
            stream.close()

    clients = [threading.Thread(target=some, args=(n // threads,), daemon=True) for _ in range(threads)]
    for client in clients:
        client.start()
    for client in clients:
        client.join(120)


@case
def descriptors_and_memory_stay_the_same():
    if SANITIZED:
        skip("a sanitizer keeps freed memory")
    with Backend(echo) as backend, Serve(backend=backend) as server:
        idle = server.descriptors()  # one that looks at a file has it open: there may be fewer later

        def settled(most):
            wait_for(lambda: server.descriptors() <= most, 10, f"{most} descriptors")
            return server.resident()

        burst(server, 400)
        first = settled(idle)
        idle = server.descriptors()
        burst(server, 2000)
        second = settled(idle)
        expect(second - first < (1 << 20), f"resident memory after 400 handshakes: {first}, after 2400: {second}")


@case
def reloads_leave_nothing_behind():
    if SANITIZED:
        skip("a sanitizer keeps freed memory")
    with Backend(echo) as backend, Serve(backend=backend) as server:
        def reload(n):
            for _ in range(n):
                done = len(server.events("reloaded"))
                server.hup()
                server.wait_event("reloaded", done + 1)

        idle = server.descriptors()
        reload(10)
        first = server.resident()
        reload(60)
        # the last thread to hear of a reload closes what was before it
        wait_for(lambda: server.descriptors() <= idle, 10, f"{idle} descriptors, as before the reloads")  # or a file less
        expect(server.resident() - first < (1 << 20), f"resident memory grew by {server.resident() - first}")


main()
