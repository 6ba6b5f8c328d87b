# SPDX-License-Identifier: LGPL-2.1-or-later
"""A clock that stands still until it is told to move."""
import glob
import os

import faketime
from harness import new_tempdir, skip
from issuer import utc, write
from respond import SANITIZED


class Clock:
    """For one process, by libfaketime. Its monotonic clock goes on."""

    def __init__(self, at):
        libraries = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
        if not libraries or SANITIZED:
            skip("no libfaketime, or a sanitizer that wants to be the first library")
        faketime.forget_the_dead()
        self.path = os.path.join(new_tempdir(), "clock")
        self.set(at)
        self.env = {"LD_PRELOAD": libraries[0], "FAKETIME_TIMESTAMP_FILE": self.path, "FAKETIME_NO_CACHE": "1",
                    "FAKETIME_DONT_FAKE_MONOTONIC": "1", "TZ": "UTC"}

    def set(self, at):
        self.at = at
        write(self.path, utc(at).strftime("%Y-%m-%d %H:%M:%S\n").encode())
