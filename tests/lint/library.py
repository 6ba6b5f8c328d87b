# SPDX-License-Identifier: LGPL-2.1-or-later
"""The library's face: what it exports, and each public header by itself."""
import os
import re
import shutil

from harness import BUILD, SOURCE, Failed, case, expect, expect_equal, expect_in, expect_match, main, new_tempdir, run, skip, \
    source_path

from tree import SAMPLES, bare_c


def exported():
    library = os.path.join(BUILD, "src", "libclinch.so")
    done = run(["nm", "--dynamic", "--defined-only", "--extern-only", library])
    expect_equal(done.rc, 0, "nm's exit status")
    names = {line.split()[-1].split("@")[0] for line in done.out.splitlines()}
    return {n for n in names if n != "CLINCH_0"}  # the version's own symbol


def mapped(text):
    body = re.search(r"global:(.*?)local:", text, re.S).group(1)
    return set(re.findall(r"\w+", body))


def declared(text):
    """The functions that a header marks CLINCH_API."""
    return set(re.findall(r"^CLINCH_API\b[^;]*?\b(\w+)\s*\(", re.sub(r"^\s*#.*$", "", bare_c(text), flags=re.M), re.M))


def headers():
    where = source_path("include", "clinch")
    return sorted(n for n in os.listdir(where) if n.endswith(".h"))


def read(*parts):
    with open(source_path(*parts), encoding="utf-8") as f:
        return f.read()


def differences(exports, in_map, in_headers):
    return [f"{name}: " + ", ".join(f"{'' if name in names else 'not '}{place}" for names, place in
                                    ((exports, "exported"), (in_map, "in the map"), (in_headers, "declared")))
            for name in sorted((exports | in_map | in_headers) - (exports & in_map & in_headers))]


@case
def exports_the_map_and_the_declarations_are_the_same():
    in_headers = set().union(*(declared(read("include", "clinch", h)) for h in headers()))
    expect(len(in_headers) > 20, f"only {len(in_headers)} declarations were found")
    found = differences(exported(), mapped(read("src", "libclinch.map")), in_headers)
    if found:
        raise Failed("\n".join(found))


@case
def a_symbol_that_is_in_one_place_only_is_noticed():
    header = "/* CLINCH_API int no(void); */\nCLINCH_API CLINCH_MUST_USE int\nclinch_a(int x,\n\t int y);\nCLINCH_API struct b *clinch_b(void);\n"
    expect_equal(declared(header), {"clinch_a", "clinch_b"}, "declarations")
    expect_equal(mapped("CLINCH_0 {\nglobal:\n\tclinch_a;\n\tclinch_c;\nlocal:\n\t*;\n};\n"), {"clinch_a", "clinch_c"}, "map")
    expect_equal(len(differences({"clinch_a", "stray"}, {"clinch_a", "clinch_c"}, {"clinch_a", "clinch_b"})), 3, "differences")


@case
def every_exported_name_begins_with_clinch():
    expect_equal([n for n in sorted(exported()) if not n.startswith("clinch_")], [], "other names")


C = ["gcc", "-x", "c", "-std=c99", "-pedantic"]
CXX = ["g++", "-x", "c++", "-std=c++11", "-pedantic"]


def compile_alone(language, header, *include):
    if not shutil.which(language[0]):
        skip(f"{language[0]} is not here")
    includes = [f"-I{i}" for i in include]
    return run([*language, "-Wall", "-Wextra", "-Wundef", "-Werror", "-fsyntax-only", *includes, header])


@case
def each_public_header_compiles_alone_in_c():
    for header in headers():
        expect_equal(compile_alone(C, source_path("include/clinch", header), source_path("include")).err, "", header)


@case
def each_public_header_compiles_alone_in_cxx():
    for header in headers():
        expect_equal(compile_alone(CXX, source_path("include/clinch", header), source_path("include")).err, "", header)


@case
def a_header_that_needs_another_first_is_noticed():
    done = compile_alone(C, os.path.join(SOURCE, SAMPLES, "include/needs_another.h"), source_path("include"))
    expect_in("uint8_t", done.err, "the compiler's word")


@case
def a_header_that_is_no_cxx_is_noticed():
    header = os.path.join(SOURCE, SAMPLES, "include/no_cxx.h")
    expect_equal(compile_alone(C, header, source_path("include")).rc, 0, "in C")
    expect(compile_alone(CXX, header, source_path("include")).rc != 0, "no_cxx.h compiles in C++")


@case
def the_pkg_config_file_is_enough_to_build_a_client():
    """As an installed program would: installed into a directory, found by pkg-config alone."""
    if os.environ.get("CLINCH_SANITIZE", "none") != "none":
        skip("a sanitized library is no good to a program without")
    root = new_tempdir()
    done = run(["meson", "install", "-C", BUILD, "--no-rebuild", "--quiet"], env={"DESTDIR": root}, timeout=60)
    expect_equal(done.rc, 0, f"meson install: {done.err}")
    pc = run(["find", root, "-name", "clinch.pc"]).out.strip()
    env = {"PKG_CONFIG_PATH": os.path.dirname(pc), "PKG_CONFIG_SYSROOT_DIR": root}
    flags = run(["pkg-config", "--cflags", "--libs", "clinch"], env=env)
    expect_match(r"-lclinch\b", flags.out, "pkg-config")
    program = os.path.join(root, "program.c")
    with open(program, "w", encoding="utf-8") as f:
        f.write('#include <clinch/client.h>\n#include <stdio.h>\nint main(void)\n{\n\tputs(clinch_reason_name(CLINCH_REASON_GOOD));\n}\n')
    built = run(["gcc", program, "-o", program[:-2], *flags.out.split()])
    expect_equal(built.rc, 0, f"the compiler's exit status: {built.err}")
    where = run(["find", root, "-name", "libclinch.so"]).out.strip()
    expect_equal(run([program[:-2]], env={"LD_LIBRARY_PATH": os.path.dirname(where)}).out, "good\n", "what it says")


main()
