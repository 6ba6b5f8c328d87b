# SPDX-License-Identifier: LGPL-2.1-or-later
"""Threads of clients that go on until it is over, and what ThreadSanitizer has to say then."""
import http.client
import os
import ssl
import threading
import time

from harness import expect, expect_equal

SECONDS = int(os.environ.get("TSAN_SECONDS", "20"))
OPTIONS = {"TSAN_OPTIONS": "exitcode=66 halt_on_error=0 second_deadlock_stack=1"}


class Load:
    """What each of its threads is for must have succeeded now and then; `passing` are exceptions of a client that came between."""

    def __init__(self, *passing):
        self.end, self.done, self.threads, self.troubles = time.monotonic() + SECONDS, {}, [], []
        self.passing = (OSError, ssl.SSLError, http.client.HTTPException, *passing)

    def start(self, work, *arguments, pause=0.0):
        self.done[work.__name__] = 0

        def go_on():
            while time.monotonic() < self.end and not self.troubles:
                try:
                    work(*arguments)
                    self.done[work.__name__] += 1
                except self.passing:
                    pass  # but see what was done
                except Exception as error:
                    self.troubles.append(repr(error))
                time.sleep(pause)

        self.threads.append(threading.Thread(target=go_on, daemon=True))
        self.threads[-1].start()

    def join(self):
        for thread in self.threads:
            thread.join(60)
        expect_equal(self.troubles, [], "troubles of clients")
        for name, times in self.done.items():
            expect(times > 2, f"{name} succeeded {times} times in {SECONDS} s")
        print(f"# {self.done}", flush=True)


def expect_no_race(process):
    """It ends by SIGTERM with 0, and its log has no report."""
    process.popen.terminate()
    status, text = process.wait(60), process.log_text()
    expect("ThreadSanitizer" not in text, text[text.find("WARNING: ThreadSanitizer"):][:6000])
    expect_equal(status, 0, "exit status")
