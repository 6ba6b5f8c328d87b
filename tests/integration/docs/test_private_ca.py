# SPDX-License-Identifier: LGPL-2.1-or-later
"""docs/private-ca.md, typed in from the top: each command in its order, in one directory, prints what the page says."""
import os
import re
import socket

from harness import build_path, case, expect, expect_equal, free_port, main, new_tempdir, run, source_path, start

PORTS = {"8080": free_port(), "8443": free_port(), "8000": free_port()}


def page():
    with open(source_path("docs", "private-ca.md")) as f:
        return f.read()


def blocks():
    """(kind, what stands behind it, text) of each block, the ports made free ones."""
    for kind, argument, text in re.findall(r"^```(\w+) ?(\S*)\n(.*?)^```$", page(), re.M | re.S):
        for port, free in PORTS.items():
            text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{free}")
        yield kind, argument, text.replace("/etc/clinch/", f"{desk.dir}/")


class Desk:
    def __init__(self):
        self.dir = new_tempdir()
        bin_ = os.path.join(self.dir, "bin")
        os.mkdir(bin_)
        # Root has to say so; everybody else types what stands there.
        root = ' --allow-root' if os.geteuid() == 0 else ""
        with open(os.path.join(bin_, "clinch"), "w") as f:
            f.write(f'#!/bin/sh\ncase $1 in respond|serve) exec {build_path("clinch")} "$@"{root};; esac\n'
                    f'exec {build_path("clinch")} "$@"\n')
        os.chmod(f.name, 0o755)
        self.env = {"PATH": f"{bin_}:{os.environ['PATH']}", "LC_ALL": "C"}

    def type(self, line, expected):
        if line.endswith(" &"):
            port = int(re.search(r"--listen 127\.0\.0\.1:(\d+)", line).group(1))
            start(["sh", "-c", "exec " + line[:-2]], ready=lambda _: accepts(port), cwd=self.dir, env=self.env)
            return
        done = run(["sh", "-c", line], cwd=self.dir, env=self.env, timeout=60)
        expect_equal(done.out.splitlines(), expected, f"$ {line}\n{done}")
        expect(expected or done.rc == 0, f"$ {line}\n{done}")


desk = Desk()


def accepts(port):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def commands(text):
    """[(command, the lines it prints)]"""
    found = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found


@case
def has_no_block_that_is_not_tried():
    kinds = [kind for kind, _, _ in blocks()]
    expect_equal(set(kinds), {"file", "console", "sh"}, "kinds of blocks")
    expect_equal(kinds.count("sh"), 1, "blocks for root, which are not run")
    expect(kinds.count("console") >= 8, f"{kinds.count('console')} sessions")


def do(kind, argument, text):
    if kind == "file":
        with open(os.path.join(desk.dir, argument), "w") as f:
            f.write(text)
    elif kind == "console":
        for line, expected in commands(text):
            desk.type(line, expected)


@case
def typed_in_from_the_top_it_prints_what_it_says():
    for block in blocks():
        do(*block)


main()
