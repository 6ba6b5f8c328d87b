# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads the table of cases (tests/data/cases/*.cases; the form is told in its README)."""

import glob
import os


class TableError(Exception):
    pass


def words(text):
    """'a=b c' as {'a': 'b', 'c': ''}"""
    return {key: value for key, _, value in (word.partition("=") for word in text.split())}


def new_case(name, place):
    return {"name": name, "place": place, "keys": ["ec", "rsa"], "leaf": "leaf", "issuer": None, "at": "0s", "policy": {},
            "recipe": {"make": {}, "entries": [], "extensions": [], "spoil": []}, "want": None, "near": [], "findings": None,
            "rule": None, "not": {}}


def add_line(case, keyword, rest):
    recipe = case["recipe"]
    if keyword == "make":
        recipe["make"].update(words(rest))
    elif keyword == "entry":
        recipe["entries"].append(dict(words(rest), extensions=[]))
    elif keyword == "entry-extension":
        if not recipe["entries"]:
            recipe["entries"].append({"extensions": []})
        recipe["entries"][-1]["extensions"].append(rest)
    elif keyword == "extension":
        recipe["extensions"].append(rest)
    elif keyword == "spoil":
        label, how = rest.split(None, 1)
        recipe["spoil"].append((label, how))
    elif keyword in ("keys", "want", "near"):
        case[keyword] = (case[keyword] if keyword == "near" else []) + rest.split()
    elif keyword == "policy":
        case["policy"].update(words(rest))
    elif keyword == "not":
        way, why = rest.split(None, 1)
        case["not"][way] = why
    elif keyword in ("leaf", "issuer", "at", "findings", "says", "rule"):
        case[keyword] = rest
    else:
        raise TableError(f"{case['place']}: what is '{keyword}'?")


def finish(case):
    if not case["want"] or not case["rule"]:
        raise TableError(f"{case['place']}: {case['name']} has no '{'want' if not case['want'] else 'rule'}'")
    recipe = case["recipe"]
    if not recipe["entries"]:
        recipe["entries"].append({"extensions": []})
    if "no-entries" in recipe["make"]:
        recipe["entries"] = []
    return case


def read_file(path):
    case = None
    with open(path, encoding="ascii") as lines:
        for number, line in enumerate(lines, 1):
            keyword, _, rest = line.strip().partition(" ")
            if not keyword or keyword.startswith("#"):
                continue
            if keyword == "case":
                if case:
                    yield finish(case)
                case = new_case(rest.strip(), f"{os.path.basename(path)}:{number}")
            else:
                add_line(case, keyword, rest.strip())
    if case:
        yield finish(case)


def read(directory):
    cases = [case for path in sorted(glob.glob(os.path.join(directory, "*.cases"))) for case in read_file(path)]
    names = [case["name"] for case in cases]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise TableError(f"two cases are called {', '.join(sorted(twice))}")
    return cases
