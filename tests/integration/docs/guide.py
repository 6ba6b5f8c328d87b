# SPDX-License-Identifier: LGPL-2.1-or-later
"""docs/guide.md taken apart: its files, its commands with what they print, its table."""
import re

from harness import Failed, source_path

FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.M | re.S)
FILE = re.compile(r"/\* (\S+\.[ch]) \*/\n")


def blocks(language):
    with open(source_path("docs", "guide.md")) as f:
        return [body for found, body in FENCE.findall(f.read()) if found == language]


def languages():
    with open(source_path("docs", "guide.md")) as f:
        return {found for found, _ in FENCE.findall(f.read())}


def files():
    """Name to text: the blocks that begin with the name in a comment, joined in their order."""
    out = {}
    for body in blocks("c"):
        named = FILE.match(body)
        if not named:
            raise Failed(f"this block does not say which file it belongs to:\n{body}")
        out.setdefault(named.group(1), []).append(body)
    return {name: "\n".join(parts) for name, parts in out.items()}


def sessions():
    """Each console block as a list of (command, the lines it prints)."""
    return [_commands(body) for body in blocks("console")]


def _commands(body):
    out = []
    for line in body.splitlines():
        if line.startswith("$ "):
            out.append((line[2:], []))
        elif out:
            out[-1][1].append(line)
        else:
            raise Failed(f"a console block begins with output: {line}")
    return out


def table():
    """The rows of the table of servers, as dictionaries by the words of its header."""
    with open(source_path("docs", "guide.md")) as f:
        lines = [line for line in f.read().splitlines() if line.startswith("|")]
    header, _, *rows = [[re.sub(r"[`*$]", "", cell).strip() for cell in line.strip("|").split("|")] for line in lines]
    return [dict(zip(header, row)) for row in rows]
