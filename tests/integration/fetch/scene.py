# SPDX-License-Identifier: LGPL-2.1-or-later
"""The certificates that the fetch tests ask about, and `clinch fetch` with a deadline."""
import os

from harness import build_path, clinch, expect_equal, tempdir
from pki import Pki

EXIT_GOOD, EXIT_NOT_FOUND_OUT, EXIT_USAGE, EXIT_REVOKED, EXIT_NOT_BELIEVED, EXIT_UNKNOWN, EXIT_TEMPORARY = 0, 1, 2, 3, 4, 6, 75

NO_PROXY = {name: None for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY")}

pki = Pki(os.path.join(tempdir(), "pki"))
leaf = pki.leaf("www.example.org", before_days=20)
good = pki.response(leaf)
counter = iter(range(100000))


def out_file():
    """A name that nothing has yet."""
    return os.path.join(tempdir(), f"out-{next(counter)}.der")


def fetch(*args, chain=None, env=None, timeout=20, input=None):
    """Ends within `timeout` seconds or fails the case; without -o the response goes to the pipe."""
    return clinch("fetch", *args, chain or leaf.chain_file, env={**NO_PROXY, **(env or {})}, timeout=timeout, input=input)


def expect_exit(result, status):
    expect_equal(result.rc, status, f"exit status of\n{result}\n")


def read(path):
    with open(path, "rb") as f:
        return f.read()


def with_names(env=None):
    """The resolver of names.c; a sanitizer's runtime need not be the first library then."""
    options = os.environ.get("ASAN_OPTIONS", "")
    return {"LD_PRELOAD": build_path("tests/integration/fetch/names.so"),
            "ASAN_OPTIONS": f"{options}:verify_asan_link_order=0:detect_leaks=0", **(env or {})}
