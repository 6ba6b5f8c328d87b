# SPDX-License-Identifier: LGPL-2.1-or-later
"""docs/peers.md against what is measured: each cell of its tables is one case, and what was measured is printed as a table again.

A cell is `same`, or `differs: <how>[^note]`, where the note holds the public source. The cells are those of the versions the document
names: where another version is installed (another Debian), a cell that came out otherwise is printed and not failed. What clinch said
of the peer's bytes is the measuring function's own to check, whatever the version."""
import re

from harness import add_case, expect, expect_in, run, source_path

_text = None
_printed = []


def _document():
    global _text
    if _text is None:
        with open(source_path("docs", "peers.md"), encoding="utf-8") as f:
            _text = f.read()
    return _text


def rows_of(heading):
    """The first table under `## heading`, as lists of cells; the first list is the columns' names."""
    section = re.search(rf"^## {re.escape(heading)}$(.*?)(?=^## |\Z)", _document(), re.M | re.S)
    expect(section, f"docs/peers.md has no section {heading!r}")
    lines = [line for line in section[1].splitlines() if line.startswith("|")]
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in table if not re.fullmatch(r":?-+:?", row[0])]


def cells_of(heading):
    """{(row, column): cell} of the table under that heading."""
    columns, *rows = rows_of(heading)
    return {(row[0], column): cell for row in rows for column, cell in zip(columns[1:], row[1:])}


def plain(cell):
    """A cell without its notes."""
    return re.sub(r"\[\^[^]]+\]", "", cell).strip()


# --- versions


VERSION_COMMANDS = {
    "GnuTLS": ["gnutls-serv", "--version"],
    "OpenSSL": ["openssl", "version"],
    "nginx": ["nginx", "-v"],
    "HAProxy": ["haproxy", "-v"],
    "lighttpd": ["lighttpd", "-v"],
    "python3-cryptography": ["/usr/bin/python3", "-c", "import cryptography; print(cryptography.__version__)"],
}
_installed = {}


def installed(program, env=None):
    """Its version, two numbers of it: 3.7.9 is 3.7."""
    if program not in _installed:
        done = run(VERSION_COMMANDS[program], env=env)
        _installed[program] = re.search(r"\d+\.\d+(?:\.\d+)*", done.out + done.err)[0]
    return _installed[program]


def is_documented_version(program, env=None):
    documented = dict(row[:2] for row in rows_of("Versions")[1:])
    return documented[program].split(".")[:2] == installed(program, env).split(".")[:2]


# --- cases


def add_cell(heading, row, column, measure, is_binding):
    """A case for one cell: measure() gives what it is, without notes; is_binding() whether it has to be what the document says."""
    wanted = cells_of(heading).get((row, column), "")

    def check():
        got = measure()
        _printed.append((row, column, got))
        expect(got, "the cell is empty")
        if is_binding():
            expect(got == plain(wanted), f"docs/peers.md says {plain(wanted)!r} of {row}, {column}; it is {got!r}")
        elif got != plain(wanted):
            print(f"# another version: {row}, {column}: {got} (docs/peers.md: {plain(wanted)})", flush=True)

    add_case(f"{heading}, {row}, {column}: {plain(wanted) or 'not in docs/peers.md'}", check)


def add_closing_case(heading):
    """Each difference has a public source, no cell is empty, and the table is printed."""

    def check():
        for (row, column), cell in cells_of(heading).items():
            expect(cell, f"docs/peers.md: {row}, {column} is empty")
            if cell.startswith("differs:"):
                notes = re.findall(r"\[\^([^]]+)\]", cell)
                expect(notes, f"docs/peers.md: {row}, {column} differs without a source")
                for note in notes:
                    found = re.search(rf"^\[\^{re.escape(note)}\]: (.*)$", _document(), re.M)
                    expect(found, f"docs/peers.md: there is no note [^{note}]")
                    expect_in("https://", found[1], f"note [^{note}]")
        _print_table(heading)

    add_case(f"{heading}: no cell of the table is empty, each difference has its source", check)


def _print_table(heading):
    columns = list(dict.fromkeys(column for _, column, _ in _printed))
    rows = list(dict.fromkeys(row for row, _, _ in _printed))
    cell = {(row, column): got for row, column, got in _printed}
    lines = [[heading, *columns]] + [[row, *(cell.get((row, column), "") for column in columns)] for row in rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns) + 1)]
    for line in lines:
        print("# | " + " | ".join(text.ljust(width) for text, width in zip(line, widths)) + " |", flush=True)
