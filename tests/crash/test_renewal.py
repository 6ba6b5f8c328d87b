# SPDX-License-Identifier: LGPL-2.1-or-later
"""Certificates change under `clinch serve` in every way, and clients in a loop never meet one without its staple."""
import os

from harness import case, expect, expect_equal, main, new_tempdir, wait_for
from scene import put
from stage import SANITIZED, Estate, Front, Remembering, Shaking, shake_once

THOUSAND = 1000
SHORT_S = 20 if SANITIZED else 12
STILL = ("still0", "still1", "still2")
CHANGING = ("renewed", "rekeyed", "rechained", "half", "removed", "pending")
PATIENCE_S = 60 if SANITIZED else 20


class World:
    """Certificates of which some change; clients that shake hands for all of them."""

    def __init__(self, ca):
        self.ca, self.dir, ca.life_s = ca, new_tempdir(), 3600
        self.first = {name: self.leaf(name) for name in STILL + CHANGING}
        for name in STILL:
            ca.life_of[self.first[name].serial] = SHORT_S
        self.files = {name: self.place(name, leaf) for name, leaf in self.first.items()}
        self.front = Front(Estate(ca, []), keeper=True, entries=list(self.files.values()), settings="ready_timeout: 40s")
        self.shaking = Shaking(self.front.port, ca.pki.root.cert_file, [self.host(name) for name in self.first])

    @staticmethod
    def host(name):
        return name + ".example.org"

    def leaf(self, name, **more):
        return self.ca.leaf(self.host(name), **more)

    def place(self, name, leaf):
        """Its key, then its chain, each as a whole."""
        chain, key = os.path.join(self.dir, name + ".pem"), os.path.join(self.dir, name + ".key")
        with open(leaf.key_file, "rb") as there, open(key + ".new", "wb") as here:
            here.write(there.read())
        os.replace(key + ".new", key)
        put(leaf, chain)
        return chain, key

    def last(self, name):
        return self.shaking.last(self.host(name))

    def wait_for(self, name, is_so, what):
        return wait_for(lambda: (seen := self.last(name)) and seen.state == "stapled" and is_so(seen), PATIENCE_S, f"{what} of {name}")

    def wait_said(self, name):
        wait_for(lambda: any(f"/{name}.pem" in line for line in self.front.events("refresh-failed")), PATIENCE_S,
                 f"the log to say that {name} cannot be used")

    def wait_passed(self):
        """Everyone was served again, and the still ones have a newer staple than at this moment."""
        was = {name: self.last(name).this_update for name in STILL}
        for name in STILL:
            self.wait_for(name, lambda seen, before=was[name]: seen.this_update > before, "a newer staple")

    # -- the changes

    def renew(self, name, **more):
        new = self.leaf(name, label=name + " again", **more)
        self.place(name, new)
        self.wait_for(name, lambda seen: seen.is_of(new), "the renewed certificate")

    def change_chain(self):
        with open(self.files["rechained"][0] + ".new", "wb") as f:
            f.write(b"".join(i.pem for i in self.first["rechained"].chain()) + self.ca.pki.root.pem)
        os.replace(f.name, self.files["rechained"][0])
        self.wait_for("rechained", lambda seen: seen.n == 3, "the longer chain")

    def write_half(self):
        new = self.leaf("half", label="half again")
        whole = b"".join(i.pem for i in new.chain())
        with open(new.key_file, "rb") as there, open(self.files["half"][1], "wb") as key:
            key.write(there.read())
        with open(self.files["half"][0], "wb") as chain:
            chain.write(whole[:300])
            chain.flush()
            self.wait_said("half")
            expect(self.last("half").is_of(self.first["half"]), "the old one went")
            chain.write(whole[300:])
        self.wait_for("half", lambda seen: seen.is_of(new), "the one that was half-written")

    def remove(self):
        chain = self.files["removed"][0]
        os.rename(chain, chain + ".away")
        self.wait_said("removed")
        return lambda: os.rename(chain + ".away", chain)

    def add_a_thousand(self):
        key, new_key = self.ca.pki.new_key(), self.ca.pki.new_key
        self.ca.pki.new_key = lambda kind=None: key
        new = [self.leaf(f"new{i}", label=f"new{i}") for i in range(THOUSAND)]
        self.ca.pki.new_key = new_key
        self.front.configure([*self.files.values(), *((leaf.chain_file, leaf.key_file) for leaf in new)])
        self.front.reload(seconds=60)
        some = {self.host(leaf.label): leaf for leaf in new[::THOUSAND // 20]}
        for name, seen in shake_once(self.front.port, self.ca.pki.root.cert_file, some).items():
            expect(seen.state == "stapled" and seen.is_of(some[name]), f"one of the thousand: {seen.line}")

    def renew_too_early(self):
        """The responder does not know the new one yet."""
        new = self.leaf("pending", label="pending again")
        self.ca.mode[new.serial] = "unauthorized"
        self.place("pending", new)
        wait_for(lambda: self.ca.asked(new) > 0, PATIENCE_S, "the keeper to ask about the new one")


def check_all(world, seen, handshakes):
    gaps = [s.line for s in seen if s.state != "stapled"]
    expect_equal(gaps[:10], [], f"handshakes without a good staple, of {handshakes}")
    for name in STILL:
        lines = [s for s in seen if s.name == world.host(name)]
        expect(all(s.is_of(world.first[name]) for s in lines), f"{name} was served with another certificate")
        times = [s.this_update for s in lines]
        expect(times == sorted(times) and len(set(times)) > 1, f"{name}'s staples: {times}")
    expect(all(s.is_of(world.first[n]) for n in ("pending", "removed") for s in seen if s.name == world.host(n)),
           "what cannot be stapled yet, or was removed, took the place of what is")


@case
def no_client_meets_a_certificate_without_its_staple_while_others_change():
    with Remembering() as ca:
        world = World(ca)
        for name in world.first:
            world.wait_for(name, lambda seen, leaf=world.first[name]: seen.is_of(leaf), "the first handshake")
        world.renew("renewed")
        world.renew("rekeyed", kind="rsa")
        world.change_chain()
        world.write_half()
        put_back = world.remove()
        put_back()
        world.add_a_thousand()
        world.renew_too_early()
        world.wait_passed()
        seen, handshakes = world.shaking.stop()
        check_all(world, seen, handshakes)
        print(f"#| {handshakes} handshakes, {THOUSAND} certificates added")


main()
