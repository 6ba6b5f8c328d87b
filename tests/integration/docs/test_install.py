# SPDX-License-Identifier: LGPL-2.1-or-later
"""The installed library: found by pkg-config, used by plain cc, in C and in C++, shared and static."""
import os

import servers
from harness import case, expect, expect_equal, expect_in, expect_not_in, main, new_tempdir, run, source_path
from installed import Installed, compiler, sanitizer

CPLUSPLUS = r"""
#include <clinch/HEADER>
#include <cstdio>
int main()
{
	clinch_verdict verdict = {};
	clinch_policy policy = {};

	if (clinch_signers_new(&policy.signers, 0) != CLINCH_OK)
		return 1;
	clinch_signers_unref(policy.signers);
	std::printf("%s %s\n", clinch_status_name(verdict.status), clinch_reason_name(verdict.reason));
	return 0;
}
"""

trees = []


def tree():
    if not trees:
        trees.append(Installed())
    return trees[0]


def compile_and_run_the_example(installed, flags):
    here, pki = new_tempdir(), servers.make_pki()
    done = installed.sh(f"cc -o client {source_path('examples', 'client.c')} $(pkg-config {flags} clinch)", here)
    expect(done.rc == 0, str(done))
    server = servers.s_server(pki, pki.leaf(), pki.response(pki.leaf()))
    done = installed.sh(f"./client 127.0.0.1 {server.port} {pki.root.cert_file}", here)
    expect_equal(done.rc, 0, "exit status of the client")
    expect_in("accepted: the certificate is good", done.out)
    return os.path.join(here, "client")


@case
def a_program_compiled_with_cc_and_pkg_config_runs():
    program = compile_and_run_the_example(tree(), "--cflags --libs")
    needed = run(["ldd", program], env=tree().env).out
    expect_in(os.path.join(tree().libraries, "libclinch.so.0"), needed, "what it is linked with")


@case
def pkg_config_names_no_directory_of_the_build():
    with open(tree().only("clinch.pc")) as f:
        text = f.read()
    for place in (os.path.realpath(source_path()), os.path.realpath(os.environ["CLINCH_BUILD"])):
        expect_not_in(place, text, "clinch.pc")


@case
def the_installed_headers_are_the_public_ones():
    installed = os.listdir(os.path.dirname(tree().only("client.h")))
    expect_equal(sorted(installed), sorted(os.listdir(source_path("include", "clinch"))), "headers")


@case
def the_library_needs_gnutls_and_the_c_library_alone():
    wanted = run(["sh", "-c", f"objdump -p {tree().libraries}/libclinch.so.0 | sed -n 's/ *NEEDED *//p'"]).out.split()
    wanted = [name for name in wanted if not name.startswith("ld-linux")]  # the C library's
    if sanitizer():
        wanted = [name for name in wanted if not name.startswith(("libasan", "libubsan", "libtsan", "libm.", "libgcc"))]
    expect_equal(sorted(wanted), ["libc.so.6", "libgnutls.so.30"], "NEEDED of libclinch.so")


def use_from_cplusplus(header):
    here = new_tempdir()
    with open(os.path.join(here, "use.cc"), "w") as f:
        f.write(CPLUSPLUS.replace("HEADER", header))
    done = tree().sh("g++ -std=c++11 -Wall -Wextra -pedantic -Werror -c use.cc $(pkg-config --cflags clinch) && "
                     "cc -o use use.o $(pkg-config --libs clinch) && ./use", here)
    expect(done.rc == 0, str(done))
    expect_equal(done.out, "invalid unjudged\n", "a verdict that nobody gave")


@case
def the_judge_is_used_from_cplusplus():
    use_from_cplusplus("ocsp.h")


@case
def the_client_half_is_used_from_cplusplus():
    use_from_cplusplus("client.h")


@case
def a_static_library_is_linked_with_what_pkg_config_says():
    build = os.path.join(new_tempdir(), "build")
    options = ["-Dtests=false", "-Ddefault_library=static", f"-Db_sanitize={sanitizer().partition('=')[2] or 'none'}", "-Db_lundef=false"]
    for argv in (["meson", "setup", build, source_path(), *options], ["ninja", "-C", build, "-j2", "src/libclinch.a"]):
        done = run(argv, env={"CC": compiler()}, timeout=120)
        expect(done.rc == 0, str(done))
    static = Installed(build, tags="devel")
    flags = static.sh("pkg-config --static --libs clinch", "/").out.split()
    expect({"-lclinch", "-lgnutls", "-pthread"} <= set(flags), f"pkg-config --static --libs: {flags}")
    program = compile_and_run_the_example(static, "--cflags --libs")  # with --static GnuTLS too: that wants more -dev packages
    expect_not_in("libclinch", run(["ldd", program]).out, "what a static program is linked with")


main()
