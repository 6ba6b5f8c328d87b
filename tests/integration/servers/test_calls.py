# SPDX-License-Identifier: LGPL-2.1-or-later
"""The system calls of the daemons at work are among those that their units allow, by strace and systemd's own lists."""
import os
import re
import shutil

from authority import Authority
from fed import LONG_S, Scene, begin, wait_staple, wears
from harness import build_path, case, expect, expect_equal, free_port, main, new_tempdir, run, skip, start, wait_for
from pki import Pki
from scene import NO_PROXY


def needs_tools():
    if not shutil.which("systemd-analyze") or not shutil.which("strace"):
        skip("there is no strace, or no systemd-analyze")
    if os.environ.get("CLINCH_SANITIZE", "none") != "none":
        skip("a sanitizer's own calls are not the daemon's")
    if run(["strace", "-o", "/dev/null", "true"]).rc != 0:
        skip("strace may not trace here")


def calls_of(group):
    lines = [line.strip() for line in run(["systemd-analyze", "syscall-filter", group]).out.splitlines()[1:]]
    names = [line for line in lines if line and not line.startswith("#")]
    return {n for n in names if n[0] != "@"}.union(*(calls_of(n) for n in names if n[0] == "@"))


def allowed_by(unit):
    """SystemCallFilter= of the unit, as systemd.exec(5) reads it: what is listed first, without what follows a tilde."""
    allowed = set()
    with open(build_path("packaging", "systemd", unit)) as f:
        for value in re.findall(r"^SystemCallFilter=(.*)$", f.read(), re.M):
            calls = set().union(*(calls_of(word) if word[0] == "@" else {word} for word in value.lstrip("~").split()))
            allowed = allowed - calls if value[0] == "~" else allowed | calls
    expect(len(allowed) > 100, f"{unit} allows something")
    return allowed


def outside(log, unit):
    with open(log, errors="replace") as f:
        seen = set(re.findall(r"^\d+ +(\w+)\(", f.read(), re.M))
    expect({"inotify_add_watch", "connect", "fsync"} & seen and len(seen) > 20, f"strace saw the daemon at work: {sorted(seen)}")
    return sorted(seen - allowed_by(unit))


@case
def those_of_the_keeper():
    needs_tools()
    with Authority() as ca:
        scene = Scene(ca, lambda s: [f'{{ der: "{s.out}/x.der" }}', "{ run: [ /bin/true ], after: 100ms, at_most_every: 1s }"])
        scene.first()
        log, argv = os.path.join(new_tempdir(), "strace"), scene.keep.argv
        scene.keep.argv = lambda *options: ["strace", "-f", "-o", log, *argv(*options)]
        begin(scene)
        scene.renew()
        scene.keep.wait_held(scene.leaf)
        scene.keep.wait_event("notice", text="ran for")
        scene.keep.stop()
        expect_equal(outside(log, "clinch-keep.service"), [], "calls that the unit refuses")


@case
def those_of_serve_and_its_child():
    needs_tools()
    with Authority() as ca:
        scene = Scene(ca, lambda s: [f'{{ der: "{s.out}/x.der" }}'])
        ca.life_s, ca.age_s = LONG_S, 0
        log, port, ready = os.path.join(new_tempdir(), "strace"), free_port(), os.path.join(scene.where, "ready")
        serve = start(["strace", "-f", "-o", log, build_path("clinch"), "serve", "--listen", f"127.0.0.1:{port}", "--backend",
                       f"127.0.0.1:{free_port()}", "--cert", scene.chain, "--key", scene.key, "--store", scene.keep.store,
                       "--ready-file", ready, "--allow-root"], ready=f"path:{ready}", seconds=30, env=NO_PROXY)
        wait_staple(scene, port)
        scene.renew()
        wait_for(lambda: wears(scene, port, []), 15, "the renewed certificate")
        serve.stop(15)
        expect_equal(outside(log, "clinch-serve.service"), [], "calls that the unit refuses")


@case
def those_of_respond():
    needs_tools()
    pki = Pki(new_tempdir())
    leaf, delegate, issuer = pki.leaf("leaf"), pki.delegate(), pki.intermediate
    where = new_tempdir()
    log, ready, index = (os.path.join(where, name) for name in ("strace", "ready", "index.txt"))
    shutil.copy(pki.index([leaf]), index)
    respond = start(["strace", "-f", "-o", log, build_path("clinch"), "respond", "--listen", "127.0.0.1:0", "--ca", issuer.cert_file,
                     "--signer", delegate.cert_file, "--key", delegate.key_file, "--index", index, "--prepare", "both", "--metrics",
                     f"127.0.0.1:{free_port()}", "--ready-file", ready, "--allow-root"], ready=f"path:{ready}", seconds=30)
    with open(ready) as f:
        url = f"http://{f.read().strip()}/"

    def says(word):
        return word in run(["openssl", "ocsp", "-issuer", issuer.cert_file, "-cert", leaf.cert_file, "-url", url, "-CAfile",
                            pki.root.cert_file, "-partial_chain", "-trust_other", "-VAfile", delegate.cert_file]).out

    wait_for(lambda: says("good"), 15, "a good answer")
    shutil.copy(pki.index([leaf], [leaf], "revoked.txt"), index + ".new")
    os.rename(index + ".new", index)
    wait_for(lambda: says("revoked"), 15, "the revocation")
    respond.stop(15)
    expect_equal(outside(log, "clinch-respond.service"), [], "calls that the unit refuses")


main()
