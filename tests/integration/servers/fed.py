# SPDX-License-Identifier: LGPL-2.1-or-later
"""A certificate in a file, a keeper that watches it, and a server that is fed by the keeper's outputs.

The certificate is must-staple: GnuTLS's client refuses it without a good staple. Responses live for seconds first."""
import os
import re
import time

from authority import Authority
from harness import clinch, expect_equal, new_tempdir, run, tempdir, wait_for
from scene import Keep, put

NAME = "www.example.org"
# A user's PATH need not have them.
SBIN = {"PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}
# The first response is half over 6 s after it came, and is refreshed about then. HAProxy does not staple its last five minutes.
LIFE_S, AGE_S, LONG_S = 720, 360 - 6, 86400


class Scene:
    """`outputs(scene)` gives the entries of keep.outputs. The chain is at .chain, its key at .key, both together at .both, and
    files for the server go to .out."""

    def __init__(self, ca, outputs):
        self.ca, self.where, self.out = ca, new_tempdir(), new_tempdir()
        self.chain, self.key, self.both = (os.path.join(self.where, n) for n in ("fullchain.pem", "privkey.pem", "both.pem"))
        ca.life_s, ca.age_s = LIFE_S, AGE_S
        self.renewals = 0
        self.renew()
        entries = "".join(f"    - {entry}\n" for entry in outputs(self))
        self.keep = Keep(self.chain, settings="ready_timeout: 60s\n  outputs:\n" + entries)

    def renew(self):
        """Another certificate and key of the same name appear: the key first, as certbot does it."""
        self.renewals += 1
        self.leaf = self.ca.leaf(NAME, must_staple=True, label=f"leaf-{self.renewals}", days=90 + self.renewals)
        self._replace(self.key, open_bytes(self.leaf.key_file))
        self._replace(self.both, open_bytes(self.leaf.chain_file) + open_bytes(self.leaf.key_file))
        put(self.leaf, self.chain)

    @staticmethod
    def _replace(path, data):
        with open(path + ".new", "wb") as f:
            f.write(data)
        os.replace(path + ".new", path)

    def first(self):
        """As docs/servers.md begins: one run, which leaves the files that the server asks for at its start."""
        done = self.keep.once()
        expect_equal(done.rc, 0, f"exit status of keep --once\n{done}")

    def check(self, port, *more):
        done = clinch("check", "--json", "--ca", self.ca.pki.root.cert_file, *more, "--connect", f"127.0.0.1:{port}", NAME)
        return done.rc, done.jsonlines[0]


def signalled(scene, name, more="after: 200ms, at_most_every: 1s"):
    """An output that sends a signal to the server of the file .where/pid, if there is one."""
    return f"""{{ run: [ /bin/sh, -c, 'test ! -s {scene.where}/pid || kill -{name} $(cat {scene.where}/pid)' ], {more} }}"""


def open_bytes(path):
    with open(path, "rb") as f:
        return f.read()


def staple_of(answer):
    chain = answer.get("chain")
    return chain[0]["staple"] if chain else {"verdict": answer["reason"], "present": False}


def wait_staple(scene, port, *more, other_than=None, seconds=15, every_s=0):
    """What `clinch check` accepts: a good staple, whose thisUpdate is another one."""

    def good():
        time.sleep(every_s)  # where the wait is long: a handshake is not free
        rc, answer = scene.check(port, *more)
        staple = staple_of(answer)
        if rc == 0 and staple["verdict"] == "good" and staple["this_update"] != other_than:
            return staple
        return None

    return wait_for(good, seconds, "a good staple" + (f" other than that of {other_than}" if other_than else "")
                    + f"; clinch check says {scene.check(port, *more)}")


def accepted_by_all(scene, port, starttls=None):
    """The three clients: a staple for the newest certificate, the very bytes that the keeper holds. A server that was reloaded
    may have its old workers accept for a moment, so each has a deadline."""
    more = ["--starttls", starttls] if starttls else []
    wait_staple(scene, port, *more)
    for client in (ask_gnutls, ask_openssl):
        wait_for(lambda c=client: c(scene, port, starttls) is None, 20, f"{client.__name__}: {client(scene, port, starttls)}")


def ask_openssl(scene, port, starttls):
    """None: all is well."""
    argv = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-servername", NAME, "-verify_hostname", NAME, "-status",
            "-CAfile", scene.ca.pki.root.cert_file, "-verify_return_error"]
    done = run(argv + (["-starttls", starttls] if starttls else []), input="")
    serial = re.search(r"^ *Serial Number: ([0-9A-F]+)$", done.out, re.M)
    well = (done.rc == 0 and "OCSP Response Status: successful" in done.out and "Cert Status: good" in done.out
            and serial and int(serial.group(1), 16) == scene.leaf.serial)
    return None if well else f"not accepted, or not the staple of the certificate:\n{done}"


def ask_gnutls(scene, port, starttls):
    """None: all is well. It refuses a must-staple certificate whose staple is missing or wrong."""
    saved = os.path.join(tempdir(), "saved.der")
    argv = ["gnutls-cli", "--port", port, "--x509cafile", scene.ca.pki.root.cert_file, "--sni-hostname", NAME, "--verify-hostname",
            NAME, "--save-ocsp", saved]
    done = run(argv + ([f"--starttls-proto={starttls}"] if starttls else []) + ["127.0.0.1"], input="")
    if done.rc != 0 or "The certificate is trusted." not in done.out:
        return f"not accepted:\n{done}"
    return None if open_bytes(saved) == open_bytes(scene.keep.path_of(scene.leaf)) else f"other bytes than the keeper's:\n{done}"


def no_complaints(scene):
    """Nothing in the keeper's log is a warning or worse."""
    complaints = [e for e in scene.keep.events() if e["level"] in ("error", "warning")]
    expect_equal(complaints, [], "complaints of the keeper")


def follows(scene, port, starttls=None, seconds=15):
    """The keeper begins; the server has the refreshed response, and after a renewal that of the new certificate."""
    more = ["--starttls", starttls] if starttls else []
    at_start = wait_staple(scene, port, *more)["this_update"]
    begin(scene)
    wait_staple(scene, port, *more, other_than=at_start, seconds=seconds)
    accepted_by_all(scene, port, starttls)
    scene.renew()
    wait_for(lambda: wears(scene, port, more), seconds, f"the renewed certificate; clinch check says {scene.check(port, *more)}")
    wait_staple(scene, port, *more, seconds=seconds)
    accepted_by_all(scene, port, starttls)
    no_complaints(scene)


def begin(scene):
    """The keeper runs, and has a newer response than that of first()."""
    scene.ca.life_s, scene.ca.age_s = LONG_S, 0
    scene.keep.start()
    scene.keep.wait_event("refreshed", seconds=60)


def wears(scene, port, more):
    """Whether the server's certificate is that of the file."""
    _, answer = scene.check(port, *more)
    chain = answer.get("chain")
    return bool(chain) and int(chain[0]["serial"], 16) == scene.leaf.serial
