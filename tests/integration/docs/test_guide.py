# SPDX-License-Identifier: LGPL-2.1-or-later
"""docs/guide.md: it compiles against the installed library, and what it says is printed is printed, by real servers' doing."""
import os
import re
import shutil

import guide
import servers
from harness import add_case, case, expect, expect_equal, free_port, main, new_tempdir, run, skip, source_path, start, wait_for
from installed import Installed


class Desk:
    """Where the guide's commands are typed: its files, an installed library, a PKI and the servers by name."""

    def __init__(self):
        self.dir = new_tempdir()
        self.installed = Installed()
        self.pki = servers.make_pki()
        self.staples = servers.staples(self.pki)
        for name, text in guide.files().items():
            with open(os.path.join(self.dir, name), "w") as f:
                f.write(text)
        self._put_files()

    def _put_files(self):
        """The files that the commands name."""
        client, server = self.pki.leaf("client"), self.pki.leaf(label="server")
        for name, source in (("roots.pem", self.pki.root.cert_file), ("issuer.pem", self.pki.intermediate.cert_file),
                             ("server.chain.pem", server.chain_file), ("server.key", server.key_file),
                             ("client.pem", client.cert_file), ("client.chain.pem", client.chain_file),
                             ("client.key", client.key_file),
                             ("server-good.der", self.pki.write("server-good.der", self.pki.response(server))),
                             ("server-tampered.der",
                              self.pki.write("server-tampered.der", servers.tampered(self.pki.response(server)))),
                             ("good.der", self.pki.write("client-good.der", self.pki.response(client))),
                             ("revoked.der", self.pki.write("client-revoked.der", self.pki.response(client, status="revoked")))):
            os.symlink(source, os.path.join(self.dir, name))

    def serve(self, name):
        """Starts the server of that name; what its variable stands for."""
        server = servers.s_server(self.pki, *self.staples[name])
        return f"127.0.0.1 {server.port} {self.pki.root.cert_file}"  # a bare chroot does not know localhost

    def environment(self, text):
        """The variables that the commands use, the servers behind them started."""
        env = {name: self.serve(name) for name in sorted(set(re.findall(r"\$([A-Z][A-Z0-9_]+)", text)) & set(self.staples))}
        return dict(env, PORT=str(free_port()))

    def sh(self, line, env):
        return self.installed.sh(line, self.dir, env=env)


desks = []


def desk():
    """Made once, with all that the guide compiles compiled."""
    if not desks:
        made = Desk()
        for line in (command for block in guide.sessions() for command, _ in block if command.startswith("cc ")):
            done = made.sh(line, {})
            expect(done.rc == 0, f"the guide's command fails\n{done}")
        desks.append(made)
    return desks[0]


@case
def every_block_of_code_is_one_that_is_tested():
    expect_equal(guide.languages(), {"c", "console"}, "languages of the blocks")
    expect_equal({n for n in guide.files() if n.endswith(".c")},
                 {"bare.c", "ours.c", "resumed.c", "loop.c", "bare-server.c", "our-server.c", "server.c", "stapling-client.c",
                  "judge.c"}, "programs")


@case
def every_program_is_compiled_by_a_command_of_the_guide():
    compiled = {m for block in guide.sessions() for line, _ in block for m in re.findall(r"^cc -o \S+ (\S+)", line)}
    expect_equal(compiled, {n for n in guide.files() if n.endswith(".c")}, "programs that are compiled")


@case
def the_lengths_it_gives_for_the_examples_are_right():
    with open(source_path("docs", "guide.md")) as f:
        text = f.read()
    for name, said, most in (("client", r"a whole client in (\d+) lines", 80), ("server", r"a whole server in (\d+)\.", 100)):
        with open(source_path("examples", name + ".c")) as f:
            lines = len(f.readlines())
        expect_equal(re.findall(said, text), [str(lines)], f"lines of examples/{name}.c")
        expect(lines < most, f"examples/{name}.c has {lines} lines")


@case
def its_code_is_in_the_form_of_the_projects_code():
    if not shutil.which("clang-format-14"):
        skip("clang-format-14 is not installed; another version has other ideas")
    for block in guide.blocks("c"):
        done = run(["clang-format-14", f"--style=file:{source_path('.clang-format')}"], input=block)
        expect_equal(done.out, block, "the block")


def read_page(name):
    with open(source_path("docs", name)) as f:
        return f.read()


def anchors(page):
    return {re.sub(r"[^a-z0-9 -]", "", line.lower()).strip().replace(" ", "-") for line in re.findall(r"^#+ (.*)$", page, re.M)}


@case
def its_links_lead_somewhere():
    for link in re.findall(r"\]\(([^)\s]+)\)", read_page("guide.md")):
        name, _, heading = link.partition("#")
        if link.startswith("https://"):
            continue
        expect(os.path.exists(source_path("docs", name)), f"{link} is not there")
        if heading:
            known = anchors(read_page(name or "guide.md"))
            expect(heading in known, f"no heading for {link} among {sorted(known)}")


def type_in(commands):
    """Types a block of the guide, command by command, and compares what each prints."""
    env = desk().environment("\n".join(line for line, _ in commands))
    background = None
    for line, expected in commands:
        if line.endswith(" &"):
            argv = ["sh", "-c", "exec " + line[:-2]]
            background = start(argv, ready=re.escape(expected[0]), cwd=desk().dir, env=dict(desk().installed.env, **env))
            seen = len(expected)
            expect_equal(wait_for(lambda: len(background.log_lines()) >= seen and background.log_lines(), 10, f"the lines of: {line}"),
                         expected, f"$ {line}")
            continue
        done = desk().sh(line, env)
        got = done.out.splitlines()
        if background is None:
            expect(got == expected, f"the guide says that this prints\n{chr(10).join(expected)}\n{done}")
            continue
        log = wait_for(lambda: [text for text in [background.log_lines()[seen:]] if len(text) + len(got) >= len(expected)],
                       10, f"the lines of: {line}")[0]
        seen += len(log)
        expect_equal(sorted(got + log), sorted(expected), f"$ {line}")


def add_session(number, commands):
    first = next((line for line, _ in commands if not line.startswith("cc ")), commands[0][0])
    title = re.sub(r"[^A-Za-z0-9]+", " ", first.split(";")[0]).strip().lower()
    add_case(f"block {number} prints what the guide says: {title}", lambda: type_in(commands))


def add_row(row):
    def judge():
        spec = desk().serve(row["SERVER"])
        bare, ours = desk().sh(f"./bare {spec}", {}), desk().sh(f"./ours {spec}", {})
        handshake = "goes on" if bare.rc == 0 else "breaks off"
        checked = re.search(r"^valid: (\w+)$", bare.out, re.M)
        expect_equal((handshake, checked and checked.group(1)), (row["GnuTLS: handshake"], row["is_checked"]), "GnuTLS")
        reason = re.search(r"^accepted: (\w+) \(([a-z0-9-]+)\)$", ours.out, re.M)
        verdict = re.search(r"^certificate 0: (\w+)", ours.out, re.M)
        expect(reason and verdict, f"no report in\n{ours}")
        expect_equal((verdict.group(1), reason.group(2)), (row["clinch: verdict"], row["clinch: reason id"]), "clinch")
        accepted = row["clinch: reason id"] in ("good", "no-staple")
        expect_equal((reason.group(1), ours.rc), ("yes", 0) if accepted else ("no", 1), "accepted and exit status")

    add_case(f"the row of {row['SERVER']} holds: {row['the server staples']}", judge)


@case
def the_table_has_no_server_that_is_not_run():
    named = [row["SERVER"] for row in guide.table()]
    expect(len(named) >= 15 and set(named) <= set(desk().staples), f"servers of the table: {named}")


def add_alert(program, version, number):
    def refuse():
        server = servers.s_server(desk().pki, *desk().staples["REVOKED"], f"-{version}")
        desk().sh(f"./{program} 127.0.0.1 {server.port} {desk().pki.root.cert_file}", {})
        wait_for(lambda: f"SSL alert number {number}" in server.log_text(), 5, f"alert {number} to reach the server")

    add_case(f"a {version.replace('_', '.')} server is told by alert {number} that {program} refuses its staple", refuse)


for tls in ("tls1_2", "tls1_3"):
    add_alert("ours", tls, 113)
for at, block in enumerate(guide.sessions(), 1):
    add_session(at, block)
for line_of_table in guide.table():
    add_row(line_of_table)
main()
