# SPDX-License-Identifier: LGPL-2.1-or-later
"""README.md tells the truth: what it prints is printed, what it names is there."""
import os
import re
from datetime import timedelta

from harness import BUILD, case, clinch, expect, expect_equal, free_port, main, new_tempdir, source_path, start
from pki import Pki

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


def readme():
    with open(source_path("README.md"), encoding="utf-8") as f:
        return f.read()


def told():
    """The lines of the console block."""
    return re.search(r"^```console\n(.*?)^```$", readme(), re.M | re.S).group(1).splitlines()


def expired_server(pki):
    """A server whose staple ended 3 days and 1 hour ago, as in the README; its address."""
    leaf = pki.leaf("mail.example.org", ocsp_url="http://ocsp.example.org/")
    staple = pki.write("staple.der", pki.response(leaf, this_update=timedelta(days=-7),
                                                  next_update=timedelta(days=-3, minutes=-90)))
    port = free_port()
    start(["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", leaf.cert_file, "-cert_chain", leaf.chain_file, "-key",
           leaf.key_file, "-status_file", staple, "-quiet"], ready=port)
    return f"127.0.0.1:{port}"


@case
def the_check_of_an_expired_staple_prints_what_it_says():
    """The same command, but for where it connects and whom it trusts; and the hour is another."""
    pki = Pki(new_tempdir())
    address = expired_server(pki)
    done = clinch("check", "--ca", pki.root.cert_file, "--connect", address, "mail.example.org")
    lines = told()
    expect_equal(lines[0], "$ clinch check mail.example.org", "the first line")
    printed = TIME.sub("TIME", done.out.replace(address, "192.0.2.25:443")).rstrip("\n").splitlines()
    expect_equal("\n".join(printed), TIME.sub("TIME", "\n".join(lines[1:-2])), "what it prints")
    expect_equal(["$ echo $?", str(done.rc)], lines[-2:], "exit status")


@case
def every_command_and_option_it_names_is_there():
    names = re.findall(r"`clinch ([a-z]+)((?: [^`]*)?)`", readme())
    expect(len(names) >= 5, "no commands were found in README.md")
    for name, rest in names:
        help_text = clinch(name, "--help")
        expect_equal(help_text.rc, 0, f"clinch {name} --help")
        for option in re.findall(r"--?[a-z][a-z-]*", rest):
            expect(re.search(rf"(?<!\S){option}\b", help_text.out), f"clinch {name} has no {option}")


@case
def every_file_and_target_it_names_is_there():
    for path in re.findall(r"\]\(([^)#:]+)\)", readme()):
        expect(os.path.exists(source_path(path)), f"README.md names {path}")
    with open(source_path("Makefile"), encoding="utf-8") as f:
        targets = set(re.findall(r"^([a-z-]+):", f.read(), re.M))
    named = set(re.findall(r"^(?:`?)make ([a-z-]+)", readme(), re.M))
    expect({"demo", "check"} <= named, f"only these targets were found: {named}")
    expect_equal(named - targets, set(), "targets that the Makefile has not")
    expect(os.path.exists(os.path.join(BUILD, "clinch")), "build/clinch is not where it says")


@case
def lines_fit_a_window():
    long = [line for line in readme().splitlines() if len(line) > 160 and not line.startswith("|")]
    expect_equal(long, [], "lines of more than 160 characters")


main()
