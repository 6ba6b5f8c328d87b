# SPDX-License-Identifier: LGPL-2.1-or-later
"""packaging/systemd: the units as they are built, read by systemd; what the shell in one of them does; and whether the
configurations of docs/servers.md are such."""
import os
import re
import shutil

from authority import Authority
from fed import Scene
from harness import build_path, case, expect, expect_equal, expect_in, expect_not_in, main, new_tempdir, run, skip, source_path

BUILT = ("clinch-keep.service", "clinch-serve.service", "clinch-respond.service")
WRITTEN = ("clinch-reload@.path", "clinch-reload@.service")


def text_of(name):
    path = build_path("packaging", "systemd", name) if name in BUILT else source_path("packaging", "systemd", name)
    with open(path) as f:
        return f.read()


def verify(change=lambda name, text: text):
    """systemd-analyze verify of all units together; the command is the built one, as nothing is installed."""
    if not shutil.which("systemd-analyze"):
        skip("there is no systemd-analyze")
    where = new_tempdir()
    paths = []
    for name in BUILT + WRITTEN:
        paths.append(os.path.join(where, name.replace("@.", "@nginx.")))
        text = re.sub(r"^ExecStart=\S+/clinch ", f"ExecStart={build_path('clinch')} ", text_of(name), flags=re.M)
        with open(paths[-1], "w") as f:
            f.write(change(name, text))
    done = run(["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", *paths])
    return done.rc, "".join(line for line in done.err.splitlines(True) if where in line or "clinch" in line)


@case
def the_units_are_clean():
    expect_equal(verify(), (0, ""), "exit status and complaints of systemd-analyze verify")


@case
def an_unknown_line_and_a_missing_command_would_be_found():
    _, said = verify(lambda name, text: text.replace("NoNewPrivileges=", "NoNewPrivilegs="))
    expect_in("NoNewPrivilegs", said, "what systemd-analyze says of a misspelt setting")
    rc, said = verify(lambda name, text: text.replace(build_path("clinch"), "/nonexistent/clinch"))
    expect("/nonexistent/clinch" in said and rc != 0, f"a command that is not there is found: {rc} {said}")


@case
def the_command_of_each_unit_is_one_that_the_daemon_takes():
    with Authority() as ca:
        scene = Scene(ca, lambda s: [f'{{ der: "{s.out}/x.der" }}'])
        with open(scene.keep.conf, "a") as f:
            f.write(f'serve: {{ listen: [ "127.0.0.1:0" ], backend: "127.0.0.1:1", certificates: [ {{ chain: {scene.chain}, '
                    f"key: {scene.key} }} ] }}\n"
                    f'respond: {{ listen: [ "127.0.0.1:0" ], relay: true }}\n')
        os.makedirs(scene.keep.store, exist_ok=True)
        for name in BUILT:
            words = re.search(r"^ExecStart=(.*)$", text_of(name), re.M).group(1).split()
            argv = [build_path("clinch")] + [scene.keep.conf if w == "/etc/clinch/clinch.yaml" else w for w in words[1:]]
            expect(scene.keep.conf in argv, f"{name} names the configuration")
            done = run(argv + ["--allow-root", "--check-config"])
            expect_equal(done.rc, 0, f"exit status of the command of {name}\n{done}")


def blocks(language):
    with open(source_path("docs", "servers.md")) as f:
        return re.findall(rf"^```{language}\n(.*?)^```$", f.read(), re.M | re.S)


@case
def the_configurations_and_scripts_of_the_recipes_are_taken():
    recipes = [text for text in blocks("yaml") if text.startswith("keep:")]
    expect_equal(len(recipes), 6, "recipes with a configuration")
    run_entry = [text for text in blocks("yaml") if not text.startswith("keep:")]
    for text in recipes + [recipes[0] + entry for entry in run_entry]:
        done = run([build_path("clinch"), "keep", "-c", "-", "--check-config"], input=text)
        expect_equal(done.rc, 0, f"exit status for\n{text}\n{done}")
    for text in blocks("sh"):
        expect_equal(run(["/bin/sh", "-n"], input=text).rc, 0, f"exit status of the shell for\n{text}")


@case
def the_store_the_socket_and_the_files_of_the_recipes_are_where_the_unit_lets_it_write():
    unit = text_of("clinch-keep.service")
    state = re.search(r"^StateDirectory=(.*)$", unit, re.M).group(1).split()
    defaults = run([build_path("clinch"), "keep", "--print-defaults"]).out
    expect_in("store: /var/lib/" + state[0] + "/store", defaults, "the store's default")
    expect_in("socket: /run/" + re.search(r"^RuntimeDirectory=(.*)$", unit, re.M).group(1) + "/", defaults, "the socket's default")
    with open(source_path("docs", "servers.md")) as f:
        files = re.findall(r"(?:der|pem): /var/lib/(\S+)/\{name\}", f.read())
    expect(files, "docs/servers.md has files below /var/lib")
    expect_equal([f for f in files if f not in state], [], "directories of docs/servers.md that the unit does not make")


@case
def the_unit_that_reloads_looks_again_when_something_changed_meanwhile():
    where = new_tempdir()
    changed, log = os.path.join(where, ".changed"), os.path.join(where, "log")
    open(changed, "w").close()
    with open(os.path.join(where, "systemctl"), "w") as f:
        f.write(f'#!/bin/sh\n[ -s {log} ] || touch -d tomorrow {changed}\necho "$@" >>{log}\n')
    os.chmod(os.path.join(where, "systemctl"), 0o755)
    shell = re.search(r"^ExecStart=/bin/sh -ec '(.*)'$", text_of("clinch-reload@.service"), re.M).group(1)
    shell = shell.replace("%i", "nginx").replace("$$", "$").replace("%%", "%").replace("/var/lib/clinch/nginx/.changed", changed)
    expect_not_in("/var/lib", shell, "the shell's path is this test's")
    done = run(["/bin/sh", "-ec", shell], env={"PATH": where + ":" + os.environ["PATH"]})
    expect_equal(done.rc, 0, f"exit status\n{done}")
    with open(log) as f:
        expect_equal(f.read().splitlines(), ["try-reload-or-restart nginx.service"] * 2, "reloads")


@case
def the_user_is_one_that_systemd_can_make():
    if not shutil.which("systemd-sysusers"):
        skip("there is no systemd-sysusers")
    root = new_tempdir()
    os.mkdir(os.path.join(root, "etc"))
    done = run(["systemd-sysusers", "--dry-run", "--root", root, source_path("packaging", "systemd", "clinch.sysusers")])
    expect_equal(done.rc, 0, f"exit status\n{done}")


main()
