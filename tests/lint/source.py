# SPDX-License-Identifier: LGPL-2.1-or-later
"""How the C reads: floors, sizes, what may be called where."""
import re

from harness import case, expect, expect_equal, main, new_tempdir
from tree import Tree, bare_c, clean, functions, lint, numbered, project

# --- floors: an include points down only ------------------------------------------------------------------------------------------

FLOOR = {"base": 1, "der": 2, "x509": 3.1, "ocsp": 3.2, "store": 4.1, "tls": 4.2, "daemon": 5, "fetch": 5.1, "keep": 5.1,
         "respond": 5.1, "serve": 5.1, "probe": 5.1, "report": 5.1, "conf": 5.5, "demo": 5.5, "cli": 6}

# The exceptions, all of them: (from, what it may include all the same).
ALLOWED = {
    ("keep", "fetch/"),  # clinch-keep is the process that fetches
    ("keep", "cli/cli.h"),  # clinch-keep has a main() of its own: the options and exit statuses are the command's
    ("keep", "cli/fetch_options.h"),
    ("keep", "cli/keep_options.h"),
    ("keep", "cli/daemon.h"),
    ("keep", "cli/stdio.h"),
    ("keep", "conf/"),  # and reads its own configuration
    ("keep", "report/"),  # what fetch found is said as the other commands say it
    ("respond", "keep/paths.h"),  # the same files for a configured path, whoever reads them
    ("respond", "keep/issuers.h"),  # and the same issuer for a certificate
    ("probe", "fetch/address.h"),  # the same rules for what is an address, whoever connects
}

# Libraries, and who may use them. GnuTLS is not in floor 2: bytes are read without it.
LIBRARIES = {
    "curl/": {"fetch", "keep"},
    "uv.h": {"daemon", "fetch", "keep", "respond", "serve", "probe", "cli"},
    "jansson.h": {"daemon", "demo", "report", "probe", "keep", "respond", "cli"},
    "yaml.h": {"conf"},
    "microhttpd.h": {"daemon", "respond"},
    "gnutls/": set(FLOOR) - {"der"},
}

INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]')


def floors(tree):
    found = []
    for path in tree.matching(r"^(src/\w+/|include/clinch/).*\.[ch]$"):
        for number, line in numbered(tree.text(path)):
            include = INCLUDE.match(line)
            if include:
                sentence = _judge_include(path.split("/")[1], *include.groups())
                found += [(path, number, sentence)] if sentence else []
    return found


def _judge_include(mine, quote, target):
    if mine == "clinch":  # the public headers
        public = quote == "<" and (target.startswith(("clinch/", "gnutls/")) or re.match(r"std\w+\.h$", target))
        return None if public else f"a public header includes {target}"
    if mine not in FLOOR:
        return f"src/{mine} is on no floor"
    for library, users in LIBRARIES.items():
        if quote == "<" and target.startswith(library) and mine not in users:
            return f"{mine} may not use {target}"
    theirs = target.split("/")[0]
    if quote == "<" or theirs == mine:
        return None
    if any(mine == a and target.startswith(b) for a, b in ALLOWED):
        return None
    if theirs not in FLOOR:
        return f"{target} is on no floor: includes are written from src/"
    if FLOOR[theirs] >= FLOOR[mine]:
        return f"{mine} (floor {FLOOR[mine]}) includes {target} (floor {FLOOR[theirs]})"
    return None


lint("floors", floors)


@case
def each_exception_to_the_floors_is_needed():
    tree = project()
    for mine, target in sorted(ALLOWED):
        used = any(f'"{target}' in tree.text(p) for p in tree.matching(rf"^src/{mine}/.*\.[ch]$"))
        expect(used, f"nothing in src/{mine} includes {target} any more: take the exception out")

# --- size -------------------------------------------------------------------------------------------------------------------------

FUNCTION_LINES, FILE_LINES = 60, 500


def size(tree):
    found = []
    for path in tree.matching(r"\.(c|h|py|sh)$"):
        lines = len(tree.text(path).splitlines())
        if lines > FILE_LINES:
            found.append((path, lines, f"{lines} lines: at most {FILE_LINES}"))
    for path in tree.matching(r"\.[ch]$"):
        for name, first, last in functions(tree, path):
            if last - first + 1 > FUNCTION_LINES:
                found.append((path, first, f"{name} has {last - first + 1} lines: at most {FUNCTION_LINES}"))
    return found


clean("size", size)


@case
def size_notices_a_long_function_and_a_long_file():
    root = new_tempdir()
    fits = "void fits(void)\n{\n" + "\t;\n" * (FUNCTION_LINES - 3) + "}\n"
    long = "void too_long(void)\n{\n" + "\t;\n" * (FUNCTION_LINES - 2) + "}\n"
    for name, text in (("f.c", fits + long), ("full.py", "#\n" * FILE_LINES), ("more.py", "#\n" * (FILE_LINES + 1))):
        with open(f"{root}/{name}", "w") as f:
            f.write(text)
    found = size(Tree(root, ["f.c", "full.py", "more.py"]))
    expect_equal([(p, n) for p, n, _ in found], [("more.py", FILE_LINES + 1), ("f.c", FUNCTION_LINES + 1)], "what was noticed")

# --- what may be called -----------------------------------------------------------------------------------------------------------

BANNED = ("strcpy strcat sprintf vsprintf gets strtok atoi atol atoll atof system popen alloca strncpy strncat mktemp tmpnam "
          "curl_easy_perform").split()
CLOCK = "time clock_gettime gettimeofday clock gnutls_time".split()
WORLD = ("getenv secure_getenv setenv printf fprintf vprintf vfprintf puts fputs perror syslog vsyslog exit _exit quick_exit "
         "abort").split()


def _calls(names):
    return re.compile(r"(?<![\w.>])(" + "|".join(names) + r")\s*\(")


def banned(tree):
    """Calls that nobody may make, in all C of the tree."""
    call = _calls(BANNED)
    return [(path, number, f"{name}() is banned") for path in tree.matching(r"\.[ch]$")
            for number, line in numbered(bare_c(tree.text(path))) for name in call.findall(line)]


def effects(tree):
    """Calls that a floor may not make: the clock from src/tls up, the environment, output and exits from floor 5 up."""
    clock, world = _calls(CLOCK), _calls(WORLD)
    found = []
    for path in tree.matching(r"^src/\w+/.*\.[ch]$"):
        mine = path.split("/")[1]
        for number, line in numbered(bare_c(tree.text(path))):
            if FLOOR.get(mine, 0) < 4 or mine == "store":
                found += [(path, number, f"{n}(): {mine} reads no clock, time is an argument") for n in clock.findall(line)]
            if FLOOR.get(mine, 0) < 5:
                found += [(path, number, f"{n}(): {mine} talks to nobody") for n in world.findall(line)]
    return found


def mixture(tree):
    """goto beside cleanup attributes, and preprocessor conditions inside a function."""
    found = []
    for path in tree.matching(r"\.c$"):
        lines = bare_c(tree.text(path)).splitlines()
        for name, first, last in functions(tree, path):
            body = lines[first - 1:last]
            cleans = any(re.search(r"\bauto_\w+|\bAUTO\(|__attribute__\(\(cleanup", line) for line in body)
            for number, line in enumerate(body, first):
                if cleans and re.search(r"\bgoto\b", line):
                    found.append((path, number, f"{name} has goto beside cleanup attributes"))
                if re.match(r"\s*#\s*if", line):
                    found.append((path, number, f"{name} has a preprocessor condition inside"))
    return found


lint("banned", banned)
lint("effects", effects)
lint("mixture", mixture)
main()
