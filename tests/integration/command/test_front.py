# SPDX-License-Identifier: LGPL-2.1-or-later
"""The front: help, version, mistakes, standard output that cannot be written, completion, the page of reasons."""
import os
import re
import shutil

from harness import (BUILD, add_case, build_path, case, clinch, expect, expect_equal, expect_in, expect_match, expect_not_in, main,
                     new_tempdir, run, skip, source_path)
from material import leaf, pki, response, verify_args

# The fixed forms: what scripts rely on.
FORMS = {
    "check": ["--ca", "--require", "--starttls", "--servername", "--connect", "--tls", "--ask-responder", "--timeout", "--format",
              "--json", "--client-cert", "--client-key", "--proxy", "--udp"],
    "verify": ["--cert", "--issuer", "--at", "--max-age", "--allow-sha1", "--trust-signer", "--json", "--format", "--skew"],
    "show": ["--json", "--format"],
    "fetch": ["--issuer", "--url", "--nonce", "-o"],
    "serve": ["-c", "--listen", "--backend", "--cert", "--key", "--store", "--responder", "--ready-file", "--user", "--allow-root"],
}
OPERANDS = {"check": "HOST[:PORT]...", "verify": "RESPONSE.der|-", "show": "FILE|-", "fetch": "CHAIN.pem", "serve": "",
            "completion": "bash|zsh|fish"}
# A command is what has a page of its own: neither comes without the other.
COMMANDS = sorted(re.findall(r"^clinch-(\w+)\.1$", "\n".join(os.listdir(source_path("man"))), re.M))


def documented(command):
    """The long options that a command's page explains."""
    with open(source_path("man", f"clinch-{command}.1"), encoding="utf-8") as f:
        items = [line for line in f if line.startswith(".It ")]
    return {f"--{name}" for line in items for name in re.findall(r"Fl Fl (\S+)", line)} | {"--help"}


def helps(command):
    def check():
        for args in ([command, "--help"], ["help", command], [command, "-h"]):
            done = clinch(*args)
            expect_equal((done.rc, done.err), (0, ""), f"exit status and stderr\n{done}")
            operands = re.escape((" " + OPERANDS[command]).rstrip()) if command in OPERANDS else ".*"
            expect_match(rf"\AUsage: clinch {command} \[OPTION\]\.\.\.{operands}$", done.out, "the first line")
            listed = re.findall(r"^ +(-\w, )?(--[\w-]+)", done.out, re.M)
            expect_equal({long for _, long in listed}, documented(command), "the options here and in the page")
            for option in FORMS.get(command, []):
                expect_match(rf"^ +(-\w, )?{option}\b", done.out, "options")
            long = [line for line in done.out.splitlines() if len(line) > 140]
            expect_equal(long, [], "lines too long for a terminal")
    return check


for name in COMMANDS:
    add_case(f"help_of_{name}_lists_what_its_page_explains", helps(name))


@case
def help_lists_every_command():
    for args in (["--help"], ["-h"], ["help"]):
        done = clinch(*args)
        expect_equal((done.rc, done.err), (0, ""), "exit status and stderr")
        listed = re.findall(r"^  ([a-z]+) {2,}\S", done.out.split("Commands:\n")[1], re.M)
        expect_equal(sorted(listed), COMMANDS, "commands")
    expect_equal([name for name in FORMS if name not in COMMANDS], [], "commands that scripts rely on")


@case
def help_wins_over_what_comes_later():
    expect_equal(clinch("verify", "--help", "--nonsense").rc, 0, "before a mistake")
    expect_equal(clinch("verify", "--nonsense", "--help").rc, 2, "after it")


@case
def version_is_that_of_the_project():
    with open(source_path("meson.build"), encoding="utf-8") as f:
        version = re.search(r"^ *version: '([^']+)'", f.read(), re.M).group(1)
    for option in ("--version", "-V"):
        done = clinch(option)
        expect_equal((done.rc, done.err), (0, ""), "exit status and stderr")
        expect_match(rf"\Aclinch {re.escape(version)} \(GnuTLS 3\.\d+\.\d+\)\n\Z", done.out, "the line")


MISTAKES = {
    "no_command": ([], "which command"),
    "an_unknown_command": (["frobnicate"], 'no command "frobnicate"\n'),
    "a_command_with_a_letter_changed": (["verfiy"], 'did you mean "verify"?'),
    "a_command_with_a_letter_dropped": (["chek"], 'did you mean "check"?'),
    "a_command_with_a_letter_added": (["shoow"], 'did you mean "show"?'),
    "an_option_before_the_command": (["--json", "show"], "before the command"),
    "a_very_long_command": (["x" * 5000], "no command"),
    "a_command_that_would_speak_to_the_terminal": (["\x1b[31m"], 'no command "?[31m"'),
    "help_for_what_is_no_command": (["help", "nothing"], "no command"),
}


def mistaken(args, words):
    def check():
        done = clinch(*args)
        expect_equal((done.rc, done.out), (2, ""), f"exit status and stdout\n{done}")
        expect_in(words, done.err, "stderr")
        expect_in('Try "clinch', done.err, "the hint")
    return check


for sentence, row in MISTAKES.items():
    add_case(f"a_mistake_{sentence}", mistaken(*row))


@case
def a_hint_is_not_guessed():
    for args in (["no"], ["verify", "--io"], ["frob", "--help"]):
        done = clinch(*args)
        expect_equal(done.rc, 2, "exit status")
        expect_not_in("did you mean", done.err, "stderr")


@case
def operands_may_come_before_options_and_after_two_dashes():
    path = response()
    expect_equal(clinch("show", path, "--json").json["kind"], "response", "an option behind")
    shutil.copy(path, os.path.join(pki.dir, "--json"))
    expect_equal(clinch("show", "--json", "--", "--json", cwd=pki.dir).json["kind"], "response", "after --")
    expect_equal(clinch("show", "--", "--json", cwd=pki.dir).rc, 0, "a file called --json")


@case
def says_that_the_half_that_fetches_is_missing():
    alone = new_tempdir()
    shutil.copy(os.path.join(BUILD, "clinch"), alone)
    done = run([os.path.join(alone, "clinch"), "fetch", "--help"])
    if done.rc == 0:
        skip("an installed clinch-keep was found")
    expect_equal((done.rc, done.out), (1, ""), f"exit status and stdout\n{done}")
    expect_match(r"\Aclinch fetch: /.*/clinch-keep could not be started: No such file.*installed\?\n\Z", done.err, "stderr")


# --- standard output ---------------------------------------------------------------------------------------------------------------


FULL = {
    "help": ["--help"], "help_of_a_command": ["verify", "--help"], "version": ["--version"], "completion": ["completion", "bash"],
    "show": ["show", leaf.cert_file], "show_json": ["show", "--json", leaf.cert_file], "verify": verify_args(response("full.der")),
    "verify_json": verify_args(response("full.der"), more=["--json"]),
}


def cannot_write(args):
    def check():
        for target, words in (("/dev/full", "No space left"), ("&-", "Bad file descriptor")):
            script = 'exec "$@" >' + target
            done = run(["sh", "-c", script, "sh", os.path.join(BUILD, "clinch"), *args])
            expect_equal(done.rc, 1, f"exit status\n{done}")
            expect_match(rf"\Aclinch: standard output could not be written: {words}.*\n\Z", done.err, "stderr")
    return check


for sentence, row in FULL.items():
    add_case(f"says_that_standard_output_is_full_for_{sentence}", cannot_write(row))


# --- completion --------------------------------------------------------------------------------------------------------------------


def need(shell):
    if not shutil.which(shell):
        skip(f"{shell} is not installed")


def script(shell):
    done = clinch("completion", shell)
    expect_equal((done.rc, done.err), (0, ""), "exit status and stderr")
    path = os.path.join(new_tempdir(), "_clinch")
    with open(path, "w", encoding="utf-8") as f:
        f.write(done.out)
    return path


def in_bash(*words):
    """What bash offers for the last of the words."""
    program = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _clinch "$1" "${!#}"; '
               'printf "%s\\n" "${COMPREPLY[@]}"')
    done = run(["bash", "--norc", "-c", program, "bash", script("bash"), "clinch", *words])
    expect_equal((done.rc, done.err), (0, ""), f"exit status and stderr\n{done}")
    return done.out.split()


@case
def bash_learns_the_completion():
    done = run(["bash", "--norc", "-c", 'source "$1" && complete -p clinch', "bash", script("bash")])
    expect_equal((done.rc, done.out), (0, "complete -o default -F _clinch clinch\n"), "complete -p")


@case
def bash_offers_commands_options_and_values():
    expect_equal(sorted(in_bash("")), sorted([*COMMANDS, "--help", "--version"]), "commands")
    expect_equal(in_bash("ver"), ["verify"], "a command begun")
    expect_equal(in_bash("verify", "--ma"), ["--max-age", "--max-size"], "options begun")
    for command in COMMANDS:
        offered = in_bash(command, "-")
        missing = sorted(documented(command) - set(offered))
        expect_equal(missing, [], f"options of {command} that are not offered")
        expect_in("--help", offered, f"options of {command}")
    expect_equal(in_bash("verify", "--format", ""), ["text", "json"], "values")
    expect_equal(in_bash("verify", "--format", "=", "j"), ["json"], "a value behind =")
    expect_equal(in_bash("verify", "--format", "="), ["text", "json"], "values behind =")
    expect_in("must-staple", in_bash("check", "--require", ""), "values of check")
    expect_equal(in_bash("verify", "--cert", ""), [], "files are the shell's own")
    expect_equal(in_bash("completion", ""), ["bash", "zsh", "fish"], "operands that are words")


@case
def zsh_learns_the_completion():
    need("zsh")
    path = script("zsh")
    expect_equal(run(["zsh", "-f", "-n", path]).rc, 0, "the syntax")
    program = 'autoload -U compinit; compinit -u -D; source "$1"; print -r -- $_comps[clinch]; whence -w _clinch'
    done = run(["zsh", "-f", "-c", program, "zsh", path])
    expect_equal((done.rc, done.out), (0, "_clinch\n_clinch: function\n"), f"what zsh knows\n{done}")


@case
def fish_offers_commands_options_and_values():
    need("fish")
    path, home = script("fish"), new_tempdir()

    def offers(line):
        done = run(["fish", "--no-config", "-c", f'source {path}; complete -C "{line}"'], env={"HOME": home})
        expect_equal((done.rc, done.err), (0, ""), f"exit status and stderr\n{done}")
        return [row.split("\t")[0] for row in done.out.splitlines()]

    expect_equal(sorted(offers("clinch ")), COMMANDS, "commands")
    begun = [option for option in offers("clinch verify --ma") if option.startswith("--ma")]  # fish 4 offers --format too
    expect_equal(begun, ["--max-age", "--max-size"], "options begun")
    expect_equal(sorted(offers("clinch verify --format ")), ["json", "text"], "values")
    expect_in("--require", offers("clinch check --re"), "options of check")


@case
def completion_names_the_shells_it_knows():
    for args in (["completion"], ["completion", "tcsh"], ["completion", "bash", "zsh"]):
        done = clinch(*args)
        expect_equal((done.rc, done.out), (2, ""), "exit status and stdout")
        expect_in("shell" if len(args) != 2 else "bash, zsh and fish", done.err, "stderr")


@case
def completions_are_built_as_they_are_printed():
    for shell, name in (("bash", "clinch"), ("zsh", "_clinch"), ("fish", "clinch.fish")):
        with open(build_path("completions", name), encoding="utf-8") as f:
            expect_equal(f.read(), clinch("completion", shell).out, name)


# --- the page of reasons -----------------------------------------------------------------------------------------------------------


@case
def the_page_of_reasons_is_sound():
    done = run(["mandoc", "-T", "lint", build_path("man", "clinch-reasons.7")])
    problems = [line for line in done.out.splitlines() if "referenced manual not found" not in line]
    expect_equal(problems, [], "what mandoc says")


@case
def every_page_is_sound_in_its_style_too():
    pages = [f for f in os.listdir(source_path("man")) if re.search(r"\.[1-9]$", f)]
    expect(len(pages) >= 7, f"only these pages: {pages}")
    done = run(["mandoc", "-T", "lint", *(source_path("man", p) for p in pages)])
    expect_equal([line for line in done.out.splitlines() if "referenced manual not found" not in line], [], "what mandoc says")


@case
def every_exported_function_has_a_page_and_a_link_to_it():
    with open(source_path("src", "libclinch.map"), encoding="utf-8") as f:
        exported = re.findall(r"^\t(clinch_\w+);$", f.read(), re.M)
    expect(len(exported) > 20, f"only these are exported: {exported}")
    with open(source_path("man", "meson.build"), encoding="utf-8") as f:
        installed = f.read()
    pages = {}
    for page in os.listdir(source_path("man")):
        if page.endswith(".3"):
            with open(source_path("man", page), encoding="utf-8") as f:
                pages.update({name: page for name in re.findall(r"^\.Nm (clinch_\w+)", f.read(), re.M)})
    expect_equal([name for name in exported if name not in pages], [], "functions that no page names")
    expect_equal([name for name in exported if f"'{name}'" not in installed and f"'{name}.3'" not in installed], [],
                 "functions that man/meson.build neither installs a page nor a link for")
    expect_equal([name for name in pages if name not in exported], [], "pages of what is not exported")


def example_compiles(page, header, declarations):
    """The EXAMPLES of a page, as the body of a function."""
    def check():
        text = re.sub(".\b", "", run(["mandoc", "-T", "ascii", source_path("man", page)]).out)
        code = re.search(r"^EXAMPLES\n(.*?)^ERRORS", text, re.M | re.S).group(1)
        path = os.path.join(new_tempdir(), "example.c")
        with open(path, "w", encoding="utf-8") as f:
            f.write(f"#include <clinch/{header}>\n#include <err.h>\n#include <time.h>\nvoid example(gnutls_session_t session);\n"
                    f"void example(gnutls_session_t session)\n{{\n\tint rc;\n\t{declarations}\n{code}}}\n")
        done = run(["cc", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I", source_path("include"), path])
        expect_equal(done.rc, 0, f"the compiler's exit status\n{done}")
    return check


add_case("the_example_of_the_client_page_compiles",
         example_compiles("clinch_client_attach.3", "client.h", "const struct clinch_report *report;"))
add_case("the_example_of_the_stapler_page_compiles",
         example_compiles("clinch_stapler_new.3", "stapler.h", "clinch_stapler_t *stapler; struct clinch_error err;"))


@case
def the_page_of_reasons_refuses_a_row_that_it_cannot_read():
    rows = os.path.join(new_tempdir(), "reasons.def")
    with open(source_path("include", "clinch", "reasons.def"), encoding="utf-8") as f:
        text = f.read()
    frame, findings = source_path("man", "clinch-reasons.7.in"), source_path("include", "clinch", "findings.def")
    for extra, status in (("", 0), ('REASON(X, "x", INVALID, "two"\n\t"lines", "y")\n', 1)):
        with open(rows, "w", encoding="utf-8") as f:
            f.write(text + extra)
        done = run(["/usr/bin/python3", source_path("man", "reasons.py"), frame, rows, findings, rows + ".7"])
        expect_equal(done.rc, status, f"exit status\n{done}")
    expect_not_in("@REASONS@", open(rows + ".7", encoding="utf-8").read(), "the page")


main()
