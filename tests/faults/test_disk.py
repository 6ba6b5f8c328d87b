# SPDX-License-Identifier: LGPL-2.1-or-later
"""A disk that is full, read-only, or whose store is deleted: what is held and valid stays stapled, and when the disk is good again all
is as before without anybody's help. The disk is a tmpfs of 1 MiB in a mount namespace of this test's own; where that is not allowed
(in a chroot), a limit on the size of files."""
import ctypes
import os
import resource
import shutil
import sys
from datetime import timedelta

from harness import build_path, case, expect, expect_equal, expect_in, main, new_tempdir, run, skip, tempdir, wait_for
from shop import Shop

INSIDE = "CLINCH_TEST_INSIDE"
MS_RDONLY, MS_REMOUNT = 1, 32
libc = ctypes.CDLL(None, use_errno=True)

if INSIDE not in os.environ and shutil.which("unshare") and run(["unshare", "--user", "--map-root-user", "--mount", "true"]).rc == 0:
    os.execvpe("unshare", ["unshare", "--user", "--map-root-user", "--mount", sys.executable, *sys.argv], {**os.environ, INSIDE: "1"})


class Disk:
    """A file system of 1 MiB."""

    def __init__(self):
        if INSIDE not in os.environ:
            skip("nobody may mount here")
        tempdir()  # the first directory is that of the logs
        self.path = new_tempdir()
        self.mount(0)
        self.store = os.path.join(self.path, "store")
        os.mkdir(self.store)

    def mount(self, flags):
        if libc.mount(b"none", self.path.encode(), b"tmpfs", flags, b"size=1m"):
            raise OSError(ctypes.get_errno(), "mount")

    def read_only(self):
        self.mount(MS_REMOUNT | MS_RDONLY)

    def writable(self):
        self.mount(MS_REMOUNT)

    def fill(self):
        with open(os.path.join(self.path, "filler"), "wb", buffering=0) as f:
            try:
                while f.write(bytes(4096)):
                    pass
            except OSError:
                pass
        expect_equal(os.statvfs(self.path).f_bavail, 0, "free blocks")

    def empty(self):
        os.unlink(os.path.join(self.path, "filler"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        libc.umount2(self.path.encode(), 2)  # MNT_DETACH


def newer(shop, name):
    return shop.pki.response(shop.leaf[name], this_update=timedelta(minutes=-30))


def a_restart(shop, held):
    """The first handshakes of both kinds of servers."""
    with shop.serve() as server:
        expect({n: server.staple(n) for n in held} == held, "what serve staples at its first handshakes")
        server.wait_said("keeper-started")
        expect(not server.said("keeper-ended"), "its keeper has ended")
    with shop.reader() as reader:
        expect({n: reader.staple(n) for n in held} == held, "what a reader of the store staples at its first handshakes")


def a_newer_one_is_kept_in_memory(shop, keeper, name, words):
    """`clinch put` stands for a responder that comes back."""
    before, der = shop.held(name), newer(shop, name)
    done = shop.put(name, der)
    expect_equal(done.rc, 0, f"exit status of put\n{done}\n")
    said = keeper.wait_said("error", shop.path(name), words, "kept in memory")
    expect_equal(said["path"], shop.store, "the path of the message")
    expect_equal(shop.held(name), before, "what is on disk")
    shop.expect_fed(name, der)
    return der


def it_is_written_when_it_can_be(shop, keeper, reader, name, der):
    reader.wait_staple(name, der)
    keeper.wait_said("can be written again")
    expect_equal(shop.held(name), der, "what is on disk")
    expect_equal(leftovers(shop), [], "temporary files")


def leftovers(shop):
    return [n for n in os.listdir(shop.store) if n.startswith(".clinch-")]


@case
def a_full_disk():
    with Disk() as disk:
        shop = Shop("a.example", "b.example", store=disk.store)
        held = {name: shop.hold(name) for name in shop.leaf}
        disk.fill()
        a_restart(shop, held)
        with shop.keep() as keeper, shop.reader() as reader:
            shop.expect_fed("b.example", held["b.example"])
            der = a_newer_one_is_kept_in_memory(shop, keeper, "a.example", "No space left on device")
            expect_equal(reader.staple("a.example"), held["a.example"], "the staple meanwhile")
            disk.empty()
            it_is_written_when_it_can_be(shop, keeper, reader, "a.example", der)


@case
def a_read_only_disk():
    with Disk() as disk:
        shop = Shop("a.example", "b.example", store=disk.store)
        held = {name: shop.hold(name) for name in shop.leaf}
        disk.read_only()
        a_restart(shop, held)
        with shop.keep() as keeper, shop.reader() as reader:
            shop.expect_fed("b.example", held["b.example"])
            der = a_newer_one_is_kept_in_memory(shop, keeper, "a.example", "Read-only file system")
            second = run([build_path("clinch"), "keep", "-c", shop.conf(), "--allow-root"])
            expect_equal(second.rc, 2, f"exit status of a second keeper\n{second}\n")
            expect_in("writes to this store already", second.err, "its words")
            expect_equal(reader.staple("a.example"), held["a.example"], "the staple meanwhile")
            disk.writable()
            it_is_written_when_it_can_be(shop, keeper, reader, "a.example", der)


@case
def a_disk_that_takes_no_more_bytes_where_nobody_may_mount_one():
    shop = Shop("a.example", "b.example")
    held = {name: shop.hold(name) for name in shop.leaf}
    # its log goes through a process without the limit
    unlimited = ["bash", "-c", 'exec "$@" 2> >(exec cat >&2)', "bash", "env", "--ignore-signal=XFSZ"]
    with shop.keep(around=unlimited) as keeper, shop.reader() as reader:
        hard = resource.prlimit(keeper.process.pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(keeper.process.pid, resource.RLIMIT_FSIZE, (16, hard))
        before, der = held["a.example"], newer(shop, "a.example")
        expect_equal(shop.put("a.example", der).rc, 0, "exit status of put")
        keeper.wait_said("error", shop.path("a.example"), "File too large", "kept in memory")
        expect_equal(reader.staple("a.example"), before, "the staple meanwhile")
        expect_equal(leftovers(shop), [], "temporary files")
        resource.prlimit(keeper.process.pid, resource.RLIMIT_FSIZE, (hard, hard))
        it_is_written_when_it_can_be(shop, keeper, reader, "a.example", der)


# --- a store that is deleted ------------------------------------------------------------------------------------------------------


@case
def a_store_that_is_deleted_under_serve():
    shop = Shop("a.example", "b.example")
    held = {name: shop.hold(name) for name in shop.leaf}
    with shop.serve() as server:
        server.wait_said("loaded", "b.example")
        shutil.rmtree(shop.store)
        for name, der in held.items():
            expect_equal(server.staple(name), der, f"the staple of {name} without a store")
        server.wait_said("warning", shop.store, "made anew")
        for name, der in held.items():
            wait_for(lambda n=name, d=der: os.path.exists(shop.path(n)) and shop.held(n) == d, 10, f"{name} in the new store")
        server.wait_staple("a.example", shop.hold("a.example", newer(shop, "a.example")))
        expect_equal(server.staple("b.example"), held["b.example"], "the staple of the other")


@case
def a_store_that_is_deleted_under_a_keeper():
    shop = Shop("a.example", "b.example")
    held = {name: shop.hold(name) for name in shop.leaf}
    with shop.keep() as keeper, shop.reader() as reader:
        keeper.wait_said("loaded", "b.example")
        shutil.rmtree(shop.store)
        with open(shop.store, "wb"):
            pass  # nor can it be made anew
        keeper.wait_said("error", shop.store, "kept in memory")
        for name, der in held.items():
            expect_equal(reader.staple(name), der, f"the staple of {name} without a store")
        os.unlink(shop.store)
        keeper.wait_said("warning", shop.store, "made anew")
        der = newer(shop, "a.example")
        expect_equal(shop.put("a.example", der).rc, 0, "exit status of put")
        reader.wait_staple("a.example", der)
        expect_equal(reader.staple("b.example"), held["b.example"], "the staple of the other")


@case
def a_store_that_comes_back_where_nobody_keeps_it():
    shop = Shop("a.example")
    held = shop.hold("a.example")
    with shop.reader() as reader:
        os.rename(shop.store, shop.store + ".away")
        expect_equal(reader.staple("a.example"), held, "the staple without a store")
        os.mkdir(shop.store)
        reader.wait_staple("a.example", shop.hold("a.example", newer(shop, "a.example")))


main()
