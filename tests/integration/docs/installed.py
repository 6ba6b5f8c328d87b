# SPDX-License-Identifier: LGPL-2.1-or-later
"""What `meson install` puts under a DESTDIR, and an environment in which plain `cc` and `pkg-config` find it there."""
import glob
import json
import os
import shlex
import shutil

from harness import Failed, build_path, expect, new_tempdir, run

WARNINGS = "-Wall -Wextra -Werror"


def _build_option(name):
    with open(build_path("meson-info", "intro-buildoptions.json")) as f:
        return next(option["value"] for option in json.load(f) if option["name"] == name)


def sanitizer():
    """What the build was sanitized with, as a compiler's option; "" when it was not."""
    value = _build_option("b_sanitize")
    return "" if value == "none" else f"-fsanitize={value}"


def compiler():
    """The build's own C compiler: a sanitized library wants its like."""
    with open(build_path("compile_commands.json")) as f:
        words = shlex.split(json.load(f)[0]["command"])
    return words[1] if os.path.basename(words[0]) == "ccache" else words[0]


class Installed:
    """The tree, and .env for commands that shall find it. tags: only what has these install tags; build: another build's."""

    def __init__(self, build=None, tags=None):
        self.root = new_tempdir()
        done = run(["meson", "install", "-C", build or build_path(), "--no-rebuild", "--quiet", "--destdir", self.root,
                    *(["--tags", tags] if tags else [])], timeout=60)
        expect(done.rc == 0, f"meson install fails\n{done}")
        self.pkgconfig = os.path.dirname(self.only("clinch.pc"))
        self.libraries = os.path.dirname(self.pkgconfig)
        self.bin = new_tempdir()
        self._shim("cc", compiler())
        self.env = {"PKG_CONFIG_PATH": self.pkgconfig, "PKG_CONFIG_SYSROOT_DIR": self.root, "LD_LIBRARY_PATH": self.libraries,
                    "PATH": self.bin + ":" + os.environ["PATH"]}

    def only(self, name):
        found = glob.glob(os.path.join(self.root, "**", name), recursive=True)
        if len(found) != 1:
            raise Failed(f"meson install should have put one {name} under {self.root}, not {found}")
        return found[0]

    def _shim(self, name, real):
        """The plain word, with every warning an error, and with the sanitizer of the library."""
        path = os.path.join(self.bin, name)
        with open(path, "w") as f:
            f.write(f'#!/bin/sh\nexec {shutil.which(real)} {WARNINGS} {sanitizer()} "$@"\n')
        os.chmod(path, 0o755)

    def sh(self, line, cwd, timeout=60, env=None):
        return run(["sh", "-c", line], cwd=cwd, env=dict(self.env, **(env or {})), timeout=timeout)
