# SPDX-License-Identifier: LGPL-2.1-or-later
"""Restarts with every responder dead: what the store holds and is valid is stapled at the first handshake, whatever else is in it."""
import os
import random
import shutil
from datetime import timedelta

from harness import build_path, case, expect, expect_equal, expect_in, main, run
from cryptography.hazmat.primitives.hashes import SHA256

from pki import Pki
from shop import Shop, remove

SEES_ALL = os.geteuid() == 0  # root reads what nobody may read


@case
def what_serve_held_is_stapled_at_the_first_handshake_after_a_restart():
    shop = Shop("a.example", "b.example", "old.example")
    held = {name: shop.hold(name) for name in ("a.example", "b.example")}
    shop.hold("old.example", shop.pki.expired(shop.leaf["old.example"]))
    for _ in range(2):
        with shop.serve() as server:
            expect({n: server.staple(n) for n in held} == held, "the staples of the first handshakes")
            expect_equal(server.staple("old.example"), b"", "the staple that has ended")
            server.wait_said("b.example", "loaded")


@case
def what_a_keeper_held_is_stapled_after_a_restart_of_all():
    shop = Shop("a.example", "b.example")
    held = {name: shop.hold(name) for name in shop.leaf}
    for _ in range(2):
        with shop.keep() as keeper, shop.reader() as reader:
            expect({n: reader.staple(n) for n in held} == held, "the staples of the first handshakes")
            for name, der in held.items():
                shop.expect_fed(name, der)
        shutil.rmtree(shop.out)  # as /run is after a boot
        os.mkdir(shop.out)


@case
def openssl_and_clinch_check_accept_what_is_stapled_after_a_restart():
    shop = Shop("a.example")
    shop.hold("a.example")
    with shop.serve() as server:
        place = f"127.0.0.1:{server.port}"
        seen = run(["openssl", "s_client", "-connect", place, "-servername", "a.example", "-status", "-CAfile",
                    shop.pki.root.cert_file], input="")
        expect_in("OCSP Response Status: successful", seen.out, "openssl's words")
        expect_in("Cert Status: good", seen.out, "openssl's words")
        checked = run([build_path("clinch"), "check", "--require", "leaf", "--ca",
                       shop.pki.root.cert_file, "--connect", place, "a.example:443"])
        expect_equal(checked.rc, 0, f"exit status of clinch check\n{checked}\n")


# --- a store of another machine -----------------------------------------------------------------------------------------------------


@case
def a_store_of_another_machine_gives_its_own_and_nothing_else():
    shop = Shop("a.example", "b.example", "c.example", "d.example")
    held = shop.hold("a.example")
    strangers(shop)
    shop.hold("b.example", shop.pki.response(shop.leaf["a.example"]))  # about another certificate of the same CA
    other = Pki(os.path.join(shop.dir, "other"), label="other ")
    shop.hold("c.example", other.response(other.leaf("c.example")))  # of another CA, about another certificate
    shop.hold("d.example", shop.pki.response(shop.leaf["d.example"], sign_as=shop.leaf["a.example"]))  # nobody's
    files = sorted(os.listdir(shop.store))
    with shop.serve() as server, shop.reader() as reader:
        for at in (server, reader):
            expect_equal(at.staple("a.example"), held, "the staple that is its own")
            for name in ("b.example", "c.example", "d.example"):
                expect_equal(at.staple(name), b"", f"the staple of {name}")
        for name in ("b.example", "c.example", "d.example"):
            server.wait_said(name, shop.path(name), "not believed")
        expect(reader.wait_said(".der", "not believed")["level"] == "warning", "what the reader says")
    expect_equal(sorted(n for n in os.listdir(shop.store) if n != ".lock"), files, "the files of the store")


def strangers(shop):
    """Responses for certificates that are not here, and what else lies about."""
    other = Pki(os.path.join(shop.dir, "stranger"), label="stranger ")
    for i in range(20):
        leaf = other.leaf(f"stranger{i}.example")
        with open(os.path.join(shop.store, leaf.cert.fingerprint(SHA256()).hex() + ".der"), "wb") as f:
            f.write(other.response(leaf))
    for name in ("README", "." + "x" * 200, "backup.tar", "0" * 64 + ".DER"):
        with open(os.path.join(shop.store, name), "wb") as f:
            f.write(b"nothing of ours")
    os.mkdir(os.path.join(shop.store, "lost+found"))


# --- files that are no responses ---------------------------------------------------------------------------------------------------------


def write(path, data):
    with open(path, "wb") as f:
        f.write(data)


def huge(path, der):
    with open(path, "wb") as f:
        f.write(der)
        f.truncate(4 << 30)  # without a block behind it


def flipped(path, der):
    write(path, der[:-5] + bytes([der[-5] ^ 1]) + der[-4:])


def unreadable(path, der):
    write(path, der)
    os.chmod(path, 0)


def linked(path, der):
    write(path + ".elsewhere", der)
    os.symlink(path + ".elsewhere", path)


DAMAGE = {  # what is at the path instead of a response: made by, what the log says
    "truncated": (lambda path, der: write(path, der[:len(der) // 2]), "not believed"),
    "one-bit": (flipped, "not believed"),
    "empty": (lambda path, der: write(path, b""), "not believed"),
    "zeroes": (lambda path, der: write(path, bytes(len(der))), "not believed"),
    "noise": (lambda path, der: write(path, random.Random(1).randbytes(3000)), "not believed"),
    "trailing": (lambda path, der: write(path, der + b"\n"), "not believed"),
    "pem": (lambda path, der: write(path, b"-----BEGIN OCSP RESPONSE-----\n"), "not believed"),
    "huge": (huge, "larger than"),
    "fifo": (lambda path, der: os.mkfifo(path), "regular"),
    "directory": (lambda path, der: os.mkdir(path), "regular"),
    "link": (linked, "cannot be opened"),
    **({} if SEES_ALL else {"unreadable": (unreadable, "Permission denied")}),
}


def damaged_shop():
    shop = Shop("healthy.example", *(f"{kind}.example" for kind in DAMAGE))
    for kind, (make, _) in DAMAGE.items():
        make(shop.path(f"{kind}.example"), shop.pki.response(shop.leaf[f"{kind}.example"]))
    return shop, shop.hold("healthy.example")


def expect_damage_passed_over(shop, server, held):
    expect_equal(server.staple("healthy.example"), held, "the staple of the healthy one")
    for kind in DAMAGE:
        expect_equal(server.staple(f"{kind}.example"), b"", f"the staple of {kind}")


@case
def damaged_files_are_named_and_passed_over_and_followed_when_they_are_good():
    shop, held = damaged_shop()
    with shop.serve() as server:
        expect_damage_passed_over(shop, server, held)
        for kind, (_, words) in DAMAGE.items():
            server.wait_said(f"{kind}.example", shop.path(f"{kind}.example"), words)
        good = {}
        for kind in DAMAGE:
            remove(shop.path(f"{kind}.example"))
            good[kind] = shop.hold(f"{kind}.example")
        for kind, der in good.items():
            server.wait_staple(f"{kind}.example", der)
        expect_equal(server.staple("healthy.example"), held, "the staple of the healthy one")


@case
def a_keeper_writes_over_damaged_files_what_comes_by_hand():
    shop, held = damaged_shop()
    with shop.keep() as keeper, shop.reader() as reader:
        expect_damage_passed_over(shop, reader, held)
        good = {}
        for kind, (_, words) in DAMAGE.items():
            name = f"{kind}.example"
            keeper.wait_said(name, shop.path(name), words)
            good[name] = shop.pki.response(shop.leaf[name], this_update=timedelta(minutes=-30))
            done = shop.put(name, good[name])
            expect_equal(done.rc, 0, f"exit status of put over {kind}\n{done}\n")
        keeper.wait_said("error", shop.path("directory.example"))
        for name, der in good.items():
            if name != "directory.example":
                reader.wait_staple(name, der)
        shop.expect_fed("directory.example", good["directory.example"])  # of memory
        remove(shop.path("directory.example"))
        reader.wait_staple("directory.example", good["directory.example"])
        keeper.wait_said("can be written again")


main()
